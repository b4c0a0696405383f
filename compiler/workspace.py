"""Reads a workspace folder as a whole, and checks what its parts say about each other."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from compiler.catalog.about import check_columns
from compiler.catalog.content import read_contents
from compiler.catalog.holes import check_holes
from compiler.catalog.reading import read_cards, read_catalog
from compiler.consent import Known, read_names
from compiler.features.reading import PATH as FEATURES_PATH
from compiler.features.reading import read_features, taken_features
from compiler.features.tastes import check_tastes
from compiler.files.fields import Fields, check_id
from compiler.files.text_files import is_file
from compiler.files.yaml_lines import read_yaml
from compiler.models.budgets import read_budget
from compiler.models.smallest import read_smallest
from compiler.models.types import Features, ModelConfig
from compiler.predictions.manifest import note_unused_predictions
from compiler.predictions.reading import Ask, is_prediction, read_predictions, with_predictions
from compiler.problems import Problems, WorkspaceError, nearest
from compiler.recommenders.reading import FOLDER as RECOMMENDERS
from compiler.recommenders.reading import read_recommenders
from compiler.recommenders.types import RecommenderConfig
from compiler.rules.behaviours import check_behaviours
from compiler.rules.caps import with_caps
from compiler.rules.lint_campaigns import note_shadowed
from compiler.rules.lint_redirects import note_circles
from compiler.rules.placements import check_defaults
from compiler.rules.purposes import check_purposes
from compiler.rules.reading import Rules, read_rules
from compiler.rules.reads import check_sources
from compiler.rules.show import Names
from compiler.site import PATH as SITE_PATH
from compiler.site import read_site
from compiler.types import Audience, Campaign, Card, Catalog, Content, Item, Show, Site, Workspace
from edge.errors import GivenError

__all__ = [
    "Audience",
    "Campaign",
    "Card",
    "Catalog",
    "Content",
    "Item",
    "ModelConfig",
    "Site",
    "Workspace",
    "WorkspaceError",
    "read_workspace",
]

MODELS: Final = "models"
FOLDERS: Final = ("catalogs", "content", "models", "recommenders", "rules")
BESIDE: Final = ("contexts", "data")
"""Folders that are nobody's spelling mistake, and not read: what people try out, and what models read."""

CheckSettings = Callable[[str, Mapping[str, object]], object]
"""``(recipe, settings)``; raises `GivenError` where there is no such recipe or setting."""


def _accept(_recipe: str, _settings: Mapping[str, object]) -> None:
    """The recipes are not known here: they will say so themselves."""


def read_workspace(
    folder: Path, check_settings: CheckSettings = _accept, check_predictions: CheckSettings = _accept
) -> Workspace:
    """Read and check everything that people wrote.

    Parameters
    ----------
    check_settings
        What the recipes say to the settings of models; without it they say so in training.
    check_predictions
        The same of the recipes of predictions.

    Raises
    ------
    WorkspaceError
        With every problem at once. Warnings alone raise nothing; they are in
        `Workspace.warnings`.
    """
    problems = Problems()
    if folder.is_file():
        problems.error(str(folder), 0, "missing", "is a file, not a workspace", "name the folder it is in")
    elif not folder.is_dir():
        problems.error(str(folder), 0, "missing", "there is no such folder", "make one with `nearside init`")
    problems.raise_errors()
    _note_strangers(folder, problems)
    site = read_site(folder, problems)
    contents = read_contents(folder, problems)
    catalog = read_catalog(folder, problems)
    cards = read_cards(folder, catalog, problems)
    known = site.consent.known if site is not None else None
    features = read_features(folder, site, problems) if site is not None else Features()
    models = _read_models(folder, check_settings, (known, features), problems)
    _check_items(folder, models, catalog, problems)
    predictions = read_predictions(folder, features, site, _asking(check_predictions), problems)
    rules = Rules((), (), (), (), {}, (), ())
    recommenders: tuple[RecommenderConfig, ...] = ()
    # Without the site's attributes and placements, every rule would look wrong.
    if site is not None:
        names = Names(
            _stems(folder, "content", ".html", ".txt"),
            _stems(folder, MODELS, ".yaml", ".yml") | _stems(folder, RECOMMENDERS, ".yaml", ".yml"),
            _stems(folder, "catalogs/cards", ".html"),
        )
        check_holes(contents, site, problems)  # they are filled before anything is predicted
        site = with_predictions(site, predictions)
        rules = read_rules(folder, site, names, problems)
        check_defaults(site.places, names.contents, problems)
        site = with_caps(site, rules.campaigns, problems)
        if catalog.path:  # else it can't be read, and that is told
            check_behaviours(site.behaviours, catalog, problems)
            check_columns(site.item_columns, catalog, problems)
            check_tastes(site, catalog, problems)
            recommenders = read_recommenders(folder, site, models, catalog, problems)
        check_sources(rules.campaigns, recommenders, site, problems)
    problems.raise_errors()
    assert site is not None
    found = Workspace(
        folder, site, rules.audiences, rules.campaigns, contents, catalog, cards, models,
        experiments=rules.experiments, holdouts=rules.holdouts, groups=rules.groups, bandits=rules.bandits,
        layouts=rules.layouts, features=features, recommenders=recommenders, predictions=predictions,
    )  # fmt: skip
    # Only now: what a broken campaign would use looks unused.
    shown = found.shows()
    _note_unused(shown, contents, cards, problems)
    _note_unused_models(shown, models, recommenders, problems)
    note_unused_predictions(found, problems)
    note_shadowed(found, problems)
    note_circles(found, problems)
    check_purposes(found, problems)
    problems.raise_errors()
    return replace(found, warnings=problems.warnings)


def _stems(folder: Path, inside: str, *suffixes: str) -> frozenset[str]:
    """Names by file, also of files with problems: those are noted once, where they are."""
    return frozenset(file.stem for file in (folder / inside).glob("*") if file.suffix in suffixes)


def _note_strangers(folder: Path, problems: Problems) -> None:
    """A misspelt folder would otherwise be left out in silence."""
    for entry in sorted(folder.glob("*")):
        if entry.is_dir() and not entry.name.startswith(".") and entry.name not in (*FOLDERS, *BESIDE):
            near = nearest(entry.name, FOLDERS)
            if near.startswith("did you mean"):
                problems.warn(entry.name, 0, "unused", "this folder is not read", near)
        elif entry.suffix in (".yaml", ".yml") and entry.name not in (SITE_PATH, FEATURES_PATH):
            problems.warn(
                entry.name, 0, "unused", "this file is not read", "rules are in rules/, models in models/"
            )


Said = tuple[Known | None, Features]
"""What other files say: purposes, where the site can be read, and features."""


def _read_models(
    folder: Path, check_settings: CheckSettings, said: Said, problems: Problems
) -> tuple[ModelConfig, ...]:
    found: dict[str, ModelConfig] = {}
    files = [f for f in sorted((folder / MODELS).glob("*")) if f.suffix in (".yaml", ".yml")]
    names = {file.stem for file in files}
    for file in files:
        path = f"{MODELS}/{file.name}"
        if file.stem in found:
            problems.error(path, 0, "duplicate-id", f"model {file.stem!r} is also in {found[file.stem].path}")
        elif check_id(file.stem, "a model", (path, 0), problems):
            config = _read_model(folder, path, names, check_settings, said, problems)
            if config is not None:
                found[file.stem] = config
    return tuple(found[name] for name in sorted(found))


def _check_items(folder: Path, models: tuple[ModelConfig, ...], catalog: Catalog, problems: Problems) -> None:
    """A model ranks the catalog's items; a catalog that can't be read has been noted already."""
    none = not catalog.items if catalog.path else not _stems(folder, "catalogs", ".csv")
    if models and none:
        hint = "list the items in catalogs/NAME.csv"
        problems.error(models[0].path, 0, "missing", "a model needs a catalog with items", hint)


def _read_model(  # noqa: PLR0913, PLR0917 - what other files say comes in apart
    folder: Path,
    path: str,
    names: Iterable[str],
    check_settings: CheckSettings,
    said: Said,
    problems: Problems,
) -> ModelConfig | None:
    name = Path(path).stem
    node = read_yaml(folder, path, problems)
    if node is None or is_prediction(node):
        return None
    fields = Fields(node, path, f"model {name!r}", problems)
    recipe, interactions = fields.text("recipe", required=True), fields.text("interactions", required=True)
    fallback = fields.text("fallback") or ""
    if fallback == name:
        fields.error(fields.line_of("fallback"), "bad-value", "falls back to itself", "name another model")
    elif fallback and fallback not in names:
        hint = nearest(fallback, names)
        fields.error(
            fields.line_of("fallback"), "unknown-name", f"has an unknown fallback {fallback!r}", hint
        )
    if interactions is not None and not is_file(folder / interactions):
        line = fields.line_of("interactions")
        fields.error(line, "missing", f"has no file {interactions!r}", "paths are relative to the workspace")
    fields.node("purposes")
    known, features = said
    # Without a site that can be read there is nobody to know them.
    purposes = read_names(fields, "purposes", known) if known is not None else ()
    taken = taken_features(fields, features)
    users = _users(folder, fields, taken)
    smallest = read_smallest(fields)
    budget = read_budget(fields)
    settings = {key: entry.plain() for key, entry in fields.rest().items()}
    if recipe is not None:
        asked = {**settings, **({"features": list(taken)} if taken else {})}
        _check_settings(fields, recipe, asked, check_settings)
    else:
        _note_misspelt(fields)
    if recipe is None or interactions is None:
        return None
    return ModelConfig(
        name, recipe, folder / interactions, fallback, settings, path, node.line, purposes, smallest, budget,
        taken, users,
    )  # fmt: skip


def _users(folder: Path, fields: Fields, taken: Iterable[str]) -> Path | None:
    """The file of what is known of users, of which features are made."""
    users = fields.text("users")
    if users is not None and not taken:
        fields.error(fields.line_of("users"), "bad-value", "has users, and no features", "name some of them")
    if users is not None and not is_file(folder / users):
        line = fields.line_of("users")
        fields.error(line, "missing", f"has no file {users!r}", "paths are relative to the workspace")
    return None if users is None else folder / users


def _note_misspelt(fields: Fields) -> None:
    """Without a recipe any key may be a setting, but for those that look like one of ours."""
    for key, node in fields.rest().items():
        near = nearest(key, ("recipe", "interactions", "fallback"))
        if near.startswith("did you mean"):
            fields.error(node.line, "unknown-key", f"has an unknown key {key!r}", near)


def _asking(check: CheckSettings) -> Ask:
    return lambda fields, recipe, settings: _check_settings(fields, recipe, settings, check)


_RECIPE_CODES: Final = {"unknown-recipe": "unknown-name", "unknown-setting": "unknown-key"}


def _check_settings(
    fields: Fields, recipe: str, settings: Mapping[str, object], check: CheckSettings
) -> None:
    """Ask the recipe about each setting alone, so that all that is wrong is told, on its own line."""
    asked: list[tuple[str, dict[str, object]]] = [("recipe", {})]
    asked += [(key, {key: value}) for key, value in settings.items()]
    for key, given in asked:
        try:
            check(recipe, given)
        except GivenError as error:
            message, _, hint = str(error).removeprefix(f"{error.code}: ").partition("; ")
            code = _RECIPE_CODES.get(error.code, "bad-value")
            fields.error(fields.line_of(key), code, f"can't be trained: {message}", hint)
            if key == "recipe":
                return


def _note_unused_models(
    shown: set[Show],
    models: tuple[ModelConfig, ...],
    recommenders: tuple[RecommenderConfig, ...],
    problems: Problems,
) -> None:
    """A model is used by campaigns and their recommenders, or as the fallback of one that is."""
    fallbacks = {model.name: model.fallback for model in models}
    used, wanted = {""}, {show.recommender for show in shown}
    for recommender in recommenders:
        if recommender.name in wanted:
            wanted.update(recommender.models)
            wanted.update([recommender.challenger.model] if recommender.challenger else ())
        else:
            message = f"no campaign shows recommender {recommender.name!r}"
            problems.warn(recommender.path, 0, "unused", message, "use it in a campaign, or delete it")
    while wanted:
        used |= wanted
        wanted = {fallbacks.get(name, "") for name in wanted} - used
    for model in models:
        if model.name not in used:
            hint = "use it in a campaign, or delete it: it makes the bundle larger"
            problems.warn(model.path, 0, "unused", f"no campaign uses model {model.name!r}", hint)


def _note_unused(
    shown: set[Show],
    contents: tuple[Content, ...],
    cards: tuple[Card, ...],
    problems: Problems,
) -> None:
    used = {show.content for show in shown}
    carried = {show.card for show in shown}
    hint = "use it in a campaign, or delete it"
    for content in contents:
        if content.id not in used:
            problems.warn(content.path, 0, "unused", f"no campaign shows content {content.id!r}", hint)
    for card in cards:
        if card.name not in carried:
            problems.warn(card.path, 0, "unused", f"no campaign uses card {card.name!r}", hint)

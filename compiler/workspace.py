"""Reads a workspace folder as a whole, and checks what its parts say about each other."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from compiler.catalog.about import check_columns
from compiler.catalog.content import read_contents
from compiler.catalog.holes import check_holes
from compiler.catalog.reading import read_cards, read_catalog
from compiler.features.reading import PATH as FEATURES_PATH
from compiler.features.reading import read_features
from compiler.features.tastes import check_tastes
from compiler.models.reading import MODELS, CheckSettings, Said, asking, read_models
from compiler.models.types import Features, ModelConfig
from compiler.predictions.manifest import note_unused_predictions
from compiler.predictions.reading import read_predictions, with_predictions
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
from compiler.types import Audience, Campaign, Card, Catalog, Content, Item, Site, Workspace
from compiler.unused import note_unused

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

FOLDERS: Final = ("catalogs", "content", "models", "recommenders", "rules")
BESIDE: Final = ("contexts", "data")
"""Folders that are nobody's spelling mistake, and not read: what people try out, and what models read."""


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
    _check_folder(folder, problems)
    site = read_site(folder, problems)
    contents = read_contents(folder, problems)
    catalog = read_catalog(folder, problems)
    cards = read_cards(folder, catalog, problems)
    known = site.consent.known if site is not None else None
    features = read_features(folder, site, problems) if site is not None else Features()
    models = read_models(folder, Said(known, features, check_settings), problems)
    _check_items(folder, models, catalog, problems)
    predictions = read_predictions(folder, features, site, asking(check_predictions), problems)
    rules = Rules((), (), (), (), {}, (), ())
    recommenders: tuple[RecommenderConfig, ...] = ()
    # Without the site's attributes and placements, every rule would look wrong.
    if site is not None:
        check_holes(contents, site, problems)  # they are filled before anything is predicted
        site = with_predictions(site, predictions)
        site, rules = _read_rules(folder, site, problems)
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
    _check_whole(found, problems)
    return replace(found, warnings=problems.warnings)


def _check_folder(folder: Path, problems: Problems) -> None:
    if folder.is_file():
        problems.error(str(folder), 0, "missing", "is a file, not a workspace", "name the folder it is in")
    elif not folder.is_dir():
        problems.error(str(folder), 0, "missing", "there is no such folder", "make one with `nearside init`")
    problems.raise_errors()
    _note_strangers(folder, problems)


def _read_rules(folder: Path, site: Site, problems: Problems) -> tuple[Site, Rules]:
    """The rules, and the site with what they cap."""
    names = Names(
        _stems(folder, "content", ".html", ".txt"),
        _stems(folder, MODELS, ".yaml", ".yml") | _stems(folder, RECOMMENDERS, ".yaml", ".yml"),
        _stems(folder, "catalogs/cards", ".html"),
    )
    rules = read_rules(folder, site, names, problems)
    check_defaults(site.places, names.contents, problems)
    return with_caps(site, rules.campaigns, problems), rules


def _check_whole(found: Workspace, problems: Problems) -> None:
    """What only a workspace without errors can be asked."""
    note_unused(found, problems)
    note_unused_predictions(found, problems)
    note_shadowed(found, problems)
    note_circles(found, problems)
    check_purposes(found, problems)
    problems.raise_errors()


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


def _check_items(folder: Path, models: tuple[ModelConfig, ...], catalog: Catalog, problems: Problems) -> None:
    """A model ranks the catalog's items; a catalog that can't be read has been noted already."""
    none = not catalog.items if catalog.path else not _stems(folder, "catalogs", ".csv")
    if models and none:
        hint = "list the items in catalogs/NAME.csv"
        problems.error(models[0].path, 0, "missing", "a model needs a catalog with items", hint)

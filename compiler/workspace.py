"""Reads a workspace folder as a whole, and checks what its parts say about each other."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from compiler.campaigns import Names, read_rules
from compiler.catalog import read_cards, read_catalog
from compiler.content import read_contents
from compiler.fields import Fields, check_id
from compiler.problems import Problems, WorkspaceError, nearest
from compiler.site import PATH as SITE_PATH
from compiler.site import read_site
from compiler.text_files import is_file
from compiler.types import (
    Audience,
    Campaign,
    Card,
    Catalog,
    Content,
    Item,
    ModelConfig,
    Site,
    Workspace,
)
from compiler.yaml_lines import read_yaml

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
FOLDERS: Final = ("catalogs", "content", "models", "rules")


def read_workspace(folder: Path) -> Workspace:
    """Read and check everything that people wrote.

    Raises
    ------
    WorkspaceError
        With every problem at once. Warnings alone raise nothing; they are in
        `Workspace.warnings`.
    """
    problems = Problems()
    if not folder.is_dir():
        problems.error(str(folder), 0, "missing", "there is no such folder", "make one with `nearside init`")
        problems.raise_errors()
    _note_strangers(folder, problems)
    site = read_site(folder, problems)
    contents = read_contents(folder, problems)
    catalog = read_catalog(folder, problems)
    cards = read_cards(folder, catalog, problems)
    models = _read_models(folder, problems)
    _check_items(folder, models, catalog, problems)
    audiences: tuple[Audience, ...] = ()
    campaigns: tuple[Campaign, ...] = ()
    # Without the site's attributes and placements, every rule would look wrong.
    if site is not None:
        names = Names(
            _stems(folder, "content", ".html", ".txt"),
            _stems(folder, "models", ".yaml", ".yml"),
            _stems(folder, "catalogs/cards", ".html"),
        )
        audiences, campaigns = read_rules(folder, site, names, problems)
    _note_unused(campaigns, contents, cards, problems)
    problems.raise_errors()
    assert site is not None
    return Workspace(folder, site, audiences, campaigns, contents, catalog, cards, models, problems.warnings)


def _stems(folder: Path, inside: str, *suffixes: str) -> frozenset[str]:
    """Names by file, also of files with problems: those are noted once, where they are."""
    return frozenset(file.stem for file in (folder / inside).glob("*") if file.suffix in suffixes)


def _note_strangers(folder: Path, problems: Problems) -> None:
    """A misspelt folder would otherwise be left out in silence."""
    for entry in sorted(folder.glob("*")):
        if entry.is_dir() and not entry.name.startswith(".") and entry.name not in FOLDERS:
            near = nearest(entry.name, FOLDERS)
            if near.startswith("did you mean"):
                problems.warn(entry.name, 0, "unused", "this folder is not read", near)
        elif entry.suffix in (".yaml", ".yml") and entry.name != SITE_PATH:
            problems.warn(
                entry.name, 0, "unused", "this file is not read", "rules are in rules/, models in models/"
            )


def _read_models(folder: Path, problems: Problems) -> tuple[ModelConfig, ...]:
    found: dict[str, ModelConfig] = {}
    files = [f for f in sorted((folder / MODELS).glob("*")) if f.suffix in (".yaml", ".yml")]
    names = {file.stem for file in files}
    for file in files:
        path = f"{MODELS}/{file.name}"
        if file.stem in found:
            problems.error(path, 0, "duplicate-id", f"model {file.stem!r} is also in {found[file.stem].path}")
        elif check_id(file.stem, "a model", (path, 0), problems):
            config = _read_model(folder, path, file.stem, names, problems)
            if config is not None:
                found[file.stem] = config
    return tuple(found[name] for name in sorted(found))


def _check_items(folder: Path, models: tuple[ModelConfig, ...], catalog: Catalog, problems: Problems) -> None:
    """A model ranks the catalog's items; a catalog that can't be read has been noted already."""
    none = not catalog.items if catalog.path else not _stems(folder, "catalogs", ".csv")
    if models and none:
        hint = "list the items in catalogs/NAME.csv"
        problems.error(models[0].path, 0, "missing", "a model needs a catalog with items", hint)


def _read_model(
    folder: Path, path: str, name: str, names: Iterable[str], problems: Problems
) -> ModelConfig | None:
    node = read_yaml(folder, path, problems)
    if node is None:
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
    if recipe is None or interactions is None:
        return None
    settings = {key: entry.plain() for key, entry in fields.rest().items()}
    return ModelConfig(name, recipe, folder / interactions, fallback, settings, path, node.line)


def _note_unused(
    campaigns: tuple[Campaign, ...],
    contents: tuple[Content, ...],
    cards: tuple[Card, ...],
    problems: Problems,
) -> None:
    shown = {campaign.content for campaign in campaigns}
    carried = {campaign.card for campaign in campaigns}
    hint = "use it in a campaign, or delete it"
    for content in contents:
        if content.id not in shown:
            problems.warn(content.path, 0, "unused", f"no campaign shows content {content.id!r}", hint)
    for card in cards:
        if card.name not in carried:
            problems.warn(card.path, 0, "unused", f"no campaign uses card {card.name!r}", hint)

"""Reads models/NAME.yaml: which recipe learns from what, with which settings, and what it takes in."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from compiler.consent import Known, read_names
from compiler.features.reading import taken_features
from compiler.files.fields import Fields, check_id
from compiler.files.text_files import is_file
from compiler.files.yaml_lines import read_yaml
from compiler.models.budgets import read_budget
from compiler.models.smallest import read_smallest
from compiler.models.types import Features, ModelConfig
from compiler.predictions.reading import Ask, is_prediction
from compiler.problems import Problems, nearest
from edge.errors import GivenError

MODELS: Final = "models"

CheckSettings = Callable[[str, Mapping[str, object]], object]
"""``(recipe, settings)``; raises `GivenError` where there is no such recipe or setting."""


@dataclass(frozen=True)
class Said:
    """What others say of models: purposes, where the site can be read, features, and recipes."""

    known: Known | None
    features: Features
    check: CheckSettings


def read_models(folder: Path, said: Said, problems: Problems) -> tuple[ModelConfig, ...]:
    """All models of a workspace but for its predictions, by name; notes what is wrong with each."""
    found: dict[str, ModelConfig] = {}
    files = [f for f in sorted((folder / MODELS).glob("*")) if f.suffix in (".yaml", ".yml")]
    names = {file.stem for file in files}
    for file in files:
        path = f"{MODELS}/{file.name}"
        if file.stem in found:
            problems.error(path, 0, "duplicate-id", f"model {file.stem!r} is also in {found[file.stem].path}")
        elif check_id(file.stem, "a model", (path, 0), problems):
            config = _read_model(folder, path, names, said, problems)
            if config is not None:
                found[file.stem] = config
    return tuple(found[name] for name in sorted(found))


def _read_model(
    folder: Path, path: str, names: Iterable[str], said: Said, problems: Problems
) -> ModelConfig | None:
    node = read_yaml(folder, path, problems)
    if node is None or is_prediction(node):
        return None
    name = Path(path).stem
    fields = Fields(node, path, f"model {name!r}", problems)
    recipe, interactions = fields.text("recipe", required=True), fields.text("interactions", required=True)
    if interactions is not None:
        _check_file(folder, fields, "interactions", interactions)
    fallback = _fallback(fields, name, names)
    fields.node("purposes")
    # Without a site that can be read there is nobody to know them.
    purposes = read_names(fields, "purposes", said.known) if said.known is not None else ()
    taken = taken_features(fields, said.features)
    users = _users(folder, fields, taken)
    smallest, budget = read_smallest(fields), read_budget(fields)
    settings = {key: entry.plain() for key, entry in fields.rest().items()}
    if recipe is None:
        _note_misspelt(fields)
    else:
        asked = {**settings, **({"features": list(taken)} if taken else {})}
        _check_settings(fields, recipe, asked, said.check)
    if recipe is None or interactions is None:
        return None
    return ModelConfig(
        name, recipe, folder / interactions, fallback, settings, path, node.line, purposes, smallest, budget,
        taken, users,
    )  # fmt: skip


def _fallback(fields: Fields, name: str, names: Iterable[str]) -> str:
    """The model that lists where this one knows nothing of a visitor."""
    fallback = fields.text("fallback") or ""
    line = fields.line_of("fallback")
    if fallback == name:
        fields.error(line, "bad-value", "falls back to itself", "name another model")
    elif fallback and fallback not in names:
        hint = nearest(fallback, names)
        fields.error(line, "unknown-name", f"has an unknown fallback {fallback!r}", hint)
    return fallback


def _check_file(folder: Path, fields: Fields, key: str, name: str) -> None:
    if not is_file(folder / name):
        hint = "paths are relative to the workspace"
        fields.error(fields.line_of(key), "missing", f"has no file {name!r}", hint)


def _users(folder: Path, fields: Fields, taken: Iterable[str]) -> Path | None:
    """The file of what is known of users, of which features are made."""
    users = fields.text("users")
    if users is not None and not taken:
        fields.error(fields.line_of("users"), "bad-value", "has users, and no features", "name some of them")
    if users is not None:
        _check_file(folder, fields, "users", users)
    return None if users is None else folder / users


def _note_misspelt(fields: Fields) -> None:
    """Without a recipe any key may be a setting, but for those that look like one of ours."""
    for key, node in fields.rest().items():
        near = nearest(key, ("recipe", "interactions", "fallback"))
        if near.startswith("did you mean"):
            fields.error(node.line, "unknown-key", f"has an unknown key {key!r}", near)


def asking(check: CheckSettings) -> Ask:
    """How those who read predictions ask their recipes."""
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

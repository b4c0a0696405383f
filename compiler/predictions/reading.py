"""Reads models that predict: models/NAME.yaml with data of a label; and says which attributes they become."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from compiler.consent import Known, read_names
from compiler.features.reading import taken_features
from compiler.files.fields import ID, MAX_ID_CHARACTERS, Fields, check_id
from compiler.files.text_files import is_file
from compiler.files.yaml_lines import Node, read_yaml
from compiler.models.budgets import read_budget
from compiler.models.smallest import read_smallest
from compiler.models.types import Features, PredictionConfig
from compiler.problems import Problems, nearest
from compiler.types import Site
from edge.bundle import format as fmt
from edge.bundle.predictions import MAX_OUTPUTS, MAX_PREDICTIONS, PREFIX, SOURCE

MODELS: Final = "models"
DATA: Final = "data"
"""The key by which a prediction is told from a recommender, which has `interactions`."""

COLUMNS: Final = ("label", "weight", "group", "treatment", "time")
"""Keys that name columns of the data."""

CheckSettings = Callable[[str, Mapping[str, object]], object]
Ask = Callable[[Fields, str, Mapping[str, object]], None]
"""Asks the recipe about settings, and notes what it says."""


def is_prediction(node: Node | None) -> bool:
    """Whether the file of a model is one of a prediction."""
    return node is not None and isinstance(node.value, dict) and DATA in node.value


def read_predictions(
    folder: Path, features: Features, site: Site | None, ask: Ask, problems: Problems
) -> tuple[PredictionConfig, ...]:
    """The predictions of a workspace, sorted by name."""
    known = site.consent.known if site is not None else None
    texts = {a.name for a in site.attributes if a.type == "string"} if site is not None else None
    found = []
    for file in sorted((folder / MODELS).glob("*")):
        path = f"{MODELS}/{file.name}"
        # What is wrong with the YAML itself is told with the recommenders.
        node = read_yaml(folder, path, Problems()) if file.suffix in (".yaml", ".yml") else None
        if is_prediction(node) and check_id(file.stem, "a model", (path, 0), problems):
            assert node is not None
            fields = Fields(node, path, f"model {file.stem!r}", problems)
            made = _made_from(fields, features, texts)
            config = _read(folder, fields, file.stem, made, known, ask)
            found += [config] if config is not None else []
    if len(found) > MAX_PREDICTIONS:
        message = f"there are {len(found)} predictions"
        problems.error(found[0].path, 0, "too-large", message, f"at most {MAX_PREDICTIONS}")
    return tuple(sorted(found, key=lambda config: config.name))


Made = tuple[tuple[str, ...], str]
"""The features that a model is made from, or the attribute of a text."""


def _read(  # noqa: PLR0913, PLR0917 - what other files say comes in apart
    folder: Path, fields: Fields, name: str, made: Made, known: Known | None, ask: Ask
) -> PredictionConfig | None:
    recipe, data = fields.text("recipe", required=True), fields.text(DATA, required=True)
    columns = {key: value for key in COLUMNS if (value := fields.text(key)) is not None}
    by = tuple(column for column, _ in fields.texts("by"))
    outputs = _outputs(fields)
    if data is not None and not is_file(folder / data):
        hint = "paths are relative to the workspace"
        fields.error(fields.line_of(DATA), "missing", f"has no file {data!r}", hint)
    fields.node("purposes")
    purposes = read_names(fields, "purposes", known) if known is not None else ()
    smallest, budget = read_smallest(fields), read_budget(fields)
    settings = {key: entry.plain() for key, entry in fields.rest().items()}
    if recipe is not None:
        ask(fields, recipe, settings)
    if recipe is None or data is None or not any(made):
        return None
    features, text = made
    return PredictionConfig(
        name, recipe, folder / data, features, outputs, columns, settings, fields.path, fields.line, purposes,
        text, by, smallest, budget,
    )  # fmt: skip


def _made_from(fields: Fields, features: Features, texts: Collection[str] | None) -> Made:
    text = fields.text("text") or ""
    names = taken_features(fields, features, required=not text)
    if text and names:
        fields.error(fields.line_of("features"), "bad-value", "has features and a text", "keep one of them")
    if text and texts is not None and text not in texts:
        message = f"reads {text!r}, which is no attribute of type string"
        fields.error(fields.line_of("text"), "unknown-name", message, nearest(text, texts))
    return names, text


def _outputs(fields: Fields) -> dict[str, str]:
    """What it predicts, where that is more than one number: a list, or names for what training calls so."""
    node = fields.node("outputs")
    if node is not None and isinstance(node.value, dict):
        inner = fields.inside(node, "outputs")
        found = [(name, inner.text(name) or "", entry.line) for name, entry in node.value.items()]
    else:
        found = [(name, name, line) for name, line in fields.texts("outputs")]
    names = [name for name, _, _ in found]
    if node is not None and not 2 <= len(names) <= MAX_OUTPUTS:
        hint = f"name 2 to {MAX_OUTPUTS}; leave it out where one number is predicted"
        fields.error(node.line, "bad-value", f"has {len(names)} outputs", hint)
    for name, _, at in found:
        if len(name) > MAX_ID_CHARACTERS or not ID.fullmatch(name) or names.count(name) > 1:
            hint = "use different names of a-z, 0-9 and '-', or write `name: what training calls it`"
            fields.error(at, "bad-id", f"has the output {name!r}", hint)
    return {name: trained for name, trained, _ in found}


def plain_name(output: str) -> str:
    """An output's name as rules may write it: ``high pages, low age`` is high-pages-low-age."""
    return re.sub(r"[^a-z0-9]+", "-", output.lower())[:MAX_ID_CHARACTERS].strip("-") or "other"


def attributes_of_predictions(configs: Sequence[PredictionConfig]) -> list[fmt.Attribute]:
    """The attributes that predictions are; which of them a trained model has, training shows."""
    found = []
    for config in configs:
        name = PREFIX + config.name
        found.append(fmt.Attribute(name, "string" if config.outputs else "number", SOURCE))
        found += [fmt.Attribute(f"{name}.{output}", "number", SOURCE) for output in config.outputs]
    return found


def with_predictions(site: Site, configs: Sequence[PredictionConfig]) -> Site:
    """The site with what models tell among its attributes."""
    attributes = (*site.attributes, *attributes_of_predictions(configs))
    values = {PREFIX + config.name: tuple(config.outputs) for config in configs if config.outputs}
    ordered = tuple(sorted(attributes, key=lambda attribute: attribute.name))
    return replace(site, attributes=ordered, values={**site.values, **values})


def prediction_of(attribute: str, configs: Sequence[PredictionConfig]) -> PredictionConfig | None:
    """Which prediction an attribute is of."""
    name = attribute.removeprefix(PREFIX).partition(".")[0] if attribute.startswith(PREFIX) else ""
    return next((config for config in configs if config.name == name), None)

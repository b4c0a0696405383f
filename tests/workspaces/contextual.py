"""The small workspace with a model that goes by the context as well, made by hand: no network is needed."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from compiler.build import compile_workspace
from compiler.features.definitions import DEFINITIONS, definitions
from compiler.workspace import Workspace, read_workspace
from edge.bundle.arrays import Array
from edge.bundle.features import CONTEXT, flattened
from edge.bundle.reader import Bundle, open_bundle
from models.graphs.onnx_build import score_graph
from models.trained import Trained
from tests.workspaces.make import FILES, SITE, make_workspace, train_models

FEATURES = ("country", "pages")
CHANGES: Mapping[str, str | None] = {
    "site.yaml": FILES["site.yaml"].replace(
        "items:", '  session.pages: {type: number, source: "cookie:pages"}\nitems:'
    ),
    "features.yaml": """\
features:
  country: {attribute: geo.country, one_hot: [AT, CH, DE]}
  pages: {attribute: session.pages, clip: [0, 20]}
  phone: {attribute: device.type, code: [mobile, desktop]}
""",
    "models/near.yaml": """\
recipe: two-tower
interactions: interactions.csv
features: [country, pages]
fallback: popular
""",
    "models/taste.yaml": None,
    "rules/campaigns.yaml": """\
campaigns:
  - {id: for-you, placement: recommended, show: {recommender: near, card: film, limit: 4}}
  - {id: popular, placement: trending, show: {recommender: popular, card: film, limit: 3}}
""",
}


def _score(
    arrays: Mapping[str, Array], history: NDArray[np.int32], weight: NDArray[np.float32]
) -> NDArray[np.float32]:
    """What the graph computes: sums of small whole numbers."""
    context = arrays[CONTEXT]
    taken = np.where(np.isnan(context), np.float32(0), context)
    seen = np.stack([row @ arrays["into"][items] for items, row in zip(history, weight, strict=True)])
    return np.asarray(seen + taken @ arrays["table"], np.float32)


def near(workspace: Workspace, features: tuple[str, ...] = FEATURES, name: str = "near") -> Trained:
    """A model: what is viewed counts for its neighbours, and each number of the context for some items."""
    known = workspace.features.by_name
    names = tuple(flattened(features, known))
    items = tuple(item.id for item in workspace.catalog.items)
    draw = np.random.default_rng(7)
    arrays: dict[str, Array] = {
        "into": draw.integers(-9, 9, (len(items) + 1, len(items))).astype(np.float32),
        "table": draw.integers(-9, 9, (len(names), len(items))).astype(np.float32),
    }
    arrays["into"][-1] = 0
    node = helper.make_node
    nodes = [
        node("IsNaN", [CONTEXT], ["missing"]),
        node("Where", ["missing", "nothing", CONTEXT], ["taken"]),
        node("MatMul", ["taken", "table"], ["by_context"]),
        node("Gather", ["into", "history"], ["viewed"], axis=0),
        node("Unsqueeze", ["weight", "middle"], ["weight_rows"]),
        node("MatMul", ["weight_rows", "viewed"], ["rows"]),
        node("Squeeze", ["rows", "middle"], ["seen"]),
        node("Add", ["seen", "by_context"], ["scores"]),
    ]
    constants: dict[str, Array] = {"nothing": np.array(0, np.float32), "middle": np.array([1])}
    graph = score_graph(name, len(items), nodes, arrays, constants, features=len(names))
    card = {"recipe": "two-tower", "settings": {}, DEFINITIONS: definitions(features, known)}
    return Trained(name, items, graph, arrays, card, _score, features=names)


def with_sample(model: Trained, rows: int = 40) -> Trained:
    """The model with real rows for its certificate: histories, and a context for each view."""
    draw = np.random.default_rng(3)
    items = draw.integers(0, len(model.items), rows).astype(np.int32)
    contexts = draw.integers(0, 3, (rows, len(model.features))).astype(np.float32)
    contexts[draw.random(contexts.shape) < 0.2] = np.nan
    starts = np.arange(0, rows + 1, 4, dtype=np.int64)
    return replace(model, sample={"items": items, "starts": starts, CONTEXT: contexts})


def models_of(workspace: Workspace) -> dict[str, Trained]:
    """Its models, trained, but for those that are made."""
    made = {
        config.name: with_sample(near(workspace, config.features, config.name))
        for config in workspace.models
        if config.recipe == "two-tower"
    }
    return {**train_models(workspace, without=made), **made}


def make_contextual(folder: Path, changes: Mapping[str, str | None] | None = None) -> Bundle:
    """The workspace, compiled."""
    workspace = read_workspace(make_workspace(folder / "workspace", {**CHANGES, **(changes or {})}))
    compile_workspace(workspace, models_of(workspace), folder / "bundle")
    return open_bundle(folder / "bundle", SITE)

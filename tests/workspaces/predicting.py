"""A small workspace whose rules go by what models tell, with those models trained or made by hand."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from compiler.build import compile_workspace
from compiler.features.definitions import DEFINITIONS, definitions
from compiler.types import Workspace
from compiler.workspace import read_workspace
from edge.bundle.reader import Bundle, open_bundle
from models.predict.contract import Prediction
from models.predict.graph import prediction_graph, rounded, widened
from origin.training.predictions import train_predictions

SITE = "shop"
KINDS = ("bargain", "browser", "buyer")

FILES: Mapping[str, str] = {
    "site.yaml": """\
site: shop
placements: [hero, side]
attributes:
  session.pages: {type: number, source: "cookie:pages"}
  session.kind: {type: string, source: "cookie:kind"}
""",
    "features.yaml": """\
features:
  pages: {attribute: session.pages, log: true, missing: 0}
  kind: {attribute: session.kind, one_hot: [new, returning]}
  known: {attribute: session.pages, present: true}
""",
    "models/buy.yaml": "recipe: logistic\ndata: data/sessions.csv\nlabel: bought\nfeatures: [pages, kind]\n",
    "models/segment.yaml": """\
recipe: segments
data: data/sessions.csv
features: [pages, known]
outputs: [bargain, browser, buyer]
""",
    "rules/rules.yaml": """\
audiences:
  likely: {model.buy: {$gte: 0.5}}
campaigns:
  - {id: likely, audience: likely, placement: hero, show: {content: offer}}
  - {id: buyers, audience: {model.segment: buyer}, placement: side, priority: 2, show: {content: offer}}
  - {id: sure, audience: {model.segment.browser: {$gt: 0.9}}, placement: side, show: {content: plain}}
""",
    "content/offer.html": "<p>An offer</p>\n",
    "content/plain.html": "<p>Hello</p>\n",
}


def sessions() -> str:
    """Made-up sessions: who sees many pages buys, and so do new visitors; some of it is not known."""
    draw = np.random.default_rng(5)
    lines = ["session.pages,session.kind,bought"]
    for _ in range(400):
        pages, kind = int(draw.integers(0, 50)), ("new", "returning", "")[draw.integers(3)]
        bought = pages + 10 * (kind == "new") + draw.normal(0, 8) > 30
        lines.append(f"{pages if draw.random() > 0.1 else ''},{kind},{str(bought).lower()}")
    return "\n".join(lines) + "\n"


def make_predicting(folder: Path, changes: Mapping[str, str | None] | None = None) -> Path:
    """Write the workspace; changes as in `tests.workspaces.make`."""
    for path, text in {**FILES, "data/sessions.csv": sessions(), **(changes or {})}.items():
        if text is not None:
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8")
    return folder


def segments(workspace: Workspace) -> Prediction:
    """A prediction with several outputs: the more pages, the more a buyer; made by hand."""
    features = ("pages", "known")
    weights = np.array([[-1.0, 0.0, 1.0], [0.5, 0.5, -1.0]], np.float32)
    bias = np.array([2.0, 1.0, -0.2], np.float32)
    nodes = [
        helper.make_node("MatMul", ["features", "weights"], ["summed"]),
        helper.make_node("Add", ["summed", "bias"], ["biased"]),
        helper.make_node("Softmax", ["biased"], ["shares"], axis=1),
        widened("shares", "values"),
    ]
    graph = prediction_graph("segments", (2, 3), nodes, {"bias": bias}, {"weights": weights})

    def reference(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        power = np.exp(rows.astype(np.float64) @ weights + bias)
        return rounded(power / power.sum(axis=1, keepdims=True))

    card = {"recipe": "segments", DEFINITIONS: definitions(features, workspace.features.by_name)}
    return Prediction(
        "segment", features, KINDS, graph, {"weights": weights}, card, reference, names_winner=True
    )


def predictions(workspace: Workspace) -> dict[str, Prediction]:
    """The workspace's models, trained and made."""
    trained = train_predictions(workspace, [c.name for c in workspace.predictions if c.name != "segment"])
    return {**{done.model.name: done.model for done in trained}, "segment": segments(workspace)}


def make_predicting_bundle(folder: Path, changes: Mapping[str, str | None] | None = None) -> Bundle:
    """The workspace, compiled."""
    workspace = read_workspace(make_predicting(folder / "workspace", changes))
    compile_workspace(workspace, {}, folder / "bundle", predictions(workspace))
    return open_bundle(folder / "bundle", SITE)

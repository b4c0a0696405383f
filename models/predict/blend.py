"""Several objectives at once: predictions added up, each with a weight that says what it is worth."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper

from edge.bundle.arrays import Array
from edge.errors import GivenError
from models.predict.contract import Prediction, PredictionRecipe, Predictor
from models.predict.graph import prediction_graph, read_graph, rounded, widened
from models.predict.table import Rows, Table
from models.settings import Setting, Settings
from models.trained import Progress

MARK: Final = "/"
"""Between a part's place, its recipe and a value's name: ``0/boosting/margin``."""


class Blend:
    """Weighted sums of objectives (as of Zadeh 1963): one graph for all of them, read once."""

    name: Final = "blend"
    settings: Final[Mapping[str, Setting]] = {}

    def __init__(self, recipe_of: Callable[[str], PredictionRecipe]) -> None:
        self._recipe_of = recipe_of

    def train(self, table: Table, settings: Settings, progress: Progress) -> Prediction:
        """A blend learns nothing of its own; see `blend`."""
        raise GivenError("table", "a blend is made of trained predictions and has no table")

    def predictor(self, graph: bytes, arrays: Mapping[str, Array]) -> Predictor:
        """See `models.predict.contract.PredictionRecipe`: the parts' own references, added up."""
        whole = read_graph(graph)
        weights = next(numpy_helper.to_array(item) for item in whole.initializer if item.name == "worth")
        parts = [self._part(whole, number) for number in range(len(weights))]

        def predict(rows: Rows) -> NDArray[np.float32]:
            found = np.stack([part(rows)[:, 0] for part in parts], axis=1)
            return rounded(found.astype(np.float64) @ weights)

        return predict

    def _part(self, whole: onnx.GraphProto, number: int) -> Predictor:
        recipe, nodes, constants = "", [], {}
        for node in whole.node:
            if node.output[0].startswith(f"{number}{MARK}"):
                recipe = node.output[0].split(MARK)[1]
                nodes.append(_renamed(node, lambda name: name.split(MARK, 2)[-1]))
        for item in whole.initializer:
            if item.name.startswith(f"{number}{MARK}"):
                constants[item.name.split(MARK, 2)[-1]] = numpy_helper.to_array(item)
        return self._recipe_of(recipe).predictor(_bare(nodes, constants), {})


def blend(name: str, parts: Mapping[str, Prediction], weights: Mapping[str, float]) -> Prediction:
    """One prediction: the sum of `parts`, each times its weight.

    Parameters
    ----------
    parts
        Predictions of one number each, over the same features in the same order.
    weights
        What one unit of each is worth: a click 0.05, revenue 1, a return -8.

    Raises
    ------
    GivenError
        ``blend``: the parts don't fit together, or a weight is missing or no number.
    """
    _check(parts, weights)
    first = next(iter(parts.values()))
    nodes: list[NodeProto] = []
    constants: dict[str, Array] = {"worth": np.array([weights[key] for key in parts])[:, np.newaxis]}
    for number, part in enumerate(parts.values()):
        graph, prefix = read_graph(part.graph), f"{number}{MARK}{part.card['recipe']}{MARK}"

        def rename(value: str, prefix: str = prefix) -> str:
            return value if value in ("features", "") else prefix + value

        nodes += [_renamed(node, rename) for node in graph.node]
        nodes.append(widened(rename("prediction"), f"part{number}"))
        constants |= {rename(item.name): numpy_helper.to_array(item) for item in graph.initializer}
    nodes.append(
        helper.make_node("Concat", [f"part{number}" for number in range(len(parts))], ["all"], axis=1)
    )
    nodes.append(helper.make_node("MatMul", ["all", "worth"], ["values"]))
    made = prediction_graph("blend", (first.width, 1), nodes, constants)
    references = [part.reference for part in parts.values()]

    def predict(rows: Rows) -> NDArray[np.float32]:
        found = np.stack([reference(rows)[:, 0] for reference in references], axis=1)
        return rounded(found.astype(np.float64) @ constants["worth"])

    card = {
        "recipe": "blend",
        "settings": {f"weight {key}": float(weights[key]) for key in parts},
        "parts": {key: dict(part.card) for key, part in parts.items()},
        "metrics": {},
    }
    return Prediction(name, first.features, (name,), made, {}, card, predict)


def _check(parts: Mapping[str, Prediction], weights: Mapping[str, float]) -> None:
    if not parts or parts.keys() != weights.keys():
        raise GivenError("blend", f"weights are of {sorted(weights)}, predictions {sorted(parts)}")
    if not np.isfinite(list(weights.values())).all():
        raise GivenError("blend", "a weight is no number")
    first = next(iter(parts.values()))
    for key, part in parts.items():
        if part.features != first.features or part.words or part.arrays or len(part.outputs) != 1:
            raise GivenError("blend", f"{key!r} has other features than the first, or more than one output")
        if part.card["recipe"] == "blend":
            raise GivenError("blend", f"{key!r} is a blend itself; blend what it is made of")


def _renamed(node: NodeProto, rename: Callable[[str], str]) -> NodeProto:
    copy = NodeProto()
    copy.CopyFrom(node)
    copy.input[:] = [rename(value) for value in node.input]
    copy.output[:] = [rename(value) for value in node.output]
    return copy


def _bare(nodes: list[NodeProto], constants: Mapping[str, Array]) -> bytes:
    """A graph to be read, not run."""
    items = [numpy_helper.from_array(array, key) for key, array in constants.items()]
    graph = helper.make_graph(nodes, "part", [], [], items)
    return bytes(helper.make_model(graph).SerializeToString(deterministic=True))

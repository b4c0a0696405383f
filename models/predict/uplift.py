"""What a treatment changes, for this visitor: two models, one of the treated and one of the others."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper
from scipy.special import expit

from edge.bundle.arrays import Array
from edge.errors import GivenError
from models.predict.boosting import GROWTH, Chance, fit_chance
from models.predict.calibration import CALIBRATION, on_curve
from models.predict.contract import Prediction, Predictor
from models.predict.graph import constants_of, prediction_graph, rounded
from models.predict.logistic import solve
from models.predict.standard import Standard
from models.predict.table import Rows, Table, check_two_classes
from models.predict.trees import gather, read_trees
from models.settings import Choice, Number, Setting, Settings
from models.trained import Progress

DIFFERENCE: Final = {"difference": np.array([[1.0], [-1.0]])}
"""Treated less not treated."""


class Uplift:
    """The T-learner (Künzel et al. 2019): the chance if treated, less the chance if not."""

    name: Final = "uplift"
    settings: Final[Mapping[str, Setting]] = {
        "learner": Choice("logistic", "What both models are.", ("logistic", "boosting")),
        "ridge": Number(10, "Of the learner `logistic`: more draws the weights closer to 0.", positive=True),
        **GROWTH,
        "calibration": CALIBRATION,
    }

    def train(self, table: Table, settings: Settings, progress: Progress) -> Prediction:
        """See `models.predict.contract.PredictionRecipe`."""
        arms = _arms(table)
        make = _logistic if settings["learner"] == "logistic" else _boosting
        nodes, constants = make(table, arms, settings, progress)
        nodes.append(helper.make_node("MatMul", ["chances", "difference"], ["values"]))
        graph = prediction_graph(self.name, (len(table.features), 1), nodes, {**constants, **DIFFERENCE})
        progress("fit", 1.0)
        return Prediction(self.name, table.features, (self.name,), graph, {}, {}, self.predictor(graph, {}))

    def predictor(self, graph: bytes, arrays: Mapping[str, Array]) -> Predictor:
        """See `models.predict.contract.PredictionRecipe`."""
        constants = constants_of(graph)
        trees = read_trees(graph) if "slope" in constants else None

        def predict(rows: Rows) -> NDArray[np.float32]:
            if trees is not None:
                chances = on_curve(trees.sums(rows), constants)
            else:
                inputs = np.concatenate(Standard.read(constants).apply(rows), axis=1)
                chances = expit(inputs @ constants["weights"] + constants["bias"])
            return rounded(chances @ constants["difference"])

        return predict


def _arms(table: Table) -> tuple[Table, Table]:
    if table.treatment is None or table.treatment.all() or not table.treatment.any():
        raise GivenError("table", "uplift compares treated rows with others: both must be there")
    arms = table.where(table.treatment), table.where(~table.treatment)
    for arm in arms:
        check_two_classes(arm)
    return arms


def _logistic(
    table: Table, arms: tuple[Table, Table], settings: Settings, progress: Progress
) -> tuple[list[NodeProto], dict[str, Array]]:
    standard = Standard.of(table.rows, table.weight)
    found = []
    for number, arm in enumerate(arms):
        inputs = np.concatenate(standard.apply(arm.rows), axis=1)
        found.append(solve(inputs, arm, settings["ridge"], lambda step, share: None))
        progress("fit", (number + 1) / 3)
    weights = np.stack(found, axis=1)
    nodes = [
        *Standard.nodes(),
        helper.make_node("Concat", ["scaled", "absent"], ["inputs"], axis=1),
        helper.make_node("MatMul", ["inputs", "weights"], ["summed"]),
        helper.make_node("Add", ["summed", "bias"], ["margins"]),
        helper.make_node("Sigmoid", ["margins"], ["chances"]),
    ]
    return nodes, {"weights": weights[:-1], "bias": weights[-1], **standard.constants()}


def _boosting(
    table: Table, arms: tuple[Table, Table], settings: Settings, progress: Progress
) -> tuple[list[NodeProto], dict[str, Array]]:
    found: list[Chance] = []
    for number, arm in enumerate(arms):
        found.append(fit_chance(arm, settings, lambda step, share: None))
        progress("fit", (number + 1) / 3)
    targets = [arm for arm, chance in enumerate(found) for _ in chance.trees]
    trees = gather([tree for chance in found for tree in chance.trees], targets)
    nodes = [
        *trees.nodes("margins"),
        helper.make_node("Mul", ["margins", "slope"], ["steep"]),
        helper.make_node("Add", ["steep", "offset"], ["moved"]),
        helper.make_node("Sigmoid", ["moved"], ["chances"]),
    ]
    slope, offset = (np.array([getattr(chance, name) for chance in found]) for name in ("slope", "offset"))
    return nodes, {"slope": slope, "offset": offset}

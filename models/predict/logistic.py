"""Logistic regression: a weighted sum of features, as a probability."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from onnx import helper
from scipy.special import expit

from edge.bundle.arrays import Array
from models.predict.contract import Prediction, Predictor
from models.predict.graph import constants_of, prediction_graph, rounded
from models.predict.standard import Standard, Values
from models.predict.table import Rows, Table, check_two_classes
from models.settings import Number, Setting, Settings
from models.trained import Progress

STEPS: Final = 100
CLOSE: Final = 1e-9


class Logistic:
    """Cox 1958, with a ridge (le Cessie and van Houwelingen 1992), solved by Newton's method.

    A feature that is missing in some rows has a learned weight for being missing.
    """

    name: Final = "logistic"
    settings: Final[Mapping[str, Setting]] = {
        "regularization": Number(1, "The ridge: more draws the weights closer to 0.", positive=True),
    }

    def train(self, table: Table, settings: Settings, progress: Progress) -> Prediction:
        """See `models.predict.contract.PredictionRecipe`."""
        check_two_classes(table)
        standard = Standard.of(table.rows, table.weight)
        inputs = np.concatenate(standard.apply(table.rows), axis=1)
        weights = solve(inputs, table, settings["regularization"], progress)
        constants = {"weights": weights[:-1, np.newaxis], "bias": weights[-1:], **standard.constants()}
        nodes = [
            *Standard.nodes(),
            helper.make_node("Concat", ["scaled", "absent"], ["inputs"], axis=1),
            helper.make_node("MatMul", ["inputs", "weights"], ["summed"]),
            helper.make_node("Add", ["summed", "bias"], ["margin"]),
            helper.make_node("Sigmoid", ["margin"], ["values"]),
        ]
        graph = prediction_graph(self.name, (len(table.features), 1), nodes, constants)
        return Prediction(self.name, table.features, (self.name,), graph, {}, {}, self.predictor(graph, {}))

    def predictor(self, graph: bytes, arrays: Mapping[str, Array]) -> Predictor:
        """See `models.predict.contract.PredictionRecipe`."""
        constants = constants_of(graph)
        standard = Standard.read(constants)

        def predict(rows: Rows) -> NDArray[np.float32]:
            inputs = np.concatenate(standard.apply(rows), axis=1)
            return rounded(expit(inputs @ constants["weights"] + constants["bias"]))

        return predict


def solve(inputs: Values, table: Table, ridge: float, progress: Progress) -> Values:
    """A weight for each input, and the bias, which has no ridge; steps that overshoot are halved."""
    columns = np.concatenate([inputs, np.ones((len(inputs), 1))], axis=1)
    penalty = np.append(np.full(inputs.shape[1], ridge), 1e-9)
    weight, labels = table.weight.astype(np.float64), table.labels.astype(np.float64)
    found = np.zeros(columns.shape[1])
    loss = _loss(columns, labels, weight, penalty, found)
    for step in range(STEPS):
        chance = expit(columns @ found)
        slope = columns.T @ (weight * (chance - labels)) + penalty * found
        curve = (columns * (weight * chance * (1 - chance))[:, np.newaxis]).T @ columns
        move = scipy.linalg.solve(curve + np.diag(penalty), slope, assume_a="pos")
        while (after := _loss(columns, labels, weight, penalty, found - move)) > loss and np.abs(
            move
        ).max() > CLOSE:
            move /= 2
        found, loss = found - move, min(after, loss)
        progress("fit", (step + 1) / STEPS)
        if np.abs(move).max() <= CLOSE:
            break
    progress("fit", 1.0)
    return found


def _loss(columns: Values, labels: Values, weight: Values, penalty: Values, found: Values) -> float:
    margin = columns @ found
    likely = np.logaddexp(0, margin) - labels * margin
    return float(weight @ likely + penalty @ found**2 / 2)

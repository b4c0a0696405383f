"""A small neural network: features crossed by hidden units."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper

from edge.bundle.arrays import Array
from models.predict.calibration import CALIBRATION, Margins, curve_nodes, held_out_margins, on_curve, platt
from models.predict.contract import Prediction, Predictor
from models.predict.graph import constants_of, prediction_graph, rounded
from models.predict.halving import WEIGHTS
from models.predict.standard import Standard
from models.predict.table import Rows, Table, check_two_classes
from models.settings import Number, Setting, Settings
from models.trained import Progress

Layers = Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]
"""Weights and biases, from the features on."""


class Mlp:
    """Rumelhart, Hinton and Williams 1986, trained by Adam (Kingma and Ba 2015) of scikit-learn."""

    name: Final = "mlp"
    settings: Final[Mapping[str, Setting]] = {
        "hidden": Number(32, "Units of a hidden layer.", 256, whole=True),
        "layers": Number(1, "Hidden layers.", 3, whole=True),
        "regularization": Number(0.001, "Draws the weights closer to 0."),
        "learning_rate": Number(0.003, "How far a step goes.", 1, positive=True),
        "epochs": Number(100, "Most times that all rows are seen.", 10_000, whole=True),
        "patience": Number(10, "Epochs without gain on a tenth of the rows that end it; 0 takes all."),
        "weights": WEIGHTS,
        "calibration": CALIBRATION,
    }

    def train(self, table: Table, settings: Settings, progress: Progress) -> Prediction:
        """See `models.predict.contract.PredictionRecipe`."""
        check_two_classes(table)
        slope, offset = 1.0, 0.0
        if settings["calibration"] == "platt":
            slope, offset = platt(held_out_margins(table, int(settings["seed"]), _fit(settings)), table)
        progress("calibration", 0.7)
        standard, layers = fit_network(table, settings)
        progress("epochs", 1.0)
        nodes, constants = curve_nodes(slope, offset)
        for number, (weights, bias) in enumerate(layers):
            constants = {**constants, f"weights_{number}": weights, f"bias_{number}": bias}
        graph = prediction_graph(
            self.name,
            (len(table.features), 1),
            [*Standard.nodes(), *_layer_nodes(len(layers)), *nodes],
            {**constants, **standard.constants()},
        )
        return Prediction(self.name, table.features, (self.name,), graph, {}, {}, self.predictor(graph, {}))

    def predictor(self, graph: bytes, arrays: Mapping[str, Array]) -> Predictor:
        """See `models.predict.contract.PredictionRecipe`."""
        constants = constants_of(graph)
        standard = Standard.read(constants)
        n_layers = sum(name.startswith("weights_") for name in constants)
        layers = [(constants[f"weights_{number}"], constants[f"bias_{number}"]) for number in range(n_layers)]

        def predict(rows: Rows) -> NDArray[np.float32]:
            return rounded(on_curve(margins_of(standard, layers, rows), constants))

        return predict


def fit_network(table: Table, settings: Settings) -> tuple[Standard, Layers]:
    """The scale of features, and scikit-learn's layers over ``[scaled, absent]``."""
    from sklearn.exceptions import ConvergenceWarning  # noqa: PLC0415 - it is slow to import
    from sklearn.neural_network import MLPClassifier  # noqa: PLC0415

    standard = Standard.of(table.rows, table.weight)
    patience = int(settings["patience"])
    network = MLPClassifier(
        (int(settings["hidden"]),) * int(settings["layers"]),
        alpha=settings["regularization"],
        learning_rate_init=settings["learning_rate"],
        max_iter=int(settings["epochs"]),
        early_stopping=patience > 0 and len(table) >= 100,
        n_iter_no_change=max(1, patience),
        random_state=int(settings["seed"]),
    )
    with warnings.catch_warnings():
        # That all epochs were taken is what was asked for.
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(np.concatenate(standard.apply(table.rows), axis=1), table.labels > 0, table.weights)
    return standard, list(zip(network.coefs_, network.intercepts_, strict=True))


def margins_of(standard: Standard, layers: Layers, rows: Rows) -> Margins:
    """What the network says, before it is a probability: one column."""
    found = np.concatenate(standard.apply(rows), axis=1)
    for number, (weights, bias) in enumerate(layers):
        found = (np.maximum(found, 0) if number else found) @ weights + bias
    return found


def _fit(settings: Settings) -> Any:
    def fit(train: Table, held_out: Table) -> Margins:
        return margins_of(*fit_network(train, settings), held_out.rows)[:, 0]

    return fit


def _layer_nodes(n_layers: int) -> list[NodeProto]:
    nodes, value = [helper.make_node("Concat", ["scaled", "absent"], ["inputs"], axis=1)], "inputs"
    for number in range(n_layers):
        last = number == n_layers - 1
        nodes.append(helper.make_node("MatMul", [value, f"weights_{number}"], [f"summed_{number}"]))
        added = "margin" if last else f"added_{number}"
        nodes.append(helper.make_node("Add", [f"summed_{number}", f"bias_{number}"], [added]))
        if not last:
            value = f"hidden_{number}"
            nodes.append(helper.make_node("Relu", [added], [value]))
    return nodes

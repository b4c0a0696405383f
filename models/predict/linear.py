"""Weighted sums over many columns: how they are learned, and the graph that shares them out."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import scipy.optimize
from numpy.typing import NDArray
from onnx import NodeProto, helper
from scipy.special import expit, softmax

from edge.bundle.arrays import Array
from models.predict.graph import widened

Weights = NDArray[np.float64]
Sparse = Any
"""A scipy matrix of rows; hashed words are mostly zeros."""

STEPS: Final = 300


def shares_of_classes(
    rows: Sparse, labels: NDArray[np.int64], weight: Weights, n_classes: int, ridge: float
) -> Weights:
    """Multinomial logistic regression: (columns, classes), the last of the rows being the bias."""
    rows, n_columns = rows.tocsr(), rows.shape[1]
    wanted = np.zeros((len(labels), n_classes))
    wanted[np.arange(len(labels)), labels] = 1

    def loss(flat: Weights) -> tuple[float, Weights]:
        found = flat.reshape(n_columns + 1, n_classes)
        margins = rows @ found[:-1] + found[-1]
        margins -= margins.max(axis=1, keepdims=True)
        total = np.log(np.exp(margins).sum(axis=1))
        missed = weight[:, np.newaxis] * (np.exp(margins - total[:, np.newaxis]) - wanted)
        slope = np.concatenate([rows.T @ missed + ridge * found[:-1], missed.sum(axis=0)[np.newaxis]])
        value = weight @ (total - (margins * wanted).sum(axis=1)) + ridge * (found[:-1] ** 2).sum() / 2
        return float(value), slope.ravel()

    return _least(loss, np.zeros((n_columns + 1) * n_classes)).reshape(n_columns + 1, n_classes)


def wins_of_pairs(differences: Sparse, wins: NDArray[np.bool_], weight: Weights, ridge: float) -> Weights:
    """A weight a column, so that of two rows the greater sum wins (Bradley and Terry 1952)."""
    sign = np.where(wins, 1.0, -1.0)

    def loss(found: Weights) -> tuple[float, Weights]:
        margins = sign * (differences @ found)
        missed = differences.T @ (weight * sign * expit(-margins))
        return float(weight @ np.logaddexp(0, -margins) + ridge * found @ found / 2), ridge * found - missed

    return _least(loss, np.zeros(differences.shape[1]))


def share_nodes(inputs: str) -> list[NodeProto]:
    """From `inputs`, float64, to ``values``: the share of each class, by ``weights`` and ``bias``."""
    return [
        widened("weights", "wide_weights"),
        helper.make_node("MatMul", [inputs, "wide_weights"], ["summed"]),
        helper.make_node("Add", ["summed", "bias"], ["margins"]),
        helper.make_node("Softmax", ["margins"], ["values"], axis=1),
    ]


def shares(inputs: NDArray[np.float64], constants: Mapping[str, Array]) -> NDArray[np.float64]:
    """What the nodes compute."""
    margins = inputs @ constants["weights"].astype(np.float64) + constants["bias"]
    found: NDArray[np.float64] = softmax(margins, axis=1)
    return found


def _least(loss: Any, start: Weights) -> Weights:
    found = scipy.optimize.minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": STEPS})
    weights: Weights = found.x
    return weights

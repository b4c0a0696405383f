"""Ranks items by what those in the history predict: EASE, sparse and exact."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import scipy.linalg
import scipy.sparse
from numpy.typing import NDArray
from onnx import NodeProto, helper

from edge.bundle.arrays import Array
from edge.errors import GivenError
from models.interactions import Interactions
from models.onnx_build import score_graph
from models.trained import EXACT_STEPS, WEIGHT_STEPS, Progress, Scores, Trained

NEIGHBOURS: Final = 200
MAX_ITEMS: Final = 20_000
"""The solve is dense: 3.2 GB of float64 at this many items."""

Dense = NDArray[np.float64]


class Ease:
    """An item-item regression in closed form (Steck 2019), kept to `NEIGHBOURS` per item."""

    name: Final = "ease"
    settings: Final[Mapping[str, float]] = {"regularization": 500.0}

    def train(
        self,
        interactions: Interactions,
        items: tuple[str, ...],
        settings: Mapping[str, float],
        progress: Progress,
    ) -> Trained:
        """See `models.trained.Recipe`."""
        if len(items) > MAX_ITEMS:
            raise GivenError("too-many-items", f"ease takes at most {MAX_ITEMS} items, not {len(items)}")
        progress("solve", 0.0)
        weights = solve(interactions, len(items), settings["regularization"])
        progress("prune", 0.8)
        arrays = prune(weights, NEIGHBOURS)
        progress("prune", 1.0)
        card = {"recipe": self.name, "settings": dict(settings), "seed": 0, "data": interactions.digest()}
        graph = _graph(len(items), arrays)
        return Trained(self.name, items, graph, arrays, {**card, "metrics": {}}, self.score)

    def score(
        self, arrays: Mapping[str, Array], history: NDArray[np.int32], weight: NDArray[np.float32]
    ) -> Scores:
        """See `models.trained.Recipe`; sums of exact steps, so their order does not matter."""
        scores = np.zeros((len(history), len(arrays["neighbour"]) - 1), np.float32)
        for row, (positions, weights) in enumerate(zip(history, weight, strict=True)):
            products = arrays["value"][positions] * weights[:, np.newaxis]
            np.add.at(scores[row], arrays["neighbour"][positions], products)
        return scores


def solve(interactions: Interactions, n_items: int, regularization: float) -> Dense:
    """The dense EASE matrix: row h says what one view of item h adds to each item's score."""
    shape = (len(interactions.user_ids), n_items)
    pairs = (np.ones(len(interactions)), (interactions.users, interactions.items))
    seen = scipy.sparse.csr_array(pairs, shape=shape)
    seen.data[:] = 1.0  # csr_array adds up pairs that occur twice
    gram = (seen.T @ seen).toarray()
    gram[np.diag_indices(n_items)] += regularization
    inverse = scipy.linalg.inv(gram, overwrite_a=True, check_finite=False)
    weights: Dense = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights


def prune(weights: Dense, neighbours: int) -> dict[str, Array]:
    """The greatest weights of each row by size, as multiples of one step; one more row, all zero.

    Rows are pruned rather than columns: a history gathers whole rows, so a row's
    width is what a request costs; and it ranks better (MovieLens 100K, five seeds,
    nDCG@10: 0.4735 dense, 0.4699 by rows, 0.4666 by columns). The last row is the
    padding's: neighbour 0 with value 0 changes nothing.
    """
    n_items = len(weights)
    width = min(neighbours, n_items)
    chosen = np.argpartition(-np.abs(weights), width - 1, axis=1)[:, :width]
    chosen.sort(axis=1)  # in order of memory, and the same on every machine
    kept = np.take_along_axis(weights, chosen, axis=1)
    step = exact_step(chosen, kept, n_items)
    value = np.zeros((n_items + 1, width), np.float32)
    value[:-1] = np.round(kept / step) * step
    neighbour = np.zeros((n_items + 1, width), np.int32)
    neighbour[:-1] = chosen
    return {"neighbour": neighbour, "value": value}


def exact_step(columns: NDArray[np.int64], kept: Dense, n_items: int) -> float:
    """The finest power of two that keeps sums over any history of distinct items exact.

    No score can exceed the sum of its column's sizes. With weights in units of
    ``1 / WEIGHT_STEPS``, and half a step of rounding per weight, that sum
    must stay below `EXACT_STEPS`.
    """
    sizes = np.bincount(columns.ravel(), np.abs(kept).ravel(), n_items)
    counts = np.bincount(columns.ravel(), minlength=n_items)
    room = EXACT_STEPS / WEIGHT_STEPS - counts.max() - 1
    return float(2.0 ** np.ceil(np.log2(max(sizes.max(), 2.0**-60) / room)))


def _graph(n_items: int, arrays: Mapping[str, Array]) -> bytes:
    constants = {
        "columns": np.array([n_items], np.int64),
        "flat": np.array([0, -1], np.int64),
        "last": np.array([-1], np.int64),
    }
    nodes: list[NodeProto] = [
        helper.make_node("Gather", ["neighbour", "history"], ["neighbours"], axis=0),
        helper.make_node("Reshape", ["neighbours", "flat"], ["places"]),
        helper.make_node("Gather", ["value", "history"], ["values"], axis=0),
        helper.make_node("Unsqueeze", ["weight", "last"], ["weights"]),
        helper.make_node("Mul", ["values", "weights"], ["products"]),
        helper.make_node("Reshape", ["products", "flat"], ["updates"]),
        helper.make_node("Shape", ["history"], ["rows"], start=0, end=1),
        helper.make_node("Concat", ["rows", "columns"], ["shape"], axis=0),
        helper.make_node("ConstantOfShape", ["shape"], ["zeros"]),
        helper.make_node(
            "ScatterElements", ["zeros", "places", "updates"], ["scores"], axis=1, reduction="add"
        ),
    ]
    return score_graph("ease", n_items, nodes, arrays, constants)

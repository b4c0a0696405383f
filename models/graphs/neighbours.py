"""Scores as exact sums of neighbours' weights: what the item-to-item recipes share."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper

from edge.bundle.arrays import Array
from models.graphs.factors import RECENCY_STEPS
from models.graphs.onnx_build import score_graph
from models.settings import Number
from models.trained import EXACT_STEPS, WEIGHT_STEPS, Progress, Scores

Dense = NDArray[np.float64]
Places = NDArray[np.int64]

NEVER: Final = -np.inf
"""The score of an item that must not be listed."""

NEIGHBOURS: Final = Number(200, "How many other items one item of the history speaks for.", 1000, whole=True)


def strongest(weights: Dense, width: int) -> tuple[Places, Dense]:
    """The columns of the greatest weights of each row by size, ascending, and those weights."""
    width = min(width, weights.shape[1])
    chosen = np.argpartition(-np.abs(weights), width - 1, axis=1)[:, :width]
    chosen.sort(axis=1)  # in order of memory, and the same on every machine
    return chosen, np.take_along_axis(weights, chosen, axis=1)


def quantize(columns: Places, kept: Dense, n_items: int, recency: Array | None = None) -> dict[str, Array]:
    """The arrays `neighbour` and `value`: weights as multiples of one step; one more row, all zero.

    Row h says which items' scores a view of item h changes, and by how much. The
    last row is the padding's: neighbour 0 with value 0 changes nothing. Where views
    are also weighed by their place in the history, `recency` are those weights.
    """
    step = exact_step(columns, kept, n_items)
    if recency is not None:
        most = float(np.abs(kept).max(initial=2.0**-60))
        room = EXACT_STEPS / WEIGHT_STEPS / RECENCY_STEPS - recency.sum() - 1
        step = min(step * RECENCY_STEPS, float(2.0 ** np.ceil(np.log2(most * recency.sum() / room))))
    value = np.zeros((n_items + 1, columns.shape[1]), np.float32)
    value[:-1] = np.round(kept / step) * step
    neighbour = np.zeros(value.shape, np.int32)
    neighbour[:-1] = columns
    return {"neighbour": neighbour, "value": value}


def exact_step(columns: Places, kept: Dense, n_items: int) -> float:
    """The finest power of two that keeps sums over any history of distinct items exact.

    No score can exceed the sum of its column's sizes. With weights in units of
    ``1 / WEIGHT_STEPS``, and half a step of rounding per weight, that sum
    must stay below `EXACT_STEPS`.
    """
    sizes = np.bincount(columns.ravel(), np.abs(kept).ravel(), n_items)
    counts = np.bincount(columns.ravel(), minlength=n_items)
    room = EXACT_STEPS / WEIGHT_STEPS - counts.max() - 1
    return float(2.0 ** np.ceil(np.log2(max(sizes.max(), 2.0**-60) / room)))


def prune(weights: Dense, width: int, progress: Progress) -> dict[str, Array]:
    """The arrays of the strongest neighbours of each item: the last step of training."""
    progress("prune", 0.8)
    arrays = quantize(*strongest(weights, width), len(weights))
    progress("prune", 1.0)
    return arrays


def sum_graph(name: str, arrays: Mapping[str, Array], *, positive: bool = False) -> bytes:
    """The score graph over `neighbour` and `value`; if `positive`, of items that score above 0 alone."""
    n_items = len(arrays["neighbour"]) - 1
    nodes, constants = sum_nodes(n_items, "sum" if positive else "scores")
    if positive:
        more, added = positive_nodes("sum", "scores")
        nodes, constants = nodes + more, constants | added
    return score_graph(name, n_items, nodes, arrays, constants)


def sum_rows(arrays: Mapping[str, Array], history: NDArray[np.int32], weight: NDArray[np.float32]) -> Scores:
    """The reference of `sum_nodes`; sums of exact steps, so their order does not matter."""
    scores = np.zeros((len(history), len(arrays["neighbour"]) - 1), np.float32)
    for row, (positions, weights) in enumerate(zip(history, weight, strict=True)):
        products = arrays["value"][positions] * weights[:, np.newaxis]
        places = arrays["neighbour"][positions]
        scores[row] = np.bincount(places.ravel(), products.ravel(), scores.shape[1])
    return scores


def only_positive(scores: Scores) -> Scores:
    """The reference of `positive_nodes`."""
    return np.where(scores > 0, scores, np.float32(NEVER))


def sum_nodes(
    n_items: int, output: str, history: str = "history", weight: str = "weight"
) -> tuple[list[NodeProto], dict[str, Array]]:
    """Nodes from the history to one score per item, and their constants.

    The padding is dropped first and all rows are summed into one long vector, each
    at its own offset. So a batch costs what its histories hold, and a long one makes
    the others no dearer (MovieLens 100K, 32 visitors with 0 to 50 items: 18 µs each
    instead of 38).
    """
    node = helper.make_node
    nodes = [
        node("NonZero", [weight], ["known"]),
        node("Transpose", ["known"], ["known_at"], perm=[1, 0]),
        node("GatherND", [history, "known_at"], ["known_items"]),
        node("GatherND", [weight, "known_at"], ["known_weights"]),
        node("Gather", ["known", "first"], ["known_rows"], axis=0),
        node("Cast", ["known_rows"], ["rows_int32"], to=TensorProto.INT32),
        node("Mul", ["rows_int32", "width"], ["offsets"]),
        node("Unsqueeze", ["offsets", "last"], ["offset_columns"]),
        node("Gather", ["neighbour", "known_items"], ["neighbours"], axis=0),
        node("Add", ["neighbours", "offset_columns"], ["places"]),
        node("Reshape", ["places", "last"], ["flat_places"]),
        node("Gather", ["value", "known_items"], ["values"], axis=0),
        node("Unsqueeze", ["known_weights", "last"], ["weight_columns"]),
        node("Mul", ["values", "weight_columns"], ["products"]),
        node("Reshape", ["products", "last"], ["flat_products"]),
        node("Shape", ["history"], ["batch"], start=0, end=1),
        node("Mul", ["batch", "columns"], ["size"]),
        node("ConstantOfShape", ["size"], ["zeros"]),
        node("ScatterElements", ["zeros", "flat_places", "flat_products"], ["sums"], axis=0, reduction="add"),
        node("Concat", ["batch", "columns"], ["shape"], axis=0),
        node("Reshape", ["sums", "shape"], [output]),
    ]
    constants: dict[str, Array] = {
        "columns": np.array([n_items], np.int64),
        "first": np.array(0, np.int64),
        "last": np.array([-1], np.int64),
        "width": np.array(n_items, np.int32),
    }
    return nodes, constants


def positive_nodes(scores: str, output: str) -> tuple[list[NodeProto], dict[str, Array]]:
    """Nodes that leave an item out whose score is not above 0, and their constants."""
    nodes = [
        helper.make_node("Greater", [scores, "nothing"], ["is_scored"]),
        helper.make_node("Where", ["is_scored", scores, "never"], [output]),
    ]
    return nodes, {"nothing": np.array(0, np.float32), "never": np.array(NEVER, np.float32)}

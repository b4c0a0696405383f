"""Scores as products of a user's factors and the items': what the low-rank recipes share.

    user   = sum over the history of weight * recency at its place * into[item]
    scores = user @ out (+ bias)

Both sums are exact in float32, whatever their order (ADR 31): `into` are steps whose sums are
exact, the user's factors are rounded to 1 / `USER_STEPS` of the greatest of them, and `out` are
whole numbers so small that no product of the two can pass 2^24. What stands between and
behind (a quotient, a product, a bias) are single operations on single numbers.
"""

from collections.abc import Mapping
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper

from edge.bundle.arrays import Array
from models.graphs.onnx_build import score_graph
from models.settings import Number
from models.trained import EXACT_STEPS, WEIGHT_STEPS, Scores

Dense = NDArray[np.float64]
Scale = Literal["sum", "mean", "root"]
"""What the history's sum is divided by: nothing, its weight, or the root of its weight.

It orders items otherwise only where there is a bias.
"""

USER_STEPS: Final = 1024
"""The greatest of a user's factors is so many steps."""

RECENCY_STEPS: Final = 64
"""Recency weights are multiples of ``1 / RECENCY_STEPS`` in [0, 1]."""

LONGEST: Final = 1024
"""No edge takes in a longer history."""

LEAST: Final = np.float32(2.0**-60)
"""Stands for the greatest factor of a user of whom nothing is known: all factors are 0."""

PLACES: Final = 256
"""Weights that halve from place to place end here: the last one holds for all older places."""

FACTORS: Final = Number(64, "How many numbers stand for a user and for an item.", 1024, whole=True)


def factor_arrays(
    into: Dense, out: Dense, bias: Dense | None = None, recency: Dense | None = None
) -> dict[str, Array]:
    """The arrays `into`, `out` and, where given, `bias` and `recency`, rounded so that all sums are exact.

    Parameters
    ----------
    into : ndarray of shape (n_items, factors)
        What one view of an item adds to its user's factors.
    out : ndarray of shape (factors, n_items)
        What the user's factors say of an item.
    bias : ndarray of shape (n_items,)
        What is added to an item's score whoever asks.
    recency : ndarray, each in [0, 1]
        The weight of each place of the history, the newest first; the last one holds for all after it.
    """
    whole, size = whole_numbers(out)
    arrays: dict[str, Array] = {"out": whole}
    places = None
    if recency is not None:
        places = arrays["recency"] = recency_array(recency)
    arrays["into"] = exact_rows(into * size, places)
    if bias is not None:
        arrays["bias"] = bias.astype(np.float32)
    return arrays


def halving(half_life_places: float) -> Dense:
    """Weights of a history's places that halve every so many of them, the newest first."""
    weights: Dense = 0.5 ** (np.arange(PLACES) / half_life_places)
    return weights


def recency_array(recency: Dense) -> NDArray[np.float32]:
    """Weights of all places of a history, in whole steps; the last that is given holds for all after it."""
    last = np.full(LONGEST, recency[-1])
    last[: len(recency)] = recency[:LONGEST]
    return (np.round(last * RECENCY_STEPS) / RECENCY_STEPS).astype(np.float32)


def whole_numbers(out: Dense) -> tuple[NDArray[np.float32], float]:
    """Weights of shape (factors, anything) as whole numbers, and what one of them stands for.

    Their products with `USER_STEPS` steps of each factor have exact sums.
    """
    steps = float(np.abs(out).sum(axis=0).max()) or 1.0
    size = steps / (EXACT_STEPS / USER_STEPS - len(out) / 2 - 1)
    return np.round(out / size).astype(np.float32), size


def exact_rows(into: Dense, recency: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """Rows whose weighted sums over any history of distinct items are exact, and one more of zeros."""
    greatest = -np.sort(-np.abs(into), axis=0)[:LONGEST]
    places = np.ones(LONGEST) if recency is None else -np.sort(-recency.astype(np.float64))
    places = places[: len(greatest)]
    room = EXACT_STEPS / WEIGHT_STEPS / (1 if recency is None else RECENCY_STEPS) - places.sum() / 2 - 1
    sums = np.maximum(places @ greatest, 2.0**-60)
    step = 2.0 ** np.ceil(np.log2(sums / room))
    rows = np.zeros((len(into) + 1, into.shape[1]), np.float32)
    rows[:-1] = np.round(into / step) * step
    return rows


def factor_graph(name: str, arrays: Mapping[str, Array], scale: Scale = "sum") -> bytes:
    """The score graph over what `factor_arrays` made."""
    nodes, constants = user_nodes(arrays, scale, "user")
    more, added = product_nodes("user", "scores", "bias" if "bias" in arrays else None)
    n_items = arrays["out"].shape[1]
    return score_graph(name, n_items, nodes + more, arrays, constants | added)


def score_factors(
    arrays: Mapping[str, Array],
    history: NDArray[np.int32],
    weight: NDArray[np.float32],
    scale: Scale = "sum",
) -> Scores:
    """The reference of `factor_graph`: the same numbers."""
    return score_user(arrays, user_factors(arrays, history, weight, scale))


def user_factors(
    arrays: Mapping[str, Array], history: NDArray[np.int32], weight: NDArray[np.float32], scale: Scale
) -> Scores:
    """The reference of `user_nodes`."""
    if "recency" in arrays:
        weight = weight * arrays["recency"][: history.shape[1]]
    into = arrays["into"]
    user = np.stack([row @ into[items] for items, row in zip(history, weight, strict=True)])
    total = np.maximum(weight.sum(axis=1, keepdims=True), np.float32(1))
    if scale == "mean":
        user = user / total
    if scale == "root":
        user = user / np.sqrt(total)
    return user.astype(np.float32)


def score_user(arrays: Mapping[str, Array], user: Scores) -> Scores:
    """The reference of `product_nodes`, and of the bias where there is one; also over `blocks`."""
    greatest = np.maximum(np.abs(user).max(axis=1, keepdims=True), LEAST)
    steps = np.round(user / greatest * np.float32(USER_STEPS))
    blocks = "block_place" in arrays
    out = arrays["out"].reshape(-1, user.shape[1]).T if blocks else arrays["out"]
    scores: Scores = (steps @ out) * (greatest * np.float32(1 / USER_STEPS))
    if "bias" in arrays:
        scores = scores + arrays["bias"].ravel()
    return scores[:, arrays["block_place"][:-1]] if blocks else scores


def user_nodes(
    arrays: Mapping[str, Array], scale: Scale, output: str
) -> tuple[list[NodeProto], dict[str, Array]]:
    """Nodes from the history to a user's factors, and their constants."""
    node = helper.make_node
    weights = "weight"
    nodes: list[NodeProto] = []
    constants: dict[str, Array] = {"middle": np.array([1]), "one": np.array(1, np.float32)}
    if "recency" in arrays:
        nodes, more = recency_nodes()
        constants, weights = constants | more, "recent"
    summed = output if scale == "sum" else "user_sum"
    nodes += [
        node("Gather", ["into", "history"], ["viewed"], axis=0),
        node("Unsqueeze", [weights, "middle"], ["weight_rows"]),
        node("MatMul", ["weight_rows", "viewed"], ["user_rows"]),
        node("Squeeze", ["user_rows", "middle"], [summed]),
    ]
    if scale != "sum":
        nodes += [
            node("ReduceSum", [weights, "middle"], ["weight_sum"], keepdims=1),
            node("Max", ["weight_sum", "one"], ["weight_total"]),
            *([node("Sqrt", ["weight_total"], ["weight_root"])] if scale == "root" else []),
            node("Div", [summed, "weight_root" if scale == "root" else "weight_total"], [output]),
        ]
    return nodes, constants


def recency_nodes() -> tuple[list[NodeProto], dict[str, Array]]:
    """Nodes to `recent`: the history's weights times those of their places; and their constants."""
    nodes = [
        helper.make_node("Shape", ["history"], ["length"], start=1, end=2),
        helper.make_node("Slice", ["recency", "start", "length", "start"], ["place_weights"]),
        helper.make_node("Mul", ["weight", "place_weights"], ["recent"]),
    ]
    return nodes, {"start": np.array([0])}


def product_nodes(
    user: str, output: str, bias: str | None = None, out: str = "out"
) -> tuple[list[NodeProto], dict[str, Array]]:
    """Nodes from any user factors, as of a network, to exact products with `out`, and their constants."""
    node = helper.make_node
    scores = output if bias is None else "unbiased"
    nodes = [
        node("Abs", [user], ["factor_sizes"]),
        node("ReduceMax", ["factor_sizes", "factor_axis"], ["factor_most"], keepdims=1),
        node("Max", ["factor_most", "factor_least"], ["factor_greatest"]),
        node("Div", [user, "factor_greatest"], ["factor_shares"]),
        node("Mul", ["factor_shares", "factor_count"], ["factor_parts"]),
        node("Round", ["factor_parts"], ["factor_steps"]),
        node("MatMul", ["factor_steps", out], ["step_scores"]),
        node("Mul", ["factor_greatest", "factor_step"], ["step_size"]),
        node("Mul", ["step_scores", "step_size"], [scores]),
    ]
    if bias is not None:
        nodes.append(node("Add", [scores, bias], [output]))
    constants: dict[str, Array] = {
        "factor_axis": np.array([1]),
        "factor_least": np.array(LEAST),
        "factor_count": np.array(USER_STEPS, np.float32),
        "factor_step": np.array(1 / USER_STEPS, np.float32),
    }
    return nodes, constants

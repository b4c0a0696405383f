"""Adds to a user's factors what a context leads one to expect of them, and of a user of whom little is known.

    user = the history's factors
           + context_size * sum of context_into[range] over the ranges that the context's numbers are in
           + usual * max(0, 1 - views / FADING)

A number is in a range or not, and the rows of `context_into` are whole numbers: that sum is exact in any
order. All else are single operations on single numbers.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Final

import numpy as np
from onnx import TensorProto, helper

from edge.bundle.arrays import Array
from edge.bundle.features import CONTEXT
from models.data.contexts import Contexts, Rows
from models.graphs.exact import Nodes
from models.graphs.factors import Dense, whole_numbers
from models.trained import Scores

RANGES: Final = 8
"""Of a number, at most, each with about as many views as another; equal numbers are in one."""

FADING: Final = 32
"""So long a history says what is usual itself; a power of two, so that shares of it are exact."""

ENDS: Final = np.finfo(np.float32).max
"""No number of a context is so great."""


def range_arrays(contexts: Contexts) -> dict[str, Array]:
    """Ranges of a context's numbers, one for each text, as ``range_at``, ``range_from`` and ``range_below``.

    These are, of each range, its number's place in the context, the least that is in it, and the least above
    that is not. What is missing is in none.
    """
    cut: list[tuple[int, float, float]] = []
    for at, codes in enumerate(contexts.codes):
        known = contexts.rows[:, at][~np.isnan(contexts.rows[:, at])]
        edges = np.arange(1, codes) if codes else _edges(known)
        bounds = [-float(ENDS), *edges.tolist(), float(ENDS)]
        cut += [(at, low, high) for low, high in pairwise(bounds)]
    places, lows, highs = zip(*cut, strict=True)
    return {
        "range_at": np.array(places, np.int32),
        "range_from": np.array(lows, np.float32),
        "range_below": np.array(highs, np.float32),
    }


def _edges(known: Rows) -> Rows:
    """The least number of each range but the first: cut where the share below is nearest to even ones."""
    values, counts = np.unique(known, return_counts=True)
    if len(values) < 2:
        return values[:0]
    below = np.cumsum(counts)[:-1] / len(known)
    places = np.interp(np.arange(1, RANGES) / RANGES, below, np.arange(len(below)))
    return values[1:][np.unique(np.rint(places).astype(np.int64))]


def expected_arrays(context_into: Dense, usual: Dense) -> dict[str, Array]:
    """The arrays ``context_into``, a row of whole numbers for each range, ``context_size`` and ``usual``."""
    whole, size = whole_numbers(context_into)
    return {
        "context_into": whole,
        "context_size": np.array([size], np.float32),
        "usual": usual.astype(np.float32),
    }


def in_ranges(arrays: Mapping[str, Array], context: Rows) -> Rows:
    """For each row of a context, 1 for each range that its numbers are in, else 0."""
    numbers = context[:, arrays["range_at"]]
    inside = (numbers >= arrays["range_from"]) & (numbers < arrays["range_below"])
    return inside.astype(np.float32)


def expected_nodes(source: str, output: str) -> Nodes:
    """Nodes that add to a history's factors, from the graph's inputs `context` and `weight`."""
    node = helper.make_node
    nodes = [
        node("Gather", [CONTEXT, "range_at"], ["ranged"], axis=1),
        node("GreaterOrEqual", ["ranged", "range_from"], ["range_reached"]),
        node("Less", ["ranged", "range_below"], ["range_kept"]),
        node("And", ["range_reached", "range_kept"], ["range_inside"]),
        node("Cast", ["range_inside"], ["ranges"], to=TensorProto.FLOAT),
        node("MatMul", ["ranges", "context_into"], ["context_whole"]),
        node("Mul", ["context_whole", "context_size"], ["context_user"]),
        node("Add", [source, "context_user"], ["told_user"]),
        node("ReduceSum", ["weight", "fading_axis"], ["views"], keepdims=1),
        node("Mul", ["views", "fading_share"], ["views_share"]),
        node("Sub", ["fading_whole", "views_share"], ["views_lack"]),
        node("Max", ["views_lack", "fading_none"], ["lack"]),
        node("Mul", ["lack", "usual"], ["usual_user"]),
        node("Add", ["told_user", "usual_user"], [output]),
    ]
    constants: dict[str, Array] = {
        "fading_axis": np.array([1]),
        "fading_share": np.array(1 / FADING, np.float32),
        "fading_whole": np.array(1, np.float32),
        "fading_none": np.array(0, np.float32),
    }
    return nodes, constants


def expected(arrays: Mapping[str, Array], user: Scores, weight: Rows) -> Scores:
    """The reference of `expected_nodes`, with the context among the arrays."""
    told = user + (in_ranges(arrays, arrays[CONTEXT]) @ arrays["context_into"]) * arrays["context_size"]
    views = weight.sum(axis=1, keepdims=True) * np.float32(1 / FADING)
    found: Scores = told + np.maximum(np.float32(1) - views, np.float32(0)) * arrays["usual"]
    return found

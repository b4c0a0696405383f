"""Makes recommenders of what other libraries learned of items: how alike they are, or vectors of theirs."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from onnx import NodeProto, helper

from edge.bundle.arrays import Array
from models.bring.items import Alignment
from models.bring.source import cannot
from models.bring.tables import finite
from models.graphs.blocked import FEWEST
from models.graphs.factors import Dense, factor_arrays, factor_graph, product_nodes, score_factors, user_nodes
from models.graphs.neighbours import NEVER, only_positive, quantize, sum_graph, sum_rows
from models.graphs.onnx_build import score_graph
from models.graphs.shortlist import if_large, neighbour_shortlist
from models.settings import MAX_HISTORY
from models.trained import Scores

NAME: Final = "brought"
MATRIX, VECTORS = "item-item matrix", "item vectors"
MAX_FACTORS: Final = 1024
SCORED: Final = "scored"
"""The array that says which items have factors: 1, else 0."""

Source = Callable[[NDArray[np.int64]], Dense]
"""What the export itself says of a history of its positions: a score of each of its items."""


@dataclass(frozen=True, eq=False)
class Made:
    """A recommender's graph and arrays, and what they are held against."""

    kind: str
    graph: bytes
    arrays: dict[str, Array]
    source: Source
    shortlist: bytes = b""
    words: str = ""
    """What was left out on purpose, if anything."""


def of_matrix(matrix: scipy.sparse.csr_array, alignment: Alignment, width: int) -> Made:
    """A recommender that adds up the rows of a history's items: the exact sums of `models.graphs.neighbours`.

    Parameters
    ----------
    matrix
        Of the source's items: row h says how much a view of h speaks for each other item.
    width
        How many others an item speaks for; of more, the strongest.
    """
    known = alignment.known
    rows = alignment.to_source[:-1][known]
    inside = scipy.sparse.csr_array(matrix[rows][:, rows])
    inside.setdiag(0)  # what was viewed is not listed again
    inside.eliminate_zeros()
    columns, kept, cut = _strongest(inside, np.flatnonzero(known), alignment.n_items, width)
    arrays = quantize(columns, kept, alignment.n_items)
    graph = sum_graph(NAME, arrays, positive=True)
    named = width * MAX_HISTORY
    short = if_large(alignment.n_items, named, lambda: neighbour_shortlist(arrays))
    words = f"{cut:,} of {inside.nnz:,} pairs left out: `neighbours` is {width}" if cut else ""
    without = matrix.copy()
    without.setdiag(0)
    rest = scipy.sparse.csr_array(without)
    return Made(MATRIX, graph, arrays, lambda history: _sums(rest, history), short, words)


def _sums(matrix: scipy.sparse.csr_array, history: NDArray[np.int64]) -> Dense:
    scores = np.asarray(matrix[history].sum(axis=0), np.float64).ravel()
    return np.where(scores > 0, scores, -np.inf)


def _strongest(
    matrix: scipy.sparse.csr_array, places: NDArray[np.int64], n_items: int, width: int
) -> tuple[NDArray[np.int64], Dense, int]:
    """By catalog position, the columns of the greatest weights and these; and how many were left out.

    A row with fewer is filled up with its own item, which gets nothing.
    """
    counts = np.diff(matrix.indptr)
    width = max(1, min(width, int(counts.max(initial=0))))
    columns = np.tile(np.arange(n_items)[:, np.newaxis], (1, width))
    kept = np.zeros((n_items, width))
    for row, place in enumerate(places.tolist()):
        start, end = matrix.indptr[row], matrix.indptr[row + 1]
        weights, others = matrix.data[start:end], places[matrix.indices[start:end]]
        chosen = np.lexsort((others, -np.abs(weights)))[:width]
        columns[place, : len(chosen)], kept[place, : len(chosen)] = others[chosen], weights[chosen]
    order = np.argsort(columns, axis=1, kind="stable")
    cut = int(np.maximum(counts - width, 0).sum())
    return np.take_along_axis(columns, order, axis=1), np.take_along_axis(kept, order, axis=1), cut


def score_matrix(arrays: Mapping[str, Array], history: NDArray[np.int32], weight: Scores) -> Scores:
    """The reference of `of_matrix`."""
    return only_positive(sum_rows(arrays, history, weight))


@dataclass(frozen=True, eq=False)
class Vectors:
    """Vectors of a source's items: what a view adds to a visitor's, and what is multiplied with it."""

    into: Dense
    out: Dense
    bias: Dense | None = None


def read_vectors(tables: Mapping[str, Any], n_items: int, what: str) -> Vectors:
    """`out` and, where they are given, `into` (else the same) and `bias`.

    Raises
    ------
    GivenError
        ``bring``: a table is missing, has another shape than (items, factors), or holds what is no number.
    """
    if "out" not in tables:
        held = ", ".join(sorted(tables)) or "nothing"
        raise cannot(what, f"lacks `out` (it has: {held})", "save it by `np.savez(file, into=…, out=…)`")
    out = _table(tables["out"], n_items, f"{what}: 'out'")
    into = _table(tables["into"], n_items, f"{what}: 'into'") if "into" in tables else out
    if into.shape != out.shape:
        raise cannot(what, f"has `into` of {into.shape} and `out` of {out.shape}", "both need one shape")
    bias = finite(tables["bias"], f"{what}: 'bias'") if "bias" in tables else None
    if bias is not None and bias.shape != (n_items,):
        raise cannot(what, f"has `bias` of {bias.shape}, and there are {n_items:,} items", "a number an item")
    return Vectors(into, out, bias)


def _table(array: Any, n_items: int, what: str) -> Dense:
    numbers = finite(array, what)
    if numbers.ndim != 2 or len(numbers) != n_items:
        said = f"has the shape {numbers.shape}, and there are {n_items:,} items"
        raise cannot(what, said, "a row an item, a column a factor")
    if not 1 <= numbers.shape[1] <= MAX_FACTORS:
        raise cannot(what, f"has {numbers.shape[1]:,} factors; at most {MAX_FACTORS:,} are read")
    return numbers


def of_vectors(vectors: Vectors, alignment: Alignment) -> Made:
    """A recommender of item vectors: the exact products of `models.graphs.factors`."""
    known = alignment.known
    rows = alignment.to_source[:-1][known]
    into, out = np.zeros((2, alignment.n_items, vectors.out.shape[1]))
    into[known], out[known] = vectors.into[rows], vectors.out[rows]
    bias = None
    if vectors.bias is not None:
        bias = np.zeros(alignment.n_items)
        bias[known] = vectors.bias[rows]
    arrays = factor_arrays(into, out.T, bias)
    if known.all() and arrays["into"][:-1].any(axis=1).all() and alignment.n_items >= FEWEST:
        # Who has a history is known, so nothing is masked: a graph that ends in its product may have blocks.
        return Made(VECTORS, factor_graph(NAME, arrays), arrays, lambda history: _sum(vectors, history))
    arrays[SCORED] = known.astype(np.float32)
    return Made(
        VECTORS,
        _vector_graph(arrays),
        arrays,
        lambda history: _products(vectors, history),
    )


def _products(vectors: Vectors, history: NDArray[np.int64]) -> Dense:
    user = vectors.into[history].sum(axis=0)
    if not user.any() and vectors.bias is None:
        return np.full(len(vectors.out), -np.inf)
    return _sum(vectors, history)


def _sum(vectors: Vectors, history: NDArray[np.int64]) -> Dense:
    scores: Dense = vectors.out @ vectors.into[history].sum(axis=0)
    return scores if vectors.bias is None else scores + vectors.bias


def _vector_graph(arrays: Mapping[str, Array]) -> bytes:
    """Factors, of which items without any are left out, and all where nothing is known of the visitor."""
    nodes, constants = user_nodes(arrays, "sum", "user")
    more, added = product_nodes("user", "all_scores", "bias" if "bias" in arrays else None)
    listed: list[NodeProto] = [helper.make_node("Greater", [SCORED, "nothing"], ["is_scored"])]
    if "bias" not in arrays:
        listed += [
            helper.make_node("Greater", ["factor_most", "nothing"], ["is_known"]),
            helper.make_node("And", ["is_scored", "is_known"], ["is_listed"]),
        ]
    chosen = "is_scored" if "bias" in arrays else "is_listed"
    listed.append(helper.make_node("Where", [chosen, "all_scores", "never"], ["scores"]))
    ends: dict[str, Array] = {"nothing": np.array(0, np.float32), "never": np.array(NEVER, np.float32)}
    n_items = arrays["out"].shape[1]
    return score_graph(NAME, n_items, nodes + more + listed, arrays, constants | added | ends)


def score_vectors(arrays: Mapping[str, Array], history: NDArray[np.int32], weight: Scores) -> Scores:
    """The reference of `of_vectors`."""
    if SCORED not in arrays:
        return score_factors(arrays, history, weight)
    listed = np.broadcast_to(arrays[SCORED] > 0, (len(history), len(arrays[SCORED])))
    if "bias" not in arrays:
        user = np.stack([row @ arrays["into"][items] for items, row in zip(history, weight, strict=True)])
        listed = listed & user.any(axis=1, keepdims=True)
    return np.where(listed, score_factors(arrays, history, weight), np.float32(NEVER))

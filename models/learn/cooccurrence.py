"""Counts who used which item, and which items together."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from edge.bundle.arrays import Array
from edge.errors import GivenError
from models.data.interactions import Interactions
from models.graphs.neighbours import Dense, Places, quantize, strongest
from models.graphs.strongest import strongest_pairs
from models.trained import Progress

MAX_ITEMS: Final = 20_000
"""Where each item is set against each: 3.2 GB of float64 at this many."""

BLOCK_ITEMS: Final = 512
"""Rows of the item-item matrix that are held at once, dense."""

Counts = Dense
Similarity = Callable[[Counts, Counts, Counts, int], Dense]
"""``(together, row counts as a column, all counts, users) -> similarity``."""

SIMILARITIES: Final[Mapping[str, Similarity]] = {
    "cosine": lambda both, one, other, users: both / np.sqrt(one * other),
    "jaccard": lambda both, one, other, users: both / (one + other - both),
    "lift": lambda both, one, other, users: both * users / (one * other),
    "share": lambda both, one, other, users: both / one,
}


LARGE: Final = "item-item, also-viewed, user-user, markov, svd, als and bpr"
"""Recipes for catalogs of any size."""


def check_size(recipe: str, n_items: int) -> None:
    """Refuse a catalog whose items can't all be set against each other, as ``too-many-items``."""
    if n_items > MAX_ITEMS:
        message = f"{recipe} takes at most {MAX_ITEMS} items, not {n_items}, for it sets each against each"
        raise GivenError("too-many-items", f"{message}; {LARGE} take more")


def use_matrix(
    interactions: Interactions, n_items: int, weights: Dense | None = None
) -> scipy.sparse.csr_array:
    """One row per user, 1 where the user used the item, however often; or the mean of those uses' weights."""
    return rows_matrix(interactions.users, interactions.items, n_items, weights)


def rows_matrix(
    rows: NDArray[np.int64] | NDArray[np.int32],
    items: NDArray[np.int32],
    n_items: int,
    weights: Dense | None = None,
) -> scipy.sparse.csr_array:
    """One matrix row per distinct value of `rows`, 1 where it occurs with the item, or the mean weight."""
    _, codes = np.unique(rows, return_inverse=True)
    shape = (int(codes.max()) + 1, n_items)
    used = scipy.sparse.csr_array((np.ones(len(items)), (codes, items)), shape=shape)
    if weights is None:
        used.data[:] = 1.0  # csr_array adds up pairs that occur twice
    else:
        used.data = scipy.sparse.csr_array((weights, (codes, items)), shape=shape).data / used.data
    return used


def similar_items(
    used: scipy.sparse.csr_array, similarity: str, shrinkage: float, neighbours: int, progress: Progress
) -> dict[str, Array]:
    """Each item's most similar ones, as the arrays of `models.graphs.neighbours`.

    `shrinkage` is a number of users: a similarity that rests on as many counts half.
    """
    n_items = used.shape[1]
    if n_items > MAX_ITEMS:
        return _similar_of_many(used, similarity, shrinkage, neighbours, progress)
    blocks: list[tuple[Places, Dense]] = []
    for start, both, counts in _blocks(used):
        own = counts[start : start + len(both), np.newaxis]
        found = SIMILARITIES[similarity](both, np.maximum(own, 1), np.maximum(counts, 1), used.shape[0])
        found *= both / (both + shrinkage) if shrinkage else 1.0
        found[np.arange(len(both)), start + np.arange(len(both))] = 0.0
        blocks.append(strongest(np.nan_to_num(found), neighbours))
        progress("count", min(1.0, (start + len(both)) / n_items))
    columns, kept = (np.concatenate(part) for part in zip(*blocks, strict=True))
    return quantize(columns, kept, n_items)


def _similar_of_many(
    used: scipy.sparse.csr_array, similarity: str, shrinkage: float, neighbours: int, progress: Progress
) -> dict[str, Array]:
    counts = np.maximum(np.asarray(used.sum(axis=0), np.float64).ravel(), 1)

    def weigh(both: Dense, one: Places, other: Places) -> Dense:
        found = SIMILARITIES[similarity](both, counts[one], counts[other], used.shape[0])
        return found * both / (both + shrinkage) if shrinkage else found

    pairs = strongest_pairs(used.T.tocsr(), used, weigh, neighbours, progress)
    return quantize(*pairs, used.shape[1])


def _blocks(used: scipy.sparse.csr_array) -> Iterator[tuple[int, Counts, Counts]]:
    """First item, how often each of a block of items was used with each item, how often each at all."""
    by_item = used.T.tocsr()
    counts = np.asarray(used.sum(axis=0), np.float64).ravel()
    for start in range(0, used.shape[1], BLOCK_ITEMS):
        yield start, (by_item[start : start + BLOCK_ITEMS] @ used).toarray(), counts

"""Each item's strongest neighbours, in catalogs that are too large for a table of each item against each."""

from collections.abc import Callable
from typing import Final

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from models.graphs.neighbours import Dense, Places
from models.trained import Progress

BLOCK_ITEMS: Final = 256
"""Items whose pairs with all others are held at once."""

Weigh = Callable[[Dense, NDArray[np.int64], NDArray[np.int64]], Dense]
"""``(how much two go together, one, other) -> weight``, for pairs of items."""


def strongest_pairs(
    left: scipy.sparse.csr_array, right: scipy.sparse.csr_array, weigh: Weigh, width: int, progress: Progress
) -> tuple[Places, Dense]:
    """As `models.graphs.neighbours.strongest` of the product of `left` and `right`, but for the diagonal.

    Only pairs that go together at all are ever there. Of equals, the lower position is kept; an item with
    fewer neighbours has weights of 0 instead.

    Parameters
    ----------
    left, right
        Of shapes (n_items, anything) and (anything, n_items).
    """
    n_items = left.shape[0]
    columns = np.zeros((n_items, min(width, n_items)), np.int64)
    kept = np.zeros(columns.shape)
    for start in range(0, n_items, BLOCK_ITEMS):
        block = (left[start : start + BLOCK_ITEMS] @ right).tocoo()
        one, other = block.row.astype(np.int64), block.col.astype(np.int64)
        apart = one + start != other
        one, other, both = one[apart], other[apart], block.data[apart].astype(np.float64)
        weights = np.nan_to_num(weigh(both, one + start, other))
        _keep(columns[start : start + BLOCK_ITEMS], kept[start : start + BLOCK_ITEMS], one, other, weights)
        progress("count", min(1.0, (start + BLOCK_ITEMS) / n_items))
    return columns, kept


def _keep(columns: Places, kept: Dense, one: Places, other: Places, weights: Dense) -> None:
    """Write each row's strongest, ascending by column, behind the places that stay empty."""
    order = np.lexsort((other, -np.abs(weights), one))
    one, other, weights = one[order], other[order], weights[order]
    rank = np.arange(len(one)) - np.searchsorted(one, one)
    chosen = rank < columns.shape[1]
    columns[one[chosen], rank[chosen]] = other[chosen]
    kept[one[chosen], rank[chosen]] = weights[chosen]
    in_order = np.argsort(columns, axis=1, kind="stable")
    columns[:] = np.take_along_axis(columns, in_order, axis=1)
    kept[:] = np.take_along_axis(kept, in_order, axis=1)

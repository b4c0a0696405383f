"""Histories as visitors once had them, on which a compiled graph is compared with its reference."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.bundle.arrays import Array
from edge.bundle.features import CONTEXT

ROWS: Final = 10_000
MAX_SCORES: Final = 1_000_000_000
"""Rows times items: with more than 100,000 items, fewer rows are compared."""

History = NDArray[np.int32]
"""Catalog positions, most recent first."""


class Rows(NamedTuple):
    """Histories, each with the context that its newest item was viewed in; None where models know none."""

    histories: list[History]
    contexts: NDArray[np.float32] | None


def real_rows(sample: Mapping[str, Array], n_items: int, max_history: int, most: int = ROWS) -> Rows:
    """Up to `most` histories, the shortest first: each was some user's at some time.

    A user who did n things had n histories, each with one more in front; of all of
    those of all users, as many as are wanted are taken at equal distances.
    """
    if not sample:
        return Rows([], None)
    items, starts = sample["items"], sample["starts"]
    if items.size and (items.min() < 0 or items.max() >= n_items):
        return Rows([], None)
    count = min(len(items), most, MAX_SCORES // n_items)
    # A history ends where its user's oldest item stands, and begins anywhere before that.
    begins = np.arange(count) * len(items) // max(1, count)
    ends = starts[np.searchsorted(starts, begins, side="right")]
    rows = [items[begin : min(end, begin + max_history)] for begin, end in zip(begins, ends, strict=True)]
    order = np.argsort([len(row) for row in rows], kind="stable")
    contexts = sample["context"][begins[order]] if CONTEXT in sample else None
    return Rows([rows[at] for at in order.tolist()], contexts)


def padded(rows: Sequence[History], n_items: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The rows as a graph takes them in: `history` and `weight`."""
    history = np.full((len(rows), max([1, *map(len, rows)])), n_items, np.int32)
    for place, row in enumerate(rows):
        history[place, : len(row)] = row
    return history, (history < n_items).astype(np.float32)

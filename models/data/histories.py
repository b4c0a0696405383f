"""Histories as models read them: what each user did, the newest first."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.data.contexts import Rows
from models.data.interactions import Interactions


def histories(interactions: Interactions) -> list[list[int]]:
    """Per user, distinct catalog positions, most recent first; ties by position."""
    return [list(items) for items in newest_rows(interactions)]


def newest_rows(interactions: Interactions) -> list[dict[int, int]]:
    """The same, each with the newest row of that user and item."""
    order = np.lexsort((interactions.items, -interactions.timestamps, interactions.users))
    found: list[dict[int, int]] = [{} for _ in interactions.user_ids]
    rows = (interactions.users[order], interactions.items[order], order)
    for user, item, row in zip(*(part.tolist() for part in rows), strict=True):
        found[user].setdefault(item, row)
    return found


def asked_in(interactions: Interactions) -> Rows | None:
    """Per user, the context of their oldest row: a list is made before what it is measured with.

    None where nothing is known of contexts.
    """
    if interactions.contexts is None:
        return None
    oldest = [-1] * len(interactions.user_ids)
    for row in np.argsort(-interactions.timestamps, kind="stable").tolist():
        oldest[interactions.users[row]] = row
    return interactions.contexts.of_users(oldest)


def padded(rows: Sequence[Sequence[int]], n_items: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Histories as a model reads them: catalog positions padded with `n_items`, and their weights, 1 or 0."""
    history = np.full((len(rows), max(1, *map(len, rows))), n_items, np.int32)
    for row, items in zip(history, rows, strict=True):
        row[: len(items)] = items
    return history, (history < n_items).astype(np.float32)

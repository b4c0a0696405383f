"""Divides what users did into visits, without a long pause, and into stretches of so many rows."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.interactions import Interactions

MINUTE_S: Final = 60


def visits(interactions: Interactions, pause_minutes: float) -> NDArray[np.int64]:
    """A number per row, the same for rows of one user without a longer pause between; 0 ends no visit."""
    if not pause_minutes:
        return interactions.users.astype(np.int64)
    order = np.lexsort((interactions.timestamps, interactions.users))
    users, times = interactions.users[order], interactions.timestamps[order]
    begins = (np.diff(users) != 0) | (np.diff(times) > pause_minutes * MINUTE_S)
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.concatenate([[0], np.cumsum(begins)])
    return numbers


def stretches(interactions: Interactions, places: int) -> NDArray[np.int64]:
    """A number per row, the same for so many rows of a user that follow each other; the oldest begin."""
    order = np.lexsort((-interactions.items, interactions.timestamps, interactions.users))
    users = interactions.users[order]
    place = np.arange(len(order)) - np.searchsorted(users, users)
    begins = place % places == 0
    numbers = np.empty(len(order), np.int64)
    numbers[order] = np.cumsum(begins)
    return numbers

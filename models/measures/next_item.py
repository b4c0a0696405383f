"""What visitors did next: histories as they were at moments of a later part, and what came then."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.interactions import Interactions
from models.measures.metrics import Lists

PER_USER: Final = 10
"""Moments of one user, at most, so that who does much does not count for many."""

DRAWS: Final = 1000


@dataclass(frozen=True, eq=False)
class Moments:
    """Per moment: the user, the history so far (most recent first) and the item that came next."""

    users: NDArray[np.int64]
    histories: list[list[int]]
    targets: NDArray[np.int64]


def moments(known: Interactions, later: Interactions, length: int) -> Moments:
    """Moments in the later part, evenly spread over each user's, with all that the user did before.

    What happened in the very same second as the next item is no history: its order is not known. A history
    may begin with what is in neither part of the model's training: at the edge it is live.

    Parameters
    ----------
    length
        How many of the newest items a history holds, as a visitor's cookie does.
    """
    users, histories, targets = [], [], []
    for user in np.unique(later.users).tolist():
        old, new = (_of(part, user) for part in (known, later))
        items = np.concatenate([old[0], new[0]])
        times = np.concatenate([old[1], new[1]])
        first = len(old[0])
        spread = np.unique(np.linspace(first, len(items) - 1, PER_USER).round().astype(int))
        for place in spread.tolist():
            before = items[times < times[place]][::-1]
            history = list(dict.fromkeys(before.tolist()))
            if history and items[place] not in history:
                users.append(user)
                histories.append(history[:length])
                targets.append(int(items[place]))
    return Moments(np.array(users), histories, np.array(targets))


def hits(lists: Lists, found: Moments) -> NDArray[np.float64]:
    """For each user, the share of moments whose next item was listed."""
    hit = np.array([target in list_ for list_, target in zip(lists, found.targets.tolist(), strict=True)])
    _, codes = np.unique(found.users, return_inverse=True)
    return np.bincount(codes, hit) / np.bincount(codes)


def interval(values: NDArray[np.float64], seed: int = 0) -> tuple[float, float]:
    """Between which the mean lies with 95 %: a percentile bootstrap over users (Efron 1979)."""
    draw = np.random.default_rng(seed)
    means = values[draw.integers(0, len(values), (DRAWS, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _of(part: Interactions, user: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    rows = np.flatnonzero(part.users == user)
    rows = rows[np.lexsort((part.items[rows], part.timestamps[rows]))]
    return part.items[rows], part.timestamps[rows]

"""Keeps rows of ascending positions as the gaps between them, a byte each."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.bundle.arrays import Array

MOST: Final = 255
MAX_FILLERS: Final = 0.1
"""Where so many of the entries would be spent on wide gaps, bytes are no good."""

Positions = NDArray[np.int64]


def to_gaps(neighbour: Array, value: Array) -> tuple[Array, Array] | None:
    """Gaps (uint8) and the values in their order; None where positions are too far apart.

    A gap wider than a byte takes entries of value 0 in between; in a row that has no room for
    them, the weakest entries go.
    """
    order = np.argsort(neighbour, axis=1, kind="stable")
    places = np.take_along_axis(neighbour, order, axis=1).astype(np.int64)
    values = np.take_along_axis(value, order, axis=1)
    wide = np.diff(places, axis=1, prepend=0) // (MOST + 1)
    if wide.sum() > MAX_FILLERS * places.size:
        return None
    gaps = np.diff(places, axis=1, prepend=0)
    for row in np.flatnonzero(wide.any(axis=1)).tolist():
        gaps[row], values[row] = _filled(places[row], values[row])
    return gaps.astype(np.uint8), values


def from_gaps(gaps: Array) -> Array:
    """The positions."""
    return np.cumsum(gaps, axis=1, dtype=np.int32)


def _filled(places: Positions, values: Array) -> tuple[Positions, Array]:
    """A row with fillers, as long as before."""
    strongest = np.argsort(-np.abs(values), kind="stable")
    for count in range(len(places), -1, -1):
        kept = np.sort(strongest[:count])
        gaps, numbers = _spelled(places[kept], values[kept])
        if len(gaps) <= len(places):
            break
    room = len(places) - len(gaps)
    return np.pad(gaps, (0, room)), np.pad(numbers, (0, room))


def _spelled(places: Positions, values: Array) -> tuple[Positions, Array]:
    gaps = np.diff(places, prepend=0)
    fillers = np.maximum(0, -(-gaps // MOST) - 1)
    last = np.cumsum(fillers + 1) - 1
    spelled = np.full(int((fillers + 1).sum()), MOST, np.int64)
    spelled[last] = gaps - fillers * MOST
    numbers = np.zeros(len(spelled), values.dtype)
    numbers[last] = values
    return spelled, numbers

"""Tells which views were liked: those valued above what their user and their item lead one to expect."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.interactions import Interactions

BELIEF_VIEWS: Final = 5
"""A user's or an item's mean counts half with so many views."""

LEAST: Final = 1e-6
"""What is nearer to what was expected, as a share of the values' spread, is rounding."""


def liked(interactions: Interactions) -> NDArray[np.bool_]:
    """Of each row; none where all values are the same, as where a file has no values.

    A value is expected to be the mean of all, and what its item, and then its user, is above that (the
    baseline of Koren 2008): some people rate all things high, and some things are rated high by all.
    """
    values = interactions.values.astype(np.float64)
    rest = values - values.mean()
    for codes in (interactions.items, interactions.users):
        counts = np.bincount(codes)
        rest -= (np.bincount(codes, rest) / (counts + BELIEF_VIEWS))[codes]
    above: NDArray[np.bool_] = rest > LEAST * np.ptp(values)
    return above & bool(np.ptp(values))

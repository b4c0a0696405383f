"""What is in favour lately: the newest of a history, and what everybody views these days."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from edge.bundle.arrays import Array
from models.data.interactions import Interactions
from models.graphs.factors import Dense, factor_arrays, halving
from models.settings import Number, Setting, Settings

DAY_S: Final = 86_400

LATELY: Final[Mapping[str, Setting]] = {
    "popularity": Number(0.7, "How much popularity counts beside being alike; 0 lists new items, too."),
    "half_life_days": Number(5, "Days after which a view counts half for popularity; 0 for never."),
    "half_life_places": Number(
        2, "Places of the history after which an item says half; 0 for as much at all places."
    ),
}
"""What recipes have that tell by what is known of items which are alike."""


def decayed_views(
    interactions: Interactions, n_items: int, half_life_days: float, weights: Dense | None = None
) -> Dense:
    """Views of each item, or their weights, halved per `half_life_days` before the newest; 0 halves none."""
    age_days = (interactions.timestamps.max() - interactions.timestamps) / DAY_S
    decay = np.exp2(-age_days / half_life_days) if half_life_days else np.ones(len(interactions))
    counted = decay if weights is None else decay * weights
    return np.bincount(interactions.items, counted, n_items).astype(np.float64)


def alike_arrays(factors: Dense, interactions: Interactions, settings: Settings) -> dict[str, Array]:
    """The arrays of `models.graphs.factors`: alike to the mean of the history, and popular, as `LATELY` says.

    Parameters
    ----------
    factors : ndarray of shape (n_items, factors)
        What is known of the items, as rows of length 1.
    """
    views = np.log1p(decayed_views(interactions, len(factors), settings["half_life_days"]))
    bonus = settings["popularity"] * views / views.max()
    places = settings["half_life_places"]
    return factor_arrays(factors, factors.T, bonus, halving(places) if places else None)

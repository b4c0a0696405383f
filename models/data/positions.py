"""How much less is noticed in a later place of a list, and how much more a view counts that began there."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.interactions import Interactions
from models.settings import Number, Settings

ROUNDS: Final = 100
LEAST: Final = 0.1
"""No view counts more than ten times as much as one that was sure to be noticed: few would decide all."""

PRIOR_CLICKS: Final = 0.1
"""Added to what each thing was clicked, at the mean rate: few clicks say little of a thing."""

DEBIAS_POSITION: Final = Number(
    0, "How much more a view counts that began where few notice anything; 1 in full.", 1
)

Chances = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Shown:
    """What lists showed: the code of each thing, its place (0 the first), and 1 where it was clicked."""

    things: NDArray[np.int64]
    places: NDArray[np.int64]
    clicks: NDArray[np.float64]


def noticed(shown: Shown) -> Chances:
    """The chance that a thing is noticed in each place, in shares of the best place's.

    A click's chance is that of its place to be noticed times that of the thing to be liked (Richardson et
    al. 2007; Wang et al. 2018). Both are found in turn, as the sums of a table are fitted: the most likely
    values if clicks are counts, and right in the mean where they are not rare. It needs things that stood
    in several places, best by chance (Agarwal et al. 2019); a place that was never clicked gets 0.
    """
    n_things, n_places = (int(codes.max(initial=-1)) + 1 for codes in (shown.things, shown.places))
    pairs, rows = np.unique(shown.things * max(n_places, 1) + shown.places, return_inverse=True)
    things, places = np.divmod(pairs, max(n_places, 1))
    times = np.bincount(rows, minlength=len(pairs)).astype(np.float64)
    clicks = np.bincount(rows, shown.clicks, len(pairs))
    by_thing, by_place = np.bincount(things, clicks, n_things), np.bincount(places, clicks, n_places)
    rate = clicks.sum() / max(times.sum(), 1)
    seen: Chances = np.ones(n_places)
    for _ in range(ROUNDS if rate else 0):
        met = np.bincount(things, times * seen[places], n_things)
        liked = (by_thing + PRIOR_CLICKS) / (met + PRIOR_CLICKS / rate)
        expected = np.bincount(places, times * liked[things], n_places)
        seen = by_place / np.maximum(expected, 1e-12)
        seen /= seen.max()
    return seen


def view_weights(interactions: Interactions, settings: Settings) -> Chances:
    """How much each view counts: the inverse of the chance that its place was noticed (Joachims et al. 2017).

    Clipped at `LEAST` and of mean 1, so that settings mean the same. All 1 where the rows do not tell.
    """
    power = settings["debias_position"]
    if interactions.noticed is None or not power:
        return np.ones(len(interactions))
    weights = np.maximum(interactions.noticed.astype(np.float64), LEAST) ** -power
    return np.asarray(weights / weights.mean())

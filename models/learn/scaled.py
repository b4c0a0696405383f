"""Who viewed what, scaled so that neither the busiest users nor the most popular items say most."""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from models.data.interactions import Interactions
from models.data.liked import liked
from models.data.positions import DEBIAS_POSITION, view_weights
from models.data.visits import stretches, visits
from models.learn.cooccurrence import rows_matrix, use_matrix
from models.settings import Number, Setting, Settings

Dense = NDArray[np.float64]
Numbers = NDArray[np.int64]
Chosen = NDArray[np.bool_]

CLOSENESS: Final = Number(0, "How many times more items count that were viewed closely after another.", 100)
LIKING: Final = Number(0, "How many times more items count that were valued more than expected.", 100)

SCALING: Final[Mapping[str, Setting]] = {
    "user_power": Number(0.25, "How much less those who viewed much count, each; 0 for no less.", 1),
    "item_power": Number(0.25, "How much less items that many viewed count; 0 for no less.", 1),
    "nearness": Number(1, "How many times more items count that were viewed in one visit.", 100),
    "pause_minutes": Number(1, "A pause that ends a visit, for nearness.", positive=True),
    "closeness": CLOSENESS,
    "places": Number(20, "So many views, one after the other, are close.", 1000, whole=True),
    "liking": LIKING,
    "debias_position": DEBIAS_POSITION,
    "debias": Number(0, "How much less what many viewed is listed for being so; 1 in full.", 1),
}


def scaled_rows(
    interactions: Interactions, n_items: int, settings: Settings
) -> tuple[scipy.sparse.csr_array, Dense]:
    """A row of items for each user, and for each visit, scaled; and the items' scale.

    The powers scale users and items by their counts. What was viewed in one visit counts
    `nearness` times more, what was viewed within so many `places` `closeness` times more, and what a user
    liked `liking` times more: that is what the rows of visits, of stretches and of likes are for. The
    users' rows are brought back to the sum of squares that they had, so that a regularization means
    the same for any power.
    """
    used = use_matrix(interactions, n_items)
    weights = view_weights(interactions, settings)
    of_users = np.maximum(used.sum(axis=1), 1) ** -float(settings["user_power"])
    of_items = np.maximum(used.sum(axis=0), 1) ** -float(settings["item_power"])
    weighed = use_matrix(interactions, n_items, weights)
    scaled = weighed.multiply(of_users[:, np.newaxis]).multiply(of_items).tocsr()
    _, users = np.unique(interactions.users, return_inverse=True)
    parts = [scaled]
    for times, numbers, chosen in _groups(interactions, settings):
        _, first = np.unique(numbers[chosen], return_index=True)
        rows = rows_matrix(numbers[chosen], interactions.items[chosen], n_items, weights[chosen])
        weight = of_users[users[chosen][first]] * np.sqrt(times)
        parts.append(rows.multiply(weight[:, np.newaxis]).multiply(of_items))
    rows = scipy.sparse.vstack(parts, format="csr")
    return rows * np.sqrt(used.nnz / (scaled.data @ scaled.data)), of_items


def _groups(interactions: Interactions, settings: Settings) -> Iterator[tuple[float, Numbers, Chosen]]:
    """What counts again when viewed together: how many times, each row's group, and which rows are of any."""
    every = np.ones(len(interactions), np.bool_)
    if times := float(settings["nearness"]):
        yield times, visits(interactions, settings["pause_minutes"]), every
    if times := float(settings["closeness"]):
        yield times, stretches(interactions, int(settings["places"])), every
    if (times := float(settings["liking"])) and (chosen := liked(interactions)).any():
        yield times, interactions.users.astype(np.int64), chosen


def said_of_items(interactions: Interactions, n_items: int, settings: Settings) -> Dense:
    """What each item's score is multiplied by to take popularity back: 1 for an item of mean popularity.

    A view of an item is weighed by the inverse of the chance that it was met at all, taken to be a power of
    its popularity (inverse propensity scores, Schnabel et al. 2016; the power of Yang et al. 2018).
    The recipes that use it are linear in what is to be predicted, so this is the same as
    weighing the views that they learn from.
    """
    views = np.maximum(np.bincount(interactions.items, minlength=n_items), 1)
    weights: Dense = (views / views.mean()) ** -float(settings["debias"])
    return weights

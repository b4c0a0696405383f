"""Who viewed what, scaled so that neither the busiest users nor the most popular items say most."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from models.cooccurrence import rows_matrix, use_matrix
from models.interactions import Interactions
from models.positions import DEBIAS_POSITION, view_weights
from models.settings import Number, Setting, Settings
from models.visits import visits

Dense = NDArray[np.float64]

SCALING: Final[Mapping[str, Setting]] = {
    "user_power": Number(0.25, "How much less those who viewed much count, each; 0 for no less.", 1),
    "item_power": Number(0.25, "How much less items that many viewed count; 0 for no less.", 1),
    "nearness": Number(1, "How many times more items count that were viewed in one visit.", 100),
    "pause_minutes": Number(1, "A pause that ends a visit, for nearness.", positive=True),
    "debias_position": DEBIAS_POSITION,
    "debias": Number(0, "How much less what many viewed is listed for being so; 1 in full.", 1),
}


def scaled_rows(
    interactions: Interactions, n_items: int, settings: Settings
) -> tuple[scipy.sparse.csr_array, Dense]:
    """A row of items for each user, and for each visit, scaled; and the items' scale.

    The powers scale users and items by their counts. What was viewed in one visit counts
    `nearness` times more: that is what the visits' rows are for. The users' rows are
    brought back to the sum of squares that they had, so that a regularization means
    the same for any power.
    """
    used = use_matrix(interactions, n_items)
    weights = view_weights(interactions, settings)
    of_users = np.maximum(used.sum(axis=1), 1) ** -float(settings["user_power"])
    of_items = np.maximum(used.sum(axis=0), 1) ** -float(settings["item_power"])
    weighed = use_matrix(interactions, n_items, weights)
    scaled = weighed.multiply(of_users[:, np.newaxis]).multiply(of_items).tocsr()
    parts = [scaled]
    if settings["nearness"]:
        numbers = visits(interactions, settings["pause_minutes"])
        _, first = np.unique(numbers, return_index=True)
        _, users = np.unique(interactions.users, return_inverse=True)
        near = rows_matrix(numbers, interactions.items, n_items, weights)
        weight = of_users[users[first]] * np.sqrt(settings["nearness"])
        parts.append(near.multiply(weight[:, np.newaxis]).multiply(of_items))
    rows = scipy.sparse.vstack(parts, format="csr")
    return rows * np.sqrt(used.nnz / (scaled.data @ scaled.data)), of_items


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

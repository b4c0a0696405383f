"""Ranks items by who viewed the same: every other visitor has a say, folded into items at compile time."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.bundle.arrays import Array
from models.data.interactions import Interactions
from models.graphs.neighbours import NEIGHBOURS, only_positive, prune, quantize, sum_graph, sum_rows
from models.graphs.shortlist import if_large, neighbour_shortlist
from models.graphs.strongest import strongest_pairs
from models.learn.cooccurrence import MAX_ITEMS, use_matrix
from models.settings import Number, Setting, Settings
from models.trained import Progress, Scores, Trained


class UserUser:
    """User-based neighbours with asymmetric cosines (Aiolli 2013), as the sum over items that they equal.

    A fellow visitor counts by the items in common, over a power of how many items the fellow
    viewed. The sum over all of them is linear in the visitor's history, so it
    is a sum over the history's items (Verstrepen and Goethals 2014): nobody's views are in a
    bundle, and a request costs what any neighbours cost.
    """

    name: Final = "user-user"
    excludes_seen: Final = True
    settings: Final[Mapping[str, Setting]] = {
        "user_power": Number(0.5, "How much less fellows who viewed much count; 0 for no less.", 2),
        "item_power": Number(0.5, "How much less items that many viewed count; 0 for no less.", 1),
        "neighbours": NEIGHBOURS,
    }

    def train(
        self, interactions: Interactions, items: tuple[str, ...], settings: Settings, progress: Progress
    ) -> Trained:
        """See `models.trained.Recipe`."""
        progress("count", 0.0)
        used = use_matrix(interactions, len(items))
        say = np.maximum(used.sum(axis=1), 1) ** -float(settings["user_power"])
        of_items = np.maximum(used.sum(axis=0), 1) ** -float(settings["item_power"])
        said = used.multiply(say[:, np.newaxis]).tocsr().T.tocsr()
        width = int(settings["neighbours"])
        if len(items) > MAX_ITEMS:
            pairs = strongest_pairs(
                said, used, lambda both, one, other: both * of_items[one] * of_items[other], width, progress
            )
            arrays = quantize(*pairs, len(items))
        else:
            weights = (said @ used).toarray()
            weights *= of_items[:, np.newaxis] * of_items
            np.fill_diagonal(weights, 0.0)
            arrays = prune(weights, width, progress)
        graph = sum_graph(self.name, arrays, positive=True)
        short = if_large(len(items), width * settings["max_history"], lambda: neighbour_shortlist(arrays))
        return Trained(self.name, items, graph, arrays, {}, self.score, shortlist=short)

    def score(
        self, arrays: Mapping[str, Array], history: NDArray[np.int32], weight: NDArray[np.float32]
    ) -> Scores:
        """See `models.trained.Recipe`; an item that no fellow viewed is not listed."""
        return only_positive(sum_rows(arrays, history, weight))

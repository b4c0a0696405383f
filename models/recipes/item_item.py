"""Ranks items by how alike they are to those in the history: the sum over all of them."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.bundle.arrays import Array
from models.data.interactions import Interactions
from models.graphs.neighbours import NEIGHBOURS, only_positive, sum_graph, sum_rows
from models.graphs.shortlist import if_large, neighbour_shortlist
from models.learn.cooccurrence import SIMILARITIES, similar_items, use_matrix
from models.settings import Choice, Number, Setting, Settings
from models.trained import Progress, Scores, Trained

SIMILARITY: Final = Choice("jaccard", "What makes two items alike.", tuple(SIMILARITIES))
SHRINKAGE: Final = Number(0, "Users that a similarity needs to count half; more trusts rare pairs less.")


class ItemItem:
    """Item-based neighbours (Sarwar et al. 2001), summed over the history as in SAR (Aggarwal 2016)."""

    name: Final = "item-item"
    excludes_seen: Final = True
    settings: Final[Mapping[str, Setting]] = {
        "similarity": SIMILARITY,
        "shrinkage": SHRINKAGE,
        "neighbours": NEIGHBOURS,
    }

    def train(
        self, interactions: Interactions, items: tuple[str, ...], settings: Settings, progress: Progress
    ) -> Trained:
        """See `models.trained.Recipe`."""
        used = use_matrix(interactions, len(items))
        measure, shrinkage, width = (settings[key] for key in ("similarity", "shrinkage", "neighbours"))
        arrays = similar_items(used, measure, shrinkage, int(width), progress)
        graph = sum_graph(self.name, arrays, positive=True)
        short = if_large(len(items), width * settings["max_history"], lambda: neighbour_shortlist(arrays))
        return Trained(self.name, items, graph, arrays, {}, self.score, shortlist=short)

    def score(
        self, arrays: Mapping[str, Array], history: NDArray[np.int32], weight: NDArray[np.float32]
    ) -> Scores:
        """See `models.trained.Recipe`; an item like none of the history is not listed."""
        return only_positive(sum_rows(arrays, history, weight))

"""Ranks items by how often they were viewed together with the last one viewed."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from edge.bundle.arrays import Array
from models.data.interactions import Interactions
from models.data.visits import visits
from models.graphs.neighbours import NEIGHBOURS, only_positive, positive_nodes, sum_nodes, sum_rows
from models.graphs.onnx_build import score_graph
from models.graphs.shortlist import if_large, neighbour_shortlist
from models.learn.cooccurrence import rows_matrix, similar_items
from models.recipes.item_item import SHRINKAGE, SIMILARITY
from models.settings import Number, Setting, Settings
from models.trained import Progress, Scores, Trained


class AlsoViewed:
    """The neighbours of one item (item-to-item filtering, Linden et al. 2003): the newest of the history.

    On an item's page that is the page's own item.
    """

    name: Final = "also-viewed"
    excludes_seen: Final = True
    settings: Final[Mapping[str, Setting]] = {
        "similarity": replace(SIMILARITY, default="cosine"),
        "shrinkage": replace(SHRINKAGE, default=10),
        "pause_minutes": Number(
            60, "A pause that ends a visit: only items of one visit count; 0 for all time."
        ),
        "neighbours": NEIGHBOURS,
    }

    def train(
        self, interactions: Interactions, items: tuple[str, ...], settings: Settings, progress: Progress
    ) -> Trained:
        """See `models.trained.Recipe`."""
        rows = visits(interactions, settings["pause_minutes"])
        used = rows_matrix(rows, interactions.items, len(items))
        measure, shrinkage, width = (settings[key] for key in ("similarity", "shrinkage", "neighbours"))
        arrays = similar_items(used, measure, shrinkage, int(width), progress)
        short = if_large(len(items), width, lambda: neighbour_shortlist(arrays, newest_only=True))
        graph = newest_graph(self.name, len(items), arrays)
        return Trained(self.name, items, graph, arrays, {}, self.score, shortlist=short)

    def score(
        self, arrays: Mapping[str, Array], history: NDArray[np.int32], weight: NDArray[np.float32]
    ) -> Scores:
        """See `models.trained.Recipe`; an item never viewed with the last one is not listed."""
        return only_positive(sum_rows(arrays, history[:, :1], weight[:, :1]))


def newest_graph(name: str, n_items: int, arrays: Mapping[str, Array]) -> bytes:
    """The score graph over the newest item's neighbours alone, of which those above 0 are listed."""
    cut = [
        helper.make_node("Slice", [part, "begin", "end", "axis"], [f"last_{part}"])
        for part in ("history", "weight")
    ]
    nodes, constants = sum_nodes(n_items, "sum", "last_history", "last_weight")
    more, added = positive_nodes("sum", "scores")
    ends = {"begin": np.array([0]), "end": np.array([1]), "axis": np.array([1])}
    return score_graph(name, n_items, cut + nodes + more, arrays, constants | added | ends)

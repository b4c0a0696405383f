"""Ranks items by what was viewed soon after those of the history, the newest first of all: next best."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from edge.bundle.arrays import Array
from models.data.interactions import Interactions
from models.data.visits import visits
from models.graphs.factors import halving, recency_array, recency_nodes
from models.graphs.neighbours import (
    NEIGHBOURS,
    only_positive,
    positive_nodes,
    quantize,
    strongest,
    sum_nodes,
    sum_rows,
)
from models.graphs.onnx_build import score_graph
from models.graphs.shortlist import if_large, neighbour_shortlist
from models.graphs.strongest import strongest_pairs
from models.learn.cooccurrence import MAX_ITEMS
from models.settings import Number, Setting, Settings
from models.trained import Progress, Scores, Trained


class Markov:
    """Sequential rules (Kamehkhosh, Jannach and Ludewig 2017): a Markov chain that may skip.

    A rule counts each time that one item was viewed some places after another one in a visit, the
    less the more places lie between. The history's items speak with weights that halve from place to
    place, the newest first.
    """

    name: Final = "markov"
    excludes_seen: Final = True
    settings: Final[Mapping[str, Setting]] = {
        "reach": Number(30, "How many places after an item others count as coming next.", 100, whole=True),
        "half_life_places": Number(4, "Places of the history after which an item says half.", positive=True),
        "popularity": Number(0.4, "How much less items that many viewed count; 0 for no less.", 1),
        "pause_minutes": Number(60, "A pause that ends a visit: rules don't reach over it; 0 for none."),
        "neighbours": NEIGHBOURS,
    }

    def train(
        self, interactions: Interactions, items: tuple[str, ...], settings: Settings, progress: Progress
    ) -> Trained:
        """See `models.trained.Recipe`."""
        progress("count", 0.0)
        counts = follow_counts(interactions, len(items), int(settings["reach"]), settings["pause_minutes"])
        said = np.maximum(counts.sum(axis=1), 1.0)
        met = np.maximum(counts.sum(axis=0), 1.0)
        power, width = float(settings["popularity"]), int(settings["neighbours"])
        arrays: dict[str, Array] = {"recency": recency_array(halving(settings["half_life_places"]))}
        if len(items) > MAX_ITEMS:
            columns, kept = strongest_pairs(
                counts,
                scipy.sparse.eye_array(len(items), format="csr"),
                lambda both, one, other: both / np.sqrt(said)[one] / met[other] ** power,
                width,
                progress,
            )
        else:
            weights = counts.toarray() / np.sqrt(said)[:, np.newaxis] / met**power
            np.fill_diagonal(weights, 0.0)
            columns, kept = strongest(weights, width)
        arrays |= quantize(columns, kept, len(items), arrays["recency"])
        progress("prune", 1.0)
        short = if_large(
            len(items), width * settings["max_history"], lambda: neighbour_shortlist(arrays, recent=True)
        )
        return Trained(self.name, items, _graph(len(items), arrays), arrays, {}, self.score, shortlist=short)

    def score(
        self, arrays: Mapping[str, Array], history: NDArray[np.int32], weight: NDArray[np.float32]
    ) -> Scores:
        """See `models.trained.Recipe`; what never came after any of the history is not listed."""
        recent = weight * arrays["recency"][: history.shape[1]]
        return only_positive(sum_rows(arrays, history, recent))


def follow_counts(
    interactions: Interactions, n_items: int, reach: int, pause_minutes: float
) -> scipy.sparse.csr_array:
    """How often items were viewed up to `reach` places after each other: each time 1 over the places."""
    numbers = visits(interactions, pause_minutes)
    order = np.lexsort((interactions.items, interactions.timestamps, numbers))
    items, visit = interactions.items[order], numbers[order]
    counts = scipy.sparse.csr_array((n_items, n_items))
    for places in range(1, min(reach, len(items) - 1) + 1):
        same = visit[:-places] == visit[places:]
        pairs = (items[:-places][same], items[places:][same])
        counts = counts + scipy.sparse.csr_array(
            (np.full(len(pairs[0]), 1 / places), pairs), shape=counts.shape
        )
    return counts


def _graph(n_items: int, arrays: Mapping[str, Array]) -> bytes:
    nodes, constants = recency_nodes()
    summed, more = sum_nodes(n_items, "sum", weight="recent")
    last, added = positive_nodes("sum", "scores")
    return score_graph("markov", n_items, [*nodes, *summed, *last], arrays, constants | more | added)

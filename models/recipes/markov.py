"""Ranks items by what was viewed soon after those of the history, the newest first of all: next best."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.bundle.arrays import Array
from models.cooccurrence import check_size
from models.factors import halving, recency_array, recency_nodes
from models.interactions import Interactions
from models.neighbours import (
    NEIGHBOURS,
    Dense,
    only_positive,
    positive_nodes,
    quantize,
    strongest,
    sum_nodes,
    sum_rows,
)
from models.onnx_build import score_graph
from models.settings import Number, Setting, Settings
from models.trained import Progress, Scores, Trained
from models.visits import visits


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
        check_size(self.name, len(items))
        progress("count", 0.0)
        counts = follow_counts(interactions, len(items), int(settings["reach"]), settings["pause_minutes"])
        said = np.maximum(counts.sum(axis=1), 1.0)
        met = np.maximum(counts.sum(axis=0), 1.0)
        weights = counts / np.sqrt(said)[:, np.newaxis] / met ** float(settings["popularity"])
        np.fill_diagonal(weights, 0.0)
        progress("prune", 0.8)
        arrays: dict[str, Array] = {"recency": recency_array(halving(settings["half_life_places"]))}
        columns, kept = strongest(weights, int(settings["neighbours"]))
        arrays |= quantize(columns, kept, len(items), arrays["recency"])
        progress("prune", 1.0)
        return Trained(self.name, items, _graph(len(items), arrays), arrays, {}, self.score)

    def score(
        self, arrays: Mapping[str, Array], history: NDArray[np.int32], weight: NDArray[np.float32]
    ) -> Scores:
        """See `models.trained.Recipe`; what never came after any of the history is not listed."""
        recent = weight * arrays["recency"][: history.shape[1]]
        return only_positive(sum_rows(arrays, history, recent))


def follow_counts(interactions: Interactions, n_items: int, reach: int, pause_minutes: float) -> Dense:
    """How often items were viewed up to `reach` places after each other: each time 1 over the places."""
    numbers = visits(interactions, pause_minutes)
    order = np.lexsort((interactions.items, interactions.timestamps, numbers))
    items, visit = interactions.items[order], numbers[order]
    counts: Dense = np.zeros((n_items, n_items))
    for places in range(1, min(reach, len(items) - 1) + 1):
        same = visit[:-places] == visit[places:]
        pairs = (items[:-places][same], items[places:][same])
        np.add.at(counts, pairs, 1 / places)
    return counts


def _graph(n_items: int, arrays: Mapping[str, Array]) -> bytes:
    nodes, constants = recency_nodes()
    summed, more = sum_nodes(n_items, "sum", weight="recent")
    last, added = positive_nodes("sum", "scores")
    return score_graph("markov", n_items, [*nodes, *summed, *last], arrays, constants | more | added)

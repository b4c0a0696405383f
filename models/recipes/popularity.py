"""Ranks items by how much they were used lately."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from edge.bundle.arrays import Array
from models.data.interactions import Interactions
from models.data.positions import DEBIAS_POSITION, view_weights
from models.graphs import shortlist
from models.graphs.onnx_build import score_graph
from models.learn.lately import decayed_views
from models.settings import Number, Setting, Settings
from models.trained import Progress, Scores, Trained

STEP: Final = 2.0**-20
"""Scores are multiples of this in [0, 1]."""


class Popularity:
    """Counts of interactions, each halved per `half_life_days` before the newest one."""

    name: Final = "popularity"
    excludes_seen: Final = True
    settings: Final[Mapping[str, Setting]] = {
        "half_life_days": Number(30, "Days after which an interaction counts half.", positive=True),
        "debias_position": DEBIAS_POSITION,
    }

    def train(
        self, interactions: Interactions, items: tuple[str, ...], settings: Settings, progress: Progress
    ) -> Trained:
        """See `models.trained.Recipe`."""
        weights = view_weights(interactions, settings)
        counts = decayed_views(interactions, len(items), settings["half_life_days"], weights)
        score = np.round(counts / counts.max() / STEP) * STEP
        progress("count", 1.0)
        arrays = {"score": score.astype(np.float32)}
        if len(items) < shortlist.FEWEST:
            return Trained(self.name, items, _graph(arrays), arrays, {}, self.score)
        arrays |= shortlist.fixed_arrays(arrays["score"])
        short, finder = shortlist.fixed_shortlist(arrays), shortlist.FixedFinder()
        return Trained(
            self.name, items, _graph(arrays), arrays, {}, self.score, shortlist=short, finder=finder
        )

    def score(
        self, arrays: Mapping[str, Array], history: NDArray[np.int32], weight: NDArray[np.float32]
    ) -> Scores:
        """See `models.trained.Recipe`; the same for every visitor."""
        score: Scores = arrays["score"]
        return np.tile(score, (len(history), 1))


def _graph(arrays: Mapping[str, Array]) -> bytes:
    n_items = len(arrays["score"])
    nodes = [
        helper.make_node("Shape", ["history"], ["rows"], start=0, end=1),
        helper.make_node("Concat", ["rows", "columns"], ["shape"], axis=0),
        helper.make_node("Expand", ["score", "shape"], ["scores"]),
    ]
    return score_graph("popularity", n_items, nodes, arrays, {"columns": np.array([n_items], np.int64)})

"""Lists what the visitor viewed, most recent first."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper

from edge.bundle.arrays import Array
from models.data.interactions import Interactions
from models.graphs.neighbours import only_positive, positive_nodes
from models.graphs.onnx_build import score_graph
from models.settings import Setting, Settings
from models.trained import Progress, Scores, Trained

LONGEST: Final = 1024
"""No edge takes in a longer history."""


class RecentlyViewed:
    """The visitor's own history; there is nothing to learn, so nobody's paper."""

    name: Final = "recently-viewed"
    excludes_seen: Final = False
    settings: Final[Mapping[str, Setting]] = {}

    def train(
        self, interactions: Interactions, items: tuple[str, ...], settings: Settings, progress: Progress
    ) -> Trained:
        """See `models.trained.Recipe`."""
        arrays: dict[str, Array] = {"recency": np.arange(LONGEST, 0, -1, dtype=np.float32)}
        # The catalog's size is in no other array, and the reference needs it.
        arrays["padding"] = np.array([len(items)], np.int32)
        progress("count", 1.0)
        return Trained(self.name, items, _graph(len(items), arrays), arrays, {}, self.score)

    def score(
        self, arrays: Mapping[str, Array], history: NDArray[np.int32], weight: NDArray[np.float32]
    ) -> Scores:
        """See `models.trained.Recipe`; only what the history holds is listed, whatever its weight above 0."""
        scores = np.zeros((len(history), int(arrays["padding"][0]) + 1), np.float32)
        points = (weight > 0) * arrays["recency"][: history.shape[1]]
        np.put_along_axis(scores, history.astype(np.int64), points, axis=1)
        return only_positive(scores[:, :-1])


def _graph(n_items: int, arrays: Mapping[str, Array]) -> bytes:
    node = helper.make_node
    nodes = [
        node("Shape", ["history"], ["length"], start=1, end=2),
        node("Slice", ["recency", "begin", "length", "begin"], ["recent"]),
        node("Greater", ["weight", "nothing"], ["is_known"]),
        node("Cast", ["is_known"], ["known"], to=TensorProto.FLOAT),
        node("Mul", ["known", "recent"], ["points"]),
        node("Shape", ["history"], ["batch"], start=0, end=1),
        node("Cast", ["padding"], ["items"], to=TensorProto.INT64),
        node("Add", ["items", "one"], ["columns"]),
        node("Concat", ["batch", "columns"], ["shape"], axis=0),
        node("ConstantOfShape", ["shape"], ["zeros"]),
        node("ScatterElements", ["zeros", "history", "points"], ["padded"], axis=1),
        node("Slice", ["padded", "begin", "items", "one"], ["sum"]),
    ]
    more, constants = positive_nodes("sum", "scores")
    constants |= {"begin": np.array([0]), "one": np.array([1])}
    return score_graph("recently-viewed", n_items, nodes + more, arrays, constants)

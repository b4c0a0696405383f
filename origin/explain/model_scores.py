"""What each model of a bundle scores items, which its graph computes and keeps to itself.

Of a model that is listed from a shortlist, the graph has the scores of that alone.
"""

import re
from collections.abc import Sequence
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from edge.bundle.features import CONTEXT
from edge.bundle.reader import Bundle
from edge.decide.recommender import Recommender, open_session
from edge.decide.row import Row

Scores = NDArray[np.float32]

_SHORT: Final = re.compile(r"/short\d*/scores$")


class ModelScores:
    """The graph of a bundle with the models' scores for outputs."""

    def __init__(self, bundle: Bundle, recommender: Recommender) -> None:
        proto = onnx.load_model_from_string(bytes(bundle.read(bundle.one("models", "graph"))))
        made = {name for node in proto.graph.node for name in node.output if name.startswith("model/")}
        self._outputs = {name.split("/")[1]: [name] for name in sorted(made) if _is_short(name)}
        for name, (scores,) in self._outputs.items():
            self._outputs[name] = [scores, scores.removesuffix("scores") + "items"]
        self._outputs |= {name.split("/")[1]: [name] for name in made if _is_scores(name)}
        self.models = tuple(sorted(self._outputs))
        del proto.graph.output[:]
        proto.graph.output.extend(
            helper.make_tensor_value_info(name, kind, ["batch", f"{model} places"])
            for model in self.models
            for name, kind in zip(self._outputs[model], (TensorProto.FLOAT, TensorProto.INT32), strict=False)
        )
        self._session = open_session(proto.SerializeToString())
        self._arrays, self._plan = recommender.arrays, recommender.plan

    def of(
        self, model: str, history: Sequence[int], rows: Sequence[Sequence[int]], contexts: Sequence[Row]
    ) -> Scores:
        """Scores of all items, one row for each of `rows`: which places of the history count.

        Of each there is what is known of the context as well, where the plan has columns.
        """
        length = max(1, len(history))
        held = np.full((len(rows), length), self._plan.n_items, np.int32)
        for row, places in enumerate(rows):
            for place in places:
                held[row, place] = history[place]
        weight = (held < self._plan.n_items).astype(np.float32)
        gate = np.zeros((len(rows), self._plan.gates), np.int32)
        feeds = {"history": held, "weight": weight, "gate": gate, **self._arrays}
        feeds[CONTEXT] = np.array(contexts, np.float32)
        wanted = {node.name for node in self._session.get_inputs()}
        given = {name: array for name, array in feeds.items() if name in wanted}
        scores, *items = self._session.run(self._outputs[model], given)
        return _spread(scores, items[0], self._plan.n_items) if items else scores


def _spread(scores: Scores, items: NDArray[np.int32], n_items: int) -> Scores:
    """Scores of a shortlist as those of all items: what it leaves out has none."""
    found = np.full((len(scores), n_items + 1), -np.inf, np.float32)
    np.put_along_axis(found, np.where(items < 0, n_items, items), scores, axis=1)
    return found[:, :n_items]


def _is_short(name: str) -> bool:
    return _SHORT.search(name) is not None


def _is_scores(name: str) -> bool:
    return name.count("/") == 2 and name.endswith("/scores")

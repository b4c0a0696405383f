"""What each model of a bundle scores every item, which its graph computes and keeps to itself."""

from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from edge.bundle.features import CONTEXT
from edge.bundle.reader import Bundle
from edge.decide.recommender import Recommender, open_session
from edge.decide.row import Row

Scores = NDArray[np.float32]


class ModelScores:
    """The graph of a bundle with the models' scores for outputs."""

    def __init__(self, bundle: Bundle, recommender: Recommender) -> None:
        proto = onnx.load_model_from_string(bytes(bundle.read(bundle.one("models", "graph"))))
        made = {name for node in proto.graph.node for name in node.output}
        self.models = tuple(sorted(n.split("/")[1] for n in made if n.startswith("model/") and _is_scores(n)))
        del proto.graph.output[:]
        shape: list[str | int] = ["batch", recommender.plan.n_items]
        proto.graph.output.extend(
            helper.make_tensor_value_info(f"model/{name}/scores", TensorProto.FLOAT, shape)
            for name in self.models
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
        found: list[Scores] = self._session.run(
            [f"model/{model}/scores"], {name: array for name, array in feeds.items() if name in wanted}
        )
        return found[0]


def _is_scores(name: str) -> bool:
    return name.count("/") == 2 and name.endswith("/scores")

"""Which of several texts will be clicked, from past tests of texts against each other."""

import itertools
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from onnx import NodeProto, helper
from scipy.special import expit

from edge.bundle.arrays import Array
from edge.decide import words
from edge.errors import GivenError
from models.predict.contract import Prediction, Predictor
from models.predict.graph import constants_of, prediction_graph, rounded, widened
from models.predict.halving import WEIGHTS
from models.predict.intent import WORDS, read_width
from models.predict.linear import wins_of_pairs
from models.predict.table import Rows, Table
from models.settings import Number, Setting, Settings
from models.trained import Progress

SURE: Final = 4.0
"""Standard errors; a difference of more is believed no more."""

MOST_VARIANTS: Final = 200
Pair = tuple[int, int, float]
"""Two rows of one test, and by how many standard errors the first had more clicks a view."""


class Text:
    """Hashed words weighted so that of two texts of a test the better one wins (Bradley and Terry 1952).

    Labels are click rates, weights are views, groups are tests. The output is the chance
    that the text beats the average text that was learned from.
    """

    name: Final = "text"
    settings: Final[Mapping[str, Setting]] = {
        "words": WORDS,
        "weights": WEIGHTS,
        "regularization": Number(10, "The ridge: more draws the weights closer to 0.", positive=True),
    }

    def train(self, table: Table, settings: Settings, progress: Progress) -> Prediction:
        """See `models.predict.contract.PredictionRecipe`."""
        width = read_width(table, settings)
        pairs = list(pairs_of_tests(table))
        if not pairs:
            raise GivenError("table", "text learns from tests of texts against each other; there is no pair")
        rows = scipy.sparse.csr_matrix(words.rows(table.texts, width), dtype=np.float64)
        progress("words", 0.2)
        first, second = (np.array([pair[side] for pair in pairs]) for side in (0, 1))
        lead = np.array([lead for _, _, lead in pairs])
        weight = np.minimum(np.abs(lead), SURE)
        found = wins_of_pairs(rows[first] - rows[second], lead > 0, weight, settings["regularization"])
        progress("fit", 1.0)
        mean = float(np.asarray(rows @ found).mean())
        constants = {"weights": found.astype(np.float32)[:, np.newaxis], "bias": np.array([-mean])}
        graph = prediction_graph(self.name, (width, 1), _nodes(), constants)
        card = {"pairs": len(pairs)}
        predictor = self.predictor(graph, {})
        return Prediction(self.name, table.features, (self.name,), graph, {}, card, predictor, width)

    def predictor(self, graph: bytes, arrays: Mapping[str, Array]) -> Predictor:
        """See `models.predict.contract.PredictionRecipe`."""
        constants = constants_of(graph)
        weights, bias = constants["weights"].astype(np.float64), constants["bias"]

        def predict(rows: Rows) -> NDArray[np.float32]:
            return rounded(expit(rows.astype(np.float64) @ weights + bias))

        return predict


def pairs_of_tests(table: Table) -> Iterator[Pair]:
    """All pairs of one test whose rates differ.

    Raises
    ------
    GivenError
        ``table``: no tests, or one of more than `MOST_VARIANTS` texts.
    """
    if table.groups is None or table.labels.min() < 0 or table.labels.max() > 1:
        raise GivenError("table", "text needs click rates from 0 to 1 as labels, and a group column of tests")
    order = np.argsort(table.groups, kind="stable")
    for _, members in itertools.groupby(order.tolist(), key=table.groups.tolist().__getitem__):
        rows = list(members)
        if len(rows) > MOST_VARIANTS:
            raise GivenError("table", f"a test of {len(rows)} texts; {MOST_VARIANTS} are the most")
        for first, second in itertools.combinations(rows, 2):
            lead = _lead(table, first, second)
            if lead:
                yield first, second, lead


def _lead(table: Table, first: int, second: int) -> float:
    """z of the difference of two rates."""
    rates = [float(table.labels[row]) for row in (first, second)]
    views = [max(1.0, float(table.weight[row])) for row in (first, second)]
    pooled = (rates[0] * views[0] + rates[1] * views[1]) / sum(views)
    spread = pooled * (1 - pooled) * (1 / views[0] + 1 / views[1])
    return (rates[0] - rates[1]) / spread**0.5 if spread else 0.0


def _nodes() -> list[NodeProto]:
    return [
        widened("features", "wide"),
        widened("weights", "wide_weights"),
        helper.make_node("MatMul", ["wide", "wide_weights"], ["summed"]),
        helper.make_node("Add", ["summed", "bias"], ["margin"]),
        helper.make_node("Sigmoid", ["margin"], ["values"]),
    ]

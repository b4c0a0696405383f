"""What a visitor wants, from the words of their search: one of the classes of past queries."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from edge.bundle.arrays import Array
from edge.decide import words
from edge.errors import GivenError
from models.predict.contract import Prediction, Predictor
from models.predict.graph import constants_of, prediction_graph, rounded, widened
from models.predict.halving import WEIGHTS
from models.predict.linear import share_nodes, shares, shares_of_classes
from models.predict.table import Rows, Table
from models.settings import Number, Setting, Settings
from models.trained import Progress

WORDS: Final = Number(
    2048, "Columns that words are hashed into; fewer are smaller and confuse more.", 16384, whole=True
)


class Intent:
    """Multinomial logistic regression over hashed words and parts of words (Weinberger et al. 2009)."""

    name: Final = "intent"
    settings: Final[Mapping[str, Setting]] = {
        "words": WORDS,
        "weights": WEIGHTS,
        "regularization": Number(1, "The ridge: more draws the weights closer to 0.", positive=True),
    }

    def train(self, table: Table, settings: Settings, progress: Progress) -> Prediction:
        """See `models.predict.contract.PredictionRecipe`."""
        width = read_width(table, settings)
        labels = table.labels.astype(np.int64)
        if len(table.classes) < 2 or not np.isin(table.labels, np.arange(len(table.classes))).all():
            raise GivenError(
                "table", "intent tells classes apart: give at least two, and a label of them a row"
            )
        rows = scipy.sparse.csr_matrix(words.rows(table.texts, width), dtype=np.float64)
        progress("words", 0.2)
        weight = table.weight.astype(np.float64)
        found = shares_of_classes(rows, labels, weight, len(table.classes), settings["regularization"])
        progress("fit", 1.0)
        constants = {"weights": found[:-1].astype(np.float32), "bias": found[-1]}
        nodes = [widened("features", "wide"), *share_nodes("wide")]
        graph = prediction_graph(self.name, (width, len(table.classes)), nodes, constants)
        predictor = self.predictor(graph, {})
        return Prediction(
            self.name, table.features, table.classes, graph, {}, {}, predictor, width, names_winner=True
        )

    def predictor(self, graph: bytes, arrays: Mapping[str, Array]) -> Predictor:
        """See `models.predict.contract.PredictionRecipe`."""
        constants = constants_of(graph)

        def predict(rows: Rows) -> NDArray[np.float32]:
            return rounded(shares(rows.astype(np.float64), constants))

        return predict


def read_width(table: Table, settings: Settings) -> int:
    """How wide rows of words are.

    Raises
    ------
    GivenError
        ``table``: it has no texts; ``setting``: too narrow.
    """
    if not table.texts:
        raise GivenError("table", "this recipe reads texts; name the column that holds them")
    if settings["words"] <= 2 * words.STYLE:
        raise GivenError("setting", f"words must be more than {2 * words.STYLE}")
    return int(settings["words"])

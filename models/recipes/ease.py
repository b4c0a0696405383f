"""Ranks items by what those in the history predict: EASE, sparse and exact."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from edge.bundle.arrays import Array
from models.data.interactions import Interactions
from models.graphs.neighbours import NEIGHBOURS, Dense, prune, sum_graph, sum_rows
from models.learn.cooccurrence import check_size
from models.learn.scaled import SCALING, said_of_items, scaled_rows
from models.settings import Number, Setting, Settings
from models.trained import Progress, Scores, Trained


class Ease:
    """An item-item regression in closed form (Steck, "Embarrassingly Shallow Autoencoders", 2019).

    Users and items are scaled by a power of how often they occur before it is
    solved, as items are in Steck's "Markov Random Fields for Collaborative
    Filtering" (2019): who viewed everything, and what everybody viewed, say less. Each
    item keeps its strongest neighbours. Rows are pruned, not columns: a history gathers
    whole rows, so a row's width is what a request costs.
    """

    name: Final = "ease"
    excludes_seen: Final = True
    settings: Final[Mapping[str, Setting]] = {
        "regularization": Number(400, "Views that an item needs before it is believed.", positive=True),
        **SCALING,
        "neighbours": NEIGHBOURS,
    }

    def train(
        self, interactions: Interactions, items: tuple[str, ...], settings: Settings, progress: Progress
    ) -> Trained:
        """See `models.trained.Recipe`."""
        check_size(self.name, len(items))
        progress("solve", 0.0)
        weights = solve(interactions, len(items), settings)
        weights *= said_of_items(interactions, len(items), settings)
        arrays = prune(weights, int(settings["neighbours"]), progress)
        return Trained(self.name, items, sum_graph(self.name, arrays), arrays, {}, self.score)

    def score(
        self, arrays: Mapping[str, Array], history: NDArray[np.int32], weight: NDArray[np.float32]
    ) -> Scores:
        """See `models.trained.Recipe`."""
        return sum_rows(arrays, history, weight)


def count_together(interactions: Interactions, n_items: int, settings: Settings) -> tuple[Dense, Dense]:
    """How much each two items were viewed by the same people, scaled; and the items' scale."""
    rows, of_items = scaled_rows(interactions, n_items, settings)
    return (rows.T @ rows).toarray(), of_items


def solve(interactions: Interactions, n_items: int, settings: Settings) -> Dense:
    """The dense EASE matrix: row h says what one view of item h adds to each item's score."""
    gram, of_items = count_together(interactions, n_items, settings)
    return predict_each(gram, of_items, settings["regularization"])


def predict_each(gram: Dense, of_items: Dense, regularization: float) -> Dense:
    """EASE from how much each two items go together; `gram` is used up."""
    gram[np.diag_indices(len(gram))] += regularization
    inverse = scipy.linalg.inv(gram, overwrite_a=True, check_finite=False)
    weights: Dense = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return of_items[:, np.newaxis] * weights / of_items

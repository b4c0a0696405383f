"""Ranks items by views and by texts: EASE that also learns from what the catalog says of items."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.bundle.arrays import Array
from models.content.texts import COLUMNS, item_terms
from models.data.interactions import Interactions
from models.graphs.neighbours import NEIGHBOURS, prune, sum_graph, sum_rows
from models.learn.cooccurrence import check_size
from models.learn.scaled import SCALING, said_of_items
from models.recipes.ease import count_together, predict_each
from models.settings import Number, Setting, Settings
from models.trained import Progress, Scores, Trained


class Hybrid:
    """Collective EASE (Jeunen, Van Balen and Goethals 2020): a term of the catalog is like one more visitor.

    So what few have viewed is listed by what is said of it, and what many have viewed by their views:
    the cold start of items needs no rule of its own.
    """

    name: Final = "hybrid"
    excludes_seen: Final = True
    settings: Final[Mapping[str, Setting]] = {
        "columns": COLUMNS,
        "text_weight": Number(10, "How much the catalog's texts count beside views."),
        "regularization": Number(400, "Views that an item needs before it is believed.", positive=True),
        **SCALING,
        "neighbours": NEIGHBOURS,
    }

    def train(
        self, interactions: Interactions, items: tuple[str, ...], settings: Settings, progress: Progress
    ) -> Trained:
        """See `models.trained.Recipe`."""
        check_size(self.name, len(items))
        progress("read", 0.0)
        terms = item_terms(interactions, settings["columns"])
        gram, of_items = count_together(interactions, len(items), settings)
        gram += settings["text_weight"] * (terms @ terms.T).toarray()
        progress("solve", 0.2)
        weights = predict_each(gram, of_items, settings["regularization"])
        weights *= said_of_items(interactions, len(items), settings)
        arrays = prune(weights, int(settings["neighbours"]), progress)
        return Trained(self.name, items, sum_graph(self.name, arrays), arrays, {}, self.score)

    def score(
        self, arrays: Mapping[str, Array], history: NDArray[np.int32], weight: NDArray[np.float32]
    ) -> Scores:
        """See `models.trained.Recipe`."""
        return sum_rows(arrays, history, weight)

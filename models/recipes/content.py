"""Ranks items by how alike their texts in the catalog are to those of the history, and by popularity."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.bundle.arrays import Array
from models.content.texts import COLUMNS, item_terms
from models.data.interactions import Interactions
from models.graphs.factors import factor_graph, score_factors
from models.learn.lately import LATELY, alike_arrays
from models.recipes.svd import directions
from models.settings import Number, Setting, Settings
from models.trained import Progress, Scores, Trained


class Content:
    """Terms of the catalog in few dimensions (latent semantic analysis, Deerwester et al. 1990).

    Being alike needs no views at all, so without the bonus for popularity new items are listed as soon as
    they are in the catalog.
    """

    name: Final = "content"
    excludes_seen: Final = True
    settings: Final[Mapping[str, Setting]] = {
        "columns": COLUMNS,
        "factors": Number(100, "How many numbers stand for an item's texts.", 1024, whole=True),
        **LATELY,
    }

    def train(
        self, interactions: Interactions, items: tuple[str, ...], settings: Settings, progress: Progress
    ) -> Trained:
        """See `models.trained.Recipe`; of the views, only how many an item has lately is read."""
        progress("read", 0.0)
        terms = item_terms(interactions, settings["columns"])
        progress("decompose", 0.2)
        factors = terms @ directions(terms, int(settings["factors"]))[0]
        factors /= np.maximum(np.linalg.norm(factors, axis=1, keepdims=True), 1e-12)
        arrays = alike_arrays(factors, interactions, settings)
        progress("decompose", 1.0)
        return Trained(self.name, items, factor_graph(self.name, arrays, "mean"), arrays, {}, self.score)

    def score(
        self, arrays: Mapping[str, Array], history: NDArray[np.int32], weight: NDArray[np.float32]
    ) -> Scores:
        """See `models.trained.Recipe`."""
        return score_factors(arrays, history, weight, "mean")

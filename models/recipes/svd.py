"""Ranks items by the few directions in which tastes differ most: PureSVD."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from numpy.typing import NDArray

from edge.bundle.arrays import Array
from models.cooccurrence import scaled_uses
from models.factors import FACTORS, Dense, factor_arrays, factor_graph, score_factors
from models.interactions import Interactions
from models.settings import Number, Setting, Settings
from models.trained import Progress, Scores, Trained


class Svd:
    """A truncated singular value decomposition of who viewed what (PureSVD, Cremonesi et al. 2010).

    A history is folded in by the items' own factors, so nothing of a user is kept. Users and items
    are scaled by a power of their counts before it, as in `models.recipes.ease`.
    """

    name: Final = "svd"
    excludes_seen: Final = True
    settings: Final[Mapping[str, Setting]] = {
        "factors": FACTORS,
        "user_power": Number(0.25, "How much less those who viewed much count, each; 0 for no less.", 1),
        "item_power": Number(0.25, "How much less items that many viewed count; 0 for no less.", 1),
    }

    def train(
        self, interactions: Interactions, items: tuple[str, ...], settings: Settings, progress: Progress
    ) -> Trained:
        """See `models.trained.Recipe`."""
        progress("decompose", 0.0)
        powers = (settings["user_power"], settings["item_power"])
        scaled, of_items = scaled_uses(interactions, len(items), *powers)
        factors = item_factors(scaled, int(settings["factors"]))
        arrays = factor_arrays(of_items[:, np.newaxis] * factors, factors.T / of_items)
        progress("decompose", 1.0)
        return Trained(self.name, items, factor_graph(self.name, arrays), arrays, {}, self.score)

    def score(
        self, arrays: Mapping[str, Array], history: NDArray[np.int32], weight: NDArray[np.float32]
    ) -> Scores:
        """See `models.trained.Recipe`."""
        return score_factors(arrays, history, weight)


def item_factors(used: scipy.sparse.csr_array, factors: int) -> Dense:
    """The strongest right singular vectors as columns, each with its greatest number above 0."""
    if factors < min(used.shape):
        first = np.ones(min(used.shape))  # where the search begins; else it is drawn at random
        _, _, found = scipy.sparse.linalg.svds(used.astype(np.float64), factors, v0=first)
    else:
        _, _, found = np.linalg.svd(used.toarray(), full_matrices=False)
    signs = np.sign(found[np.arange(len(found)), np.abs(found).argmax(axis=1)])
    vectors: Dense = (found * signs[:, np.newaxis]).T
    return vectors

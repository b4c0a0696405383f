"""Ranks items by the few directions in which tastes differ most: PureSVD."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
import scipy.sparse
import scipy.sparse.linalg
from numpy.typing import NDArray

from edge.bundle.arrays import Array
from edge.bundle.features import CONTEXT
from models.content.texts import COLUMNS, item_terms, readable_columns
from models.data.contexts import Contexts
from models.data.interactions import Interactions
from models.graphs.exact import join
from models.graphs.expected import expected, expected_arrays, expected_nodes, range_arrays
from models.graphs.factors import (
    FACTORS,
    Dense,
    factor_arrays,
    factor_graph,
    product_nodes,
    score_factors,
    score_user,
    user_factors,
    user_nodes,
)
from models.graphs.onnx_build import score_graph
from models.learn.expected import expected_factors
from models.learn.scaled import CLOSENESS, LIKING, SCALING, said_of_items, scaled_rows
from models.settings import Number, Setting, Settings
from models.trained import Progress, Scores, Trained

TEXT_WEIGHT: Final = Number(4, "How much the catalog's texts, if it has any, count beside views.")
ITEM_POWER: Final = Number(0.35, "How much less items that many viewed count; 0 for no less.", 1)
EXPECTED: Final = Number(
    0.2, "With features: how much of a usual history a context counts as.", 10, positive=True
)


class Svd:
    """A truncated singular value decomposition of who viewed what (PureSVD, Cremonesi et al. 2010).

    A history is folded in by the items' own factors, so nothing of a user is kept. Users and items
    are scaled as for EASE. What a user viewed in one visit, viewed closely, or liked is a row beside
    the row of all that they viewed, and so is each term of the catalog's texts (as in Singh and Gordon's
    "Collective Matrix Factorization", 2008): directions are of tastes, and not of attention
    alone; a history needs no values (ADR 42). Weak directions are shrunk as a probabilistic PCA does (Tipping
    and Bishop 1999): a direction counts by the share of its variance that is above the noise, and
    the noise is the strongest that is left out.

    Where contexts are known, a user's factors begin with what the context leads one to expect, as in the
    regression-based latent factor model (Agarwal and Chen 2009): it lists for who has no history yet.
    """

    name: Final = "svd"
    excludes_seen: Final = True
    settings: Final[Mapping[str, Setting]] = {
        "factors": FACTORS,
        "columns": COLUMNS,
        "text_weight": TEXT_WEIGHT,
        "shrinkage": Number(
            1, "How much less weak directions count: 1 as much as noise explains them, 0 not at all.", 1
        ),
        **SCALING,
        "item_power": ITEM_POWER,
        "closeness": replace(CLOSENESS, default=1),
        "liking": replace(LIKING, default=1.5),
        "expected": EXPECTED,
    }

    def train(
        self, interactions: Interactions, items: tuple[str, ...], settings: Settings, progress: Progress
    ) -> Trained:
        """See `models.trained.Recipe`."""
        progress("decompose", 0.0)
        rows, of_items = scaled_rows(interactions, len(items), settings)
        rows = _with_texts(rows, interactions, settings)
        count = int(settings["factors"])
        found, sizes = directions(rows, count + 1)
        noise = sizes[count] if len(sizes) > count else 0.0
        shares = 1 - settings["shrinkage"] * noise / sizes[:count]
        factors = found[:, :count]
        out = factors.T / of_items * said_of_items(interactions, len(items), settings)
        arrays = factor_arrays(of_items[:, np.newaxis] * factors * shares, out)
        progress("decompose", 1.0)
        contexts = interactions.contexts
        if contexts is None:
            return Trained(self.name, items, factor_graph(self.name, arrays), arrays, {}, self.score)
        arrays |= _of_contexts(interactions, contexts, arrays["into"], settings["expected"])
        graph = _graph(arrays, len(contexts.names))
        return Trained(self.name, items, graph, arrays, {}, self.score, features=contexts.names)

    def score(
        self, arrays: Mapping[str, Array], history: NDArray[np.int32], weight: NDArray[np.float32]
    ) -> Scores:
        """See `models.trained.Recipe`."""
        if CONTEXT not in arrays:
            return score_factors(arrays, history, weight)
        seen = user_factors(arrays, history, weight, "sum")
        return score_user(arrays, expected(arrays, seen, weight))


def _of_contexts(
    interactions: Interactions, contexts: Contexts, into: Array, share: float
) -> dict[str, Array]:
    ranges = range_arrays(contexts)
    told, usual = expected_factors(interactions, ranges, into[:-1].astype(np.float64))
    return ranges | expected_arrays(told * share, usual * share)


def _graph(arrays: Mapping[str, Array], features: int) -> bytes:
    nodes, constants = join(
        user_nodes(arrays, "sum", "seen"), expected_nodes("seen", "user"), product_nodes("user", "scores")
    )
    n_items = arrays["out"].shape[1]
    return score_graph(Svd.name, n_items, nodes, arrays, constants, features=features)


def _with_texts(
    rows: scipy.sparse.csr_array, interactions: Interactions, settings: Settings
) -> scipy.sparse.csr_array:
    """A row for each term of the catalog, too: of the items that it is said of."""
    named = settings["columns"] != COLUMNS.default
    if not settings["text_weight"] or not (named or readable_columns(interactions)):
        return rows
    terms = item_terms(interactions, settings["columns"]).T * np.sqrt(settings["text_weight"])
    more: scipy.sparse.csr_array = scipy.sparse.vstack([rows, terms], format="csr")
    return more


def directions(rows: scipy.sparse.csr_array, count: int) -> tuple[Dense, Dense]:
    """The right singular vectors as columns, strongest first, and their variances.

    Each has its greatest number above 0; there are fewer than `count` where the rows have no more.
    """
    if count < min(rows.shape):
        first = np.ones(min(rows.shape))  # where the search begins; else it is drawn at random
        _, sizes, found = scipy.sparse.linalg.svds(rows.astype(np.float64), count, v0=first)
        found, sizes = found[::-1], sizes[::-1]
    else:
        _, sizes, found = np.linalg.svd(rows.toarray(), full_matrices=False)
    signs = np.sign(found[np.arange(len(found)), np.abs(found).argmax(axis=1)])
    return (found * signs[:, np.newaxis]).T, np.maximum(sizes * sizes, 1e-12)

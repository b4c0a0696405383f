"""Ranks items by embeddings that are spread over the graph of who viewed what."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import scipy.sparse
from numpy.typing import NDArray

from edge.bundle.arrays import Array
from models.data.interactions import Interactions
from models.graphs.factors import factor_arrays, factor_graph, score_factors
from models.learn.torch_training import (
    POPULARITY,
    as_tensor,
    import_torch,
    learn,
    popularity_bonus,
    schedule_settings,
    use_rows,
)
from models.settings import Number, Setting, Settings
from models.trained import Progress, Scores, Trained


class LightGcn:
    """Light graph convolution (He et al., "LightGCN", 2020), without embeddings of users.

    A user is what reaches them from the items of their history, so a visitor who was never trained on is
    placed as others are, by one sum at the edge. The items' embeddings are learned so that they guess a whole
    history from a part of it by a softmax over all items; the paper learns from pairs of items.
    """

    name: Final = "lightgcn"
    excludes_seen: Final = True
    settings: Final[Mapping[str, Setting]] = {
        "factors": Number(64, "How many numbers stand for a user and for an item.", 1024, whole=True),
        "layers": Number(2, "How often embeddings go from items to their users and back.", 8, whole=True),
        "dropout": Number(0.5, "The share of a history that is left out to be guessed.", 0.95),
        "popularity": POPULARITY,
        **schedule_settings(epochs=100, batch=100, learning_rate=0.01),
    }

    def train(
        self, interactions: Interactions, items: tuple[str, ...], settings: Settings, progress: Progress
    ) -> Trained:
        """See `models.trained.Recipe`."""
        weights, card = learn(lambda rows: _Task(rows, settings), interactions, settings, progress)
        graph = _Graph(interactions)
        spread = embedding = weights["embedding"]
        for _ in range(int(settings["layers"]) - 1):
            embedding = graph.links.T @ (graph.links @ embedding)
            spread = spread + embedding
        bonus = popularity_bonus(interactions, settings)
        arrays = factor_arrays(graph.of_items[:, np.newaxis] * spread, spread.T, bonus)
        return Trained(self.name, items, factor_graph(self.name, arrays, "root"), arrays, card, self.score)

    def score(
        self, arrays: Mapping[str, Array], history: NDArray[np.int32], weight: NDArray[np.float32]
    ) -> Scores:
        """See `models.trained.Recipe`."""
        return score_factors(arrays, history, weight, "root")


class _Graph:
    """Who viewed what, each link divided by the roots of both ends' counts."""

    def __init__(self, interactions: Interactions) -> None:
        self.used = use_rows(interactions)
        of_users = np.maximum(self.used.sum(axis=1), 1) ** -0.5
        self.of_items = np.maximum(self.used.sum(axis=0), 1) ** -0.5
        links = self.used.multiply(of_users[:, np.newaxis]).multiply(self.of_items)
        self.links = scipy.sparse.csr_array(links.astype(np.float32))


class _Task:
    """See `models.learn.torch_training.Task`: to guess a whole history from a part of it."""

    def __init__(self, interactions: Interactions, settings: Settings) -> None:
        torch = import_torch()
        graph = _Graph(interactions)
        self._used, self._dropout, self._layers = graph.used, settings["dropout"], int(settings["layers"])
        self._links, self._back = _sparse(graph.links), _sparse(scipy.sparse.csr_array(graph.links.T))
        self._of_items = as_tensor(graph.of_items.astype(np.float32))
        self._bonus = as_tensor(popularity_bonus(interactions, settings).astype(np.float32))
        self._users = np.flatnonzero(np.diff(self._used.indptr))
        self.n_rows = len(self._users)
        self.network = torch.nn.Module()
        size = (len(interactions.item_ids), int(settings["factors"]))
        self.network.embedding = torch.nn.Parameter(torch.randn(size) * 0.1)

    def loss(self, rows: NDArray[np.int64]) -> Any:
        functional = import_torch().nn.functional
        used = as_tensor(self._used[self._users[rows]].toarray())
        guess = self._guess(functional.dropout(used, self._dropout), used)
        return -(functional.log_softmax(guess, 1) * used).sum(1).mean()

    def scores(self, users: NDArray[np.int64]) -> Any:
        used = as_tensor(self._used[users].toarray())
        return self._guess(used, used) + self._bonus

    def _guess(self, part: Any, used: Any) -> Any:
        spread = embedding = self.network.embedding
        for _ in range(self._layers - 1):
            embedding = import_torch().sparse.mm(self._back, import_torch().sparse.mm(self._links, embedding))
            spread = spread + embedding
        of_users = used.sum(1, keepdim=True).clamp(min=1).rsqrt()
        return (part * of_users * self._of_items) @ spread @ spread.T


def _sparse(links: scipy.sparse.csr_array) -> Any:
    torch, found = import_torch(), links.tocoo()
    places = np.stack([found.row, found.col]).astype(np.int64)
    return torch.sparse_coo_tensor(
        as_tensor(places), as_tensor(found.data), found.shape, check_invariants=False
    ).coalesce()

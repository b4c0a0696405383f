"""Ranks items by what a denoising autoencoder makes of a history."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from edge.bundle.arrays import Array
from models.data.interactions import Interactions
from models.graphs.exact import join, softsign, softsign_nodes
from models.graphs.factors import (
    exact_rows,
    product_nodes,
    score_user,
    user_factors,
    user_nodes,
    whole_numbers,
)
from models.graphs.onnx_build import score_graph
from models.learn.torch_training import (
    POPULARITY,
    Weights,
    as_tensor,
    import_torch,
    learn,
    popularity_bonus,
    schedule_settings,
    use_rows,
)
from models.settings import Number, Setting, Settings
from models.trained import Progress, Scores, Trained


class MultDae:
    """Mult-DAE (Liang et al., "Variational Autoencoders for Collaborative Filtering", 2018).

    A denoising autoencoder of one hidden layer. Softsign stands for the hyperbolic tangent, so that the
    edge computes the same numbers everywhere (ADR 32). The paper's variational one reached no more
    on MovieLens 100K, with twice the graph.
    """

    name: Final = "mult-dae"
    excludes_seen: Final = True
    settings: Final[Mapping[str, Setting]] = {
        "hidden": Number(200, "Units of the hidden layer.", 1024, whole=True),
        "dropout": Number(0.5, "The share of a history that is left out to be guessed.", 0.95),
        "popularity": POPULARITY,
        **schedule_settings(epochs=100, batch=100, learning_rate=0.001, patience=25),
    }

    def train(
        self, interactions: Interactions, items: tuple[str, ...], settings: Settings, progress: Progress
    ) -> Trained:
        """See `models.trained.Recipe`."""
        weights, card = learn(lambda rows: _Task(rows, settings), interactions, settings, progress)
        weights["2.bias"] += popularity_bonus(interactions, settings)
        arrays = _arrays(weights)
        return Trained(self.name, items, _graph(len(items), arrays), arrays, card, self.score)

    def score(
        self, arrays: Mapping[str, Array], history: NDArray[np.int32], weight: NDArray[np.float32]
    ) -> Scores:
        """See `models.trained.Recipe`."""
        hidden = softsign(user_factors(arrays, history, weight, "root") + arrays["hidden_bias"])
        return score_user(arrays, hidden)


class _Task:
    """See `models.learn.torch_training.Task`: to guess a whole history from a part of it."""

    def __init__(self, interactions: Interactions, settings: Settings) -> None:
        torch = import_torch()
        n_items, hidden = len(interactions.item_ids), int(settings["hidden"])
        self._used = use_rows(interactions)
        self._dropout = settings["dropout"]
        self._bonus = as_tensor(popularity_bonus(interactions, settings).astype(np.float32))
        self._users = np.flatnonzero(np.diff(self._used.indptr))
        self.n_rows = len(self._users)
        self.network = torch.nn.Sequential(
            torch.nn.Linear(n_items, hidden), torch.nn.Softsign(), torch.nn.Linear(hidden, n_items)
        )
        for layer in (self.network[0], self.network[2]):
            torch.nn.init.xavier_uniform_(layer.weight)
            torch.nn.init.zeros_(layer.bias)

    def loss(self, rows: NDArray[np.int64]) -> Any:
        functional = import_torch().nn.functional
        used = as_tensor(self._used[self._users[rows]].toarray())
        guess = self.network(functional.dropout(_rooted(used), self._dropout))
        return -(functional.log_softmax(guess, 1) * used).sum(1).mean()

    def scores(self, users: NDArray[np.int64]) -> Any:
        return self.network(_rooted(as_tensor(self._used[users].toarray()))) + self._bonus


def _rooted(used: Any) -> Any:
    return used / used.sum(1, keepdim=True).clamp(min=1).sqrt()


def _arrays(weights: Weights) -> dict[str, Array]:
    out, size = whole_numbers(weights["2.weight"].T)
    return {
        "into": exact_rows(weights["0.weight"].T),
        "hidden_bias": weights["0.bias"].astype(np.float32),
        "out": out,
        "bias": (weights["2.bias"] / size).astype(np.float32),
    }


def _graph(n_items: int, arrays: Mapping[str, Array]) -> bytes:
    nodes, constants = join(
        user_nodes(arrays, "root", "viewed_sum"),
        ([helper.make_node("Add", ["viewed_sum", "hidden_bias"], ["bent"])], {}),
        softsign_nodes("bent", "hidden"),
        product_nodes("hidden", "scores", "bias"),
    )
    return score_graph("mult-dae", n_items, nodes, arrays, constants)

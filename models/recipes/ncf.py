"""Ranks items by a product and a small network over a history's and an item's embeddings: NeuMF."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from edge.bundle.arrays import Array
from models.data.interactions import Interactions
from models.graphs.exact import Nodes, dense, dense_arrays, dense_nodes, join, ramp, ramp_nodes
from models.graphs.factors import exact_rows, user_factors, user_nodes
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


class Ncf:
    """Neural collaborative filtering (NeuMF: He et al., "Neural Collaborative Filtering", 2017).

    As in the paper a product of embeddings and a network of two layers are added up, and learned from
    viewed items against drawn ones. A user's two embeddings are sums over a part of the history, though, from
    which the rest is guessed: so visitors need not have been there in training. Units are cut to [0, 1],
    so that the edge computes the same numbers everywhere (ADR 32).
    """

    name: Final = "ncf"
    excludes_seen: Final = True
    settings: Final[Mapping[str, Setting]] = {
        "factors": Number(
            64, "How many numbers stand for a user and for an item in the product.", 512, whole=True
        ),
        "hidden": Number(
            32, "Units of the network's first layer; the second has half as many.", 256, whole=True
        ),
        "drawn": Number(400, "Items drawn for each batch, to tell viewed ones from.", 10_000, whole=True),
        "dropout": Number(0.5, "The share of a history that is left out to be guessed.", 0.95),
        "popularity": POPULARITY,
        **schedule_settings(epochs=60, batch=50, learning_rate=0.005),
    }

    def train(
        self, interactions: Interactions, items: tuple[str, ...], settings: Settings, progress: Progress
    ) -> Trained:
        """See `models.trained.Recipe`."""
        weights, card = learn(lambda rows: _Task(rows, settings), interactions, settings, progress)
        weights["item_bias"] += popularity_bonus(interactions, settings)
        arrays = _arrays(weights)
        return Trained(self.name, items, _graph(len(items), arrays), arrays, card, self.score)

    def score(
        self, arrays: Mapping[str, Array], history: NDArray[np.int32], weight: NDArray[np.float32]
    ) -> Scores:
        """See `models.trained.Recipe`."""
        user = user_factors(arrays, history, weight, "root")
        split = len(user[0]) - arrays["item_hidden"].shape[1]
        product = dense(arrays, "product", user[:, :split])
        first = ramp(user[:, np.newaxis, split:] + arrays["item_hidden"])
        second = ramp(dense(arrays, "second", first, bounded=True))
        return product + dense(arrays, "third", second, bounded=True)[:, :, 0]


class _Task:
    """See `models.learn.torch_training.Task`: to tell a history's left-out items from drawn ones."""

    def __init__(self, interactions: Interactions, settings: Settings) -> None:
        n_items = len(interactions.item_ids)
        self._used = use_rows(interactions)
        self._bonus = as_tensor(popularity_bonus(interactions, settings).astype(np.float32))
        self._drawn, self._dropout = min(int(settings["drawn"]), n_items), settings["dropout"]
        self._users = np.flatnonzero(np.diff(self._used.indptr))
        self.n_rows = len(self._users)
        self.network = _network(n_items, int(settings["factors"]), int(settings["hidden"]))

    def loss(self, rows: NDArray[np.int64]) -> Any:
        torch = import_torch()
        used = as_tensor(self._used[self._users[rows]].toarray())
        part = torch.nn.functional.dropout(used, self._dropout)
        viewed = used.sum(0).nonzero()[:, 0]
        drawn = torch.randperm(used.shape[1], device=used.device)[: self._drawn]
        items = torch.cat([viewed, drawn]).unique()
        guess = self._guess(part, used, items)
        return -(torch.nn.functional.log_softmax(guess, 1) * used[:, items]).sum(1).mean()

    def scores(self, users: NDArray[np.int64]) -> Any:
        used = as_tensor(self._used[users].toarray())
        return self._guess(used, used, slice(None)) + self._bonus

    def _guess(self, part: Any, used: Any, items: Any) -> Any:
        net = self.network
        rooted = part / used.sum(1, keepdim=True).clamp(min=1).sqrt()
        product = (rooted @ net.into) @ net.item[items].T + net.item_bias[items]
        first = (rooted @ net.hidden_into)[:, None, :] + net.item_hidden[items]
        return product + net.third(net.second(first.clamp(0, 1)).clamp(0, 1))[:, :, 0]


def _network(n_items: int, factors: int, hidden: int) -> Any:
    torch = import_torch()
    network = torch.nn.Module()
    for name, width in (
        ("into", factors),
        ("item", factors),
        ("hidden_into", hidden),
        ("item_hidden", hidden),
    ):
        setattr(network, name, torch.nn.Parameter(torch.randn(n_items, width) * 0.1))
    network.item_hidden.data += 0.5  # the middle of the ramp
    network.item_bias = torch.nn.Parameter(torch.zeros(n_items))
    network.second = torch.nn.Linear(hidden, max(1, hidden // 2))
    network.third = torch.nn.Linear(max(1, hidden // 2), 1)
    return network


def _arrays(weights: Weights) -> dict[str, Array]:
    into = np.concatenate([weights["into"], weights["hidden_into"]], axis=1)
    return {
        "into": exact_rows(into),
        "item_hidden": weights["item_hidden"].astype(np.float32),
        **dense_arrays("product", weights["item"].T, weights["item_bias"]),
        **dense_arrays("second", weights["second.weight"].T, weights["second.bias"]),
        **dense_arrays("third", weights["third.weight"].T, weights["third.bias"]),
    }


def _graph(n_items: int, arrays: Mapping[str, Array]) -> bytes:
    node = helper.make_node
    split = arrays["into"].shape[1] - arrays["item_hidden"].shape[1]
    ends: dict[str, Array] = {
        "begin": np.array([0]),
        "split": np.array([split]),
        "end": np.array([arrays["into"].shape[1]]),
        "last": np.array([-1]),
        "between": np.array([1]),
    }
    parts: Nodes = (
        [
            node("Slice", ["user", "begin", "split", "last"], ["user_factors"]),
            node("Slice", ["user", "split", "end", "last"], ["user_hidden"]),
            node("Unsqueeze", ["user_hidden", "between"], ["user_hidden_rows"]),
            node("Add", ["user_hidden_rows", "item_hidden"], ["first_sum"]),
        ],
        ends,
    )
    nodes, constants = join(
        user_nodes(arrays, "root", "user"),
        parts,
        dense_nodes("product", "user_factors", "product"),
        ramp_nodes("first_sum", "first"),
        dense_nodes("second", "first", "second_sum", bounded=True),
        ramp_nodes("second_sum", "second"),
        dense_nodes("third", "second", "third", bounded=True),
        (
            [
                node("Squeeze", ["third", "last"], ["network"]),
                node("Add", ["product", "network"], ["scores"]),
            ],
            {},
        ),
    )
    return score_graph("ncf", n_items, nodes, arrays, constants)

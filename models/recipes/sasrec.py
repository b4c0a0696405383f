"""Ranks items by what comes next after the newest items, in their order: self-attention."""

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from edge.bundle.arrays import Array
from models.data.histories import histories
from models.data.interactions import Interactions
from models.graphs.attention import MAX_LENGTH, attend, attention_arrays, attention_nodes
from models.graphs.exact import dense, dense_arrays, dense_nodes, join
from models.graphs.factors import product_nodes, score_user, whole_numbers
from models.graphs.onnx_build import score_graph
from models.learn.torch_training import Weights, as_tensor, import_torch, learn, schedule_settings
from models.settings import Number, Setting, Settings
from models.trained import Progress, Scores, Trained


class SasRec:
    """Self-attentive sequential recommendation (Kang and McAuley 2018), of one block and one head.

    The newest item asks, the history's items answer by what they are and by how long ago they were viewed.
    Embeddings, queries, keys and values are tables by item, made at compile time. Two things differ here: no
    layer is normalized, and a place's part of the attention is a number, so that the edge computes the same
    numbers everywhere (ADR 32). From each item of each history it learns what came next, not by pairs as in
    the paper but by the softmax over all items, or many (Klenitskiy and Vasilev 2023): that teaches it more.
    """

    name: Final = "sasrec"
    excludes_seen: Final = True
    settings: Final[Mapping[str, Setting]] = {
        "factors": Number(64, "How many numbers stand for an item.", 512, whole=True),
        "length": Number(50, "How many of the newest items are attended to.", MAX_LENGTH, whole=True),
        "drawn": Number(
            2000,
            "Items drawn for each batch, to tell the next one from; all, if there are no more.",
            10_000,
            whole=True,
        ),
        "dropout": Number(0.3, "The share of units that is left out while learning.", 0.95),
        **schedule_settings(epochs=18, batch=32, learning_rate=0.003),
    }

    def train(
        self, interactions: Interactions, items: tuple[str, ...], settings: Settings, progress: Progress
    ) -> Trained:
        """See `models.trained.Recipe`."""
        weights, card = learn(
            lambda rows: _Task(rows, settings), interactions, settings, progress, _hold_newest
        )
        arrays = _arrays(weights)
        graph = _graph(len(items), arrays)
        return Trained(self.name, items, graph, arrays, card, self.score)

    def score(
        self, arrays: Mapping[str, Array], history: NDArray[np.int32], weight: NDArray[np.float32]
    ) -> Scores:
        """See `models.trained.Recipe`."""
        newest = arrays["into"][history[:, 0]] * weight[:, :1]
        seen = newest + attend(arrays, history, weight)
        inner = np.maximum(dense(arrays, "first", seen), np.float32(0))
        return score_user(arrays, seen + dense(arrays, "second", inner))


def _hold_newest(interactions: Interactions, seed: int) -> tuple[Interactions, Interactions]:
    """Each user's newest item held back, of those who have three: what comes next is what is learned."""
    newest = {user: items[0] for user, items in enumerate(histories(interactions)) if len(items) > 2}
    wanted = np.array([newest.get(user, -1) for user in range(len(interactions.user_ids))])
    held = interactions.items == wanted[interactions.users]
    return interactions.where(~held), interactions.where(held)


class _Task:
    """See `models.learn.torch_training.Task`: to guess each next item of a window of a history."""

    def __init__(self, interactions: Interactions, settings: Settings) -> None:
        self._n_items, self._length = len(interactions.item_ids), int(settings["length"])
        self._drawn, self._dropout = min(int(settings["drawn"]), self._n_items), settings["dropout"]
        self._stands_for = math.log(self._n_items / self._drawn)  # of all items, each that is drawn
        self._histories = histories(interactions)
        self._windows = _windows(self._histories, self._length, self._n_items)
        self.n_rows = len(self._windows)
        self.network = _network(self._n_items, int(settings["factors"]), self._length)

    def loss(self, rows: NDArray[np.int64]) -> Any:
        torch = import_torch()
        window = as_tensor(self._windows[rows])
        known = window[:, 1:] < self._n_items
        units = self._units(window[:, :-1])[known]
        wanted = window[:, 1:][known]
        if self._drawn == self._n_items:
            return torch.nn.functional.cross_entropy(self._logits(units), wanted)
        drawn = torch.randint(self._n_items, (self._drawn,), device=window.device)
        net = self.network
        right = (units * net.embedding.weight[wanted]).sum(1) + net.bias[wanted]
        wrong = units @ net.embedding.weight[drawn].T + net.bias[drawn] + self._stands_for
        wrong = wrong.masked_fill(wanted[:, None] == drawn, -torch.inf)
        return torch.logsumexp(torch.cat([right[:, None], wrong], 1), 1).sub(right).mean()

    def scores(self, users: NDArray[np.int64]) -> Any:
        rows = np.full((len(users), self._length), self._n_items)
        for row, user in enumerate(users):
            newest = self._histories[user][: self._length][::-1]
            rows[row, self._length - len(newest) :] = newest
        return self._logits(self._units(as_tensor(rows))[:, -1])

    def _logits(self, units: Any) -> Any:
        return units @ self.network.embedding.weight[:-1].T + self.network.bias[:-1]

    def _units(self, window: Any) -> Any:
        """For each place of (rows, places), oldest first, what the next item is to be near to."""
        torch, net = import_torch(), self.network
        drop = torch.nn.functional.dropout
        embedded = drop(net.embedding(window), self._dropout, net.training)
        places = torch.arange(window.shape[1], device=window.device)
        ago = places[:, None] - places
        logits = net.query(embedded) @ net.key(embedded).transpose(1, 2) * embedded.shape[2] ** -0.5
        logits = logits + net.place[ago.clamp(min=0)]
        hidden = (ago < 0) | (window == self._n_items)[:, None, :]
        share = logits.masked_fill(hidden, -1e9).softmax(2).masked_fill(hidden, 0)
        seen = embedded + drop(share, self._dropout, net.training) @ net.value(embedded)
        inner = drop(net.first(seen).relu(), self._dropout, net.training)
        return seen + net.second(inner)


def _windows(rows: list[list[int]], length: int, padding: int) -> NDArray[np.int64]:
    """Windows of `length` items and the one after, oldest first, padded in front."""
    found = []
    for newest_first in rows:
        items = newest_first[::-1]
        for end in range(len(items), 1, -length):
            part = items[max(0, end - length - 1) : end]
            found.append([padding] * (length + 1 - len(part)) + part)
    return np.array(found, np.int64).reshape(-1, length + 1)


def _network(n_items: int, factors: int, length: int) -> Any:
    nn = import_torch().nn
    network = nn.Module()
    network.embedding = nn.Embedding(n_items + 1, factors, padding_idx=n_items)
    network.embedding.weight.data *= 0.1
    for name in ("query", "key", "value"):
        setattr(network, name, nn.Linear(factors, factors, bias=False))
    network.first, network.second = nn.Linear(factors, factors), nn.Linear(factors, factors)
    network.place = nn.Parameter(import_torch().zeros(length))
    network.bias = nn.Parameter(import_torch().zeros(n_items + 1))
    return network


def _arrays(weights: Weights) -> dict[str, Array]:
    embedding = weights["embedding.weight"][:-1]
    query, key, value = (embedding @ weights[f"{name}.weight"].T for name in ("query", "key", "value"))
    out, size = whole_numbers(embedding.T)
    return {
        "into": np.concatenate([embedding, np.zeros((1, embedding.shape[1]))]).astype(np.float32),
        **attention_arrays(query * embedding.shape[1] ** -0.5, key, value, weights["place"]),
        **dense_arrays("first", weights["first.weight"].T, weights["first.bias"]),
        **dense_arrays("second", weights["second.weight"].T, weights["second.bias"]),
        "out": out,
        "bias": (weights["bias"][:-1] / size).astype(np.float32),
    }


def _graph(n_items: int, arrays: Mapping[str, Array]) -> bytes:
    node = helper.make_node
    nodes, constants = join(
        attention_nodes(arrays, "attended"),
        (
            [
                node("Squeeze", ["newest_item", "axis"], ["newest"]),
                node("Gather", ["into", "newest"], ["newest_row"], axis=0),
                node("Mul", ["newest_row", "newest_weight"], ["newest_known"]),
                node("Add", ["newest_known", "attended"], ["seen"]),
            ],
            {},
        ),
        dense_nodes("first", "seen", "first_sum"),
        ([node("Relu", ["first_sum"], ["inner"])], {}),
        dense_nodes("second", "inner", "second_sum"),
        ([node("Add", ["seen", "second_sum"], ["units"])], {}),
        product_nodes("units", "scores", "bias"),
    )
    return score_graph("sasrec", n_items, nodes, arrays, constants)

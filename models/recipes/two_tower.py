"""Ranks items by two towers of one product: what a history is, and what an item is and its texts say."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from edge.bundle.arrays import Array
from edge.bundle.features import CONTEXT
from models.content.texts import COLUMNS, item_terms
from models.data.interactions import Interactions
from models.graphs.context_inputs import input_arrays, input_nodes, inputs
from models.graphs.exact import Nodes, dense, dense_arrays, dense_nodes, join
from models.graphs.factors import (
    exact_rows,
    product_nodes,
    score_user,
    user_factors,
    user_nodes,
    whole_numbers,
)
from models.graphs.onnx_build import score_graph
from models.learn.torch_contexts import Told
from models.learn.torch_training import Weights, as_tensor, import_torch, learn, schedule_settings, use_rows
from models.recipes.svd import directions
from models.settings import Number, Setting, Settings
from models.trained import Progress, Scores, Trained

TEXT_FACTORS: Final = 64


class TwoTower:
    """Two towers, learned by telling apart the items of a batch (Yi et al. 2019).

    The items of a batch are told from each other, each corrected by how often it is met. An item is an
    embedding and what a small network makes of its texts in the catalog, so one that nobody has viewed
    has a place as well. Its tower is run at compile time; the history's is two dense layers at the edge.
    Where contexts are known, that tower takes them in as well (Covington et al. 2016), and lists by them
    for who has no history yet.
    """

    name: Final = "two-tower"
    excludes_seen: Final = True
    settings: Final[Mapping[str, Setting]] = {
        "columns": COLUMNS,
        "factors": Number(64, "How many numbers stand for a user and for an item.", 512, whole=True),
        "correction": Number(
            0.5, "How much often met items are taken back: 1 wholly, as in the paper; 0 not.", 1
        ),
        "dropout": Number(0.5, "The share of a history that is left out to be guessed.", 0.95),
        "cold": Number(
            0.2, "With features: the share that is learned without a history, and without a context.", 0.5
        ),
        **schedule_settings(epochs=60, batch=100, learning_rate=0.003),
    }

    def train(
        self, interactions: Interactions, items: tuple[str, ...], settings: Settings, progress: Progress
    ) -> Trained:
        """See `models.trained.Recipe`."""
        texts, contexts = _texts(interactions, settings), interactions.contexts
        scaled = None if contexts is None else input_arrays(contexts)
        weights, card = learn(
            lambda rows: _Task(rows, settings, texts, scaled), interactions, settings, progress
        )
        features = () if contexts is None else contexts.names
        arrays = _arrays(weights, texts) | (scaled or {})
        graph = _graph(len(items), arrays, len(features))
        return Trained(self.name, items, graph, arrays, card, self.score, features=features)

    def score(
        self, arrays: Mapping[str, Array], history: NDArray[np.int32], weight: NDArray[np.float32]
    ) -> Scores:
        """See `models.trained.Recipe`."""
        seen = user_factors(arrays, history, weight, "root")
        inner = dense(arrays, "first", seen)
        if CONTEXT in arrays:
            inner = inner + dense(arrays, "told", inputs(arrays, arrays[CONTEXT]), bounded=True)
        inner = np.maximum(inner, np.float32(0))
        return score_user(arrays, seen + dense(arrays, "second", inner))


def _texts(interactions: Interactions, settings: Settings) -> NDArray[np.float64]:
    """A few numbers for each item's texts; a 0 where the catalog has no texts to read."""
    if not interactions.item_columns and settings["columns"] == COLUMNS.default:
        return np.zeros((len(interactions.item_ids), 1))
    terms = item_terms(interactions, settings["columns"])
    found: NDArray[np.float64] = terms @ directions(terms, TEXT_FACTORS)[0]
    return found


class _Task:
    """See `torch_training.Task`: to tell a history's left-out items from the others of its batch."""

    def __init__(
        self,
        interactions: Interactions,
        settings: Settings,
        texts: NDArray[np.float64],
        scaled: Mapping[str, Array] | None,
    ) -> None:
        self._used = use_rows(interactions)
        counts = self._used.sum(axis=0)
        self._often = as_tensor((np.log(np.maximum(counts, 1)) * settings["correction"]).astype(np.float32))
        self._texts = as_tensor(texts.astype(np.float32))
        self._dropout = settings["dropout"]
        self._told = None if scaled is None else Told(interactions, scaled, settings["cold"])
        self._users = np.flatnonzero(np.diff(self._used.indptr)) if self._told is None else self._told.users
        self.n_rows = len(self._users)
        self.network = _network(as_tensor(counts > 0), texts.shape[1], int(settings["factors"]))
        if self._told is not None:
            self.network.told = import_torch().nn.Linear(self._told.width, int(settings["factors"]))

    def loss(self, rows: NDArray[np.int64]) -> Any:
        functional = import_torch().nn.functional
        used = as_tensor(self._used[self._users[rows]].toarray())
        met = used.sum(0).nonzero()[:, 0]
        part, wanted, told = functional.dropout(used, self._dropout), used, None
        if self._told is not None:
            part, told = self._told.hidden(part, rows)
            wanted = as_tensor(self._told.wanted[rows].toarray())
        units = self._units(part, used, told)
        guess = units @ self._items()[met].T - self._often[met]
        return -(functional.log_softmax(guess, 1) * wanted[:, met]).sum(1).mean()

    def scores(self, users: NDArray[np.int64]) -> Any:
        used = as_tensor(self._used[users].toarray())
        told = None if self._told is None else self._told.of_users(users)
        return self._units(used, used, told) @ self._items().T

    def _items(self) -> Any:
        net = self.network
        return net.item + net.text_second(net.text_first(self._texts).relu())

    def _units(self, part: Any, used: Any, told: Any) -> Any:
        net = self.network
        rooted = part / used.sum(1, keepdim=True).clamp(min=1).sqrt()
        seen = rooted @ (net.into + net.text_into(self._texts))
        inner = net.first(seen) if told is None else net.first(seen) + net.told(told)
        return seen + net.second(inner.relu())


def _network(viewed: Any, texts: int, factors: int) -> Any:
    """The towers; items that were not viewed have no embedding of their own, only their texts."""
    torch = import_torch()
    network = torch.nn.Module()
    for name in ("into", "item"):
        setattr(
            network, name, torch.nn.Parameter(torch.randn(len(viewed), factors) * 0.1 * viewed[:, None].cpu())
        )
    network.text_into = torch.nn.Linear(texts, factors, bias=False)
    network.text_first = torch.nn.Linear(texts, factors)
    network.text_second = torch.nn.Linear(factors, factors)
    network.first, network.second = torch.nn.Linear(factors, factors), torch.nn.Linear(factors, factors)
    return network


def _arrays(weights: Weights, texts: NDArray[np.float64]) -> dict[str, Array]:
    layers = {
        name: (weights[f"{name}.weight"].T, weights[f"{name}.bias"]) for name in ("text_first", "text_second")
    }
    inner = np.maximum(texts @ layers["text_first"][0] + layers["text_first"][1], 0)
    told = {}
    if "told.weight" in weights:
        told = dense_arrays("told", weights["told.weight"].T, weights["told.bias"])
    item = weights["item"] + inner @ layers["text_second"][0] + layers["text_second"][1]
    return {
        "into": exact_rows(weights["into"] + texts @ weights["text_into.weight"].T),
        **dense_arrays("first", weights["first.weight"].T, weights["first.bias"]),
        **dense_arrays("second", weights["second.weight"].T, weights["second.bias"]),
        "out": whole_numbers(item.T)[0],
        **told,
    }


def _graph(n_items: int, arrays: Mapping[str, Array], features: int) -> bytes:
    told: list[Nodes] = []
    if features:
        told = [
            input_nodes(arrays, "taken"),
            dense_nodes("told", "taken", "told_sum", bounded=True),
            ([helper.make_node("Add", ["first_sum", "told_sum"], ["both_sums"])], {}),
        ]
    nodes, constants = join(
        user_nodes(arrays, "root", "seen"),
        dense_nodes("first", "seen", "first_sum"),
        *told,
        ([helper.make_node("Relu", ["both_sums" if told else "first_sum"], ["inner"])], {}),
        dense_nodes("second", "inner", "second_sum"),
        ([helper.make_node("Add", ["seen", "second_sum"], ["units"])], {}),
        product_nodes("units", "scores"),
    )
    return score_graph("two-tower", n_items, nodes, arrays, constants, features=features)

"""What every recipe gives back, and how it is kept in a folder."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from edge.bundle.arrays import Array, pack, unpack
from edge.bundle.features import CONTEXT
from edge.errors import GivenError
from models.data.interactions import Interactions
from models.data.sample import load_sample, save_sample
from models.settings import Setting, Settings

WEIGHT_STEPS: Final = 16
"""History weights are multiples of ``1 / WEIGHT_STEPS`` in [0, 1]."""

EXACT_STEPS: Final = 1 << 24
"""Integers below this are exact in float32, and so are their sums, in any order."""

GRAPH_FILE: Final = "graph.onnx"
ARRAYS_FILE: Final = "arrays.nsa"
SHORTLIST_FILE: Final = "shortlist.onnx"
CARD_FILE: Final = "card.json"

SCORER: Final = "scorer"
"""In the card of a model of which the graph says all: its arrays have no form that a recipe knows."""

Scores = NDArray[np.float32]
Predictor = Callable[[Mapping[str, Array], NDArray[np.int32], NDArray[np.float32]], Scores]
"""``(arrays, history, weight) -> scores``: the same exact numbers as the graph's.

Of a model with features, its context is among the arrays, as it is among the graph's inputs.
"""


class Finder(Protocol):
    """The reference of a shortlist that looks at a part of the items."""

    @property
    def is_certain(self) -> bool:
        """Whether nothing that a plain list would hold is left out; behind filters, something may be."""

    def find(
        self,
        reference: Predictor,
        arrays: Mapping[str, Array],
        history: NDArray[np.int32],
        weight: NDArray[np.float32],
    ) -> tuple[NDArray[np.int32], Scores]:
        """Of each row, the items that are looked at, in order, -1 for none; and their scores."""

    def wider(self, scores_graph: bytes, arrays: Mapping[str, Array], times: int) -> tuple[bytes, "Finder"]:
        """A shortlist that looks at so many times as much, what it looks at now first, and its reference."""


Progress = Callable[[str, float], None]
"""Hears a step's name and the done share in [0, 1]."""


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained model: a score graph, its arrays, and a reference that gives the same numbers.

    Attributes
    ----------
    items : tuple[str, ...]
        The catalog's items; scores are in this order.
    scores_graph : bytes
        ONNX. Inputs ``history`` (int32, (batch, length), padded with ``len(items)``),
        ``weight`` (float32, same shape, 0 where padded), the arrays by name and, where it has
        `features`, ``context`` (float32, (batch, len(features)), NaN where missing);
        output ``scores`` (float32, (batch, len(items))).
    card : dict
        ``recipe``, ``settings``, ``seed``, ``data`` (a hash), ``metrics``; all JSON.
    excludes_seen : bool
        Whether a list leaves out what the history holds.
    shortlist : bytes
        ONNX, for large catalogs: the same inputs as far as it needs them; outputs ``items`` (int32,
        (batch, any)), each once, or -1, and their ``scores``, without what the history holds. What it
        leaves out would not be listed, or hardly. Empty where all items are scored.
    finder : Finder or None
        The reference of a shortlist that leaves out what might be listed.
    features : tuple[str, ...]
        The names of the numbers that it takes in of a context, in order; most models take in none.
    sample : dict[str, Array]
        Real rows for the certificate, of `models.data.sample`; may be empty.
    """

    name: str
    items: tuple[str, ...]
    scores_graph: bytes
    arrays: Mapping[str, Array]
    card: Mapping[str, Any]
    reference: Predictor
    excludes_seen: bool = True
    sample: Mapping[str, Array] = field(default_factory=dict)
    shortlist: bytes = b""
    features: tuple[str, ...] = ()
    finder: Finder | None = None

    def score(
        self,
        history: NDArray[np.int32],
        weight: NDArray[np.float32],
        context: NDArray[np.float32] | None = None,
    ) -> Scores:
        """Scores of all items for each row of a padded history; see `scores_graph` for the shapes.

        Without a context, nothing is known of it.
        """
        if not self.features:
            return self.reference(self.arrays, history, weight)
        if context is None:
            context = np.full((len(history), len(self.features)), np.nan, np.float32)
        return self.reference({**self.arrays, CONTEXT: context}, history, weight)

    @property
    def vectors(self) -> NDArray[np.float32] | None:
        """A row for each item, of models that end in a product of factors; None for others."""
        from models.graphs.vectors import item_vectors  # noqa: PLC0415 - it reads stored models, which are made of these

        return item_vectors(self)

    def find(
        self, history: NDArray[np.int32], weight: NDArray[np.float32]
    ) -> tuple[NDArray[np.int32], Scores] | None:
        """Of each row, the items that the shortlist looks at, in its order, and their scores.

        -1 is no item. What the history holds has a score here. None where nothing is left out that
        might be listed.
        """
        if self.finder is None or not self.shortlist:
            return None
        return self.finder.find(self.reference, self.arrays, history, weight)

    def wider(self, times: int) -> "Trained | None":
        """The model with a shortlist that looks at so many times as much; None where `find` is None."""
        if self.finder is None or not self.shortlist:
            return None
        shortlist, finder = self.finder.wider(self.scores_graph, self.arrays, times)
        return replace(self, shortlist=shortlist, finder=finder)


class Recipe(Protocol):
    """A way to train a model; one instance per name in `models.recipe.RECIPES`."""

    @property
    def name(self) -> str:
        """As workspaces write it."""

    @property
    def excludes_seen(self) -> bool:
        """Whether its lists leave out what the history holds."""

    @property
    def settings(self) -> Mapping[str, Setting]:
        """Its own settings; `models.settings.COMMON` are every recipe's."""

    def train(
        self, interactions: Interactions, items: tuple[str, ...], settings: Settings, progress: Progress
    ) -> Trained:
        """Train with complete, checked settings; the name and the card are the caller's to fill in."""

    def score(
        self, arrays: Mapping[str, Array], history: NDArray[np.int32], weight: NDArray[np.float32]
    ) -> Scores:
        """The reference predictor, over a model's arrays."""


def save(trained: Trained, folder: Path) -> None:
    """Write the model's files into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    card = {"name": trained.name, "items": trained.items, **trained.card}
    card |= {"features": trained.features} if trained.features else {}
    (folder / GRAPH_FILE).write_bytes(trained.scores_graph)
    (folder / ARRAYS_FILE).write_bytes(pack(trained.arrays))
    text = json.dumps(card, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    (folder / CARD_FILE).write_text(text, encoding="utf-8")
    save_sample(trained.sample, folder)
    (folder / SHORTLIST_FILE).unlink(missing_ok=True)
    if trained.shortlist:
        (folder / SHORTLIST_FILE).write_bytes(trained.shortlist)


def load(folder: Path, recipe_of: Callable[[str], Recipe]) -> Trained:
    """Read what `save` wrote; `recipe_of` gives a recipe by name.

    Raises
    ------
    GivenError
        ``trained-model``: a file is missing or not what `save` writes.
    """
    try:
        card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
        name, items = str(card.pop("name")), tuple(str(item) for item in card.pop("items"))
        graph = (folder / GRAPH_FILE).read_bytes()
        arrays = unpack((folder / ARRAYS_FILE).read_bytes())
        recipe = recipe_of(str(card["recipe"]))
        sample = load_sample(folder)
        features = tuple(str(name) for name in card.pop("features", ()))
        kept = (name, items, graph, arrays, card, recipe.score, recipe.excludes_seen, sample)
        path = folder / SHORTLIST_FILE
        return Trained(*kept, path.read_bytes() if path.is_file() else b"", features)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise GivenError("trained-model", f"{folder}: {error!r}; train the model again") from error

"""What every prediction recipe takes and gives back, and how it is kept in a folder."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from edge.bundle.arrays import Array, pack, unpack
from edge.errors import GivenError
from models.data.sample import load_sample, save_sample
from models.predict.table import Rows, Table
from models.settings import Setting, Settings
from models.trained import ARRAYS_FILE, CARD_FILE, GRAPH_FILE, Progress

STEP: Final = 2.0**-20
"""Predictions are multiples of this: what shares an inference call changes none of them."""

TOLERANCE: Final = 1e-5
"""How far a graph may be from what it was made of."""

Predictor = Callable[[Rows], NDArray[np.float32]]
"""Rows of features in, one row of outputs each: the graph's numbers within `TOLERANCE`."""


@dataclass(frozen=True, eq=False)
class Prediction:
    """A trained prediction: a graph, its arrays, and a reference that gives the same numbers.

    Attributes
    ----------
    features : tuple[str, ...]
        What a row holds, in order. A recipe that reads a text has hashed words
        in their place: `words` says how many, and `features` is the text's name alone.
    outputs : tuple[str, ...]
        What a row of predictions holds: one name for a number, several for classes or segments.
    graph : bytes
        ONNX. Inputs ``features`` (float32, (batch, `width`), NaN where a value is
        missing) and the arrays by name; output ``prediction`` (float32, (batch, len(outputs))).
    card : dict
        ``recipe``, ``settings``, ``data`` (a hash), ``rows``, ``metrics``; all JSON.
    words : int
        0, or the width of the row that `edge.decide.words` makes of a text.
    names_winner : bool
        Whether the answer is the name of the greatest output, as with segments and intents.
    sample : dict[str, Array]
        Real rows for the certificate, of `models.data.sample`; may be empty.
    """

    name: str
    features: tuple[str, ...]
    outputs: tuple[str, ...]
    graph: bytes
    arrays: Mapping[str, Array]
    card: Mapping[str, Any]
    reference: Predictor
    words: int = 0
    names_winner: bool = False
    sample: Mapping[str, Array] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """Columns of a row."""
        return self.words or len(self.features)


class PredictionRecipe(Protocol):
    """A way to train a prediction; one instance per name in `models.predict.recipe.PREDICTIONS`."""

    @property
    def name(self) -> str:
        """As workspaces write it."""

    @property
    def settings(self) -> Mapping[str, Setting]:
        """Its own settings; `models.predict.recipe.COMMON` are every recipe's."""

    def train(self, table: Table, settings: Settings, progress: Progress) -> Prediction:
        """Train with complete, checked settings; name and card are the caller's to fill in."""

    def predictor(self, graph: bytes, arrays: Mapping[str, Array]) -> Predictor:
        """The reference, from what is kept: numpy alone, nothing of onnxruntime."""


def save(prediction: Prediction, folder: Path) -> None:
    """Write the prediction's files into a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    frame = {
        "name": prediction.name,
        "features": prediction.features,
        "outputs": prediction.outputs,
        "words": prediction.words,
        "names_winner": prediction.names_winner,
    }
    (folder / GRAPH_FILE).write_bytes(prediction.graph)
    (folder / ARRAYS_FILE).write_bytes(pack(prediction.arrays))
    text = json.dumps({**frame, **prediction.card}, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    (folder / CARD_FILE).write_text(text, encoding="utf-8")
    save_sample(prediction.sample, folder)


def load(folder: Path, recipe_of: Callable[[str], PredictionRecipe]) -> Prediction:
    """Read what `save` wrote; `recipe_of` gives a recipe by name.

    Raises
    ------
    GivenError
        ``trained-model``: a file is missing or not what `save` writes.
    """
    try:
        card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
        name, words, winner = str(card.pop("name")), int(card.pop("words")), bool(card.pop("names_winner"))
        features, outputs = (tuple(map(str, card.pop(key))) for key in ("features", "outputs"))
        graph = (folder / GRAPH_FILE).read_bytes()
        arrays = unpack((folder / ARRAYS_FILE).read_bytes())
        reference = recipe_of(str(card["recipe"])).predictor(graph, arrays)
        sample = load_sample(folder)
        return Prediction(name, features, outputs, graph, arrays, card, reference, words, winner, sample)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise GivenError("trained-model", f"{folder}: {error!r}; train the model again") from error


def is_prediction(folder: Path) -> bool:
    """Whether a model's folder holds a prediction, as against a recommender."""
    try:
        return "features" in json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def with_card(prediction: Prediction, **more: Any) -> Prediction:
    """The prediction with entries of its card added or replaced."""
    return replace(prediction, card={**prediction.card, **more})

"""Searches the smallest prediction within an allowed loss: fewer trees and leaves, less wide networks."""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.errors import GivenError
from models.predict.contract import Prediction
from models.predict.evaluate import predict
from models.predict.recipe import check_settings, settings_of, train
from models.predict.table import Table
from models.settings import FLOAT32
from models.smallest import Frontier, Tried, explore, steps
from models.trained import Progress

METRIC: Final = "bits a row"
SHRINKS: Final = ("rounds", "trees", "leaves", "hidden", "words")
SURE: Final = 1e-6
"""No chance counts as nearer to 0 or 1."""


def search_prediction(
    name: str,
    asked: tuple[str, Mapping[str, object]],
    parts: tuple[Table, Table],
    lose: float,
    progress: Progress,
) -> Frontier:
    """Try smaller settings than those of `asked`, a recipe and its settings.

    Quality is what a model tells of each row of the second part: the bits by which its chance of what
    became of the row is better than how often that is in the first part.

    Raises
    ------
    GivenError
        ``smallest``: it predicts no chance, or no better than the shares of what there is.
    """
    recipe, given = asked
    known, test = parts

    def tried(smaller: Mapping[str, float]) -> Iterator[Tried]:
        model = train(name, recipe, known, {**given, **smaller}, progress)
        yield Tried(FLOAT32, _bytes(model), bits(model, known, test))

    every = steps(check_settings(recipe, given), settings_of(recipe), SHRINKS)
    found = explore(every, tried, lose)
    if found.points[0].metric <= 0:
        raise GivenError("smallest", "it tells no more than the shares of what there is: nothing to lose")
    return found


def bits(model: Prediction, known: Table, test: Table) -> NDArray[np.float64]:
    """What a model tells of each row of `test`; see `search_prediction`."""
    made = predict(model, test).astype(np.float64)
    labels, counted = test.labels.astype(np.int64), known.labels.astype(np.int64)
    chances = np.column_stack([1 - made[:, 0], made[:, 0]]) if made.shape[1] == 1 else made
    whole = np.array_equal(labels, test.labels) and labels.min() >= 0 and labels.max() < chances.shape[1]
    if not whole or not ((chances >= -SURE) & (chances <= 1 + SURE)).all():
        raise GivenError("smallest", "only predictions of a chance or of classes can be searched")
    shares = np.bincount(counted, minlength=chances.shape[1]) / len(counted)
    rows = np.arange(len(labels))
    told = np.clip(chances[rows, labels], SURE, 1 - SURE)
    found: NDArray[np.float64] = np.log2(told) - np.log2(np.clip(shares[labels], SURE, 1 - SURE))
    return found


def _bytes(model: Prediction) -> int:
    return len(model.graph) + sum(array.nbytes for array in model.arrays.values())

"""How good a prediction is for each unit that was held out: what two of them are compared by, in pairs."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.errors import GivenError
from models.predict.contract import Prediction
from models.predict.evaluate import TOP, predict
from models.predict.measure import members, ndcg_of_group, qini
from models.predict.table import Table
from models.predict.text import pairs_of_tests

BITS: Final = "bits a row"
SURE: Final = 1e-6
"""No chance counts as nearer to 0 or 1."""

BLOCKS: Final = 100
"""Of rows: each is left out once, to tell how much a figure of all of them owes to it."""

Units = NDArray[np.float64]
Values = NDArray[Any]
Measure = Callable[[Values, Table, Table], Units]
"""``(predictions, rows learned from, rows held out) -> a number a unit``; their mean is the figure."""


def metric_of(recipe: str, settings: Mapping[str, object]) -> str:
    """The metric that a recipe's predictions may lose of.

    Raises
    ------
    GivenError
        ``smallest``: there is none.
    """
    name = "amount" if settings.get("objective") == "amount" else recipe
    if name not in METRICS:
        raise GivenError("smallest", f"{recipe} has no right answer, so nothing says what is lost")
    return METRICS[name]


def quality(model: Prediction, known: Table, test: Table) -> Units:
    """How good a model is for each unit of `test`, by its recipe's metric."""
    metric = metric_of(str(model.card["recipe"]), model.card["settings"])
    return MEASURES[metric](predict(model, test), known, test)


def _bits(made: Values, known: Table, test: Table) -> Units:
    """The bits by which the chance of what became of a row is better than how often that is."""
    labels, counted = test.labels.astype(np.int64), known.labels.astype(np.int64)
    made = made.astype(np.float64)
    chances = np.column_stack([1 - made[:, 0], made[:, 0]]) if made.shape[1] == 1 else made
    shares = np.bincount(counted, minlength=chances.shape[1]) / len(counted)
    rows = np.arange(len(labels))
    told = np.clip(chances[rows, labels], SURE, 1 - SURE)
    found: Units = np.log2(told) - np.log2(np.clip(shares[labels], SURE, 1 - SURE))
    return found


def _explained(made: Values, known: Table, test: Table) -> Units:
    """Of each row's squared distance from the mean, what is foreseen; the mean is R²."""
    labels = test.labels.astype(np.float64)
    far = (labels - labels.mean()) ** 2
    found: Units = (far - (labels - made[:, 0]) ** 2) / max(float(far.mean()), np.finfo(np.float64).tiny)
    return found


def _ranked(made: Values, known: Table, test: Table) -> Units:
    """nDCG of each group of which anything is relevant."""
    assert test.groups is not None
    each = np.array([ndcg_of_group(test.labels[rows], made[rows, 0], TOP) for rows in members(test.groups)])
    found: Units = each[np.isfinite(each)]
    return found


def _pairs(made: Values, known: Table, test: Table) -> Units:
    """Of each test, how many more pairs than by chance are named right, a pair of the mean test."""
    assert test.groups is not None
    pairs = list(pairs_of_tests(test))
    first, second = (np.array([pair[side] for pair in pairs], np.int64) for side in (0, 1))
    right = np.sign(made[first, 0] - made[second, 0]) * np.sign([pair[2] for pair in pairs]) / 2
    _, unit = np.unique(test.groups[first], return_inverse=True)
    sums = np.bincount(unit, right)
    return np.asarray(sums * (len(sums) / max(1, len(pairs))), np.float64)


def _uplift(made: Values, known: Table, test: Table) -> Units:
    """Qini, as pseudo-values of a jackknife (Quenouille 1956): a block of rows is left out in turn."""
    assert test.treatment is not None
    columns = (test.labels, made[:, 0], test.treatment)
    block = np.arange(len(test)) % min(BLOCKS, len(test))
    count = int(block.max()) + 1
    whole = qini(*columns)
    without = np.array([qini(*(column[block != left] for column in columns)) for left in range(count)])
    found: Units = count * whole - (count - 1) * np.where(np.isfinite(without), without, whole)
    return found


MEASURES: Final[Mapping[str, Measure]] = {
    BITS: _bits,
    "r2": _explained,
    f"ndcg@{TOP}": _ranked,
    "pairs above chance": _pairs,
    "qini": _uplift,
}

METRICS: Final[Mapping[str, str]] = {
    **dict.fromkeys(("boosting", "forest", "hist-boosting", "intent", "logistic", "mlp"), BITS),
    "amount": "r2",
    "lambdamart": f"ndcg@{TOP}",
    "text": "pairs above chance",
    "uplift": "qini",
}
"""By recipe; segments have no right answer."""

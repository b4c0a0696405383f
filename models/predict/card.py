"""Trains a prediction twice, on a part to measure it and on all to use it, and writes its card."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.errors import GivenError
from models.predict.contract import Prediction, with_card
from models.predict.evaluate import evaluate, slices
from models.predict.recipe import train
from models.predict.table import Table
from models.trained import Progress

SHARE: Final = 0.75
SPLITS: Final = {
    "time": "the oldest 75 % of rows to train on",
    "random": "75 % of rows to train on, at random",
}
CHANCES: Final = frozenset(("boosting", "forest", "hist-boosting", "logistic", "mlp"))


@dataclass(frozen=True, eq=False)
class Held:
    """What is known of rows beside the table.

    Attributes
    ----------
    times : ndarray of int64, optional
        Seconds since 1970, UTC, of each row: the split is in time then, else at random.
    by : mapping
        Columns by which the card tells visitors apart, a value a row: for fairness. No
        model learns from them.
    """

    times: NDArray[np.int64] | None = None
    by: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Measured:
    """A prediction with metrics in its card, and how long it took: beside, as it is of the machine."""

    prediction: Prediction
    seconds: float


def train_measured(  # noqa: PLR0913 - as `train`, and what is known beside the table
    name: str,
    recipe: str,
    table: Table,
    settings: Mapping[str, object] | None = None,
    held: Held | None = None,
    *,
    progress: Progress = lambda step, share: None,
) -> Measured:
    """Measure on a quarter of the rows, then train on all of them; raises as `train` does.

    A group is never torn apart. In time, rows of a group that began in the older part are all of it.
    """
    beside = held or Held()
    learned, kept_back = split(table, beside.times)
    part = train(name, recipe, table.where(learned), settings, lambda step, share: progress(step, share / 2))
    test = table.where(kept_back)
    started = time.perf_counter()
    model = train(name, recipe, table, settings, lambda step, share: progress(step, 0.5 + share / 2))
    seconds = time.perf_counter() - started
    card: dict[str, Any] = {
        "metrics": {key: found.as_json() for key, found in evaluate(part, test).items()},
        "split": SPLITS["random" if beside.times is None else "time"],
        "rows_held_out": len(test),
    }
    if beside.times is not None:
        card["period"] = [_day(int(beside.times.min())), _day(int(beside.times.max()))]
    if beside.by and part.card["recipe"] in CHANCES:
        rows = np.flatnonzero(kept_back)
        by = {key: [values[row] for row in rows.tolist()] for key, values in beside.by.items()}
        card["by"] = slices(part, test, by)
    return Measured(with_card(model, **card), seconds)


def split(table: Table, times: NDArray[np.int64] | None) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which rows are learned from, and which kept back.

    Raises
    ------
    GivenError
        ``table``: all rows are of one group or one moment.
    """
    names = np.arange(len(table)) if table.groups is None else table.groups
    _, unit = np.unique(names, return_inverse=True)
    order = np.random.default_rng(0).permutation(int(unit.max()) + 1)
    if times is not None:
        order = np.full(int(unit.max()) + 1, np.iinfo(np.int64).max)
        np.minimum.at(order, unit, times)
    begun = order[unit]
    learned: NDArray[np.bool_] = begun < np.quantile(begun, SHARE, method="lower")
    if learned.all() or not learned.any():
        raise GivenError("table", "there are too few groups or moments to keep a part back for measuring")
    return learned, ~learned


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()

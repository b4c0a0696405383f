"""Compares a converted model with its source, on rows that it was not made for, too."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.errors import GivenError
from models.bring.source import Rows, Source, Values, cannot
from models.predict.contract import TOLERANCE

SYNTHETIC: Final = 2_000
MOST_ROWS: Final = 20_000
VARIED: Final = 200
"""Rows of each kind that are asked again with a value missing or unseen, for each feature."""

SEED: Final = 0
MAX_FLOAT32: Final = 1e38
MOST_WITHOUT: Final = 0.5
"""Of rows as given, the share that may have no answer."""

UNSEEN: Final = (-1.0, 1e4)
"""Values that no model was fitted with: codes that are none, and numbers far off."""

Answer = Callable[[NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True)
class Parity:
    """What was compared, and how far both were apart.

    Attributes
    ----------
    rows, missing, unseen : int
        Rows as given, with a value missing, and with one that was never seen.
    max_error : float
        The greatest difference, relative where a value is above 1.
    rounded : float
        The share of rows on which the source itself answers otherwise once numbers are
        float32, as the edge's are: they lie on a threshold.
    needs_all : bool
        Whether rows with a missing value have no answer.
    """

    rows: int
    missing: int
    unseen: int
    max_error: float
    rounded: float
    needs_all: bool

    def card(self) -> dict[str, Any]:
        """As the model's card has it."""
        return {**asdict(self), "tolerance": TOLERANCE}


def make_rows(source: Source, levels: Mapping[int, NDArray[np.float64]], codes: Collection[int]) -> Rows:
    """Rows for a model of which nothing else is known.

    Parameters
    ----------
    levels
        By column, values that the model tells apart.
    codes
        Columns whose values are names of categories, and no numbers.
    """
    generator = np.random.default_rng(SEED)
    columns = []
    for place, name in enumerate(source.features):
        if name in source.words:
            columns.append(generator.integers(0, len(source.words[name]), SYNTHETIC).astype(np.float64))
            continue
        scale = 10.0 ** generator.integers(-2, 4, SYNTHETIC)
        numbers = np.where(generator.random(SYNTHETIC) < 0.5, generator.normal(size=SYNTHETIC) * scale, 0)
        numbers = np.where(generator.random(SYNTHETIC) < 0.3, generator.integers(0, 20, SYNTHETIC), numbers)
        if place in codes:
            columns.append(generator.choice([*levels[place], levels[place].max() + 1], SYNTHETIC))
            continue
        if len(known := levels.get(place, np.zeros(0))):
            near = generator.choice(known, SYNTHETIC) * (1 + generator.choice([-1e-3, 1e-3], SYNTHETIC))
            numbers = np.where(generator.random(SYNTHETIC) < 0.6, near, numbers)
        columns.append(numbers)
    return np.column_stack(columns).astype(np.float32).astype(np.float64)


def takes_missing(source: Source, rows: Rows) -> bool:
    """Whether the library has an answer for rows in which a value is missing."""
    values = source_answers(source, _with_missing(source, rows[:1]))
    return values is not None and bool(np.isfinite(values).all())


def source_answers(source: Source, rows: Rows) -> Values | None:
    """The library's answers; None where it raises."""
    try:
        return source.predict(rows)
    except Exception:
        # Libraries raise what comes to hand for rows that they do not take, onnxruntime its own.
        return None


def compare(source: Source, answer: Answer, rows: Rows, *, needs_all: bool) -> Parity:
    """Hold a converted model against its source.

    Where they differ on rows with a missing value alone, these shall have no answer
    (`Parity.needs_all`).

    Parameters
    ----------
    answer
        The converted model: rows in the model's order of columns in, predictions out.

    Raises
    ------
    GivenError
        ``bring``: it answers otherwise; which kind of row, how many, how far, and the first.
    """
    rows = rows[:MOST_ROWS]
    unseen = _with_unseen(source, rows[:VARIED])
    missing = _with_missing(source, rows[:VARIED])
    worst = max(
        _check("as given", source, answer, rows), _check("with an unseen value", source, answer, unseen)
    )
    if not needs_all:
        try:
            worst = max(worst, _check("with a missing value", source, answer, missing))
        except GivenError:
            # Forests of scikit-learn: which way a missing value goes is not converted.
            needs_all = True
    asked = 0 if needs_all else len(missing)
    return Parity(len(rows), asked, len(unseen), worst, _rounded(source, rows), needs_all)


def _check(kind: str, source: Source, answer: Answer, rows: Rows) -> float:
    """The greatest difference; a number on a threshold may fall on either side as it is rounded."""
    narrow = rows.astype(np.float32)
    found = answer(narrow).astype(np.float64)
    wanted = [source_answers(source, narrow.astype(np.float64)), source_answers(source, rows)]
    errors = [_error(found, values) for values in wanted if values is not None]
    if kind == "as given" and (not errors or np.isnan(errors[0]).mean() > MOST_WITHOUT):
        raise cannot(
            source.kind,
            "has no answer that is a number for rows as given",
            "give it rows as it was fitted with",
        )
    if not errors:
        return 0.0  # the source has no answer, so none is wrong
    error = np.fmin.reduce(errors)
    error[np.isnan(error)] = 0
    wrong = np.flatnonzero(error > TOLERANCE)
    if len(wrong):
        first = dict(zip(source.features, rows[wrong[0]].tolist(), strict=True))
        share = f"on {len(wrong)} of {len(rows)} rows {kind}, by up to {error.max():.3g}"
        raise cannot(source.kind, f"converts to a graph that answers otherwise {share}; the first is {first}")
    return float(error.max())


def _error(found: Values, wanted: Values) -> Values:
    """By row, the greatest difference, relative above 1; NaN where the source has no answer."""
    wanted = wanted[:, -found.shape[1] :].copy()  # of two classes, the second one
    wanted[~(np.abs(wanted) < MAX_FLOAT32)] = np.nan
    both: Values = np.abs(found - wanted) / np.maximum(1, np.abs(wanted))
    both[np.isnan(both) & np.isfinite(wanted)] = np.inf
    worst: Values = both.max(axis=1)
    return worst


def _rounded(source: Source, rows: Rows) -> float:
    wide, narrow = (
        source_answers(source, rows),
        source_answers(source, rows.astype(np.float32).astype(np.float64)),
    )
    if wide is None or narrow is None:
        return 0.0
    return float((_error(wide, narrow) > TOLERANCE).mean())


def _with_missing(source: Source, rows: Rows) -> Rows:
    """Rows without each feature in turn, and without any."""
    copies = []
    for place in range(len(source.features)):
        copy = rows.copy()
        copy[:, place] = np.nan
        copies.append(copy)
    return np.concatenate([*copies, np.full((1, rows.shape[1]), np.nan)])


def _with_unseen(source: Source, rows: Rows) -> Rows:
    copies = []
    for place, name in enumerate(source.features):
        for value in UNSEEN if name not in source.words else (float(len(source.words[name])),):
            copy = rows[:: len(UNSEEN)].copy()
            copy[:, place] = value
            copies.append(copy)
    return np.concatenate(copies)

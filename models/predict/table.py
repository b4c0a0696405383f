"""The rows that a prediction learns from, checked once."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.bundle import format as fmt
from edge.errors import GivenError

Rows = NDArray[np.float32]
"""(n, features); NaN where a value is missing."""

DTYPES: Final[Mapping[str, type]] = {
    "rows": np.float32,
    "labels": np.float32,
    "weights": np.float32,
    "groups": np.int64,
    "treatment": np.bool_,
}
"""Of each column; float32 is what the edge sees."""


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of features, and what became of each.

    Attributes
    ----------
    features : tuple[str, ...]
        The columns' names.
    rows : ndarray of float32, shape (n, features)
        NaN marks a missing value.
    labels : ndarray of float32, shape (n,)
        0 or 1 for a probability, a whole number from 0 for classes and for
        relevance; a recipe that learns without labels (segments) looks at none.
    weights : ndarray of float32, shape (n,), optional
        How much a row counts; 1 where there are none.
    groups : ndarray of int64, shape (n,), optional
        Rows of one number are ranked against each other, or tested in one test.
    treatment : ndarray of bool, shape (n,), optional
        Who was treated, for uplift.
    classes : tuple[str, ...]
        The names of the labels 0, 1, 2, ..., where they are classes.
    texts : tuple[str, ...]
        One a row, for recipes that read a text: `features` is then its one name, `rows` are empty.
    """

    features: tuple[str, ...]
    rows: Rows
    labels: NDArray[np.float32]
    weights: NDArray[np.float32] | None = None
    groups: NDArray[np.int64] | None = None
    treatment: NDArray[np.bool_] | None = None
    classes: tuple[str, ...] = ()
    texts: tuple[str, ...] = ()

    @classmethod
    def of_texts(cls, name: str, texts: tuple[str, ...], labels: NDArray[np.float32], **more: Any) -> "Table":
        """Texts in the place of rows; `more` are the other columns."""
        return cls((name,), np.zeros((len(texts), 0), np.float32), labels, texts=texts, **more)

    def __post_init__(self) -> None:
        """Raises GivenError ``table``, with the column that can't be used, and the row."""
        width = 0 if self.texts else len(self.features)
        if self.rows.shape != (len(self.labels), width) or not len(self.labels):
            said = f"rows have the shape {self.rows.shape}"
            raise _wrong(f"{said}, and there are {len(self.labels)} labels and {width} features")
        if len(set(self.features)) < len(self.features):
            raise _wrong("two features have the same name")
        for name, column in self._columns().items():
            if column is not None and column.dtype != DTYPES[name]:
                raise _wrong(f"{name} are {column.dtype}; cast them to {np.dtype(DTYPES[name])}")
            if column is not None and column.shape[0] != len(self):
                raise _wrong(f"there are {column.shape[0]} {name} and {len(self)} rows")
        if self.texts and len(self.texts) != len(self):
            raise _wrong(f"there are {len(self.texts)} texts and {len(self)} labels")
        self._check_values()

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def weight(self) -> NDArray[np.float32]:
        """Of each row, 1 where none is given."""
        return np.ones(len(self), np.float32) if self.weights is None else self.weights

    def where(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> "Table":
        """The chosen rows."""
        places = np.arange(len(self))[rows]
        columns: dict[str, Any] = {
            name: None if column is None else column[places] for name, column in self._columns().items()
        }
        texts = tuple(self.texts[place] for place in places) if self.texts else ()
        return replace(self, **columns, texts=texts)

    def digest(self) -> str:
        """SHA-256 over all that training can see."""
        bodies = [
            b"-" if column is None else np.ascontiguousarray(column).tobytes()
            for column in self._columns().values()
        ]
        words = "\1".join("\0".join(names) for names in (self.features, self.classes, self.texts))
        return fmt.digest(b"\2".join(bodies) + words.encode())

    def _columns(self) -> dict[str, NDArray[Any] | None]:
        return {name: getattr(self, name) for name in DTYPES}

    def _check_values(self) -> None:
        if np.isinf(self.rows).any():
            row, column = np.argwhere(np.isinf(self.rows))[0]
            raise _wrong(f"row {row} of {self.features[column]!r} is infinite; NaN says that it is missing")
        for name, column in (("labels", self.labels), ("weights", self.weights)):
            if column is not None and not np.isfinite(column).all():
                raise _wrong(f"{name}: row {np.flatnonzero(~np.isfinite(column))[0]} is no number")
        if self.weights is not None and (self.weights.min() < 0 or not self.weights.any()):
            raise _wrong("weights must not be negative, and not all 0")


def check_two_classes(table: Table) -> None:
    """Labels must be 0 and 1, both there.

    Raises
    ------
    GivenError
        ``table``: another label, or only one of them.
    """
    found = np.unique(table.labels)
    if not np.isin(found, (0, 1)).all():
        raise _wrong(f"labels must be 0 or 1, not {found[~np.isin(found, (0, 1))][0]:g}")
    if len(found) < 2:
        raise _wrong(f"all labels are {found[0]:g}; there is nothing to tell apart")


def _wrong(message: str) -> GivenError:
    return GivenError("table", message)

"""From a context's attributes to the row of numbers that a graph of models takes in."""

from collections.abc import Callable, Mapping, Sequence
from math import nan
from typing import Any, Final

from edge.bundle.features import MAX_CATEGORIES, MAX_NUMBER, Column
from edge.errors import BundleError

NAN: Final = nan
"""What is missing."""

MAX_COLUMNS: Final = 1_024

Row = tuple[float, ...]
"""One number for each column. Equal rows are equal keys, too: what is missing is `NAN` itself."""

Encode = Callable[[Any], float]


class RowMaker:
    """The raw columns of a graph, by what each makes of its attribute.

    Attributes
    ----------
    reads : tuple[str, ...]
        The attributes, as columns have them.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self.reads = tuple(column.attribute for column in columns)
        self._columns = [(column.attribute, _text(column) if column.text else _number) for column in columns]

    def row(self, attributes: Mapping[str, Any]) -> list[float]:
        """One number for each column; a value of another type than the column's is missing."""
        get = attributes.get
        return [encode(get(name)) for name, encode in self._columns]


def check_columns(columns: Sequence[Column], most: int = MAX_COLUMNS) -> None:
    """Refuse more columns, or more categories of one, than a row may have.

    Raises
    ------
    BundleError
        ``plan``.
    """
    if len(columns) > most:
        raise BundleError("plan", f"{len(columns)} columns, more than {most}")
    for column in columns:
        codes = len(column.categories)
        if codes > MAX_CATEGORIES:
            message = f"{column.attribute!r} has {codes} categories, more than {MAX_CATEGORIES}"
            raise BundleError("plan", message)


def _number(value: Any) -> float:
    """A number or a boolean; NaN for all else, and for what is too large to count with."""
    if isinstance(value, float | int) and -MAX_NUMBER <= value <= MAX_NUMBER:
        return float(value)
    return NAN


def _text(column: Column) -> Encode:
    codes = {category: float(code) for code, category in enumerate(column.categories)}
    other = float(len(codes))

    def encode(value: Any) -> float:
        return codes.get(value, other) if isinstance(value, str) else NAN

    return encode

"""From a context's attributes to the row of numbers that a graph of models takes in."""

from collections.abc import Callable, Mapping, Sequence
from math import nan
from typing import Any, Final

from edge.bundle.features import MAX_NUMBER, Column

NAN: Final = nan
"""What is missing."""

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

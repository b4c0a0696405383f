"""How alike items are: by the values that they share, or by the angle between their rows of a model."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from edge.bundle.arrays import Array
from edge.bundle.strings import MAX_REMEMBERED

Shares = NDArray[np.float64]


class Compared(Protocol):
    """Some items, ready to be compared."""

    def to(self, at: int) -> Shares:
        """How like each is to the one at this place of them, from 0 to 1."""


class Alike(Protocol):
    """A way in which items are alike."""

    def among(self, items: Sequence[int]) -> Compared:
        """These items, ready to be compared."""


class Groups:
    """The values that items have in one column, as numbers.

    Parameters
    ----------
    starts, values
        The values of item `n` are ``values[starts[n]:starts[n + 1]]``.
    """

    def __init__(self, starts: Array, values: Array) -> None:
        self._starts, self._values = starts.data, values.data
        self._of: dict[int, tuple[int, ...]] = {}

    def of(self, item: int) -> tuple[int, ...]:
        """The values of an item; remembered."""
        found = self._of.get(item)
        if found is None:
            if len(self._of) >= MAX_REMEMBERED:
                self._of.clear()
            found = self._of[item] = tuple(self._values[self._starts[item] : self._starts[item + 1]])
        return found

    def among(self, items: Sequence[int]) -> Compared:
        """These items, compared by the share of the values of both that they have in common."""
        return _Shared(list(map(self.of, items)))


class _Shared:
    """Items with the values that they have in a column; without any, they are like nothing."""

    def __init__(self, values: list[tuple[int, ...]]) -> None:
        numbers = {value: column for column, value in enumerate({v for of_item in values for v in of_item})}
        self._rows = np.zeros((len(values), max(1, len(numbers))), np.float64)
        for row, of_item in enumerate(values):
            for value in of_item:
                self._rows[row, numbers[value]] = 1
        self._sizes = self._rows.sum(axis=1)

    def to(self, at: int) -> Shares:
        """See `Compared`."""
        # No item has a value twice, so products of rows count what is in common, exactly.
        common = self._rows @ self._rows[at]
        shares: Shares = common / np.maximum(1.0, self._sizes + self._sizes[at] - common)
        return shares


class Directions:
    """The rows that stand for items in a model, as whole numbers of int8: only their directions count.

    Sums of products of whole numbers are exact in any order, and a square root, a product and a quotient
    are single operations: so the same items are alike in the same way on every machine.
    """

    def __init__(self, rows: Array) -> None:
        self._rows = rows

    def among(self, items: Sequence[int]) -> Compared:
        """These items, compared by the cosine of the angle between their rows; 0 where that is negative."""
        return _Angles(self._rows[list(items)].astype(np.float64))


class _Angles:
    """Rows of items; one of zeros is like nothing."""

    def __init__(self, rows: Shares) -> None:
        self._rows = rows
        self._lengths = np.sqrt(np.square(rows).sum(axis=1))

    def to(self, at: int) -> Shares:
        """See `Compared`."""
        products = np.maximum(0.0, self._rows @ self._rows[at])
        cosines: Shares = products / np.maximum(1.0, self._lengths * self._lengths[at])
        return cosines


class Likeness:
    """How like some items are to one of them: of several ways to be alike, the mean."""

    def __init__(self, alike: Sequence[Alike], items: Sequence[int]) -> None:
        self._ways = [way.among(items) for way in alike]
        self._size = len(items)

    def to(self, at: int) -> Shares:
        """Of each item to the one at this place of them, from 0 to 1."""
        total = np.zeros(self._size)
        for way in self._ways:
            total += way.to(at)
        return total / len(self._ways)

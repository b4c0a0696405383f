"""Picks a list from candidates: at most so many of a kind, and not all alike."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from edge.bundle.arrays import Array
from edge.bundle.strings import MAX_REMEMBERED


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


class Likeness:
    """How like some items are to one of them: the share of the values of both that they have in common.

    Over several columns, the mean; 0 for those that have no values.
    """

    def __init__(self, alike: Sequence[Groups], items: Sequence[int]) -> None:
        self._size = len(items)
        self._tables = [_table(list(map(groups.of, items))) for groups in alike]

    def to(self, at: int) -> NDArray[np.float64]:
        """Of each item to the one at this place of them, from 0 to 1."""
        total = np.zeros(self._size)
        for rows, sizes in self._tables:
            # No item has a value twice, so products of rows count what is in common, exactly.
            common = rows @ rows[at]
            total += common / np.maximum(1.0, sizes + sizes[at] - common)
        return total / len(self._tables)


def _table(values: list[tuple[int, ...]]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A row for each item with 1 where it has a value, and how many it has."""
    numbers = {value: column for column, value in enumerate({v for of_item in values for v in of_item})}
    rows = np.zeros((len(values), max(1, len(numbers))), np.float64)
    for row, of_item in enumerate(values):
        for value in of_item:
            rows[row, numbers[value]] = 1
    return rows, rows.sum(axis=1)


class Caps:
    """How many more items of each value may be listed."""

    def __init__(self, caps: Sequence[tuple[Groups, int]]) -> None:
        self._caps = [(groups, most, Counter[int]()) for groups, most in caps]

    def fits(self, item: int) -> bool:
        """Whether the list may have the item beside those that it has."""
        for groups, most, counts in self._caps:
            for value in groups.of(item):
                if counts.get(value, 0) >= most:
                    return False
        return True

    def count(self, item: int, by: int = 1) -> None:
        """Count an item of the list."""
        for groups, _, counts in self._caps:
            for value in groups.of(item):
                counts[value] += by


class Shortlist:
    """A list in the making; what is pinned counts from the beginning.

    Attributes
    ----------
    items : list of int
        In the order of the list, without what is pinned.
    """

    def __init__(self, room: int, caps: Caps, pinned: Sequence[int] = ()) -> None:
        self.items: list[int] = []
        self.caps = caps
        self._room = room
        self._pinned = pinned
        self._held = set(pinned)
        for item in pinned:
            caps.count(item)

    @property
    def is_full(self) -> bool:
        """Whether nothing more is wanted."""
        return len(self.items) >= self._room

    def add(self, candidates: Iterable[int]) -> None:
        """Take from candidates, best first, what may be listed, while there is room."""
        for item in candidates:
            if self.is_full:
                return
            if item not in self._held and self.caps.fits(item):
                self._take(item)

    def add_unlike(self, scores: Mapping[int, float], alike: Sequence[Groups], weight: float) -> None:
        """Take from candidates by maximal marginal relevance (Carbonell and Goldstein 1998).

        A score counts as a part of the way from the lowest to the best; `weight` says how much likeness
        to the nearest item of the list takes off. The first of equals wins.
        """
        items = [item for item in scores if item not in self._held]
        found = np.array(list(scores.values()), np.float64)
        low = found.min()
        own = np.array([scores[item] for item in items], np.float64)
        worth = (1 - weight) * (own - low) / (found.max() - low or 1.0)
        listed = [*self._pinned, *self.items]
        likeness = Likeness(alike, [*items, *listed])
        nearest = np.zeros(len(items))
        for at in range(len(listed)):
            np.maximum(nearest, likeness.to(len(items) + at)[: len(items)], out=nearest)
        for _ in items:
            if self.is_full:
                return
            at = int((worth - weight * nearest).argmax())
            if self.caps.fits(items[at]):
                self._take(items[at])
                np.maximum(nearest, likeness.to(at)[: len(items)], out=nearest)
            # What does not fit now never will.
            worth[at] = -np.inf

    def _take(self, item: int) -> None:
        self.items.append(item)
        self._held.add(item)
        self.caps.count(item)

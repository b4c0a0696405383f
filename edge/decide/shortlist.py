"""Picks a list from candidates: at most so many of a kind, and not all alike."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from edge.bundle.arrays import Array
from edge.bundle.strings import MAX_REMEMBERED

MANY: Final = 1 << 30


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
        self._masks: dict[int, int] = {}

    def of(self, item: int) -> tuple[int, ...]:
        """The values of an item; remembered."""
        found = self._of.get(item)
        if found is None:
            if len(self._of) >= MAX_REMEMBERED:
                self._of.clear()
            found = self._of[item] = tuple(self._values[self._starts[item] : self._starts[item + 1]])
        return found

    def mask(self, item: int) -> int:
        """The same as bits."""
        found = self._masks.get(item)
        if found is None:
            if len(self._masks) >= MAX_REMEMBERED:
                self._masks.clear()
            found = self._masks[item] = sum(1 << value for value in self.of(item))
        return found


def likeness(one: int, other: int) -> float:
    """The share of the values of both that they have in common; 0 for those that have none."""
    common = (one & other).bit_count()
    return common / (one | other).bit_count() if common else 0.0


class Caps:
    """How many more items of each value may be listed."""

    def __init__(self, caps: Sequence[tuple[Groups, int]]) -> None:
        self._caps = [(groups, most, Counter[int]()) for groups, most in caps]

    def fits(self, item: int) -> bool:
        """Whether the list may have the item beside those that it has."""
        return all(counts[value] < most for groups, most, counts in self._caps for value in groups.of(item))

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
        left = [item for item in scores if item not in self._held]
        masks = {item: [groups.mask(item) for groups in alike] for item in (*left, *self._listed)}
        low = min(scores.values())
        span = max(scores.values()) - low or 1.0
        worth = {item: (1 - weight) * (scores[item] - low) / span for item in left}
        nearest = dict.fromkeys(left, 0.0)
        for item in self._listed:
            _draw_near(nearest, left, masks, item)
        while left and not self.is_full:
            left = [item for item in left if self.caps.fits(item)]
            if not left:
                return
            chosen = max(left, key=lambda item: worth[item] - weight * nearest[item])
            left.remove(chosen)
            self._take(chosen)
            _draw_near(nearest, left, masks, chosen)

    @property
    def _listed(self) -> tuple[int, ...]:
        return (*self._pinned, *self.items)

    def _take(self, item: int) -> None:
        self.items.append(item)
        self._held.add(item)
        self.caps.count(item)


def _draw_near(
    nearest: dict[int, float], left: Sequence[int], masks: Mapping[int, list[int]], chosen: int
) -> None:
    """Note how like the chosen item the others are: the mean over columns."""
    of_chosen = masks[chosen]
    for item in left:
        total = 0.0
        for one, other in zip(masks[item], of_chosen, strict=True):
            total += likeness(one, other)
        nearest[item] = max(nearest[item], total / len(of_chosen))

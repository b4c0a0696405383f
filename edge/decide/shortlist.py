"""Picks a list from candidates: at most so many of a kind, and not all alike."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from edge.decide.likeness import Alike, Groups, Likeness


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

    def add_unlike(self, scores: Mapping[int, float], alike: Sequence[Alike], weight: float) -> None:
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

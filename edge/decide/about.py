"""What a catalog says of its items beside their cards: titles for people, and topics that can be muted."""

from collections.abc import Mapping
from typing import Final

import numpy as np

from edge.bundle.arrays import Array, unpack
from edge.bundle.reader import Bundle
from edge.bundle.strings import Strings
from edge.decide.types import Muted
from edge.errors import BundleError

KIND: Final = "about"
MAX_TOPICS: Final = 4_096
MAX_TOPIC_BYTES: Final = 64
MAX_TITLE_BYTES: Final = 256


class About:
    """Titles and topics of a catalog's items; either may be missing.

    Parameters
    ----------
    arrays
        ``titles.*``, one for each item; ``topics.*``, sorted names; ``members`` u4, positions of items by
        topic, each part ascending, and ``starts`` u8, where each topic's part begins, and the end.

    Raises
    ------
    BundleError
        ``about``: they don't fit each other, or the items.
    """

    def __init__(self, arrays: Mapping[str, Array], items: Strings) -> None:
        self._items = items
        self._titles = Strings(arrays, "titles") if "titles.blob" in arrays else None
        self._topics = Strings(arrays, "topics") if "topics.blob" in arrays else None
        empty = np.zeros(0, np.uint32)
        self._members: Array = arrays.get("members", empty)
        self._starts: Array = arrays.get("starts", np.zeros(1, np.uint64))
        self._check(len(items))

    def _check(self, items: int) -> None:
        _need(self._titles is None or len(self._titles) == items, "there is not one title for each item")
        topics, members, starts = self._topics, self._members, self._starts
        _need(members.ndim == starts.ndim == 1, "topics have arrays of another shape")
        _need(members.dtype == np.uint32 and starts.dtype == np.uint64, "topics have arrays of another type")
        _need(len(starts) == (len(topics) if topics is not None else 0) + 1, "not one part for each topic")
        fits = starts[0] == 0 and starts[-1] == len(members) and not np.any(starts[1:] < starts[:-1])
        _need(bool(fits) and not np.any(members >= items), "topics have items that are not there")
        for table in filter(None, (self._titles, topics)):
            table.check_texts()

    def title(self, item: str) -> str:
        """What people call the item: its id where nothing else is known."""
        at = self._items.find(item.encode())
        return (self._titles[at].decode() if self._titles is not None and at >= 0 else "") or item

    def topics(self, item: str) -> list[str]:
        """The topics that an item has; looked for in all of them, so not for a page."""
        at = self._items.find(item.encode())
        if at < 0 or self._topics is None:
            return []
        numbers = range(len(self._topics))
        return [self._topics[number].decode() for number in numbers if at in self._of(number)]

    def has_topic(self, topic: str) -> bool:
        """Whether any item has the topic."""
        return self._topics is not None and self._topics.find(topic.encode()) >= 0

    def muted(self, muted: Muted) -> frozenset[int]:
        """The positions of all items that are muted; what the catalog lacks is none."""
        found = set(self._items.positions(muted.items))
        for topic in muted.topics:
            number = -1 if self._topics is None else self._topics.find(topic.encode())
            if number >= 0:
                found.update(self._of(number).tolist())
        return frozenset(found)

    def _of(self, topic: int) -> Array:
        return self._members[int(self._starts[topic]) : int(self._starts[topic + 1])]


def _need(holds: bool, what: str) -> None:
    if not holds:
        raise BundleError("about", what)


def load_about(bundle: Bundle, items: Strings) -> About:
    """What a bundle's catalog says of its items; nothing where there is no such part."""
    if not bundle.artifacts("catalog", KIND):
        return About({}, items)
    return About(unpack(bundle.read(bundle.one("catalog", KIND))), items)

"""Kept responses: found by request, bounded in bytes, forgotten by URL or surrogate key."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from edge.proxy.fields import Fields
from edge.proxy.policy import Terms

OVERHEAD_BYTES: Final = 2048
"""What a kept response costs beside its bytes."""
MAX_VARIANTS: Final = 32
"""Variants of one URL that are kept; else whoever sends odd headers would fill the store with one page."""

Key = tuple[bytes, ...]
"""The target (path and query) first, then what else of the request names the resource."""

Selecting = tuple[tuple[bytes, bytes | None], ...]
"""The request's fields that Vary named, as the site saw them."""

SeenBySite = Callable[[bytes], bytes | None]


@dataclass(eq=False, slots=True)
class Entry:
    """A response that may be used again; never changed, a validated one is a new entry.

    Attributes
    ----------
    fields : list
        End-to-end fields, names in lower case, without Age and Content-Length.
    made_s : float
        When it was made or validated, seconds since 1970 by our clock.
    tags : frozenset of bytes
        Its surrogate keys.
    page : object
        What its owner made of the body and keeps along.
    size_bytes : int
        What it costs to keep; a page is held a second time, cut, and a third time in codings.
    """

    status: int
    fields: Fields
    body: bytes
    terms: Terms
    made_s: float
    selecting: Selecting = ()
    tags: frozenset[bytes] = frozenset()
    page: Any = None
    fresh_until_s: float = field(init=False)
    size_bytes: int = field(init=False)

    def __post_init__(self) -> None:
        self.fresh_until_s = self.made_s + self.terms.lifetime_s if self.terms.lifetime_s else 0.0
        fields = sum(len(name) + len(value) for name, value in self.fields)
        self.size_bytes = len(self.body) * (1 if self.page is None else 3) + fields + OVERHEAD_BYTES

    def age_s(self, now_s: float) -> int:
        """Its Age."""
        return max(0, int(now_s - self.made_s))

    def may_wait(self, now_s: float) -> bool:
        """Whether it may be used now while the site is asked anew."""
        return now_s < self._expired_s + self.terms.while_revalidate_s

    def may_replace_error(self, now_s: float) -> bool:
        """Whether it may be used because the site fails."""
        return now_s < self._expired_s + self.terms.if_error_s

    @property
    def _expired_s(self) -> float:
        return self.made_s + self.terms.lifetime_s


class Store:
    """Entries by key, the least recently used forgotten first."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        # A cachetools.LRUCache finds at three times the cost, and tells nobody what it forgets.
        self._shelves: OrderedDict[Key, tuple[Entry, ...]] = OrderedDict()
        self._by_target: dict[bytes, set[Key]] = {}
        self._by_tag: dict[bytes, set[Key]] = {}
        self.size_bytes = 0

    def __len__(self) -> int:
        return sum(len(shelf) for shelf in self._shelves.values())

    def find(self, key: Key, seen: SeenBySite) -> Entry | None:
        """The newest entry that this request selects, fresh or stale."""
        shelf = self._shelves.get(key)
        if shelf is None:
            return None
        self._shelves.move_to_end(key)
        for entry in shelf:
            if not entry.selecting or all(seen(name) == value for name, value in entry.selecting):
                return entry
        return None

    def put(self, key: Key, entry: Entry) -> bool:
        """Keep an entry in place of those that the same requests select; whether there was room."""
        others = [kept for kept in self._shelves.get(key, ()) if kept.selecting != entry.selecting]
        self._take(key)
        if entry.size_bytes > self._max_bytes:
            return False
        shelf = (entry, *others[: MAX_VARIANTS - 1])
        while _size(shelf) > self._max_bytes:
            shelf = shelf[:-1]
        while self.size_bytes + _size(shelf) > self._max_bytes:
            self._take(next(iter(self._shelves)))
        self._lay(key, shelf)
        return True

    def drop(self, key: Key, entry: Entry) -> None:
        """Forget one entry, if it is still there."""
        shelf = self._shelves.get(key, ())
        if entry in shelf:
            self._take(key)
            if rest := tuple(kept for kept in shelf if kept is not entry):
                self._lay(key, rest)

    def purge_target(self, target: bytes) -> int:
        """Forget all that is kept of a path and query; how many responses that were."""
        return self._purge(self._by_target.get(target, ()))

    def purge_tag(self, tag: bytes) -> int:
        """Forget all that carries a surrogate key; with it, the other variants of the same URL."""
        return self._purge(self._by_tag.get(tag, ()))

    def purge_all(self) -> int:
        """Forget everything."""
        return self._purge(self._shelves)

    def _purge(self, keys: Iterable[Key]) -> int:
        return sum(len(self._take(key)) for key in list(keys))

    def _lay(self, key: Key, shelf: tuple[Entry, ...]) -> None:
        self._shelves[key] = shelf
        self.size_bytes += _size(shelf)
        self._by_target.setdefault(key[0], set()).add(key)
        for tag in _tags(shelf):
            self._by_tag.setdefault(tag, set()).add(key)

    def _take(self, key: Key) -> tuple[Entry, ...]:
        shelf = self._shelves.pop(key, ())
        if shelf:
            self.size_bytes -= _size(shelf)
            _unlist(self._by_target, key[0], key)
            for tag in _tags(shelf):
                _unlist(self._by_tag, tag, key)
        return shelf


def _size(shelf: tuple[Entry, ...]) -> int:
    return sum(entry.size_bytes for entry in shelf)


def _tags(shelf: tuple[Entry, ...]) -> set[bytes]:
    return {tag for entry in shelf for tag in entry.tags}


def _unlist(index: dict[bytes, set[Key]], name: bytes, key: Key) -> None:
    index[name].discard(key)
    if not index[name]:
        del index[name]

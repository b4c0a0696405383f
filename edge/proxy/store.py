"""Kept responses: found by request, bounded in bytes, forgotten by URL or surrogate key."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from cachetools import LRUCache

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

    def __post_init__(self) -> None:
        self.fresh_until_s = self.made_s + self.terms.lifetime_s if self.terms.lifetime_s else 0.0

    @property
    def size_bytes(self) -> int:
        """What it costs to keep; a page is held a second time, cut."""
        fields = sum(len(name) + len(value) for name, value in self.fields)
        return len(self.body) * (1 if self.page is None else 2) + fields + OVERHEAD_BYTES

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
        self._shelves = _Shelves(max_bytes)
        self._by_target: dict[bytes, set[Key]] = {}
        self._by_tag: dict[bytes, set[Key]] = {}
        self._shelves.dropped = self._forget

    @property
    def size_bytes(self) -> int:
        """Bytes that are held."""
        return int(self._shelves.currsize)

    def __len__(self) -> int:
        return sum(len(shelf) for shelf in self._shelves.values())

    def find(self, key: Key, seen: SeenBySite) -> Entry | None:
        """The newest entry that this request selects, fresh or stale."""
        shelf = self._shelves.get(key)
        if shelf is None:
            return None
        for entry in shelf:
            if not entry.selecting or all(seen(name) == value for name, value in entry.selecting):
                return entry
        return None

    def put(self, key: Key, entry: Entry) -> bool:
        """Keep an entry in place of those that the same requests select; whether there was room."""
        others = [kept for kept in self._shelves.get(key, ()) if kept.selecting != entry.selecting]
        shelf = (entry, *others[: MAX_VARIANTS - 1])
        while len(shelf) > 1 and _size(shelf) > self._shelves.maxsize:
            shelf = shelf[:-1]
        self._shelves.pop(key, None)
        if _size(shelf) > self._shelves.maxsize:
            return False
        self._shelves[key] = shelf
        self._by_target.setdefault(key[0], set()).add(key)
        for tag in {tag for kept in shelf for tag in kept.tags}:
            self._by_tag.setdefault(tag, set()).add(key)
        return True

    def drop(self, key: Key, entry: Entry) -> None:
        """Forget one entry, if it is still there."""
        shelf = self._shelves.pop(key, ())
        if rest := tuple(kept for kept in shelf if kept is not entry):
            for kept in reversed(rest):
                self.put(key, kept)

    def purge_target(self, target: bytes) -> int:
        """Forget all that is kept of a path and query; how many responses that were."""
        return self._purge(self._by_target.get(target, ()))

    def purge_tag(self, tag: bytes) -> int:
        """Forget all that carries a surrogate key; with it, the other variants of the same URL."""
        return self._purge(self._by_tag.get(tag, ()))

    def purge_all(self) -> int:
        """Forget everything."""
        return self._purge(list(self._shelves))

    def _purge(self, keys: Iterable[Key]) -> int:
        return sum(len(self._shelves.pop(key, ())) for key in list(keys))

    def _forget(self, key: Key, shelf: tuple[Entry, ...]) -> None:
        for index, name in ((self._by_target, key[0]), *((self._by_tag, t) for e in shelf for t in e.tags)):
            if (keys := index.get(name)) is not None:
                keys.discard(key)
                if not keys:
                    del index[name]


class _Shelves(LRUCache[Key, tuple[Entry, ...]]):
    """Tells what leaves, for whatever reason."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(max_bytes, getsizeof=_size)
        self.dropped: Callable[[Key, tuple[Entry, ...]], None] = _nothing

    def __delitem__(self, key: Key) -> None:
        shelf = self[key]
        super().__delitem__(key)
        self.dropped(key, shelf)


def _size(shelf: tuple[Entry, ...]) -> int:
    return sum(entry.size_bytes for entry in shelf)


def _nothing(key: Key, shelf: tuple[Entry, ...]) -> None:
    """Nobody listens yet."""

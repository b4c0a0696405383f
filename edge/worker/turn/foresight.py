"""Remembers what the last pages of a path had in them, to decide the next one before it is there."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cachetools import LRUCache

from edge.pages.marks import SCRIPT
from edge.pages.plan import PagePlan
from edge.proxy.store import Key

MAX_PATHS: Final = 4096
MAX_PATH_BYTES: Final = 512
STEADY: Final = 2
"""Pages with the same placements after which the next one is thought to have them, too."""


@dataclass(frozen=True, slots=True)
class _Seen:
    outline: PagePlan
    has_blocks: bool
    times: int


class Foresight:
    """Outlines of pages: their placements, and nothing of what is between them."""

    def __init__(self) -> None:
        self._seen: LRUCache[Key, _Seen] = LRUCache(MAX_PATHS)

    def outline(self, key: Key, *, lays_out: bool) -> PagePlan | None:
        """What the page will have in it; None where that can't be told, or blocks of it may move."""
        seen = self._seen.get(_path(key))
        if seen is None or seen.times < STEADY or (lays_out and seen.has_blocks):
            return None
        return seen.outline

    def note(self, key: Key, outline: PagePlan, *, has_blocks: bool) -> None:
        """Remember a page that came, and whether anything of it is a block."""
        path = _path(key)
        if len(path[0]) > MAX_PATH_BYTES:
            return
        seen = self._seen.get(path)
        is_same = seen is not None and (seen.outline, seen.has_blocks) == (outline, has_blocks)
        self._seen[path] = _Seen(outline, has_blocks, seen.times + 1 if seen and is_same else 1)

    def forget(self, key: Key) -> None:
        """What was told of that page did not hold."""
        self._seen.pop(_path(key), None)


def _path(key: Key) -> Key:
    """Pages of one path that differ by the query come of one template."""
    return (key[0].partition(b"?")[0], *key[1:])


def outline_of(marks: Iterable[str], loose: Iterable[str], codec: str) -> PagePlan:
    """A page's marks without what is around them; our script is the page's own affair."""
    names = tuple(name for name in marks if name != SCRIPT)
    nothing = (b"",) * len(names)
    return PagePlan((b"", *nothing), names, nothing, loose=frozenset(loose) - {SCRIPT}, codec=codec)

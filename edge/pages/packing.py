"""Deflates what many responses share once: a page's chunks and defaults, contents, cards."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from edge.pages.stitch import Part, deflated, stitched

if TYPE_CHECKING:
    from edge.pages.plan import PagePlan

QUICK: Final = 1
THOROUGH: Final = 6
"""A sixth smaller, three to four times the work."""
THOROUGH_FROM: Final = 16
"""Responses of one plan after which that pays: most pages of a large site are asked for a few times."""
MAX_THOROUGH_BYTES: Final = 512 << 10
"""It holds the event loop for about 20 µs a kilobyte."""
MAX_FRAGMENTS_BYTES: Final = 8 << 20


class Packing:
    """A plan's static parts, deflated when a response first needs them."""

    __slots__ = ("_chunks", "_defaults", "_uses")

    def __init__(self) -> None:
        self._uses = 0
        self._chunks: list[Part] = []
        self._defaults: list[Part] = []

    def fill(self, plan: "PagePlan", fragments: Mapping[str, Part]) -> bytes:
        """`PagePlan.fill`, as a gzip stream."""
        self._uses += 1
        if self._uses in (1, THOROUGH_FROM):
            self._pack(plan)
        parts = [self._chunks[0]]
        for number, name in enumerate(plan.placements):
            parts += (fragments.get(name) or self._defaults[number], self._chunks[number + 1])
        return stitched(parts)

    def _pack(self, plan: "PagePlan") -> None:
        size = sum(map(len, plan.chunks))
        if self._uses > 1 and size > MAX_THOROUGH_BYTES:
            return
        level = QUICK if self._uses == 1 else THOROUGH
        self._chunks = [Part(raw, deflated(raw, level)).settle() for raw in plan.chunks]
        self._defaults = [Part(raw, deflated(raw, level)).settle() for raw in plan.defaults]


class Fragments:
    """What contents and cards are when deflated, by their bytes; bounded."""

    def __init__(self, max_bytes: int = MAX_FRAGMENTS_BYTES) -> None:
        self._known: dict[bytes, bytes] = {}
        self._max_bytes = max_bytes
        self._bytes = 0

    def part(self, pieces: Sequence[bytes]) -> Part:
        """The pieces as one part; all must be the same for everybody, or lengths would tell of a visitor."""
        try:
            return Part(b"".join(pieces), b"".join(map(self._known.__getitem__, pieces)))
        except KeyError:
            return Part(b"".join(pieces), b"".join(list(map(self._deflated, pieces))))

    def _deflated(self, piece: bytes) -> bytes:
        found = self._known.get(piece)
        if found is None:
            found = deflated(piece, THOROUGH)
            if self._bytes > self._max_bytes:
                self._known.clear()
                self._bytes = 0
            self._known[piece] = found
            self._bytes += len(piece) + len(found)
        return found

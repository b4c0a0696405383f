"""Compresses once what many responses share: a page's chunks and defaults, contents, cards; whole pages."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import brotli
import zstandard

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
    """A plan's static parts, deflated when a response first needs them, and its page in other codings."""

    __slots__ = ("_chunks", "_defaults", "_uses", "_wholes")

    def __init__(self) -> None:
        self._uses = 0
        self._wholes: dict[bytes, bytes] = {}
        self._chunks: list[Part] = []
        self._defaults: list[Part] = []

    def fill(self, plan: "PagePlan", fragments: Mapping[str, Part]) -> bytes:
        """`PagePlan.fill`, as a gzip stream."""
        return stitched(self.parts(plan, fragments))

    def parts(self, plan: "PagePlan", fragments: Mapping[str, Part]) -> list[Part]:
        """`PagePlan.fill`, in deflated parts, the first of them the first chunk."""
        self._uses += 1
        if self._uses in (1, THOROUGH_FROM):
            self._pack(plan)
        parts = [self._chunks[0]]
        for number, name in enumerate(plan.placements):
            parts += (fragments.get(name) or self._defaults[number], self._chunks[number + 1])
        return parts

    def whole(self, page: bytes, coding: bytes) -> bytes:
        """The plan's plain page in one of `WHOLE`; made for the first response that needs it."""
        found = self._wholes.get(coding)
        if found is None:
            found = self._wholes[coding] = WHOLE[coding](page)
        return found

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


def _brotli(page: bytes) -> bytes:
    quality = 5 if len(page) <= MAX_THOROUGH_BYTES else 2
    return bytes(brotli.compress(page, mode=brotli.MODE_TEXT, quality=quality))


def _zstd(page: bytes) -> bytes:
    level = 9 if len(page) <= MAX_THOROUGH_BYTES else 3
    return zstandard.ZstdCompressor(level=level).compress(page)


WHOLE: Final[Mapping[bytes, Callable[[bytes], bytes]]] = {b"br": _brotli, b"zstd": _zstd}
"""Codings in which no page can be stitched of parts, the smaller first. They take 1 to 2 ms for 100 kB."""

"""Cuts a page as it comes: what stands between marks, and each placement as soon as it is known to be one."""

import logging
import re
import secrets
from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

import lolhtml

from edge.pages.marks import COMMENT, ESI, Mark, Marker
from edge.pages.region import MAX_REGION_BYTES

log = logging.getLogger(__name__)

_EDGES: Final = rb"([<>\[\]])(\d+);"


class Hole(NamedTuple):
    """A placement of the page, with what the site has between its marks."""

    mark: Mark
    inside: bytes


class _Edge(NamedTuple):
    side: bytes
    number: int


Piece = bytes | Hole
_Token = bytes | _Edge


class Flow:
    """Gives what `edge.pages.plan.scan` finds in the whole page, piece by piece.

    A placement is given when it is closed, so that all that is in it has been seen; one that is never
    closed is none, and holds up what follows for as long as a placement may be. Where the parser gives up,
    the rest is given as it came: what was given before stays so.

    Attributes
    ----------
    page : bytearray
        All that came.
    names : list[str]
        The marks that were given, as `PagePlan.placements`.
    loose : set[str]
        As `PagePlan.loose`.
    """

    def __init__(self) -> None:
        self.page = bytearray()
        self.names: list[str] = []
        self.loose: set[str] = set()
        self._given = 0  # of the page
        self._marker = Marker(secrets.token_hex(8))
        self._edges = re.compile(self._marker.nonce.encode() + _EDGES)
        self._marked = bytearray()
        self._rewriter = lolhtml.HTMLRewriter(
            self._marked.extend, lolhtml.HTMLRewriterOptions(enable_esi_tags=True)
        )
        self._marker.register(self._rewriter)
        self._tokens: deque[_Token] = deque()
        self._is_over = False

    @property
    def script(self) -> bytes:
        """The tag that the page asks for, so far."""
        return self._marker.script

    @property
    def has_blocks(self) -> bool:
        """Whether something of it is marked as a block, so far."""
        return bool(self._marker.blocks)

    def take(self, data: bytes) -> list[Piece]:
        """What is known now that these bytes came."""
        self.page += data
        return self._parsed(data, ends=False)

    def end(self) -> list[Piece]:
        """What is left when the page is whole."""
        return self._parsed(b"", ends=True)

    def give_up(self) -> bytes:
        """What came and was not given; from now on, all is given as it comes."""
        self._is_over = True
        rest = bytes(self.page[self._given :])
        self._given = len(self.page)
        return rest

    def _parsed(self, data: bytes, *, ends: bool) -> list[Piece]:
        reads = not self._is_over and self._parse(data, ends=ends)
        pieces = list(self._settled(ends=ends)) if reads else []
        if self._is_over or not reads:
            pieces.append(self.give_up())
        return [piece for piece in pieces if piece]

    def _parse(self, data: bytes, *, ends: bool) -> bool:
        """Hand the bytes to the parser and take its tokens; whether it could read them."""
        try:
            self._rewriter.end() if ends else self._rewriter.write(data)
        except (RuntimeError, ValueError):  # text that parsers would read in two ways
            return False
        except BaseException as error:
            if type(error).__name__ != "PanicException":  # what lol-html panics with is no Exception
                raise
            log.error("lol-html panicked after %d bytes of a page", len(self.page))
            return False
        first, *more = self._edges.split(self._marked)
        self._marked.clear()
        self._tokens.append(bytes(first))
        for side, number, text in zip(more[0::3], more[1::3], more[2::3], strict=True):
            self._tokens += (_Edge(bytes(side), int(number)), bytes(text))
        return True

    def _settled(self, *, ends: bool) -> Iterator[Piece]:
        while self._tokens and not self._is_over:
            token = self._tokens[0]
            if isinstance(token, bytes):
                self._tokens.popleft()
                if token and self._is_next(token):
                    yield token
                continue
            if token.side == b"<":
                hole, is_known = self._hole(token.number, ends=ends)
                if not is_known:
                    return
                if hole is not None and self._is_next(hole.inside):
                    self.names.append(hole.mark.name)
                    if hole.mark.kind in (COMMENT, ESI):
                        self.loose.add(hole.mark.name)
                    yield hole
                    continue
            self._tokens.popleft()  # an edge of nothing

    def _hole(self, number: int, *, ends: bool) -> tuple[Hole | None, bool]:
        """The placement that begins here, taken out, or None if it is none; and whether that is known yet."""
        tokens = list(self._tokens)
        close = _Edge(b">", number)
        if close not in tokens:
            size = sum(len(token) for token in tokens if isinstance(token, bytes))
            return None, ends or size > MAX_REGION_BYTES
        at = tokens.index(close)
        after, is_whole = _after(tokens[at + 1 :])
        if not (is_whole or ends):
            return None, False
        inside = b"".join([token for token in tokens[:at] if isinstance(token, bytes)])
        mark = self._marker.marks[number]
        if not mark.holds(inside, after):
            return None, True
        for _ in range(at + 1):
            self._tokens.popleft()
        return Hole(mark, inside), True

    def _is_next(self, text: bytes) -> bool:
        """Whether this is what came next; else the parser changed something, and nothing of it counts."""
        end = self._given + len(text)
        if self.page[self._given : end] != text:
            self._is_over = True
            return False
        self._given = end
        return True


def _after(tokens: list[_Token]) -> tuple[bytes, bool]:
    """What follows up to the next mark, or enough of it to see which tag it is; whether it is that much."""
    text = b""
    for token in tokens:
        if isinstance(token, bytes):
            text += token
        if b">" in text or (isinstance(token, _Edge) and token.side == b"<"):
            return text, True
    return text, False

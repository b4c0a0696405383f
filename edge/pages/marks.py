"""Recognizes what a site marks in its pages: placements in three ways, and the place for our script."""

import re
from typing import Any, Final, NamedTuple

import lolhtml

from edge.pages.region import ATTRIBUTES, ENDS_ALL_INSIDE, MAY_STAY_OPEN, RAW_TEXT, stays_inside

MAX_PLACEMENTS: Final = 64
MAX_BLOCKS: Final = 256
MAX_LEFT: Final = 64
"""Marks that can't be used, of one page, that are told."""
PLACEMENT_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
"""What placements and blocks may be called."""

WHOLE_PAGE: Final = frozenset(("html", "head", "body"))
"""What is no part of a page that could stand elsewhere."""

HINTS: Final = (b"placement", b"data-block", b"nearside:script")
"""A page without any of them, in lower case, has no marks."""

COMMENT, ESI, SCRIPT = "#comment", "#esi", "nearside:script"
"""Kinds of marks beside elements, which are called by their names; `SCRIPT` is also the name of that mark."""

_OPENS: Final = re.compile(r"\s*placement:(.*?)\s*", re.DOTALL)
_CLOSES: Final = re.compile(r"\s*/placement(?::(\S+))?\s*")
_SCRIPT: Final = re.compile(r"\s*nearside:script(?:\s+nonce=\"([A-Za-z0-9+/_=-]{1,256})\")?\s*")
_INCLUDED: Final = re.compile(r"/placement/(.*)", re.DOTALL)
_END_TAG: Final = re.compile(rb"</([^\s/>]+)")
_INCLUDE: Final = re.compile(rb"<[^\s/>]++%s>" % ATTRIBUTES)


class Mark(NamedTuple):
    """One mark, in the order of the page.

    Attributes
    ----------
    kind : str
        The element that is marked, in lower case, or `COMMENT`, `ESI` or `SCRIPT`.
    foreign : bool
        Whether that element is of SVG or MathML.
    """

    number: int
    name: str
    kind: str
    foreign: bool = False

    def default(self, inside: bytes) -> bytes:
        """What stands there while nothing is decided; an ``<esi:include>`` is a mark and no markup."""
        return b"" if self.kind == ESI else inside

    def holds(self, inside: bytes, after: bytes) -> bool:
        """Whether the markup between its marks can be taken out without changing what is around.

        `after` is what follows: an element may end where one around it does, if it is one that may.
        """
        if self.kind == SCRIPT:
            return True
        if self.kind == ESI:
            return _INCLUDE.fullmatch(inside) is not None
        if self.kind == COMMENT:
            return stays_inside(inside)
        return self._is_ended(after) and stays_inside(inside, self.kind, foreign=self.foreign)

    def _is_ended(self, after: bytes) -> bool:
        found = _END_TAG.match(after)
        name = found[1].decode("latin-1").lower() if found else ""
        return name == self.kind or (self.kind in MAY_STAY_OPEN and name in ENDS_ALL_INSIDE)


class Marker:
    """Writes ``nonce<number;`` and ``nonce>number;`` around placements, with brackets around blocks.

    Attributes
    ----------
    blocks : list[tuple[str, str]]
        Names of blocks, and of their tags; a block stands with its tags.
    script : bytes
        The tag that the site asks for; empty if it does not.
    left : list[str]
        Marks that are none, and why, as ``NAME:REASON``.
    """

    def __init__(self, nonce: str) -> None:
        self.nonce = nonce
        self.marks: list[Mark] = []
        self.blocks: list[tuple[str, str]] = []
        self.left: list[str] = []
        self.script = b""

    def register(self, rewriter: lolhtml.HTMLRewriter) -> None:
        """Take part in a rewrite."""
        rewriter.on("[data-placement]", _Elements(self))
        rewriter.on("[data-block]", _Blocks(self))
        rewriter.on(r'esi\:include[src^="/placement/"]', _Includes(self))
        rewriter.on_document(_Comments(self))

    def begin(self, name: str, kind: str, *, foreign: bool = False) -> str:
        """A new mark's number, as text; empty where there can be none."""
        if kind != SCRIPT and not PLACEMENT_NAME.fullmatch(name):
            self.leave("page:name")
        elif kind in RAW_TEXT:
            self.leave(f"{name}:raw-text")
        elif len(self.marks) >= MAX_PLACEMENTS:
            self.leave(f"{name}:too-many")
        else:
            self.marks.append(Mark(len(self.marks), name, kind, foreign))
            return str(len(self.marks) - 1)
        return ""

    def leave(self, told: str) -> None:
        """Note a mark that is none."""
        if len(self.left) < MAX_LEFT:
            self.left.append(told)

    def edge(self, side: str, number: str) -> tuple[str, lolhtml.ContentType]:
        """What to write at one side of a mark."""
        return f"{self.nonce}{side}{number};", lolhtml.ContentType.HTML


class _Elements:
    def __init__(self, marker: Marker) -> None:
        self._marker = marker

    def element(self, element: Any) -> None:
        """Mark the inside of one element; called by the rewriter."""
        name = element.get_attribute("data-placement")
        foreign = not element.namespace_uri.endswith("xhtml")
        if number := self._marker.begin(name, element.tag_name.lower(), foreign=foreign):
            element.prepend(*self._marker.edge("<", number))
            element.append(*self._marker.edge(">", number))


class _Blocks:
    def __init__(self, marker: Marker) -> None:
        self._marker = marker

    def element(self, element: Any) -> None:
        """Mark one element, tags and all; called by the rewriter."""
        name, blocks = element.get_attribute("data-block"), self._marker.blocks
        if element.tag_name in RAW_TEXT or element.tag_name in WHOLE_PAGE:
            return
        if PLACEMENT_NAME.fullmatch(name) and len(blocks) < MAX_BLOCKS:
            number = str(len(blocks))
            blocks.append((name, element.tag_name))
            element.before(*self._marker.edge("[", number))
            element.after(*self._marker.edge("]", number))


class _Includes:
    def __init__(self, marker: Marker) -> None:
        self._marker = marker

    def element(self, element: Any) -> None:
        """Mark one ``<esi:include>``, tags and all; called by the rewriter."""
        found = _INCLUDED.fullmatch(element.get_attribute("src"))
        if number := self._marker.begin(found[1] if found else "", ESI):
            element.before(*self._marker.edge("<", number))
            element.after(*self._marker.edge(">", number))


class _Comments:
    def __init__(self, marker: Marker) -> None:
        self._marker = marker
        self._open: list[tuple[str, str]] = []

    def comments(self, comment: Any) -> None:
        """Mark what follows a comment that opens a placement, up to the one that closes it."""
        text = comment.text
        if found := _OPENS.fullmatch(text):
            if number := self._marker.begin(found[1], COMMENT):
                comment.after(*self._marker.edge("<", number))
            self._open.append((found[1], number))  # one that is no placement has its closing comment, too
        elif found := _CLOSES.fullmatch(text):
            self._close(comment, found[1])
        elif (found := _SCRIPT.fullmatch(text)) and not self._marker.script:
            self._ask(comment, found[1])

    def _ask(self, comment: Any, nonce: str | None) -> None:
        if number := self._marker.begin(SCRIPT, SCRIPT):
            told = f' nonce="{nonce}"' if nonce else ""
            self._marker.script = f'<script src="/_nearside/n.js"{told} defer></script>'.encode()
            comment.before(*self._marker.edge("<", number))
            comment.after(*self._marker.edge(">", number))

    def _close(self, comment: Any, name: str | None) -> None:
        """End the innermost open pair, or the innermost of a name; what was opened in it is never closed."""
        while self._open and name not in (None, self._open[-1][0]):
            self._open.pop()
        if not self._open:
            self._marker.leave("page:unopened")
        elif number := self._open.pop()[1]:
            comment.before(*self._marker.edge(">", number))

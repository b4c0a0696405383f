"""Cuts a page once into static chunks and its marked placements, and finds its marked blocks."""

import logging
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

import lolhtml

from edge.bundle.format import Layout
from edge.pages.packing import Packing

MAX_PLACEMENTS: Final = 64
MAX_BLOCKS: Final = 256
PLACEMENT_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
"""What placements and blocks may be called."""

RAW_TEXT: Final = frozenset(
    ("script", "style", "textarea", "title", "iframe", "noscript", "noembed", "noframes", "xmp", "plaintext")
)
"""Inside these, a fragment would be program or text, not markup."""

WHOLE_PAGE: Final = frozenset(("html", "head", "body"))
"""What is no part of a page that could stand elsewhere."""

VOID: Final = frozenset(("area", "br", "col", "embed", "hr", "img", "input", "source", "track", "wbr"))
"""Elements of which the start tag is all there is."""

log = logging.getLogger(__name__)


_Edge = tuple[bytes, int, int]
"""Of a block: on which side, its number, and where in the page."""


class Block(NamedTuple):
    """What a layout may move: the bytes of an element with its tags, from `start` to `end`."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class PagePlan:
    """A page as chunks around placements; independent of any bundle.

    Attributes
    ----------
    chunks : tuple[bytes, ...]
        Static bytes; one more than there are placements.
    placements : tuple[str, ...]
        Names, in the order of the page. A name may stand more than once.
    defaults : tuple[bytes, ...]
        What the site put inside each placement.
    blocks : tuple[Block, ...]
        Where layouts may take hold, in the order of the page; none overlaps another.
    packing : Packing
        The same, deflated.
    laid_out : dict
        The page by layout, as far as that was asked for: `edge.pages.layout` fills it.
    """

    chunks: tuple[bytes, ...]
    placements: tuple[str, ...]
    defaults: tuple[bytes, ...]
    blocks: tuple[Block, ...] = ()
    packing: Packing = field(default_factory=Packing, init=False, repr=False, compare=False)
    laid_out: dict[Layout, "PagePlan"] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def page(self) -> bytes:
        """The page as the site made it."""
        return self.fill({})

    def fill(self, fragments: dict[str, bytes]) -> bytes:
        """The page with these fragments; a placement without one keeps the site's default."""
        parts = [self.chunks[0]]
        for name, default, chunk in zip(self.placements, self.defaults, self.chunks[1:], strict=True):
            parts += (fragments.get(name, default), chunk)
        return b"".join(parts)


def scan(body: bytes) -> PagePlan:
    """Find what is marked in an HTML page: ``data-placement="name"``, and ``data-block="name"``.

    A placement inside a placement belongs to the outer one. One that is void,
    never closed, or of `RAW_TEXT` is left as it is. A block inside a block, or inside a
    placement, belongs to that one; a block has its own end tag, or is void. Bytes are
    never changed: a page that can't be cut so that its parts give it back is one chunk.
    """
    whole = PagePlan((body,), (), ())
    text = body.lower()
    if b"data-placement" not in text and b"data-block" not in text:
        return whole
    nonce = secrets.token_hex(8)
    marker = _Marker(nonce)
    marked = bytearray()
    rewriter = lolhtml.HTMLRewriter(marked.extend)
    rewriter.on("[data-placement]", marker)
    block_marker = _BlockMarker(nonce)
    rewriter.on("[data-block]", block_marker)
    try:
        rewriter.write(body)
        rewriter.end()
    except (RuntimeError, ValueError):  # lol-html refuses text that parsers would read in two ways
        return whole
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # what lol-html panics with is no Exception
            raise
        log.error("lol-html panicked on a page of %d bytes", len(body))
        return whole
    plan, edges = _cut(bytes(marked), nonce.encode(), marker.names)
    if plan.page != body:
        return whole
    return replace(plan, blocks=tuple(_blocks(edges, block_marker.elements, body)))


class _Marker:
    """Puts ``nonce<number`` and ``nonce>number`` with a semicolon around the inside of placements."""

    def __init__(self, nonce: str) -> None:
        self._nonce = nonce
        self.names: list[str] = []

    def element(self, element: Any) -> None:
        """Mark one element; called by the rewriter."""
        name = element.get_attribute("data-placement")
        if element.tag_name in RAW_TEXT:
            return
        if PLACEMENT_NAME.fullmatch(name) and len(self.names) < MAX_PLACEMENTS:
            number = len(self.names)
            self.names.append(name)
            element.prepend(f"{self._nonce}<{number};", lolhtml.ContentType.HTML)
            element.append(f"{self._nonce}>{number};", lolhtml.ContentType.HTML)


class _BlockMarker:
    """Puts ``nonce[number`` and ``nonce]number`` with a semicolon around blocks, their tags too."""

    def __init__(self, nonce: str) -> None:
        self._nonce = nonce
        self.elements: list[tuple[str, str]] = []
        """Names of blocks, and of their tags."""

    def element(self, element: Any) -> None:
        """Mark one element; called by the rewriter."""
        name = element.get_attribute("data-block")
        if element.tag_name in RAW_TEXT or element.tag_name in WHOLE_PAGE:
            return
        if PLACEMENT_NAME.fullmatch(name) and len(self.elements) < MAX_BLOCKS:
            number = len(self.elements)
            self.elements.append((name, element.tag_name))
            element.before(f"{self._nonce}[{number};", lolhtml.ContentType.HTML)
            element.after(f"{self._nonce}]{number};", lolhtml.ContentType.HTML)


def _cut(marked: bytes, nonce: bytes, names: list[str]) -> tuple[PagePlan, list[_Edge]]:
    """Split at the markers of the outermost closed placements; drop all other markers.

    Tells where those of blocks stood, outside of placements.
    """
    pieces = re.split(nonce + rb"([<>\[\]])(\d+);", marked)
    triples = list(zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True))
    closed = {number for side, number, _ in triples if side == b">"}
    parts: list[list[bytes]] = [[pieces[0]]]
    placements: list[str] = []
    edges: list[_Edge] = []
    inside: bytes | None = None
    offset = len(pieces[0])
    for side, number, text in triples:
        if inside is None and side in b"[]":
            edges.append((side, int(number), offset))
            parts[-1].append(text)
        elif inside is None and side == b"<" and number in closed:
            inside = number
            placements.append(names[int(number)])
            parts.append([text])
        elif inside == number and side == b">":
            inside = None
            parts.append([text])
        else:
            parts[-1].append(text)
        offset += len(text)
    joined = [b"".join(part) for part in parts]
    return PagePlan(tuple(joined[0::2]), tuple(placements), tuple(joined[1::2])), edges


def _blocks(edges: list[_Edge], elements: list[tuple[str, str]], body: bytes) -> Iterator[Block]:
    """The outermost blocks that begin and end outside of placements, each with its own end tag."""
    starts = {number: offset for side, number, offset in edges if side == b"["}
    ended = {
        number
        for side, number, end in edges
        if side == b"]" and number in starts and _is_whole(body[starts[number] : end], elements[number][1])
    }
    held = -1
    for side, number, offset in edges:
        if held < 0 and side == b"[" and number in ended:
            held = number
        elif held == number and side == b"]":
            yield Block(elements[number][0], starts[number], offset)
            held = -1


def _is_whole(element: bytes, tag: str) -> bool:
    """Whether the bytes end as the element does, and not with the end tag of one around it."""
    if tag in VOID or element.endswith(b"/>"):
        return True
    return re.search(rb"</%b[\s/]*>\Z" % re.escape(tag.encode()), element, re.IGNORECASE) is not None

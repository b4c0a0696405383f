"""Cuts a page once into static chunks and its marked placements."""

import logging
import re
import secrets
from dataclasses import dataclass, field
from typing import Any, Final

import lolhtml

from edge.pages.packing import Packing

MAX_PLACEMENTS: Final = 64
PLACEMENT_NAME: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")

RAW_TEXT: Final = frozenset(
    ("script", "style", "textarea", "title", "iframe", "noscript", "noembed", "noframes", "xmp", "plaintext")
)
"""Inside these, a fragment would be program or text, not markup."""

log = logging.getLogger(__name__)


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
    packing : Packing
        The same, deflated.
    """

    chunks: tuple[bytes, ...]
    placements: tuple[str, ...]
    defaults: tuple[bytes, ...]
    packing: Packing = field(default_factory=Packing, init=False, repr=False, compare=False)

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
    """Find the placements of an HTML page: elements marked ``data-placement="name"``.

    A placement inside a placement belongs to the outer one. One that is void,
    never closed, or of `RAW_TEXT` is left as it is. Bytes are never changed: a page that
    can't be cut so that its parts give it back is one chunk.
    """
    whole = PagePlan((body,), (), ())
    if b"data-placement" not in body.lower():
        return whole
    nonce = secrets.token_hex(8)
    marker = _Marker(nonce)
    marked = bytearray()
    rewriter = lolhtml.HTMLRewriter(marked.extend)
    rewriter.on("[data-placement]", marker)
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
    plan = _cut(bytes(marked), nonce.encode(), marker.names)
    return plan if plan.page == body else whole


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


def _cut(marked: bytes, nonce: bytes, names: list[str]) -> PagePlan:
    """Split at the markers of the outermost closed placements; drop all other markers."""
    pieces = re.split(nonce + rb"([<>])(\d+);", marked)
    closed = {number for side, number in zip(pieces[1::3], pieces[2::3], strict=True) if side == b">"}
    parts: list[list[bytes]] = [[pieces[0]]]
    placements: list[str] = []
    inside: bytes | None = None
    for side, number, text in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
        if inside is None and side == b"<" and number in closed:
            inside = number
            placements.append(names[int(number)])
            parts.append([text])
        elif inside == number and side == b">":
            inside = None
            parts.append([text])
        else:
            parts[-1].append(text)
    joined = [b"".join(part) for part in parts]
    return PagePlan(tuple(joined[0::2]), tuple(placements), tuple(joined[1::2]))

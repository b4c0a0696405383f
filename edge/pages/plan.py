"""A page as static chunks around its placements: found once, filled for each visitor."""

import logging
import secrets
from dataclasses import dataclass, field, replace
from typing import Final

import lolhtml

from edge.bundle.format import Layout
from edge.pages.charset import UTF_8
from edge.pages.cut import Block, Cut
from edge.pages.marks import COMMENT, ESI, HINTS, Marker
from edge.pages.packing import Packing

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
    blocks : tuple[Block, ...]
        Where layouts may take hold, in the order of the page; none overlaps another.
    loose : frozenset[str]
        Placements that no element holds: marked by comments or by ``<esi:include>``.
    resolved : bool
        Whether the plain page lacks the tags of ``<esi:include>`` that the site wrote.
    script : bytes
        The tag that the site asked for, where `SCRIPT` stands among the placements; or empty.
    codec : str
        The encoding that fragments need.
    left : tuple[str, ...]
        Marks that could not be used, and why, as ``NAME:REASON``.
    packing : Packing
        The same, deflated.
    laid_out : dict
        The page by layout, as far as that was asked for: `edge.pages.layout` fills it.
    """

    chunks: tuple[bytes, ...]
    placements: tuple[str, ...]
    defaults: tuple[bytes, ...]
    blocks: tuple[Block, ...] = ()
    loose: frozenset[str] = frozenset()
    resolved: bool = False
    script: bytes = b""
    codec: str = UTF_8
    left: tuple[str, ...] = ()
    packing: Packing = field(default_factory=Packing, init=False, repr=False, compare=False)
    laid_out: dict[Layout, "PagePlan"] = field(default_factory=dict, init=False, repr=False, compare=False)

    @property
    def page(self) -> bytes:
        """The plain page: as the site made it, but for the tags of ``<esi:include>``."""
        return self.fill({})

    def fill(self, fragments: dict[str, bytes]) -> bytes:
        """The page with these fragments; a placement without one keeps the site's default."""
        parts = [self.chunks[0]]
        for name, default, chunk in zip(self.placements, self.defaults, self.chunks[1:], strict=True):
            parts += (fragments.get(name, default), chunk)
        return b"".join(parts)


NO_PAGE: Final = PagePlan((b"",), (), ())
"""Of a request whose page is not there."""


def scan(body: bytes, codec: str = UTF_8) -> PagePlan:
    """Find what is marked in an HTML page.

    Placements are elements with ``data-placement="name"``, what stands between ``<!-- placement:name -->``
    and ``<!-- /placement -->``, and ``<esi:include src="/placement/name"/>``. One inside another belongs
    to that one. One that is void, never closed, of `RAW_TEXT`, or whose markup reaches beyond it for a
    browser, is left as it is. A block (``data-block="name"``) inside a block, or inside a placement,
    belongs to that one; it has its own end tag, or is void. Bytes are never changed: a page that can't
    be cut so that its parts give it back is one chunk, and so is one without a `codec`.
    """
    text = body.lower()
    if not any(hint in text for hint in HINTS):
        return PagePlan((body,), (), (), codec=codec)
    if not codec:
        return PagePlan((body,), (), (), codec=codec, left=("page:charset",))
    marker = Marker(secrets.token_hex(8))
    marked = _marked(body, marker)
    cut = Cut(marked, marker) if marked is not None else None
    if cut is None or cut.body != body:
        return PagePlan((body,), (), (), codec=codec, left=("page:ambiguous",))
    defaults = cut.defaults
    plan = PagePlan(
        tuple(cut.chunks),
        tuple([mark.name for mark in cut.marks]),
        tuple(defaults),
        loose=frozenset(mark.name for mark in cut.marks if mark.kind in (COMMENT, ESI)),
        resolved=defaults != cut.insides,
        script=marker.script,
        codec=codec,
        left=tuple(cut.left),
    )
    return replace(plan, blocks=tuple(cut.blocks(plan.page))) if marker.blocks else plan


def _marked(body: bytes, marker: Marker) -> bytes | None:
    """The body with all marks marked; None if the parser gives up."""
    marked = bytearray()
    rewriter = lolhtml.HTMLRewriter(marked.extend, lolhtml.HTMLRewriterOptions(enable_esi_tags=True))
    marker.register(rewriter)
    try:
        rewriter.write(body)
        rewriter.end()
    except (RuntimeError, ValueError):  # lol-html refuses text that parsers would read in two ways
        return None
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # what lol-html panics with is no Exception
            raise
        log.error("lol-html panicked on a page of %d bytes", len(body))
        return None
    return bytes(marked)

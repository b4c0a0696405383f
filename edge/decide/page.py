"""What campaigns may do to a page as a whole: lay out its blocks anew, or lead the visitor elsewhere."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

from edge.bundle import format as fmt
from edge.bundle.format import Layout, PageActions
from edge.bundle.reader import Bundle
from edge.decide.campaigns import LAYOUT, PAGE_LAYOUT, PAGE_REDIRECT, WHOLE_PAGE
from edge.decide.types import Decision, Slot
from edge.errors import BundleError

WORDS: Final[Mapping[str, str]] = {PAGE_LAYOUT: "layout", PAGE_REDIRECT: "redirect"}
"""What a slot of such a placement shows is called, where elsewhere it is a content."""

_URL: Final = re.compile(r"[!#$%&'()*+,./0-9:;=?@A-Z_a-z~-]+")
"""No quotes, spaces, backslashes or line breaks: what a header may hold, and browsers read in one way."""

_HOST: Final = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?")
_OWN: Final = "/_nearside/"


class Target(NamedTuple):
    """Where a redirect leads.

    Attributes
    ----------
    host : str
        With its port; empty for a path of the site.
    path : str
        As `plain_path` writes it.
    fields : tuple[tuple[str, str], ...]
        Of the query.
    """

    host: str
    path: str
    fields: tuple[tuple[str, str], ...]


def read_target(url: str) -> Target:
    """Where the URL leads: a path of the site, or an address with ``https``.

    Raises
    ------
    ValueError
        It could be read in two ways, or is neither; the message says what it would have to be.
    """
    if len(url) > fmt.MAX_URL_CHARS or not _URL.fullmatch(url):
        raise ValueError(f"write at most {fmt.MAX_URL_CHARS} characters, others percent-encoded")
    parts = urlsplit(url)
    if url.startswith("/"):
        if parts.netloc or url.startswith("//"):
            raise ValueError("begin a path of the site with one slash")
    elif parts.scheme != "https" or not _HOST.fullmatch(parts.netloc):
        raise ValueError("write a path of the site, like /sale, or https://HOST/path")
    if {".", ".."} & set(unquote(parts.path).split("/")) or parts.path.startswith(_OWN):
        raise ValueError("write the path without dots as its parts, and none of Nearside's own")
    fields = tuple(parse_qsl(parts.query, keep_blank_values=True))
    return Target(parts.netloc, plain_path(parts.path), fields)


def plain_path(path: str) -> str:
    """A path in the one form in which paths are compared: sites lead from one of its forms to another."""
    return re.sub("//+", "/", unquote(path)).rstrip("/").lower()


class WholePage:
    """The layouts and redirects of a bundle.

    Attributes
    ----------
    counts : tuple[int, int]
        How many layouts and redirects there are.
    asks : bool
        Whether there is any.
    """

    def __init__(self, document: PageActions) -> None:
        self.layouts = {layout.id: layout for layout in document.layouts}
        self.redirects = document.redirects
        self.counts = (len(document.layouts), len(document.redirects))
        self.asks = any(self.counts)
        self._names = ([layout.id for layout in document.layouts], document.redirects)
        self._targets: defaultdict[str, list[Target]] = defaultdict(list)
        _check(document)
        for url in document.redirects:
            target = read_target(url)
            self._targets[target.path].append(target)

    def name(self, action: int, target: int) -> str:
        """What a slot says that it shows: a layout's name, or where a redirect leads."""
        return self._names[action - LAYOUT][target]

    def is_target(self, host: str, path: str, fields: Mapping[str, str]) -> bool:
        """Whether some redirect leads to this very page: then none may lead on from there.

        Parameters
        ----------
        host
            Of the request, without its port.
        """
        return any(
            target.host.partition(":")[0] in ("", host)
            and all(fields.get(name, "") == value for name, value in target.fields)
            for target in self._targets.get(plain_path(path), ())
        )


def _check(document: PageActions) -> None:
    if len(document.layouts) > fmt.MAX_LAYOUTS or len(document.redirects) > fmt.MAX_REDIRECTS:
        raise BundleError("page", "too many layouts or redirects")
    if len({layout.id for layout in document.layouts}) < len(document.layouts):
        raise BundleError("page", "two layouts of one name")
    for layout in document.layouts:
        named = named_blocks(layout)
        if len(set(named)) < len(named):
            raise BundleError("page", f"layout {layout.id!r} names a block twice")
    for url in document.redirects:
        try:
            read_target(url)
        except ValueError as error:
            raise BundleError("page", f"a redirect to {url!r}: {error}") from error


def named_blocks(layout: Layout) -> Sequence[str]:
    """All blocks that the layout names."""
    return [*layout.order, *layout.hide, *(name for pair in layout.swap for name in pair)]


def blocks_of(layout: Layout) -> dict[str, object]:
    """What the layout does with which blocks, as JSON."""
    parts = {"order": layout.order, "hide": layout.hide, "swap": layout.swap}
    return {name: blocks for name, blocks in parts.items() if blocks}


NOTHING: Final = WholePage(PageActions())
"""What a bundle without layouts and redirects has."""


def load_page(bundle: Bundle) -> WholePage:
    """What the bundle says of pages as a whole.

    Raises
    ------
    BundleError
        ``page`` or ``artifact-list``: it is malformed, or there is more than one.
    """
    if not bundle.artifacts("rules", "page"):
        return NOTHING
    return WholePage(fmt.decode(bundle.read(bundle.one("rules", "page")), PageActions))


def redirect_of(decision: Decision) -> Slot | None:
    """The slot that leads the visitor elsewhere."""
    return next((slot for slot in decision.slots if slot.placement == PAGE_REDIRECT and slot.content), None)


def layout_of(decision: Decision) -> Slot | None:
    """The slot that lays the page out."""
    return next((slot for slot in decision.slots if slot.placement == PAGE_LAYOUT and slot.content), None)


def led_elsewhere(decision: Decision) -> Decision:
    """The decision without what a visitor who is led elsewhere never sees."""
    slot = redirect_of(decision)
    if slot is None:
        return decision
    assigned = tuple(one for one in decision.assigned if one[0] == slot.experiment)
    return Decision((slot,), decision.excluded, assigned)


def word_for(slot: Slot) -> str:
    """What `Slot.content` names: a content, a layout, or a URL to go to."""
    return WORDS.get(slot.placement, "content")


def is_whole_page(slot: Slot) -> bool:
    """Whether the slot is no place in the page."""
    return slot.placement in WHOLE_PAGE

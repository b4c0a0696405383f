"""What a page that does not come through the edge asks for: its context, read from its own request."""

import os
import time
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec

from edge.consent.policy import OPTED_OUT
from edge.decide.types import Context
from edge.errors import GivenError
from edge.visitor import cookie
from edge.worker.active import Active
from edge.worker.attributes.device import is_bot
from edge.worker.attributes.facts import Headers, Request
from edge.worker.turn.draft import SEED_MASK, item_of

MAX_URL_CHARS: Final = 8_192
MAX_COOKIES: Final = 16
MAX_COOKIE_CHARS: Final = 4_096
STRONGEST: Final = "session"
"""Nothing here can know a visitor beyond that: the edge's cookie is a third party's to such a page."""


class Page(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a script of ours runs; `cookies` are the page's own that consent is told by."""

    url: str
    referrer: str = ""
    cookies: dict[str, str] = {}


@dataclass(frozen=True)
class Asked:
    """Who asks for a page: the request's own headers, and where they come from."""

    headers: Headers
    peer: str


def page_context(
    page: Page, placements: tuple[str, ...], history: tuple[str, ...], asked: Asked, active: Active
) -> tuple[Context, str]:
    """The context that a page is in, and the item that it is about; of tier ``none`` where that is a bot.

    Whatever it states is its own affair: such a decision teaches nothing, and no state is read or written.

    Raises
    ------
    GivenError
        ``page``: it says where it is in a way that no browser would.
    """
    request = _request(page, asked)
    request.now_ms = time.time_ns() // 1_000_000
    grant = active.reader.consent.of(request.headers)
    tier = STRONGEST if grant.tier == "full" else grant.tier
    if is_bot(request.headers):
        tier = "none"
    # Read as if nobody were known: an absent state is not a new visitor's, and no cap can be kept.
    request.tier, request.granted = "contextual", grant.purposes
    attributes = active.reader.attributes(request)
    remembers = tier == STRONGEST and active.keeping.under(grant.purposes).items
    known = tuple(name for name in dict.fromkeys(placements) if name in active.engine.schema.placements)
    context = Context(
        request.now_ms,
        int.from_bytes(os.urandom(8), "little") & SEED_MASK,
        tier,
        attributes,
        tuple(dict.fromkeys(history)) if remembers else (),
        known,
        granted=active.reader.consent.names_of(grant.purposes),
    )
    return context, item_of(request.path, active) if remembers else ""


def _request(page: Page, asked: Asked) -> Request:
    """The request by which the page would have come through the edge."""
    if len(page.url) > MAX_URL_CHARS or len(page.referrer) > MAX_URL_CHARS:
        raise GivenError("page", f"an address of more than {MAX_URL_CHARS} characters")
    try:
        url = urlsplit(page.url)
        host, path, query = (part.encode("ascii") for part in (url.netloc, url.path, url.query))
        referrer, cookies = page.referrer.encode("ascii"), _cookies(page)
    except (ValueError, UnicodeEncodeError) as error:
        raise GivenError("page", f"no browser writes such an address or cookie: {error}") from error
    if url.scheme not in ("http", "https") or not host:
        raise GivenError("page", f"{page.url[:80]!r} is no page's address")
    headers = {**asked.headers, b"host": host, b"cookie": cookies, b"referer": referrer}
    for name in (b"cookie", b"referer"):
        if not headers[name]:
            del headers[name]
    return Request(unquote(path.decode()) or "/", query, headers, asked.peer)


def _cookies(page: Page) -> bytes:
    """A Cookie header of what the page's script can read; never ours, but for the one that opts out."""
    if len(page.cookies) > MAX_COOKIES:
        raise ValueError(f"more than {MAX_COOKIES} cookies")
    pairs = [f"{name}={value}" for name, value in page.cookies.items()]
    if any(len(pair) > MAX_COOKIE_CHARS or ";" in pair for pair in pairs):
        raise ValueError("a cookie that is none")
    told = cookie.without("; ".join(pairs).encode("latin-1"))
    return OPTED_OUT + b"=1; " + told if OPTED_OUT.decode() in page.cookies else told

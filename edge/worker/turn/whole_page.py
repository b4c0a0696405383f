"""Does what campaigns say about a page as a whole: lays out its blocks, or leads its visitor elsewhere."""

import re
from dataclasses import dataclass
from typing import Final

from msgspec.structs import replace

from edge.decide.campaigns import PAGE_LAYOUT, PAGE_REDIRECT
from edge.decide.engine import Engine
from edge.decide.page import WholePage, layout_of
from edge.decide.types import Context, Decision
from edge.pages.layout import lay_out
from edge.pages.plan import PagePlan
from edge.visitor.cookie import LED
from edge.worker.active import Active
from edge.worker.attributes.facts import Request, cookie_value
from edge.worker.attributes.referrer import host_of

LED_LIFETIME_S: Final = 10
MAX_CARRIED_BYTES: Final = 2_048

_QUERY: Final = re.compile(rb"[!$-;=?-Z\[\]_a-z~]*")
"""Without what a header must not hold, and without a fragment's beginning."""


@dataclass(slots=True)
class Whole:
    """What is done to one page as a whole.

    Attributes
    ----------
    peek : bool
        Whether it is only asked where the page leads, as by HEAD: nothing is recorded.
    plan : PagePlan or None
        The page as it is laid out.
    location : bytes
        Where the visitor is led instead of seeing it, or empty.
    cookie : bytes
        The Set-Cookie header's value that keeps a visitor from being led in circles, or empty.
    """

    peek: bool = False
    plan: PagePlan | None = None
    location: bytes = b""
    cookie: bytes = b""


def asked(page: WholePage, plan: PagePlan, request: Request) -> tuple[str, ...]:
    """Which of a page's placements as a whole there are to decide.

    A page that a redirect leads to leads nowhere, nor does one to which the visitor was just
    led: so nobody is led in circles, whatever audiences say and the site answers.
    """
    found: tuple[str, ...] = ()
    if page.redirects and not was_led(request):
        host = host_of(request.headers.get(b"host", b""))
        if not page.is_target(host, request.path, request.query):
            found = (PAGE_REDIRECT,)
    return (*found, PAGE_LAYOUT) if page.layouts and plan.blocks else found


def laid_out(
    plan: PagePlan, context: Context, decision: Decision, active: Active
) -> tuple[PagePlan, Context, Decision]:
    """The page as the decision lays it out; decided without the placements that are hidden with their blocks.

    So a record never says of what nobody could see that it was shown, and replays as it is.
    """
    engine = active.engine
    assert isinstance(engine, Engine)
    while True:
        slot = layout_of(decision)
        laid = plan if slot is None else lay_out(plan, engine.page.layouts[slot.content])
        kept = tuple(name for name in context.placements if _stands(name, plan, laid))
        if kept == context.placements:
            return laid, context, decision
        context = replace(context, placements=kept)
        (decision,) = engine.decide_batch([context], active.killed, active.weights, active.stock)


def _stands(placement: str, plan: PagePlan, laid: PagePlan) -> bool:
    return placement in laid.placements or placement not in plan.placements


def was_led(request: Request) -> bool:
    """Whether a redirect of ours made this request."""
    header = request.headers.get(b"cookie", b"")
    return LED in header and cookie_value(header, LED) is not None


def location(url: str, query: bytes) -> bytes:
    """Where to go. Within the site the request's query goes along, but for fields that the URL has itself."""
    target = url.encode("ascii")
    if not target.startswith(b"/") or len(query) > MAX_CARRIED_BYTES or not _QUERY.fullmatch(query):
        return target
    path, hash_, fragment = target.partition(b"#")
    before, _, own = path.partition(b"?")
    names = {_name(part) for part in own.split(b"&")}
    parts = [part for part in own.split(b"&") if part]
    parts += [part for part in query.split(b"&") if part and _name(part) not in names]
    return before + (b"?" + b"&".join(parts) if parts else b"") + hash_ + fragment


def _name(part: bytes) -> bytes:
    return part.partition(b"=")[0]


def led_cookie(*, secure: bool, lifetime_s: int = LED_LIFETIME_S) -> bytes:
    """The Set-Cookie header's value that says that the visitor was led, or (0 s) that they have arrived."""
    parts = [LED + b"=1", b"Path=/", b"Max-Age=%d" % lifetime_s, b"HttpOnly", b"SameSite=Lax"]
    return b"; ".join([*parts, b"Secure"] if secure else parts)

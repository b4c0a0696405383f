"""All that is known of one visitor, gathered for their own page: nothing is written or counted."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from msgspec.structs import replace

from edge.bundle.format import Attribute
from edge.decide.behaviours import Behaviour
from edge.decide.campaigns import WHOLE_PAGE
from edge.decide.engine import EmptyEngine, Engine
from edge.decide.types import Context, Decision, Value
from edge.errors import TokenError
from edge.pages.plan import PagePlan
from edge.visitor import cookie
from edge.visitor.buckets import NEVER_H, value
from edge.visitor.events import capped
from edge.visitor.state import NEW, VisitorState
from edge.visitor.wishes import NO_WISHES, Wishes
from edge.worker.active import Active
from edge.worker.attributes.device import is_bot
from edge.worker.attributes.request import Headers, Request
from edge.worker.me.why import tests
from edge.worker.turn.draft import RANDOM_BYTES, draft_of, open_wishes
from edge.worker.turn.view import Desk, PageView

_NO_PAGE: Final = PagePlan((b"",), (), ())
_UNITS: Final = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))


@dataclass(frozen=True)
class Fact:
    """One thing that decisions may look at: its name, its value, and from what it is known."""

    name: str
    value: str
    source: str


@dataclass(frozen=True)
class Known:
    """What is known of a visitor, and the decision of one page for them.

    Attributes
    ----------
    tier, asked : str
        The consent tier, and who said so: as `Policy.source`.
    bot : bool
        Whether they look like a program.
    state : VisitorState
        As it was kept; `NEW` where nothing is.
    decision : Decision or None
        Of the page, in `context`; None where nothing is decided for this visitor.
    """

    tier: str
    asked: str
    bot: bool = False
    state: VisitorState = NEW
    wishes: Wishes = NO_WISHES
    facts: tuple[Fact, ...] = ()
    counted: tuple[str, ...] = ()
    tests: dict[str, str] = field(default_factory=dict)
    context: Context | None = None
    decision: Decision | None = None


def known(request: Request, active: Active, desk: Desk) -> Known:
    """What is known of whoever asks, and what the page of this request looks like for them."""
    engine, headers = active.engine, request.headers
    if is_bot(headers):
        return Known("none", "default", bot=True)
    consent = active.reader.consent
    grant, asked = consent.of(headers), consent.source(headers)
    request.tier, request.granted = grant.tier, grant.purposes
    if isinstance(engine, EmptyEngine) or grant.tier == "none":
        return Known(grant.tier, asked)
    draft = draft_of(PageView(request, _NO_PAGE, b""), active, desk, os.urandom(RANDOM_BYTES))
    names = tuple(name for name in engine.schema.placements if name not in WHOLE_PAGE)
    context = replace(draft.context, placements=(*draft.context.placements, *names))
    keeps = grant.tier in ("session", "full")
    wishes = open_wishes(headers, request.before, desk) if keeps else NO_WISHES
    return Known(
        grant.tier,
        asked,
        state=request.before,
        wishes=wishes,
        facts=tuple(_facts(engine, context)),
        counted=tuple(_counted(engine, request)),
        tests=dict(tests(engine, context)),
        context=context,
        decision=engine.decide(context, active.killed, active.weights, active.stock),
    )


def held_state(headers: Headers, desk: Desk) -> VisitorState:
    """Whoever the cookie says this is, whatever they consent to: whose form is posted goes by it."""
    sealed = cookie.find(headers.get(b"cookie", b""))
    try:
        return desk.cookies.open(sealed) if sealed else NEW
    except TokenError:
        return NEW


def _facts(engine: Engine, context: Context) -> Iterator[Fact]:
    declared = {attribute.name: attribute for attribute in engine.schema.attributes}
    for name, found in sorted(context.attributes.items()):
        if name in declared and not name.startswith(("behaviour.", "cap.", "time.now")):
            yield Fact(name, _text(found, name, engine), _source(declared[name]))


def _text(found: Value, name: str, engine: Engine) -> str:
    if isinstance(found, bool):
        return "yes" if found else "no"
    if isinstance(found, list):
        return ", ".join(engine.about.title(str(one)) for one in found)
    if name == "visitor.last_item" and isinstance(found, str):
        return engine.about.title(found)
    return f"{found:g}" if isinstance(found, float) else str(found)


def _source(attribute: Attribute) -> str:
    kind, _, name = attribute.source.partition(":")
    if kind == "builtin":
        return _BUILT_IN.get(attribute.name.partition(".")[0], "your browser's request")
    return {
        "front": "your network address, by the network before this site",
        "header": f"the header {name} of the request",
        "query": f"the page's address ({name})",
        "cookie": f"the site's cookie {name}",
        "list": "a list of ids that the site keeps",
        "fact": "what the site told about you",
    }.get(kind, "your browser's request")


_BUILT_IN: Final = {
    "visitor": "your cookie of this site",
    "consent": "what you agreed to",
    "time": "the clock",
    "url": "the page's address",
    "utm": "the page's address",
    "referrer": "the page that you came from",
}


def _counted(engine: Engine, request: Request) -> Iterator[str]:
    """What behaviours and caps count of the visitor, in words; nothing of what did not happen."""
    now_s, held = request.now_ms // 1000, request.counted
    for behaviour in engine.behaviours.by_name.values():
        if body := held.get(behaviour.tag):
            amount = value(behaviour, body, now_s)
            if amount and amount != NEVER_H:
                yield f"{behaviour.name}: {_amount(behaviour, amount)}"
    shown = capped(request.events.caps, engine.caps, now_s, request.state.visits)
    for caps in engine.caps.of.values():
        for cap in caps:
            if cap.name in shown:
                yield f"campaign “{cap.campaign}”: {_seen(cap.measure, cap.window_s, shown[cap.name])}"


def _amount(behaviour: Behaviour, amount: float) -> str:
    back = f"your last {behaviour.last}" if behaviour.last else f"the last {lasting(behaviour.window_s)}"
    if behaviour.measure == "recency":
        return f"{amount:.1f} hours ago"
    if behaviour.measure == "rate":
        return f"{amount:.0%} of {back}"
    what = {"count": "time", "distinct": "different one", "sum": "together"}[behaviour.measure]
    what += "s" if amount != 1 and behaviour.measure != "sum" else ""
    return f"{amount:g} {what} in {back}"


def _seen(measure: str, window_s: int, amount: float) -> str:
    if measure == "recency":
        return f"seen {amount:.1f} hours ago"
    when = "this visit" if measure == "visit" else f"the last {lasting(window_s)}"
    return f"seen {amount:g} time{'s' if amount != 1 else ''} in {when}"


def lasting(seconds: int) -> str:
    """A length of time in its largest whole unit."""
    name, size = next(unit for unit in _UNITS if seconds % unit[1] == 0)
    count = seconds // size
    return f"{count} {name}{'s' if count != 1 else ''}"

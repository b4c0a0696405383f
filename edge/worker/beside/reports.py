"""What pages report: checked against the page's token, and counted in the visitor's own state."""

from dataclasses import dataclass
from typing import Final

import msgspec

from edge.consent.policy import Grant
from edge.decide.behaviours import Fed
from edge.decide.caps import BOUGHT, PAGE_KINDS, PURCHASE, SHOWN_KINDS, Cap
from edge.decide.engine import EmptyEngine, Engine
from edge.decide.types import CONSENT_TIERS, Event
from edge.errors import GivenError, TokenError
from edge.events.token import Shown
from edge.visitor import cookie
from edge.visitor.buckets import feed
from edge.visitor.events import OF_BYTES, VERSION, EventState, Reported, feed_caps, with_bought
from edge.visitor.state import VisitorState
from edge.worker.active import Active
from edge.worker.attributes.request import Headers, is_secure
from edge.worker.turn.draft import open_events, opened
from edge.worker.turn.view import Desk

MAX_EVENTS: Final = 32
"""Of one request."""

MAX_REPEATS: Final = 1000
MAX_VALUE: Final = 1e9
MAX_PAGE_EVENTS: Final = 512
"""That one page may report to a worker, whatever they are."""

MAX_PAGES: Final = 4096
"""Pages whose events a worker remembers the number of."""


class Entry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One event; `n` numbers repeats of the same kind on the same item.

    `item` may be left out of what a placement shows whole, and of what the site's script reports.
    """

    kind: str
    item: str = ""
    placement: str = ""
    n: int = 0
    value: float = 0.0


class Beacon(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of ``POST /_nearside/events``."""

    token: str
    events: tuple[Entry, ...]


@dataclass(frozen=True)
class Report:
    """What a page may report of what it asked to."""

    shown: Shown
    events: tuple[Event, ...]


class Gate:
    """Lets the events of pages through, as far as their tokens go; one for a worker."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._taken: dict[str, int] = {}

    def check(self, beacon: Beacon, engine: Engine | EmptyEngine, now_ms: int) -> Report:
        """The events that the page may report; what it may not is left out, and counted.

        Raises
        ------
        GivenError
            There are too many, or there is none that it may report.
        TokenError
            The token can't be believed, or nothing that is reported was shown.
        """
        if not 1 <= len(beacon.events) <= MAX_EVENTS:
            raise GivenError("events", f"{len(beacon.events)} events, not 1 to {MAX_EVENTS}")
        shown = self._desk.tokens.open(beacon.token.encode(), now_ms // 1000)
        found: list[Event] = []
        refused: list[GivenError] = []
        for entry in beacon.events:
            try:
                found += _events(entry, shown, engine, now_ms)
            except GivenError as error:
                refused.append(error)
                self._desk.counters.add(f'nearside_refused_events_total{{code="{error.code}"}}')
        if refused and not found:
            raise refused[0]
        self._admit(shown.decision, len(found))
        return Report(shown, tuple(found))

    def _admit(self, decision: str, count: int) -> None:
        so_far = self._taken.pop(decision, 0) + count
        if so_far > MAX_PAGE_EVENTS:
            raise GivenError("too-many", f"more than {MAX_PAGE_EVENTS} events of one page")
        self._taken[decision] = so_far
        while len(self._taken) > MAX_PAGES:
            del self._taken[next(iter(self._taken))]


def _events(entry: Entry, shown: Shown, engine: Engine | EmptyEngine, now_ms: int) -> list[Event]:
    """The event, or none where it is about a placement that kept the site's default."""
    if not 0 <= entry.n < MAX_REPEATS:
        raise GivenError("n", f"{entry.n} is not within 0..{MAX_REPEATS - 1}")
    if entry.kind in SHOWN_KINDS:
        items = shown.items(entry.placement)
        if not entry.item and len(items) != 1:
            return []
        item, value = entry.item or items[0], 0.0
        if item not in items:
            raise TokenError("not-shown", f"{item!r} was not shown in {entry.placement!r}")
    elif entry.kind in PAGE_KINDS:
        item, value = "", _of_page(entry)
    else:
        item, value = _business(entry, engine), entry.value
    return [Event(shown.decision, entry.kind, item, entry.n, entry.placement, "", now_ms, value)]


def _of_page(entry: Entry) -> float:
    """What the page tells of itself."""
    most = PAGE_KINDS[entry.kind]
    if not 0 <= entry.value <= most:
        raise GivenError("value", f"{entry.value:g} is not within 0..{most}")
    if entry.placement or entry.item:
        raise GivenError("placement", f"a {entry.kind} is of the page as a whole")
    if entry.n:
        raise GivenError("n", f"a page tells its {entry.kind} once")
    return entry.value


def _business(entry: Entry, engine: Engine | EmptyEngine) -> str:
    """The item of an event that the site's script reports, or empty."""
    if isinstance(engine, EmptyEngine) or entry.kind not in engine.kinds:
        raise GivenError("kind", f"{entry.kind!r} is no event of this site")
    if not 0 <= entry.value <= MAX_VALUE:
        raise GivenError("value", f"{entry.value:g} is not within 0..{MAX_VALUE:g}")
    if entry.placement:
        raise GivenError("placement", f"a {entry.kind} has no placement")
    if entry.item and engine.items.find(entry.item.encode()) < 0:
        raise GivenError("item", f"the catalog has no {entry.item!r}")
    return entry.item


@dataclass(frozen=True)
class Reporter:
    """Whose page reports: the request's headers, and what the visitor granted by now."""

    headers: Headers
    grant: Grant


def permitted(report: Report, grant: Grant, active: Active, desk: Desk) -> Report:
    """The events that the visitor's consent covers still: by now they may have withdrawn it.

    What a page reports belongs to its decision, which may have an id: under a weaker tier than the page's
    it did not happen.
    """
    tier = report.shown.tier
    if not tier:
        return report
    events: tuple[Event, ...] = ()
    if CONSENT_TIERS.index(grant.tier) >= CONSENT_TIERS.index(tier):
        consent = active.reader.consent
        events = tuple([one for one in report.events if consent.hears(one.kind, grant.purposes)])
    _note(desk, "withheld", len(report.events) - len(events))
    return Report(report.shown, events)


def count(report: Report, reporter: Reporter, active: Active, desk: Desk, now_s: int) -> bytes:
    """A Set-Cookie header's value with the events counted in the visitor's state, or empty.

    Nothing is ever set for a visitor of whom no state is kept: below the consent
    tier `session`, and where no answer to a page view began one.
    """
    engine = active.engine
    if isinstance(engine, EmptyEngine) or not engine.hears or not report.events:
        return b""
    headers, tier = reporter.headers, reporter.grant.tier
    kept = active.keeping.under(reporter.grant.purposes)
    state = _state(headers, desk) if tier in ("session", "full") else None
    if state is None or (tier == "session" and state.visitor):
        _note(desk, "no-state", len(report.events))
        return b""
    before = kept.events(open_events(headers, state, desk))
    reported = Reported(before.reported)
    fed, capped, bought = _fed(report, engine, reported, desk)
    after = EventState(
        VERSION,
        state.visitor[:OF_BYTES],
        feed(before.behaviours, kept.fed(tuple(fed)), kept.behaviours, now_s),
        feed_caps(before.caps, capped, now_s, state.visits) if capped else before.caps,
        reported.pack(),
        with_bought(before.bought, bought) if BOUGHT in engine.reads else (),
    )
    if after == before:
        return b""
    lifetime_s = desk.cookie_lifetime_s if tier == "full" else 0
    sealed = desk.cookies.seal_events(after)
    return cookie.set_cookie(cookie.EVENTS_NAME, sealed, lifetime_s, secure=is_secure(headers))


def _state(headers: Headers, desk: Desk) -> VisitorState | None:
    """The visitor's state, which is only looked at here."""
    sealed = cookie.find(headers.get(b"cookie", b""))
    return opened(sealed, desk.cookies.open, None, desk)


def _fed(
    report: Report, engine: Engine, reported: Reported, desk: Desk
) -> tuple[list[Fed], list[Cap], list[str]]:
    """What events feed, and what was bought: each once; things once a placement, campaigns once a page."""
    fed: list[Fed] = []
    capped: list[Cap] = []
    bought: list[str] = []
    decision = report.shown.decision
    fresh = 0
    for event in report.events:
        of_page = event.kind in SHOWN_KINDS
        repeat = event.placement if of_page else event.n
        if not reported.is_new(decision, event.kind, event.item, repeat):
            continue
        fresh += 1
        position = engine.items.find(event.item.encode()) if event.item else -1
        if event.kind == PURCHASE and event.item:
            bought.append(event.item)
        fed += engine.behaviours.fed_by_event(event.kind, position, event.item, event.value)
        campaign = report.shown.campaign(event.placement) if of_page else ""
        caps = [cap for cap in engine.caps.of.get(campaign, ()) if cap.event == event.kind]
        if caps and reported.is_new(decision, event.kind, campaign):
            capped += caps
    _note(desk, "counted", fresh)
    _note(desk, "repeated", len(report.events) - fresh)
    return fed, capped, bought


def _note(desk: Desk, outcome: str, events: int) -> None:
    if events:
        desk.counters.add(f'nearside_reported_events_total{{outcome="{outcome}"}}', events)

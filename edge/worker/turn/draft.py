"""From a page view to the context in which it is decided: opens what the visitor agreed to be known by."""

import contextlib
from collections.abc import Callable
from typing import Final, TypeVar

from msgspec.structs import replace

from edge.decide.engine import EmptyEngine, Engine
from edge.decide.types import Context
from edge.errors import TokenError
from edge.events.forced import PARAMETER as FORCED_PARAMETER
from edge.visitor import cookie
from edge.visitor.buckets import feed
from edge.visitor.events import NOTHING, EventState, belongs, capped
from edge.visitor.merge import merge
from edge.visitor.state import NEW, VisitorState, arrive, is_over, view
from edge.visitor.wishes import NO_WISHES, Wishes, history
from edge.visitor.wishes import belongs as are_theirs
from edge.worker.active import Active
from edge.worker.attributes.device import is_bot
from edge.worker.attributes.request import Headers, Request
from edge.worker.kept import Kept
from edge.worker.turn import whole_page
from edge.worker.turn.boundary import note_failure
from edge.worker.turn.view import Desk, Draft, PageView

FORCED_BYTES: Final = FORCED_PARAMETER.encode()
SEED_MASK: Final = (1 << 63) - 1
T = TypeVar("T")
U = TypeVar("U")

RANDOM_BYTES: Final = 16 + 8 + 16 + cookie.NONCE_BYTES


def draft_of(view_: PageView, active: Active, desk: Desk, random: bytes) -> Draft:
    """What there is to decide for a view whose tier and purposes are known; `RANDOM_BYTES` are its own."""
    request, engine = view_.request, active.engine
    request.shelf = active.shelf
    keep = request.tier in ("session", "full")
    kept = active.keeping.under(request.granted)
    item = item_of(request.path, active) if kept.items else ""
    read_only = False
    wishes = NO_WISHES
    if keep:
        read_only = _open(view_, active, desk, item, random[24:40])
        if cookie.WISHES_NAME in request.headers.get(b"cookie", b""):
            wishes = kept.wishes(open_wishes(request.headers, request.before, desk, read_only=read_only))
    else:
        forget(view_)
    attributes = active.reader.attributes(request)
    if request.events.caps:
        now_s = request.now_ms // 1000
        attributes |= capped(request.events.caps, engine.caps, now_s, request.state.visits)
    placements = asked_of(view_, active)
    if view_.peeks:
        item, keep = "", False
    context = Context(
        request.now_ms,
        int.from_bytes(random[16:24], "little") & SEED_MASK,
        request.tier,
        attributes,
        history(request.state.items, wishes) if wishes.liked else request.state.items,
        placements,
    )
    if wishes.muted:
        context = replace(context, muted=wishes.muted)
    if active.reader.consent.names:
        context = replace(context, granted=active.reader.consent.names_of(request.granted))
    if engine.divides:
        context = _divided(context, request, desk, read_only=read_only)
    return Draft(view_, random[:16].hex(), context, request.state, random[40:], item, keep, read_only)


def asked_of(view_: PageView, active: Active) -> tuple[str, ...]:
    """What there is to decide of a page: its placements, and the page as a whole."""
    engine = active.engine
    masks = engine.schema.placements
    placements = tuple([name for name in view_.plan.placements if name in masks])
    if engine.page.asks:
        placements += whole_page.asked(engine.page, view_.plan, view_.request)
    return placements


def _open(view_: PageView, active: Active, desk: Desk, item: str, visitor: bytes) -> bool:
    """Read the visitor's state into the request, with this view counted; whether it must not be written."""
    request, engine = view_.request, active.engine
    kept = active.keeping.under(request.granted)
    opened, read_only = _open_state(request, desk)
    request.before = kept.state(opened)
    if opened is NEW and not read_only:
        view_.forgets = _held(request, cookie.OF_VISITOR[1:])  # they are of somebody else
    state = arrive(request.before, request.now_ms // 1000, visitor if request.tier == "full" else b"")
    request.state = view(state, item) if item else state
    if engine.behaviours:
        request.state = _counted(request, item, engine, kept)
    if engine.hears:
        request.events = kept.events(open_events(request.headers, request.before, desk))
    return read_only


def _counted(request: Request, item: str, engine: Engine | EmptyEngine, kept: Kept) -> VisitorState:
    """The state with this page view counted by the behaviours that it feeds."""
    behaviours, state = engine.behaviours, request.state
    position = engine.items.find(item.encode()) if item and isinstance(engine, Engine) else -1
    fed = kept.fed(behaviours.fed_by(request.path, position))
    if not fed:
        return state
    return replace(state, behaviours=feed(state.behaviours, fed, kept.behaviours, request.now_ms // 1000))


def _divided(context: Context, request: Request, desk: Desk, *, read_only: bool) -> Context:
    """The context with what experiments go by; a visitor whom no cookie can hold has no unit."""
    forced: tuple[tuple[str, str], ...] = ()
    value = request.query.get(FORCED_PARAMETER) if FORCED_BYTES in request.query_string else None
    if value is not None:
        try:
            demand = desk.forced.open(value, request.now_ms // 1000)
            forced = ((demand.experiment, demand.variation),)
        except TokenError as error:
            desk.counters.add(f'nearside_refused_requests_total{{route="page",code="{error.code}"}}')
    state = NEW if read_only else request.state
    return replace(context, unit=state.visitor.hex(), assigned=state.assigned, forced=forced)


def _open_state(request: Request, desk: Desk) -> tuple[VisitorState, bool]:
    """The visitor's state, and whether it is of a newer version, not to be written over."""
    found, newer = NEW, False
    for sealed in cookie.find_all(request.headers.get(b"cookie", b"")):
        try:
            state = desk.cookies.open(sealed)
        except TokenError as error:
            note_refused(error, desk)
            newer = newer or error.code == "cookie-newer"
            continue
        found = state if found is NEW else merge(found, state)
    if newer:
        return NEW, True
    if request.tier == "session" and (found.visitor or is_over(found, request.now_ms // 1000)):
        return NEW, False  # consent was reduced: the identifier ends here; or the session did
    return found, False


async def look_up(headers: Headers, active: Active, desk: Desk) -> None:
    """Have the facts about whoever asks at hand, if that takes no longer than a page may wait."""
    remote = active.shelf.remote
    if remote is None:
        return
    try:
        if visitor := looked_up(headers, active, desk):
            await remote.look_up(visitor)
    except Exception as error:
        note_failure(error, "looking up facts", desk.counters)


def looked_up(headers: Headers, active: Active, desk: Desk) -> bytes:
    """The visitor about whom facts have to be looked up before anything is decided; empty without one."""
    reader = active.reader
    if cookie.NAME not in headers.get(b"cookie", b"") or is_bot(headers):
        return b""
    grant = reader.consent.of(headers)
    if grant.tier != "full" or not reader.asks_facts(grant.purposes):
        return b""
    for sealed in cookie.find_all(headers[b"cookie"]):
        with contextlib.suppress(TokenError):  # counted where it is read for the page
            return desk.cookies.open(sealed).visitor
    return b""


def open_events(headers: Headers, state: VisitorState, desk: Desk) -> EventState:
    """What pages reported of the visitor of this state; nothing where that was someone else."""
    sealed = cookie.find(headers.get(b"cookie", b""), cookie.EVENTS_NAME)
    events = opened(sealed, desk.cookies.open_events, NOTHING, desk)
    return events if belongs(events, state.visitor) else NOTHING


def open_wishes(headers: Headers, state: VisitorState, desk: Desk, *, read_only: bool = False) -> Wishes:
    """What the visitor of this state wished; a state that can't be read here vouches for nobody."""
    sealed = cookie.find(headers.get(b"cookie", b""), cookie.WISHES_NAME)
    wishes = opened(sealed, desk.cookies.open_wishes, NO_WISHES, desk)
    return wishes if read_only or are_theirs(wishes, state) else NO_WISHES


def opened(sealed: bytes, box: Callable[[bytes], T], otherwise: U, desk: Desk) -> T | U:
    """What a box opens; what can't be believed is counted, and counts for nothing."""
    if not sealed:
        return otherwise
    try:
        return box(sealed)
    except TokenError as error:
        note_refused(error, desk)
        return otherwise


def note_refused(error: TokenError, desk: Desk) -> None:
    """Count a cookie that can't be believed."""
    desk.counters.add(f'nearside_cookies_refused_total{{code="{error.code}"}}')


def item_of(path: str, active: Active) -> str:
    """The catalog item whose page this is, or empty."""
    before, hole, after = active.engine.schema.item_path.partition("{item}")
    if not hole or not path.startswith(before) or not path.endswith(after):
        return ""
    item = path[len(before) : len(path) - len(after)]
    engine = active.engine
    known = not isinstance(engine, EmptyEngine) and engine.items.find(item.encode()) >= 0
    return item if known else ""


def forget(view_: PageView) -> None:
    """Erase a state that the visitor's consent no longer covers."""
    held = _held(view_.request, cookie.OF_VISITOR)
    if held:
        view_.forgets, view_.private = held, True


def _held(request: Request, names: tuple[bytes, ...]) -> tuple[bytes, ...]:
    """Which of these cookies the request has."""
    header = request.headers.get(b"cookie", b"")
    if cookie.NAME not in header:  # the others begin so, too
        return ()
    return tuple([name for name in names if cookie.find(header, name)])

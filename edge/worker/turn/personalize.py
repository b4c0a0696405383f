"""Personalizes all page views of one turn together: short loops over all, one inference call."""

import os
from collections.abc import Sequence
from functools import partial

from edge.decide.engine import EmptyEngine, Engine
from edge.decide.page import is_whole_page, redirect_of
from edge.decide.types import Decision, DecisionRecord, Event, Record, Slot
from edge.events.spool import SpoolFullError
from edge.pages.plan import PagePlan
from edge.visitor import cookie
from edge.visitor.state import arrive, assign
from edge.worker.active import Active
from edge.worker.attributes.device import is_bot
from edge.worker.attributes.request import is_secure
from edge.worker.turn import whole_page
from edge.worker.turn.budget import UNBOUNDED, Budget
from edge.worker.turn.compose import Composition
from edge.worker.turn.draft import RANDOM_BYTES, asked_of, draft_of, forget
from edge.worker.turn.view import Desk, Draft, PageView
from edge.worker.turn.whole_page import Whole


def personalize(
    views: list[PageView], active: Active, desk: Desk, now_ms: int, budget: Budget = UNBOUNDED
) -> None:
    """Fill in the answers of all views; those without consent stay plain, and those for which it is too late.

    State and records are committed when this returns, before any header leaves.
    """
    engine = active.engine
    if isinstance(engine, EmptyEngine):
        desk.counters.add('nearside_pages_total{kind="no-bundle"}', len(views))
        return
    drafts = _draft_all(views, active, desk, now_ms)
    asking = [draft for draft in drafts if draft.context.placements]
    decisions = budget.decide(asking, engine, active)
    records: list[Record] = []
    expires_s = now_ms // 1000 + desk.token_lifetime_s
    filled = 0
    acts = engine.page.asks
    if acts:
        decisions = _as_wholes(drafts, asking, decisions, active)
    for draft, decided in zip(asking, decisions, strict=True):
        ahead = draft.view.ahead
        decision = decided if ahead is None else ahead.kept(draft, decided)
        slots = [slot for slot in decision.slots if slot.content or slot.items]
        if decision.assigned:
            draft.state = assign(draft.state, decision.assigned)
        whole = draft.view.whole
        if whole is None or not whole.location:
            filled += bool(slots)
            token = desk.tokens.sign(
                draft.id, expires_s, decision.slots, engine.caps.of, tier=draft.context.tier
            )
            _compose(draft, slots, engine, desk, token)
        draft.view.private = True
        if whole is None or not whole.peek:
            records.append(_record(draft, decision, active, desk))
    for draft in drafts:
        if draft.item:
            records.append(_view_event(draft))
        if draft.keep and not draft.read_only:
            draft.view.set_cookie = state_cookie(desk, draft)
            draft.view.private = True
    desk.counters.add('nearside_pages_total{kind="personalized"}', filled)
    pages = _pages(drafts, desk) if acts else len(drafts)
    late = sum([draft.is_late and not draft.view.peeks for draft in asking])
    desk.counters.add('nearside_pages_total{kind="late"}', late)
    desk.counters.add('nearside_pages_total{kind="default"}', pages - filled - late)
    if commit(records, desk) and engine.challengers is not None:
        desk.shadow.note(records, engine, partial(commit, desk=desk), active.stock)


def commit(records: list[Record], desk: Desk) -> bool:
    """Append to the spool; what finds no room is counted as dropped, and the page goes on."""
    try:
        too_long = desk.spool.append(records)
    except (SpoolFullError, OSError) as error:
        reason = "full" if isinstance(error, SpoolFullError) else "disk"
        desk.counters.add(f'nearside_records_dropped_total{{reason="{reason}"}}', len(records))
        return False
    if too_long:
        desk.counters.add('nearside_records_dropped_total{reason="too-long"}', too_long)
    desk.counters.add("nearside_records_total", len(records) - too_long)
    return True


def _draft_all(views: list[PageView], active: Active, desk: Desk, now_ms: int) -> list[Draft]:
    random = os.urandom(RANDOM_BYTES * len(views))
    drafts = []
    for number, view_ in enumerate(views):
        request = view_.request
        if view_.ahead is not None:
            drafts.append(view_.ahead.resumed(view_, asked_of(view_, active)))
            continue
        request.now_ms = now_ms
        if is_bot(request.headers):
            desk.counters.add('nearside_pages_total{kind="bot"}')
            continue
        grant = active.reader.consent.of(request.headers)
        request.tier, request.granted = grant.tier, grant.purposes
        for counter in grant.counters:
            desk.counters.add(counter)
        if request.tier == "none":
            desk.counters.add('nearside_pages_total{kind="no-consent"}', not view_.peeks)
            forget(view_)
            continue
        start = number * RANDOM_BYTES
        drafts.append(draft_of(view_, active, desk, random[start : start + RANDOM_BYTES]))
    return drafts


def _as_wholes(
    drafts: list[Draft], asking: list[Draft], decisions: list[Decision], active: Active
) -> list[Decision]:
    """Lay pages out or lead their visitors elsewhere; the decisions that are then in force."""
    for draft in drafts:
        if whole_page.was_led(draft.view.request):
            arrived = whole_page.led_cookie(secure=_is_secure(draft), lifetime_s=0)
            draft.view.whole = Whole(draft.view.peeks, cookie=arrived)
            draft.view.private = True  # another visitor may be led away from here
    found = []
    for draft, decision in zip(asking, decisions, strict=True):
        plan, draft.context, final = whole_page.laid_out(draft.view.plan, draft.context, decision, active)
        found.append(final)
        slot = redirect_of(final)
        if slot is not None:
            _lead(draft, slot.content)
        elif plan is not draft.view.plan:
            whole = draft.view.whole or Whole()
            whole.plan = plan
            draft.view.whole = whole
    return found


def _lead(draft: Draft, url: str) -> None:
    """Answer with the way to another page; the one that was asked for was not viewed."""
    request = draft.view.request
    to = whole_page.location(url, request.query_string)
    led = whole_page.led_cookie(secure=_is_secure(draft))
    draft.view.whole = Whole(draft.view.peeks, location=to, cookie=led)
    if draft.keep:
        draft.state = arrive(request.before, request.now_ms // 1000, draft.state.visitor)
    draft.item = ""


def _pages(drafts: list[Draft], desk: Desk) -> int:
    """How many pages there are, where some visitors are led elsewhere; these are counted apart."""
    seen = [draft for draft in drafts if not draft.view.peeks]
    led = sum(bool(draft.view.location) for draft in seen)
    desk.counters.add('nearside_pages_total{kind="redirected"}', led)
    return len(seen) - led


def _is_secure(draft: Draft) -> bool:
    return is_secure(draft.view.request.headers)


def _compose(draft: Draft, slots: list[Slot], engine: Engine, desk: Desk, token: bytes) -> None:
    view_, plan, placements = draft.view, draft.view.plan, draft.context.placements
    if engine.page.asks:
        slots = [slot for slot in slots if not is_whole_page(slot)]
        plan = view_.whole.plan if view_.whole is not None and view_.whole.plan is not None else plan
    told = view_.ahead if view_.is_told else None
    if told is not None:
        slots = told.left(slots)
    shown = {slot.placement for slot in slots}
    carrier = next((name for name in placements if name in shown), "")
    if not carrier and (engine.marks_all or told is not None):
        carrier = _bare(plan, placements)
    if not carrier and plan is view_.plan:
        return
    composition = Composition(plan, slots, carrier, token, draft.context.attributes)
    if view_.flows:
        view_.filling = composition.filling(engine, desk.fragments)
    elif view_.in_parts:
        view_.parts = composition.parts(engine, desk.fragments)
    elif view_.gzip:
        view_.body, view_.coded = composition.packed(engine, desk.fragments), True
    else:
        view_.body = composition.page(engine)


def _bare(plan: PagePlan, placements: Sequence[str]) -> str:
    """Whose default may carry the token; one that stands twice may have two defaults."""
    return next((name for name in placements if plan.placements.count(name) == 1), "")


def _record(draft: Draft, decision: Decision, active: Active, desk: Desk) -> DecisionRecord:
    return DecisionRecord(
        draft.id,
        desk.site,
        desk.pop,
        active.engine.id,
        active.revision,
        active.weights.id,
        active.killed,
        draft.state.visitor.hex(),
        draft.context,
        decision.slots,
        missed=draft.context.placements if draft.is_late else (),
        teaches=not draft.context.forced,
        excluded=decision.excluded,
        stock=active.stock.id,
    )


def _view_event(draft: Draft) -> Event:
    return Event(draft.id, "view", draft.item, 0, "", draft.state.visitor.hex(), draft.context.now_ms)


def state_cookie(desk: Desk, draft: Draft) -> bytes:
    """The Set-Cookie header's value that takes the visitor's state along."""
    value = desk.cookies.seal(draft.state, draft.nonce)
    lifetime_s = desk.cookie_lifetime_s if draft.context.tier == "full" else 0
    return cookie.set_cookie(cookie.NAME, value, lifetime_s, secure=_is_secure(draft))

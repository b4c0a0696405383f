"""Reads who asks before the page is there: for sites that are told, and for pages that begin so."""

import os
import time
from dataclasses import replace

from msgspec import structs

from edge.decide.engine import EmptyEngine, Engine
from edge.decide.types import Assigned, Decision
from edge.pages.plan import NO_PAGE
from edge.visitor.state import assign
from edge.worker.active import Active
from edge.worker.attributes.device import is_bot
from edge.worker.turn import whole_page
from edge.worker.turn.draft import RANDOM_BYTES, draft_of, forget
from edge.worker.turn.personalize import state_cookie
from edge.worker.turn.view import Ahead, Desk, Draft, PageView


def draft_ahead(view: PageView, active: Active, desk: Desk) -> Draft | str:
    """What there is to decide for whoever asks; or why they get the plain page, as it is counted."""
    request = view.request
    if isinstance(active.engine, EmptyEngine):
        return "no-bundle"
    if is_bot(request.headers):
        return "bot"
    grant = active.reader.consent.of(request.headers)
    if grant.tier == "none":
        return "no-consent"
    request.now_ms = time.time_ns() // 1_000_000
    request.tier, request.granted = grant.tier, grant.purposes
    for counter in grant.counters:
        desk.counters.add(counter)
    return draft_of(view, active, desk, os.urandom(RANDOM_BYTES))


def begin(view: PageView, active: Active, desk: Desk) -> bool:
    """Fill in what the headers of a page need of its visitor; whether they may leave before it is whole.

    The visitor's state is written as of this view, with the variations of all placements that the page might
    have. Where it may lead elsewhere, that is to be decided first. Who stays with the plain page has no
    `ahead` afterwards.
    """
    engine, request = active.engine, view.request
    if engine.page.asks and (whole_page.was_led(request) or whole_page.asked(engine.page, NO_PAGE, request)):
        return False
    if view.ahead is None:
        draft = draft_ahead(view, active, desk)
        if isinstance(draft, str):
            desk.counters.add(f'nearside_pages_total{{kind="{draft}"}}')
            if draft == "no-consent":
                forget(view)
            return True
        view.ahead = Ahead(active, draft, Decision(()))
    view.private = True
    draft = view.ahead.draft
    view.forgets = draft.view.forgets
    if draft.keep and not draft.read_only:
        state = assign(draft.state, _assigned(view.ahead))
        view.set_cookie = state_cookie(desk, replace(draft, state=state))
        view.ahead = replace(view.ahead, draft=replace(draft, keep=False))  # it is written
    return True


def _assigned(ahead: Ahead) -> tuple[Assigned, ...]:
    """What shall stick to the visitor; the page's own decision comes too late to be written."""
    active, context = ahead.active, ahead.draft.context
    engine = active.engine
    if not isinstance(engine, Engine) or not engine.divides:
        return ()
    everywhere = structs.replace(context, placements=tuple(engine.schema.placements))
    return engine.decide(everywhere, active.killed, active.weights, active.stock).assigned

"""Gathers the page views that arrive in one turn of the event loop and answers them together."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from edge.proxy.fields import Fields
from edge.worker.active import Active, Holder
from edge.worker.attributes.facts import Headers, Request
from edge.worker.counters import Counters
from edge.worker.turn.ahead import begin
from edge.worker.turn.boundary import note_failure
from edge.worker.turn.budget import UNBOUNDED, Budget
from edge.worker.turn.draft import look_up
from edge.worker.turn.personalize import personalize
from edge.worker.turn.signals import NO_SIGNALS, Signals
from edge.worker.turn.view import Ahead, Desk, PageView

MAX_BATCH: Final = 16
"""More wait for the next flush: at 64 the pages of a turn crowd each other out of the processor's cache."""

MAX_WAITING: Final = 512
"""Who comes when so many wait gets the plain page at once, as it is: rather that than a decision late."""


class Turn:
    """The views that wait for a decision.

    A flush is put off while the list still grows, then runs all steps as
    short loops over all views: interleaved, each step costs several times as much.
    """

    def __init__(
        self,
        holder: Holder,
        desk: Desk,
        signals: Signals = NO_SIGNALS,
        budget: Budget = UNBOUNDED,
    ) -> None:
        self._holder = holder
        self._budget = budget
        self._signals = signals
        self._desk = desk
        self.counters = desk.counters
        self._loop = asyncio.get_running_loop()
        self._waiting: list[tuple[PageView, asyncio.Future[None]]] = []
        self._scheduled = False

    @property
    def consent_cookies(self) -> frozenset[bytes]:
        """The names of the cookies that say what a visitor agreed to; they don't say who it is."""
        return self._holder.active.reader.consent.cookies

    @property
    def leads(self) -> bool:
        """Whether a page may lead elsewhere."""
        return bool(self._holder.active.engine.page.redirects)

    @property
    def lays_out(self) -> bool:
        """Whether blocks of a page may move."""
        return bool(self._holder.active.engine.page.layouts)

    @property
    def foresees(self) -> bool:
        """Whether the site renders placements itself, and is told of them when it is asked for a page."""
        return bool(self._signals)

    def foresee(self, request: Request) -> tuple[Ahead | None, Fields]:
        """What is decided before the site is asked, and the headers that tell it: both or neither."""
        ahead = self._signals.foresee(request, self._holder.active, self._desk)
        fields = [] if ahead is None else self._signals.fields(ahead, self._desk)
        return (ahead, fields) if fields else (None, [])

    async def look_up(self, headers: Headers) -> None:
        """Have the facts about whoever asks at hand, if that takes no longer than a page may wait."""
        await look_up(headers, self._holder.active, self._desk)

    @property
    def looks_up(self) -> bool:
        """Whether facts about visitors have to be looked up."""
        return self._holder.active.shelf.remote is not None

    def begin(self, view: PageView) -> bool:
        """Fill in what the headers of a page that is not whole need; whether they may leave before it is."""
        try:
            return begin(view, self._holder.active, self._desk)
        except Exception as error:
            note_failure(error, "the beginning of a page", self.counters)
            view.ahead = None
            view.reset()
            return False

    def submit(self, view: PageView) -> asyncio.Future[None]:
        """Answer this view with the others of its turn; the future is done when it is filled in."""
        done: asyncio.Future[None] = self._loop.create_future()
        if len(self._waiting) >= MAX_WAITING:
            self.counters.add('nearside_pages_total{kind="overload"}')
            done.set_result(None)
            return done
        view.due_s = self._budget.due_s()
        self._waiting.append((view, done))
        if not self._scheduled:
            self._scheduled = True
            self._loop.call_soon(self._flush_when_quiet, 0)
        return done

    def _flush_when_quiet(self, seen: int) -> None:
        waiting = len(self._waiting)
        if seen < waiting < MAX_BATCH:
            self._loop.call_soon(self._flush_when_quiet, waiting)
            return
        if self._waiting[0][0].due_s < self._budget.clock():
            self._shed()
        batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
        self._scheduled = bool(self._waiting)
        if self._scheduled:
            self._loop.call_soon(self._flush_when_quiet, 0)
        if batch:
            answer([view for view, _ in batch], self._holder, self._desk, self._budget)
        for _, done in batch:
            if not done.done():  # a client that left cancelled its future
                done.set_result(None)

    def _shed(self) -> None:
        """Give those who waited too long the plain page at once, so that there is time for the others."""
        now_s, kept = self._budget.clock(), []
        for view, done in self._waiting:
            # What the site was told ahead is decided already.
            if view.due_s >= now_s or view.is_told:
                kept.append((view, done))
            elif not done.done():
                self.counters.add('nearside_pages_total{kind="late"}', not view.peeks)
                done.set_result(None)
        self._waiting = kept


def answer(views: list[PageView], holder: Holder, desk: Desk, budget: Budget = UNBOUNDED) -> None:
    """Personalize the views; whatever goes wrong, each has a page in the end.

    This is the boundary of decide(): an error of one view must not fail the
    others, and none becomes an HTTP error. Such a view stays plain, counted.
    """
    active = holder.active
    now_ms = time.time_ns() // 1_000_000
    start = time.perf_counter()
    # One that was begun on another revision ends on that.
    begun = any(view.ahead is not None and view.ahead.active is not active for view in views)
    if not begun and _tried(views, lambda: personalize(views, active, desk, now_ms, budget), desk.counters):
        pages = len(views)
    else:
        alone = partial(_alone, active, desk, now_ms, budget)
        pages = sum([_tried([view], partial(alone, view), desk.counters) for view in views])
        desk.counters.add('nearside_pages_total{kind="failed"}', len(views) - pages)
    spent_s = time.perf_counter() - start
    for view in views:
        view.decided_ms = spent_s * 1000
    desk.counters.add("nearside_decision_seconds_sum", spent_s)
    desk.counters.add("nearside_decision_seconds_count", len(views))
    desk.counters.add("nearside_turns_total")


def _alone(active: Active, desk: Desk, now_ms: int, budget: Budget, view: PageView) -> None:
    personalize([view], active if view.ahead is None else view.ahead.active, desk, now_ms, budget)


def _tried(views: list[PageView], work: Callable[[], None], counters: Counters) -> bool:
    try:
        work()
    except Exception as error:
        note_failure(error, f"a batch of {len(views)} page views", counters)
        for view in views:
            view.reset()
        return False
    return True

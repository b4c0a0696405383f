"""Gathers the page views that arrive in one turn of the event loop and answers them together."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

from edge.worker.active import Holder
from edge.worker.counters import Counters
from edge.worker.personalize import Desk, PageView, personalize

log = logging.getLogger(__name__)

MAX_BATCH: Final = 16
"""More wait for the next flush: at 64 the pages of a turn crowd each other out of the processor's cache."""

MAX_WAITING: Final = 512
"""Who comes when so many wait gets the plain page at once, as it is: rather that than a decision late."""


class Turn:
    """The views that wait for a decision.

    A flush is put off while the list still grows, then runs all steps as
    short loops over all views: interleaved, each step costs several times as much.
    """

    def __init__(self, holder: Holder, desk: Desk) -> None:
        self._holder = holder
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

    def submit(self, view: PageView) -> asyncio.Future[None]:
        """Answer this view with the others of its turn; the future is done when it is filled in."""
        done: asyncio.Future[None] = self._loop.create_future()
        if len(self._waiting) >= MAX_WAITING:
            self.counters.add('nearside_pages_total{kind="overload"}')
            done.set_result(None)
            return done
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
        batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
        self._scheduled = bool(self._waiting)
        if self._scheduled:
            self._loop.call_soon(self._flush_when_quiet, 0)
        answer([view for view, _ in batch], self._holder, self._desk)
        for _, done in batch:
            if not done.done():  # a client that left cancelled its future
                done.set_result(None)


def answer(views: list[PageView], holder: Holder, desk: Desk) -> None:
    """Personalize the views; whatever goes wrong, each has a page in the end.

    This is the boundary of decide(): an error of one view must not fail the
    others, and none becomes an HTTP error. Such a view stays plain, counted.
    """
    now_ms = time.time_ns() // 1_000_000
    start = time.perf_counter()
    if _tried(views, lambda: personalize(views, holder.active, desk, now_ms), desk.counters):
        pages = len(views)
    else:
        alone = [
            _tried([view], lambda view=view: personalize([view], holder.active, desk, now_ms), desk.counters)  # type: ignore[misc]
            for view in views
        ]
        pages = sum(alone)
        desk.counters.add('nearside_pages_total{kind="failed"}', len(views) - pages)
    spent_s = time.perf_counter() - start
    for view in views:
        view.decided_ms = spent_s * 1000
    desk.counters.add("nearside_decision_seconds_sum", spent_s)
    desk.counters.add("nearside_decision_seconds_count", len(views))
    desk.counters.add("nearside_turns_total")


def _tried(views: list[PageView], work: Callable[[], None], counters: Counters) -> bool:
    try:
        work()
    except Exception as error:
        counters.add(f'nearside_decision_errors_total{{error="{type(error).__name__}"}}')
        log.exception("a batch of %d page views failed", len(views))
        for view in views:
            view.reset()
        return False
    return True

"""Scores challengers when their pages have left: one at a time, in a small part of the worker's time."""

import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final

from edge.decide.engine import EmptyEngine, Engine
from edge.decide.stock import ALL, Stock
from edge.decide.types import DecisionRecord, Record, Shadow, Slot
from edge.worker.counters import Counters
from edge.worker.turn.boundary import note_failure

MAX_WAITING: Final = 64
"""More decisions than that are not tried: what waits holds contexts."""

PAUSE_S: Final = 0.002
"""Before the first of a turn, so that its answers leave before."""

MAX_SHARE: Final = 0.1
"""Of the worker's time."""

MAX_COST_S: Final = 0.02
"""A page may wait for one challenger that is under way; what takes longer is not tried."""

_WEIGHT: Final = 0.2
_FORGET: Final = 0.98

Later = Callable[[float, Callable[[], None]], object]
"""Calls back after so many seconds."""

Commit = Callable[[list[Record]], bool]

_Job = tuple[Engine, DecisionRecord, Slot, Commit, Stock]


class ShadowWork:
    """The decisions whose challengers are to be scored.

    Nobody waits for it: what finds no room, or would take too long, is left out and counted.
    """

    def __init__(
        self, later: Later, counters: Counters, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._later, self._counters, self._clock = later, counters, clock
        self._waiting: deque[_Job] = deque()
        self._scheduled = False
        self._cost_s = 0.0

    def note(
        self, records: Iterable[Record], engine: Engine | EmptyEngine, commit: Commit, stock: Stock = ALL
    ) -> None:
        """Take note of decisions that were recorded, as far as a challenger is tried on them."""
        challengers = engine.challengers
        if challengers is None or isinstance(engine, EmptyEngine):
            return
        for record in records:
            if isinstance(record, DecisionRecord):
                seed = record.context.seed
                for slot in [slot for slot in record.slots if challengers.tried(slot, seed)]:
                    self._add((engine, record, slot, commit, stock))
        if self._waiting and not self._scheduled:
            self._scheduled = True
            self._later(PAUSE_S, self._work)

    def _add(self, job: _Job) -> None:
        if self._cost_s > MAX_COST_S:
            self._cost_s *= _FORGET  # tried again now and then
            self._count("slow")
        elif len(self._waiting) >= MAX_WAITING:
            self._count("crowded")
        else:
            self._waiting.append(job)

    def _work(self) -> None:
        """Score one, and be called again after a pause that goes by what it cost."""
        job = self._waiting.popleft()
        begun_s = self._clock()
        try:
            self._score(*job)
        except Exception as error:  # no page depends on it, and none must fail by it
            note_failure(error, "a challenger", self._counters)
        spent_s = self._clock() - begun_s
        self._cost_s += _WEIGHT * (spent_s - self._cost_s)
        self._scheduled = bool(self._waiting)
        if self._scheduled:
            self._later(max(PAUSE_S, spent_s * (1 / MAX_SHARE - 1)), self._work)

    def _score(
        self, engine: Engine, record: DecisionRecord, slot: Slot, commit: Commit, stock: Stock
    ) -> None:
        challengers = engine.challengers
        trial = challengers.tried(slot, record.context.seed) if challengers else None
        if challengers is None or trial is None:
            return
        items = challengers.items(slot, engine.told(record.context), stock)
        shadow = Shadow(
            record.id, slot.placement, slot.candidates, trial.challenger, items, record.context.now_ms
        )
        if commit([shadow]):
            self._count("scored")

    def _count(self, outcome: str) -> None:
        self._counters.add(f'nearside_challengers_total{{outcome="{outcome}"}}')


class NoShadowWork(ShadowWork):
    """What tools have, where nothing runs later: no challenger is tried."""

    def __init__(self) -> None:
        super().__init__(lambda after_s, work: None, Counters())

    def note(
        self, records: Iterable[Record], engine: Engine | EmptyEngine, commit: Commit, stock: Stock = ALL
    ) -> None:
        """Nobody tries challengers here."""


NO_SHADOW_WORK: Final = NoShadowWork()

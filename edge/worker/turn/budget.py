"""How long a page may wait for its decision, and whether one that begins now would come in time."""

import time
from collections.abc import Callable, Sequence
from math import inf
from typing import Final

from edge.decide.engine import Engine
from edge.decide.types import Decision
from edge.worker.active import Active
from edge.worker.turn.view import Draft

LATE: Final = Decision(())
"""Stands for the decision of a page that had no time for one: the site's defaults stay."""

_WEIGHT: Final = 0.2
_FORGET: Final = 0.9
"""What decisions cost is forgotten while none is made, so that a slow bundle is tried again now and then."""

Clock = Callable[[], float]


class Budget:
    """The time that a page may spend on being personalized, from when it is whole to when it is decided.

    A decision can't be interrupted, so it is not begun where what the last
    ones cost says that it would end too late.
    """

    def __init__(self, budget_s: float = inf, clock: Clock = time.perf_counter) -> None:
        self._budget_s = budget_s
        self.clock = clock
        self._cost_s = 0.0

    def due_s(self) -> float:
        """By when, on this clock, a page that comes now is to be decided."""
        return self.clock() + self._budget_s

    def decide(self, drafts: Sequence[Draft], engine: Engine, active: Active) -> list[Decision]:
        """The decisions of these pages, the oldest first; a page for which it is too late is marked so."""
        if not drafts:
            return []
        ends_s = self.clock() + self._cost_s
        if drafts[0].view.due_s < ends_s:
            for draft in drafts:
                draft.is_late = draft.view.due_s < ends_s and not draft.view.is_told
        asking = [draft.context for draft in drafts if not draft.is_late]
        if not asking:
            self._cost_s *= _FORGET
            return [LATE] * len(drafts)
        begun_s = self.clock()
        decided = iter(engine.decide_batch(asking, active.killed, active.weights, active.stock))
        self._cost_s += _WEIGHT * (self.clock() - begun_s - self._cost_s)
        return [LATE if draft.is_late else next(decided) for draft in drafts]


UNBOUNDED: Final = Budget()

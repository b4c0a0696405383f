"""Tries one thing until it is done: waits longer after each try, and begins anew when it is woken."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from edge.backoff import Backoff

RETRY_FIRST_S: Final = 0.5
RETRY_MOST_S: Final = 15.0
# What was refused will hardly get better by itself: a cache on the way may have been bad.
REFUSED_FIRST_S: Final = 5.0
REFUSED_MOST_S: Final = 300.0


class Tries:
    """The tries at one thing; nothing is tried until it is woken for the first time."""

    def __init__(self) -> None:
        self._wake = asyncio.Event()
        self._retry = Backoff(RETRY_FIRST_S, RETRY_MOST_S)
        self._refused = Backoff(REFUSED_FIRST_S, REFUSED_MOST_S)

    def wake(self) -> None:
        """There is something to try, or something else than before: no wait goes on."""
        self._wake.set()

    def after_failure_s(self) -> float:
        """The delay before the next try, where this one may succeed as it is."""
        return self._retry.next_s()

    def after_refusal_s(self) -> float:
        """The delay before the next try, where what came was refused."""
        return self._refused.next_s()

    async def run(self, attempt: Callable[[], Awaitable[float]]) -> None:
        """Try for ever; `attempt` gives the delay before the next try, 0 where none is needed."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            self._retry.reset()
            self._refused.reset()
            while not self._wake.is_set() and (delay_s := await attempt()):
                await self._sleep_unless_woken(delay_s)

    async def _sleep_unless_woken(self, delay_s: float) -> None:
        try:
            await asyncio.wait_for(self._wake.wait(), delay_s)
        except TimeoutError:
            return

"""Hears from the origin what changed: a long-lived stream, and a poll whenever that broke."""

import asyncio
import base64
import binascii
import time
from collections.abc import Callable
from typing import Final

import msgspec

from edge.agent.origin import Origin
from edge.agent.refusals import Refusals
from edge.backoff import Backoff
from edge.errors import BundleError, OriginError

RECONNECT_FIRST_S: Final = 0.25
RECONNECT_MOST_S: Final = 5.0
# A stream that ends sooner than this is no reason to hurry.
STEADY_S: Final = 8.0


class _News(msgspec.Struct):
    rollout: str = ""
    stock: int = 0


class News:
    """Passes each signed rollout that the origin tells of to `offer`, unverified.

    `stock` is told the serial of each new stock list, and 0 where there may be one.
    """

    def __init__(
        self,
        origin: Origin,
        pop: str,
        refusals: Refusals,
        offer: Callable[[bytes], None],
        stock: Callable[[int], None] = lambda serial: None,
    ) -> None:
        self._origin, self._pop, self._refusals = origin, pop, refusals
        self._offer, self._stock = offer, stock
        self._backoff = Backoff(RECONNECT_FIRST_S, RECONNECT_MOST_S)

    async def run(self) -> None:
        """Listen for ever."""
        while True:
            try:
                await self._poll()
                await self._listen()
            except OriginError as error:
                self._origin.reach.failed("news", error)
            except BundleError as error:
                self._refusals.add(error)
            await asyncio.sleep(self._backoff.next_s())

    async def _poll(self) -> None:
        """Ask once: a proxy on the way may hold back the stream."""
        rollout = await self._origin.rollout()
        self._origin.reach.answered("news")
        if rollout is not None:
            self._offer(rollout)
        self._stock(0)

    async def _listen(self) -> None:
        began = time.monotonic()
        async for line in self._origin.news(self._pop):
            if time.monotonic() - began > STEADY_S:
                self._backoff.reset()
            if not line.strip():
                continue
            rollout, stock = _opened(line)
            if rollout:
                self._offer(rollout)
            if stock > 0:
                self._stock(stock)


def _opened(line: bytes) -> tuple[bytes, int]:
    """The signed rollout in a line of news, and the serial of stock; empty and 0 where it tells of none."""
    try:
        news = msgspec.json.decode(line, type=_News)
        return base64.b64decode(news.rollout, validate=True), news.stock
    except (msgspec.DecodeError, UnicodeDecodeError, binascii.Error) as error:
        raise BundleError("news", f"a line of news can't be read: {error}") from error

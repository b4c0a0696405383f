"""Keeps the PoP's stock list in line with the origin's: fetch, verify, lay down, tell the workers."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge.agent.origin import Origin
from edge.agent.refusals import Refusals
from edge.agent.tries import Tries
from edge.agent.trust import Trust
from edge.bundle.stock import MAX_STOCK_BYTES, StockList, decode_stock, read_stock, stock_id, write_stock
from edge.errors import BundleError, OriginError

log = logging.getLogger(__name__)


class StockUpdater:
    """Takes each newer stock list; whatever goes wrong, the one in force stays.

    Attributes
    ----------
    serial : int
        Of the list in force; older ones are refused.
    tell : callable
        Called after each change of what is in force.
    """

    def __init__(self, trust: Trust, origin: Origin, state_dir: Path, refusals: Refusals) -> None:
        self._trust, self._origin, self._state_dir, self._refusals = trust, origin, state_dir, refusals
        self._tries = Tries()
        self.serial, self._out, self._id = 0, 0, ""
        self.tell: Callable[[], None] = lambda: None

    def resume(self) -> None:
        """Take the list of the last run; a damaged one is fetched again."""
        try:
            signed = read_stock(self._state_dir)
            if signed is not None:
                self._put_in_force(*self._opened(signed))
        except BundleError as error:
            self._refusals.add(error)

    def hear(self, serial: int) -> None:
        """A list of this serial is in force at the origin; 0 where nobody knows."""
        if serial == 0 or serial > self.serial:
            self._tries.wake()
        elif serial < self.serial:
            self._refusals.add(BundleError("rollback", f"stock list {serial} after {self.serial} was taken"))

    def status(self) -> dict[str, Any]:
        """What the status page says of stock."""
        return {"serial": self.serial, "id": self._id, "out": self._out}

    async def run(self) -> None:
        """Keep the list in line, for ever."""
        await self._tries.run(self._attempt)

    async def _attempt(self) -> float:
        """One try; the delay before the next one, 0 where none is needed."""
        try:
            signed = await self._origin.stock(self.serial)
            self._origin.reach.answered("stock")
            if signed is not None:
                await self._take(signed)
        except BundleError as error:
            self._refusals.add(error)
            return self._tries.after_refusal_s()
        except OriginError as error:
            self._origin.reach.failed("stock", error)
            return self._tries.after_failure_s()
        except OSError as error:
            log.error("the stock list can't be written: %s", error)
            return self._tries.after_failure_s()
        return 0.0

    async def _take(self, signed: bytes) -> None:
        listed, id_ = await asyncio.to_thread(self._opened, signed)
        if listed.serial <= self.serial:
            raise BundleError("rollback", f"stock list {listed.serial} after {self.serial} was taken")
        await asyncio.to_thread(write_stock, self._state_dir, signed)
        self._put_in_force(listed, id_)
        log.info("stock list %d is in force: %d items out", self.serial, self._out)
        self.tell()

    def _opened(self, signed: bytes) -> tuple[StockList, str]:
        payload = self._trust.open(signed, "online", MAX_STOCK_BYTES).payload
        return decode_stock(payload, self._trust.site), stock_id(payload)

    def _put_in_force(self, listed: StockList, id_: str) -> None:
        self.serial, self._out, self._id = listed.serial, len(listed.out), id_
        self._refusals.metrics.gauge("nearside_stock_serial", self.serial)
        self._refusals.metrics.gauge("nearside_stock_out", self._out)

"""Reads the stock list that the agent laid down; what can't be used leaves the last good one in force."""

import logging
from pathlib import Path
from typing import Any

from edge.bundle import format as fmt
from edge.bundle.stock import MAX_STOCK_BYTES, StockList, decode_stock, read_stock, stock_id
from edge.decide.engine import EmptyEngine, Engine
from edge.decide.stock import ALL, Stock, stock_of
from edge.errors import BundleError

log = logging.getLogger(__name__)


class StockFile:
    """The stock list of a state folder, over the catalog of the engine that serves.

    Attributes
    ----------
    refused : str
        Why what lies there is not in force, as a code; empty where it is.
    """

    def __init__(self, state_dir: Path, site: str) -> None:
        self._state_dir, self._site = state_dir, site
        self._signed = b""
        self._listed: StockList | None = None
        self._id = ""
        self._engine: Engine | EmptyEngine = EmptyEngine()
        self._stock = ALL
        self.refused = ""

    def of(self, engine: Engine | EmptyEngine) -> Stock:
        """What this engine leaves out now: the same object while nothing changed.

        Not for the event loop, as lists may be long.
        """
        try:
            is_new = self._look()
            self.refused = ""
        except BundleError as error:
            log.error("the old stock stays: %s", error)
            is_new, self.refused = False, error.code
        if is_new or engine is not self._engine:
            self._engine, self._stock = engine, self._over(engine)
        return self._stock

    def told(self) -> dict[str, Any]:
        """What the agent is told; empty while there is nothing to tell."""
        serial = self._listed.serial if self._listed is not None else 0
        if not serial and not self.refused:
            return {}
        stock = self._stock
        about = {"serial": serial, "out": len(stock.out), "unknown": stock.unknown, "refused": self.refused}
        return {"stock": about}

    def _look(self) -> bool:
        """Take what lies there; whether it is new."""
        signed = read_stock(self._state_dir)
        if signed is None and self._listed is not None:
            raise BundleError("missing", "the stock list is not there any more")
        if signed is None or signed == self._signed:
            return False
        # The agent verified the signature before it laid the file down.
        payload = fmt.decode(signed, fmt.Signed, MAX_STOCK_BYTES).payload
        listed = decode_stock(payload, self._site)
        if self._listed is not None and listed.serial < self._listed.serial:
            raise BundleError("rollback", f"stock list {listed.serial} after {self._listed.serial}")
        self._signed, self._listed, self._id = signed, listed, stock_id(payload)
        return True

    def _over(self, engine: Engine | EmptyEngine) -> Stock:
        if self._listed is None or isinstance(engine, EmptyEngine):
            return ALL
        return stock_of(self._listed, self._id, engine.items)

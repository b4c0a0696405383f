"""What was out of stock when: every list that was ever in force, made again from the changes of it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from sqlalchemy import create_engine, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.pool import NullPool

from edge.bundle import format as fmt
from edge.bundle.stock import StockList, stock_id
from edge.decide.engine import Engine
from edge.decide.stock import ALL, Stock, stock_of
from edge.errors import ConfigError
from origin.lake.reader import check_lake
from origin.store import tables
from origin.store.stock import stock_payload

KEPT: Final = 64
"""Stock lists over catalogs that are held ready: decisions of one time go by few."""


class Change(NamedTuple):
    """One change: the id of the list that it led to, and what went out and came back."""

    id: str
    serial: int
    out: Sequence[str]
    back: Sequence[str]


class StockLog:
    """Every stock list of a site, by the id that decision records have."""

    def __init__(self, site: str = "", changes: Sequence[Change] = ()) -> None:
        self._site, self._changes = site, changes
        self._places = {change.id: place for place, change in enumerate(changes)}
        self._place, self._out = -1, set[str]()
        self._ready: dict[tuple[str, str], Stock] = {}

    def over(self, engine: Engine, id_: str) -> Stock | None:
        """What this engine leaves out by the list of that id; None where the list is not known."""
        if not id_:
            return ALL
        found = self._ready.get((engine.id, id_))
        if found is None and (listed := self.of(id_)) is not None:
            if len(self._ready) >= KEPT:
                self._ready.clear()
            found = self._ready[engine.id, id_] = stock_of(listed, id_, engine.items)
        return found

    def of(self, id_: str) -> StockList | None:
        """The list of that id; None where it is not known, or the changes don't lead to it."""
        place = self._places.get(id_)
        if place is None:
            return None
        if place < self._place:
            self._place, self._out = -1, set()
        for change in self._changes[self._place + 1 : place + 1]:
            self._out.update(change.out)
            self._out.difference_update(change.back)
        self._place = place
        payload = stock_payload(self._site, self._changes[place].serial, self._out)
        return fmt.decode(payload, StockList) if stock_id(payload) == id_ else None


def read_stocks(root: Path, site: str) -> StockLog:
    """The stock lists of an origin's data folder.

    Raises
    ------
    ConfigError
        ``data``: the folder is no origin's.
    """
    check_lake(root)
    table = tables.stock_changes
    wanted = select(table.c.id, table.c.serial, table.c.out, table.c.back).where(table.c.site == site)
    engine = create_engine(f"sqlite:///{root / tables.DATABASE}", poolclass=NullPool)
    try:
        with engine.connect() as connection:
            rows = connection.execute(wanted.order_by(table.c.serial)).all()
    except OperationalError as error:
        if "no such table" in str(error.orig):
            return StockLog(site)  # an origin's of before it knew stock
        raise ConfigError("data", f"{root}: {error.orig}") from error
    finally:
        engine.dispose()
    return StockLog(site, [Change(row.id, row.serial, row.out, row.back) for row in rows])

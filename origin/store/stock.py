"""What is out of stock, in SQLite: every change that ever was, and the signed list in force."""

import asyncio
from typing import Final

from sqlalchemy import insert, select
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from edge.bundle import format as fmt
from edge.bundle.stock import MAX_OUT, MAX_STOCK_BYTES, StockList, decode_stock, stock_id
from origin.refusal import RefusedError
from origin.store import tables
from origin.store.values import Row, Sign, StockChange, StoredStock, now_ms

MAX_LISTED: Final = 1000


class StockStore:
    """The part of an origin's database that knows stock."""

    def __init__(self, engine: AsyncEngine, writing: AsyncEngine) -> None:
        self._engine = engine
        self._writing = writing

    async def change(self, site: str, change: StockChange, sign: Sign) -> StoredStock:
        """Put a change in force; one that changes nothing makes no new list.

        Raises
        ------
        RefusedError
            ``stock``: more items would be out than an edge takes.
        """
        async with self._writing.begin() as connection:
            # In a thread: a long list takes a while to read, to write and to sign.
            before = await asyncio.to_thread(_opened, await _in_force(connection, site), site)
            held = frozenset(before.out)
            wanted = change.out if change.replace else (held | change.out) - change.back
            out, back = sorted(wanted - held), sorted(held - wanted)
            if not out and not back:
                return StoredStock(before.serial, len(held), 0)
            serial = before.serial + 1
            id_, signed = await asyncio.to_thread(_signed, site, serial, wanted, sign)
            await connection.execute(
                insert(tables.stock_changes).values(
                    site=site,
                    serial=serial,
                    id=id_,
                    out=out,
                    back=back,
                    held=len(wanted),
                    author=change.order.author,
                    reason=change.order.reason,
                    created_ms=now_ms(),
                )
            )
            values = {"serial": serial, "signed": signed}
            statement = upsert(tables.stock_in_force).values(site=site, **values)
            await connection.execute(statement.on_conflict_do_update(index_elements=["site"], set_=values))
        return StoredStock(serial, len(wanted), len(out) + len(back))

    async def serial(self, site: str) -> int:
        """The serial of the list in force; 0 while nothing was ever said of stock."""
        table = tables.stock_in_force
        async with self._engine.connect() as connection:
            found = await connection.execute(select(table.c.serial).where(table.c.site == site))
            return found.scalar() or 0

    async def signed(self, site: str) -> bytes:
        """The signed list in force; empty while nothing was ever said of stock."""
        async with self._engine.connect() as connection:
            return await _in_force(connection, site)

    async def changes(self, site: str) -> list[Row]:
        """The newest changes, the last one first."""
        table = tables.stock_changes
        columns = [c for c in table.c if c.name != "site"]
        statement = select(*columns).where(table.c.site == site).order_by(table.c.serial.desc())
        async with self._engine.connect() as connection:
            result = await connection.execute(statement.limit(MAX_LISTED))
            return [dict(row) for row in result.mappings()]


async def _in_force(connection: AsyncConnection, site: str) -> bytes:
    table = tables.stock_in_force
    found = await connection.execute(select(table.c.signed).where(table.c.site == site))
    return found.scalar() or b""


def _opened(signed: bytes, site: str) -> StockList:
    if not signed:
        return StockList(fmt.FORMAT, site, 0, ())
    return decode_stock(fmt.decode(signed, fmt.Signed, MAX_STOCK_BYTES).payload, site)


def _signed(site: str, serial: int, out: frozenset[str], sign: Sign) -> tuple[str, bytes]:
    """The id of the list, and its signed bytes."""
    payload = stock_payload(site, serial, out)
    if len(out) > MAX_OUT or len(payload) > MAX_STOCK_BYTES // 2:
        raise RefusedError(
            422,
            "stock",
            f"{len(out):,} items would be out of stock",
            "publish a catalog without them instead",
        )
    return stock_id(payload), sign(payload)


def stock_payload(site: str, serial: int, out: frozenset[str] | set[str]) -> bytes:
    """The bytes of a stock list, which are signed and which name it."""
    return fmt.encode(StockList(fmt.FORMAT, site, serial, tuple(sorted(out))))

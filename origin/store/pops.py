"""Which PoPs a site has, in SQLite: their credentials' hashes, and when they were heard."""

from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from origin.refusal import RefusedError
from origin.store import tables
from origin.store.values import Heard, Order, PopToken, now_ms


class PopStore:
    """The part of an origin's database that knows PoPs; every credential that ever was stays in it."""

    def __init__(self, engine: AsyncEngine, writing: AsyncEngine) -> None:
        self._engine = engine
        self._writing = writing

    async def add(self, site: str, name: str, token_sha256: str, order: Order, *, replace: bool) -> None:
        """Keep a new credential of a PoP.

        Raises
        ------
        RefusedError
            ``pop-exists``: it has one, and that shall not be replaced.
        """
        async with self._writing.begin() as connection:
            if await _revoke(connection, site, name, order) and not replace:
                raise RefusedError(
                    409,
                    "pop-exists",
                    f"{name!r} has a credential",
                    "revoke it, or replace it: the PoP then needs the new one",
                )
            values = {"author": order.author, "reason": order.reason, "created_ms": now_ms()}
            await connection.execute(
                insert(tables.pop_tokens).values(site=site, name=name, token_sha256=token_sha256, **values)
            )

    async def revoke(self, site: str, name: str, order: Order) -> None:
        """Revoke a PoP's credential: from now on nothing is taken from it.

        Raises
        ------
        RefusedError
            ``no-pop``: it has none.
        """
        async with self._writing.begin() as connection:
            if not await _revoke(connection, site, name, order):
                raise RefusedError(
                    404,
                    "no-pop",
                    f"{name!r} has no credential",
                    "list them with `nearside pops list`, or GET pops",
                )

    async def tokens(self, site: str, name: str | None = None) -> list[PopToken]:
        """The credentials of a PoP, or of all, oldest first."""
        table = tables.pop_tokens
        statement = select(table).where(table.c.site == site).order_by(table.c.id)
        if name is not None:
            statement = statement.where(table.c.name == name)
        async with self._engine.connect() as connection:
            rows = (await connection.execute(statement)).all()
        return [
            PopToken(
                row.name,
                row.token_sha256,
                row.revoked_ms > 0,
                row.revoked_ms or row.created_ms,
                Order(row.author, row.reason),
            )
            for row in rows
        ]

    async def saw(self, site: str, name: str) -> None:
        """Remember that a PoP was heard just now."""
        values = {"seen_ms": now_ms()}
        statement = upsert(tables.pops_seen).values(site=site, name=name, **values)
        async with self._writing.begin() as connection:
            await connection.execute(
                statement.on_conflict_do_update(index_elements=["site", "name"], set_=values)
            )

    async def heard(self, site: str) -> dict[str, Heard]:
        """When each PoP was heard, by name; only those that ever were."""
        seen, marks = tables.pops_seen, tables.watermarks
        last = func.max(marks.c.updated_ms)
        async with self._engine.connect() as connection:
            listened = await connection.execute(
                select(seen.c.name, seen.c.seen_ms).where(seen.c.site == site)
            )
            found = {name: Heard(at_ms) for name, at_ms in listened}
            shipped = await connection.execute(
                select(marks.c.pop, last).where(marks.c.site == site).group_by(marks.c.pop)
            )
            for name, at_ms in shipped:
                found[name] = Heard(max(at_ms, found.get(name, Heard()).seen_ms), at_ms)
        return found


async def _revoke(connection: AsyncConnection, site: str, name: str, order: Order) -> bool:
    """Revoke what a PoP has; whether it had one."""
    table = tables.pop_tokens
    statement = update(table).where(table.c.site == site, table.c.name == name, table.c.revoked_ms == 0)
    values = {"revoked_ms": now_ms(), "author": order.author, "reason": order.reason}
    return bool((await connection.execute(statement.values(**values))).rowcount)

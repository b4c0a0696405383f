"""The origin's state in SQLite: every number and every watermark changes inside one transaction."""

from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Table, event, func, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from edge.bundle import format as fmt
from edge.bundle.format import Revision, Rollout
from origin.refusal import RefusedError
from origin.store import tables
from origin.store.pops import PopStore
from origin.store.stock import StockStore
from origin.store.values import (
    LakeFile,
    NewRevision,
    Order,
    RolloutChange,
    Row,
    Segment,
    Sign,
    StoredManifest,
    StoredRollout,
    now_ms,
)

BUSY_TIMEOUT_S: Final = 30
MAX_LISTED: Final = 1000
MAX_ASKED: Final = 500
"""Values in one statement; SQLite bounds them."""


class SqliteStore:
    """The database of an origin; open it with `open_store`."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        # A writer takes its lock at once: a number that was read is still the last when it is used.
        self._writing = engine.execution_options(nearside_writes=True)
        self.pops = PopStore(engine, self._writing)
        self.stock = StockStore(engine, self._writing)

    async def put_manifest(self, site: str, sha256: str, manifest: StoredManifest) -> None:
        """Keep a verified manifest; a newer signature of the same bytes takes the older one's place."""
        values = {"role": manifest.role, "size": manifest.size, "signed": manifest.signed}
        statement = upsert(tables.manifests).values(site=site, sha256=sha256, created_ms=now_ms(), **values)
        async with self._writing.begin() as connection:
            await connection.execute(
                statement.on_conflict_do_update(index_elements=["site", "sha256"], set_=values)
            )

    async def signed_manifests(self, site: str, hashes: Collection[str]) -> dict[str, bytes]:
        """The signed bytes of those manifests that are here, by the hash of their payload."""
        table, wanted = tables.manifests, sorted(hashes)
        found: dict[str, bytes] = {}
        async with self._engine.connect() as connection:
            for start in range(0, len(wanted), MAX_ASKED):
                some = wanted[start : start + MAX_ASKED]
                statement = select(table.c.sha256, table.c.signed).where(
                    table.c.site == site, table.c.sha256.in_(some)
                )
                found |= {row.sha256: row.signed for row in await connection.execute(statement)}
        return found

    async def manifest(self, site: str, sha256: str) -> StoredManifest | None:
        """A manifest by the hash of its payload."""
        table = tables.manifests
        row = await self._one(
            select(table.c.role, table.c.size, table.c.signed).where(
                table.c.site == site, table.c.sha256 == sha256
            )
        )
        return StoredManifest(row.role, row.size, row.signed) if row else None

    async def add_revision(self, site: str, new: NewRevision, sign: Sign) -> tuple[int, int]:
        """Number, sign and keep a revision; returns its number and the serial of the rollout in force.

        With `activate`, all PoPs that the rollout does not name get it.
        """
        async with self._writing.begin() as connection:
            number = await _next(connection, tables.revisions, "number", site)
            payload = fmt.encode(Revision(fmt.FORMAT, site, number, new.manifests))
            await connection.execute(
                insert(tables.revisions).values(
                    site=site,
                    number=number,
                    bundle=new.bundle,
                    manifests={role: ref.sha256 for role, ref in new.manifests.items()},
                    signed=sign(payload),
                    created_ms=now_ms(),
                    **_order(new.order),
                )
            )
            current = await _rollout(connection, site)
            if not new.activate:
                return number, current.serial
            pops = {**current.pops, "*": number}
            return number, await _add_rollout(connection, (site, pops, current.kill), new.order, sign)

    async def revisions(self, site: str) -> list[Row]:
        """The newest revisions, newest first."""
        table = tables.revisions
        columns = [c for c in table.c if c.name not in ("site", "signed")]
        statement = select(*columns).where(table.c.site == site).order_by(table.c.number.desc())
        async with self._engine.connect() as connection:
            result = await connection.execute(statement.limit(MAX_LISTED))
            return [dict(row) for row in result.mappings()]

    async def revision_row(self, site: str, number: int) -> Row | None:
        """A revision as `revisions` lists it."""
        table = tables.revisions
        columns = [c for c in table.c if c.name not in ("site", "signed")]
        row = await self._one(select(*columns).where(table.c.site == site, table.c.number == number))
        return dict(row._mapping) if row else None

    async def revision(self, site: str, number: int) -> bytes | None:
        """A revision's signed bytes."""
        table = tables.revisions
        row = await self._one(select(table.c.signed).where(table.c.site == site, table.c.number == number))
        return row.signed if row else None

    async def change_rollout(self, site: str, change: RolloutChange, sign: Sign) -> int:
        """Put a change in force; returns the new serial.

        Raises
        ------
        RefusedError
            ``stale``: another change came first. ``no-revision``: a PoP shall
            serve a revision that there is not.
        """
        async with self._writing.begin() as connection:
            current = await _rollout(connection, site)
            if change.after is not None and change.after != current.serial:
                raise RefusedError(
                    409,
                    "stale",
                    f"the rollout in force is {current.serial}, not {change.after}",
                    "look at it, and order the change again",
                    {"serial": current.serial},
                )
            pops = current.pops if change.pops is None else change.pops
            kill = current.kill if change.kill is None else change.kill
            await _check_revisions(connection, site, pops)
            return await _add_rollout(connection, (site, pops, kill), change.order, sign)

    async def rollout(self, site: str) -> StoredRollout:
        """The rollout in force; serial 0 and no bytes when there never was one."""
        async with self._engine.connect() as connection:
            return await _rollout(connection, site)

    async def rollouts(self, site: str) -> list[Row]:
        """The newest rollouts, the one in force first."""
        table = tables.rollouts
        columns = [c for c in table.c if c.name not in ("site", "signed")]
        statement = select(*columns).where(table.c.site == site).order_by(table.c.serial.desc())
        async with self._engine.connect() as connection:
            result = await connection.execute(statement.limit(MAX_LISTED))
            return [dict(row) for row in result.mappings()]

    async def watermark(self, segment: Segment) -> int:
        """How many bytes of a segment are in the lake."""
        async with self._engine.connect() as connection:
            return await _watermark(connection, segment)

    async def commit_batch(self, segment: Segment, before: int, after: int, files: Sequence[LakeFile]) -> int:
        """Make a batch's files part of the lake and move the watermark, if it still stands at `before`.

        Returns False when somebody else was first: the files are then no part of the lake.
        """
        async with self._writing.begin() as connection:
            if await _watermark(connection, segment) != before:
                return False
            created_ms = now_ms()
            for file in files:
                await connection.execute(
                    insert(tables.lake_files).values(site=segment.site, created_ms=created_ms, **vars(file))
                )
            values = {"committed": after, "updated_ms": created_ms}
            statement = upsert(tables.watermarks).values(**_segment(segment), **values)
            await connection.execute(
                statement.on_conflict_do_update(index_elements=[*_segment(segment)], set_=values)
            )
        return True

    async def lake_paths(self) -> set[str]:
        """The paths of all files that are part of the lake."""
        async with self._engine.connect() as connection:
            result = await connection.execute(select(tables.lake_files.c.path))
            return set(result.scalars())

    async def _one(self, statement: Any) -> Any:
        async with self._engine.connect() as connection:
            return (await connection.execute(statement)).one_or_none()


@asynccontextmanager
async def open_store(folder: Path) -> AsyncIterator[SqliteStore]:
    """The store in a data folder, made when it isn't there; closed at the end."""
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{folder / tables.DATABASE}", connect_args={"timeout": BUSY_TIMEOUT_S}
    )
    event.listen(engine.sync_engine, "connect", _on_connect)
    event.listen(engine.sync_engine, "begin", _on_begin)
    try:
        async with engine.execution_options(nearside_writes=True).begin() as connection:
            await connection.run_sync(tables.metadata.create_all)
        yield SqliteStore(engine)
    finally:
        await engine.dispose()


def _on_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions begin where we say, see _on_begin
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=FULL")  # a committed watermark makes the edge delete its copy
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _on_begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("nearside_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


async def _rollout(connection: AsyncConnection, site: str) -> StoredRollout:
    table = tables.rollouts
    statement = select(table).where(table.c.site == site).order_by(table.c.serial.desc()).limit(1)
    row = (await connection.execute(statement)).one_or_none()
    return StoredRollout(row.serial, row.pops, tuple(row.kill), row.signed) if row else _NO_ROLLOUT


_NO_ROLLOUT: Final = StoredRollout(0, {}, (), b"")


async def _add_rollout(
    connection: AsyncConnection, what: tuple[str, dict[str, int], tuple[str, ...]], order: Order, sign: Sign
) -> int:
    site, pops, kill = what
    serial = await _next(connection, tables.rollouts, "serial", site)
    payload = fmt.encode(Rollout(fmt.FORMAT, site, serial, pops, kill))
    await connection.execute(
        insert(tables.rollouts).values(
            site=site,
            serial=serial,
            pops=pops,
            kill=list(kill),
            signed=sign(payload),
            created_ms=now_ms(),
            **_order(order),
        )
    )
    return serial


async def _check_revisions(connection: AsyncConnection, site: str, pops: dict[str, int]) -> None:
    table = tables.revisions
    wanted = set(pops.values())
    found = await connection.execute(
        select(table.c.number).where(table.c.site == site, table.c.number.in_(wanted))
    )
    absent = sorted(wanted - set(found.scalars()))
    if absent:
        raise RefusedError(
            422,
            "no-revision",
            f"no revision {absent[0]}",
            "list them with `nearside revisions`, or GET revisions",
        )


async def _watermark(connection: AsyncConnection, segment: Segment) -> int:
    table = tables.watermarks
    where = [table.c[name] == value for name, value in _segment(segment).items()]
    return (await connection.execute(select(table.c.committed).where(*where))).scalar() or 0


async def _next(connection: AsyncConnection, table: Table, column: str, site: str) -> int:
    statement = select(func.max(table.c[column])).where(table.c.site == site)
    return ((await connection.execute(statement)).scalar() or 0) + 1


def _segment(segment: Segment) -> Row:
    return {
        "site": segment.site,
        "pop": segment.pop,
        "spool": segment.spool,
        "segment": segment.number,
    }


def _order(order: Order) -> Row:
    return {"author": order.author, "reason": order.reason}

"""Takes the records that edges ship: at least once on the wire, exactly once in the lake.

The order makes it so: a batch becomes Parquet files under temporary names, these are
renamed, then one transaction lists them and moves the watermark. A crash before the
transaction leaves files that no reader sees and that the next start removes; a crash
after it leaves a batch that the edge sends again and that the watermark skips.
"""

import asyncio
import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from weakref import WeakValueDictionary

from edge.decide.types import DecisionRecord, Record
from edge.errors import GivenError
from edge.events import spool
from origin.lake import tables as lake_tables
from origin.refusal import RefusedError
from origin.store.sqlite import SqliteStore
from origin.store.values import LakeFile, Segment

MAX_BATCH_BYTES: Final = 4 << 20


@dataclass(frozen=True)
class Batch:
    """The good records at the front of a body, with their exact bytes, and what stands behind them.

    `taken` is how many bytes they fill. `fault` says what is wrong with the
    record behind them; empty when there is none, or only a part of one.
    """

    records: list[tuple[Record, bytes]]
    taken: int
    fault: tuple[str, str] | None


class Ingest:
    """The way into the lake of one data folder."""

    def __init__(self, root: Path, store: SqliteStore) -> None:
        self._root = root
        self._store = store
        self._locks: WeakValueDictionary[Segment, asyncio.Lock] = WeakValueDictionary()

    async def sweep(self) -> int:
        """Remove files that a crash left behind; returns how many. Only before the first batch."""
        listed = await self._store.lake_paths()
        return await asyncio.to_thread(_sweep, self._root, listed)

    async def take(self, segment: Segment, offset: int, body: bytes) -> int:
        """Commit what of the body is new; returns how many bytes of the segment are in the lake.

        Raises
        ------
        RefusedError
            ``gap``: bytes before `offset` never came. ``damaged``, ``record``,
            ``foreign-site``: a record can't be taken; those before it are.
        """
        lock = self._locks.setdefault(segment, asyncio.Lock())
        async with lock:
            committed = await self._store.watermark(segment)
            if offset > committed:
                raise _gap(committed, offset)
            fresh = memoryview(body)[committed - offset :]
            batch = await asyncio.to_thread(read_batch, fresh, segment.site)
            if batch.records:
                committed = await self._commit(segment, committed, batch)
        if batch.fault:
            raise _faulty(committed, *batch.fault)
        return committed

    async def _commit(self, segment: Segment, before: int, batch: Batch) -> int:
        files = await asyncio.to_thread(lay_down, self._root, segment, before, batch)
        after = before + batch.taken
        if await self._store.commit_batch(segment, before, after, files):
            return after
        await asyncio.to_thread(_remove, self._root, files)
        return await self._store.watermark(segment)


def read_batch(data: memoryview, site: str) -> Batch:
    """The records in a body, up to the first that can't be taken."""
    whole = spool.whole_bytes(data)
    records: list[tuple[Record, bytes]] = []
    for start, end in _frames(data[:whole]):
        try:
            (record,) = spool.records(data[start:end])
        except GivenError as error:
            return Batch(records, start, ("record", str(error).removeprefix("record: ")))
        fault = _fault(record, site)
        if fault:
            return Batch(records, start, fault)
        records.append((record, bytes(data[start + spool.HEADER.size : end])))
    return Batch(records, whole, _damage(data[whole:]))


def lay_down(root: Path, segment: Segment, offset: int, batch: Batch) -> list[LakeFile]:
    """Write a batch's files under their final names, safe from power loss; readers don't see them yet."""
    files = []
    for kind, rows in lake_tables.to_rows(batch.records, segment.pop).items():
        if not rows:
            continue
        folder = _folder(root, segment.site, kind)
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{segment.pop}-{segment.spool}-{segment.number:08d}-{offset:010d}-{secrets.token_hex(4)}"
        path, temporary = folder / f"{name}.parquet", folder / f"{name}.tmp"
        lake_tables.write(temporary, kind, rows)
        _sync(temporary)
        temporary.replace(path)
        _sync(folder)
        files.append(LakeFile(kind, str(path.relative_to(root)), len(rows), path.stat().st_size))
    return files


def _frames(data: memoryview) -> Iterator[tuple[int, int]]:
    start = 0
    while start < len(data):
        length, _ = spool.HEADER.unpack_from(data, start)
        yield start, start + spool.HEADER.size + length
        start += spool.HEADER.size + length


def _fault(record: Record, site: str) -> tuple[str, str] | None:
    if isinstance(record, DecisionRecord) and record.site != site:
        return "foreign-site", f"a decision of site {record.site!r}, not {site!r}"
    if not lake_tables.fits(record):
        return "record", "a number is out of range"
    return None


def _damage(rest: memoryview) -> tuple[str, str] | None:
    """What is wrong with bytes that begin with no whole record; None when more of it may follow."""
    if len(rest) < spool.HEADER.size:
        return None
    length, _ = spool.HEADER.unpack_from(rest)
    if length > spool.MAX_RECORD_BYTES:
        return "damaged", f"a record claims {length} bytes"
    if len(rest) < spool.HEADER.size + length:
        return None
    return "damaged", "a record is not what its checksum says"


def _gap(committed: int, offset: int) -> RefusedError:
    message = f"bytes {committed} to {offset} of this segment never came"
    return RefusedError(409, "gap", message, f"send from offset {committed}", {"committed": committed})


def _faulty(committed: int, code: str, message: str) -> RefusedError:
    hint = "what stands before it is taken; give up the rest of this segment"
    return RefusedError(
        422, code, f"at offset {committed}: {message}", hint, {"committed": committed, "offset": committed}
    )


def _folder(root: Path, site: str, kind: str) -> Path:
    return root / "sites" / site / "lake" / kind


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove(root: Path, files: list[LakeFile]) -> None:
    for file in files:
        (root / file.path).unlink(missing_ok=True)


def _sweep(root: Path, listed: set[str]) -> int:
    removed = 0
    for path in root.glob("sites/*/lake/*/*"):
        if str(path.relative_to(root)) not in listed:
            path.unlink()
            removed += 1
    return removed

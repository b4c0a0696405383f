"""Ships what workers spooled to the origin: at least once on the wire, at its watermark."""

import asyncio
import logging
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edge.agent.metrics import Metrics
from edge.agent.origin import OffsetError, Origin, RefusedSegmentError
from edge.backoff import Backoff
from edge.errors import OriginError
from edge.events.spool import HEADER, is_alive, whole_bytes

log = logging.getLogger(__name__)

BATCH_BYTES: Final = 1 << 20
PAUSE_S: Final = 0.25
RETRY_FIRST_S: Final = 0.25
RETRY_MOST_S: Final = 5.0
MAX_SET_ASIDE: Final = 32
# Between making its folder and taking its lock, a new writer looks dead.
GRACE_S: Final = 5.0

SPOOL_ID: Final = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True)
class Segment:
    """One file of a spool as it is now; `final`: nobody will write to it any more."""

    path: Path
    spool: str
    number: int
    size: int
    final: bool


def scan(root: Path) -> list[list[Segment]]:
    """The segments of each spool, oldest first; spools that are dead and empty are removed."""
    spools = []
    for folder in sorted(root.iterdir()):
        if not SPOOL_ID.fullmatch(folder.name):
            continue
        # In this order: what a dead writer left, and what has a follower, is final.
        alive = _alive(folder)
        paths = sorted(folder.glob("*.seg"))
        if paths:
            spools.append([_segment(path, final=not alive or path != paths[-1]) for path in paths])
        elif not alive:
            _remove(folder)
    return spools


def _segment(path: Path, *, final: bool) -> Segment:
    return Segment(path, path.parent.name, int(path.stem), path.stat().st_size, final)


def _alive(folder: Path) -> bool:
    try:
        return is_alive(folder) or time.time() - folder.stat().st_mtime < GRACE_S
    except FileNotFoundError:
        return time.time() - folder.stat().st_mtime < GRACE_S


def _remove(folder: Path) -> None:
    """Remove a dead spool's folder, unless a segment was set aside in it."""
    if not list(folder.glob("*.bad")):
        (folder / "lock").unlink(missing_ok=True)
        folder.rmdir()


class Shipper:
    """Ships all spools under `root`, one batch of each in turn.

    What it remembers is only the origin's watermarks; it may be killed at any
    point, and asks again.
    """

    def __init__(self, root: Path, origin: Origin, pop: str, metrics: Metrics) -> None:
        self._root, self._origin, self._pop, self._metrics = root, origin, pop, metrics
        self._committed: dict[Path, int] = {}
        self._refused: set[Path] = set()
        self.waiting_bytes = 0

    async def run(self) -> None:
        """Ship for ever."""
        backoff = Backoff(RETRY_FIRST_S, RETRY_MOST_S)
        while True:
            try:
                more = await self.ship_once()
            except OriginError as error:
                self._origin.reach.failed("events", error)
                await asyncio.sleep(backoff.next_s())
                continue
            backoff.reset()
            if not more:
                await asyncio.sleep(PAUSE_S)

    def set_aside(self) -> list[Path]:
        """The segments that the origin can't take, oldest first."""
        return sorted(self._root.glob("*/*.bad"), key=lambda path: path.stat().st_mtime)

    async def ship_once(self) -> bool:
        """One batch of each spool; whether any has more.

        Raises
        ------
        OriginError
            The origin did not take it; nothing is lost.
        """
        spools = scan(self._root)
        self._forget([segment.path for segments in spools for segment in segments])
        self._weigh(spools)
        more = False
        for segments in spools:
            for segment in segments:
                if segment.path in self._refused:
                    self._set_aside(segment)
                elif await self._advance(segment):
                    more = True
                    break
        return more

    async def _advance(self, segment: Segment) -> bool:
        """Ship one batch of a segment, or remove it when nothing is left; whether to come again."""
        place = f"{self._pop}/{segment.spool}/{segment.number}"
        committed = self._committed.get(segment.path)
        if committed is None:
            committed = self._committed[segment.path] = await self._origin.committed(place)
        data = _read_whole(segment.path, committed)
        if not data:
            if segment.final:
                self._finish(segment, committed)
            return False
        try:
            after = await self._origin.ship(place, committed, data)
        except OffsetError as error:
            log.warning("%s: the origin has %d bytes, not %d", place, error.committed, committed)
            if error.committed == committed:
                raise OriginError("origin-answer", f"{place}: refused at its own watermark") from error
            self._committed[segment.path] = error.committed
            return True
        except RefusedSegmentError as error:
            log.error("%s: the origin can't take it, set aside: %s", place, error)
            self._refused.add(segment.path)
            self._set_aside(segment)
            return False
        if after <= committed:
            raise OriginError("origin-answer", f"{place}: the watermark stays at {after}")
        self._origin.reach.answered("events")
        self._count(data, after - committed)
        self._committed[segment.path] = after
        return True

    def _finish(self, segment: Segment, committed: int) -> None:
        torn = segment.size - committed
        if torn > 0:
            self._metrics.count("nearside_ship_dropped_bytes_total", torn)
            log.warning("%s: %d bytes of a torn record dropped", segment.path, torn)
        segment.path.unlink()
        del self._committed[segment.path]

    def _set_aside(self, segment: Segment) -> None:
        """Move a segment out of the way once nobody writes to it."""
        if not segment.final:
            return
        self._metrics.count("nearside_ship_set_aside_total")
        segment.path.rename(segment.path.with_suffix(".seg.bad"))
        self._refused.discard(segment.path)
        for path in self.set_aside()[:-MAX_SET_ASIDE]:
            log.error("%s: removed, more than %d segments are set aside", path, MAX_SET_ASIDE)
            path.unlink()

    def _forget(self, present: list[Path]) -> None:
        self._committed = {path: self._committed[path] for path in present if path in self._committed}

    def _weigh(self, spools: list[list[Segment]]) -> None:
        self.waiting_bytes = sum(
            max(0, segment.size - self._committed.get(segment.path, 0))
            for segments in spools
            for segment in segments
        )
        self._metrics.gauge("nearside_spool_waiting_bytes", self.waiting_bytes)

    def _count(self, data: bytes, size: int) -> None:
        self._metrics.count("nearside_shipped_bytes_total", size)
        self._metrics.count("nearside_shipped_records_total", sum(1 for _ in _lengths(data)))


def _read_whole(path: Path, offset: int) -> bytes:
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(BATCH_BYTES)
    return data[: whole_bytes(data)]


def _lengths(data: bytes) -> Iterator[int]:
    start = 0
    while start < len(data):
        (length, _) = HEADER.unpack_from(data, start)
        yield length
        start += HEADER.size + length

"""Every acknowledged record reaches the origin once, whatever dies in between."""

import asyncio
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from edge.agent import ship
from edge.agent.metrics import Metrics
from edge.agent.origin import Origin
from edge.agent.ship import Shipper
from edge.decide.types import Event
from edge.errors import OriginError
from edge.events import spool as spooling
from edge.events.spool import SpoolWriter, frame, records
from tests.edge.agent.conftest import POP, running, until
from tests.edge.origin_sim import SITE, TOKEN, OriginSim

REFUSAL = b'{"error": {"code": "damaged", "message": "a bad record"}, "committed": 0}'


def event(n: int) -> Event:
    """The n-th of events that are all different."""
    return Event("d" * 32, "click", f"item-{n}", n, "hero", "", 1_700_000_000_000 + n)


class Killed(BaseException):
    """Stands for kill -9."""


class Ground:
    """A folder of spools and an origin; `shipper()` is a new process each time."""

    def __init__(self, root: Path, sim: OriginSim) -> None:
        self.root, self.sim = root, sim
        self.metrics = Metrics()
        self.writers: list[SpoolWriter] = []
        root.mkdir()

    def writer(self) -> SpoolWriter:
        self.writers.append(SpoolWriter(self.root))
        return self.writers[-1]

    def shipper(self) -> Shipper:
        origin = Origin("http://origin", SITE, lambda: TOKEN, self.sim)
        return Shipper(self.root, origin, POP, self.metrics)

    def ship_all(self, shipper: Shipper | None = None) -> None:
        """Ship until nothing more can be shipped."""

        async def main() -> None:
            mine = shipper or self.shipper()
            while await mine.ship_once():
                pass
            # Once more: what the last batch left empty is removed by the next look.
            await mine.ship_once()

        asyncio.run(main())

    def arrived(self) -> list[int]:
        """The numbers of the events in the lake, in the order of their places."""
        places = sorted(self.sim.lake, key=lambda place: (len(place), place))  # 10 comes after 9
        return [r.n for place in places for r in records(bytes(self.sim.lake[place]))]

    def left(self) -> list[str]:
        """All files that are still there, but locks."""
        return sorted(path.name for path in self.root.glob("*/*") if path.name != "lock")


@pytest.fixture
def ground(tmp_path: Path, sim: OriginSim, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    monkeypatch.setattr(ship, "GRACE_S", 0)
    ground = Ground(tmp_path / "spool", sim)
    yield ground
    for writer in ground.writers:
        if os.path.exists(f"/proc/self/fd/{writer._lock}"):  # noqa: PTH110
            writer.close()


def test_a_living_spool_is_shipped_and_its_segment_stays(ground: Ground) -> None:
    writer = ground.writer()
    writer.append(map(event, range(10)))
    ground.ship_all()
    writer.append([event(10)])
    ground.ship_all()
    assert ground.arrived() == list(range(11))
    assert ground.left() == ["00000001.seg"]
    assert ground.metrics.counters["nearside_shipped_records_total"] == 11


def test_a_dead_spool_is_shipped_and_removed(ground: Ground) -> None:
    writer = ground.writer()
    writer.append(map(event, range(10)))
    writer.close()
    ground.ship_all()
    assert ground.arrived() == list(range(10))
    assert not list(ground.root.iterdir())


def test_full_segments_go_once_they_are_shipped(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spooling, "SEGMENT_BYTES", 1000)
    writer = ground.writer()
    for n in range(100):
        writer.append([event(n)])
    assert len(ground.left()) > 5
    ground.ship_all()
    assert ground.arrived() == list(range(100))
    assert len(ground.left()) == 1


def test_batches_are_bounded_and_whole(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ship, "BATCH_BYTES", 300)
    ground.writer().append(map(event, range(50)))
    ground.ship_all()
    assert ground.arrived() == list(range(50))
    assert sum(r.startswith("POST") for r in ground.sim.requests) > 10


def test_a_torn_tail_waits_while_its_writer_lives_and_is_dropped_after(ground: Ground) -> None:
    writer = ground.writer()
    writer.append(map(event, range(3)))
    os.write(writer._file, frame(event(3))[:-5])
    ground.ship_all()
    assert ground.left() == ["00000001.seg"]
    writer.close()
    ground.ship_all()
    assert ground.arrived() == [0, 1, 2]
    assert not ground.left()
    assert ground.metrics.counters["nearside_ship_dropped_bytes_total"] == len(frame(event(3))) - 5


def test_a_damaged_record_holds_up_no_other_spool(ground: Ground) -> None:
    writers = sorted((ground.writer(), ground.writer()), key=lambda writer: writer.id)
    for writer in writers:
        writer.append([event(1)])
    damaged = next((ground.root / writers[0].id).glob("*.seg"))
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"\xff")
    ground.ship_all()
    assert ground.arrived() == [1]


def test_a_new_process_asks_for_the_watermark_and_doubles_nothing(ground: Ground) -> None:
    writer = ground.writer()
    writer.append(map(event, range(5)))
    ground.ship_all()
    writer.append(map(event, range(5, 8)))
    ground.ship_all()
    assert ground.arrived() == list(range(8))
    posts = [r for r in ground.sim.requests if r.startswith("POST")]
    assert len(posts) == 2


def test_a_lost_answer_doubles_nothing(ground: Ground) -> None:
    ground.writer().append(map(event, range(5)))
    shipper = ground.shipper()
    ground.sim.lost_answers = 1
    with pytest.raises(OriginError):
        ground.ship_all(shipper)
    ground.ship_all(shipper)
    assert ground.arrived() == list(range(5))


def test_an_origin_that_lost_some_is_given_it_again(ground: Ground) -> None:
    writer = ground.writer()
    writer.append(map(event, range(5)))
    shipper = ground.shipper()
    ground.ship_all(shipper)
    # Restored from an older copy: one record less than the agent was told.
    place = next(iter(ground.sim.lake))
    del ground.sim.lake[place][-len(frame(event(4))) :]
    writer.append([event(5)])
    ground.ship_all(shipper)
    assert ground.arrived() == list(range(6))


def test_a_watermark_that_stays_is_an_error_and_no_loop(ground: Ground) -> None:
    writer = ground.writer()
    writer.append([event(1)])
    place = f"events/{POP}/{writer.id}/1"
    stuck = b'{"committed": 0}'
    ground.sim.answers[place] = (200, httpx.ByteStream(stuck))
    with pytest.raises(OriginError, match="origin-answer"):
        ground.ship_all()
    ground.sim.answers[place] = (409, httpx.ByteStream(stuck))
    shipper = ground.shipper()
    shipper._committed[next(ground.root.glob("*/*.seg"))] = 0
    with pytest.raises(OriginError, match="origin-answer"):
        ground.ship_all(shipper)
    assert not ground.arrived()


def test_a_segment_that_the_origin_cannot_take_is_set_aside(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spooling, "SEGMENT_BYTES", 300)
    writer = ground.writer()
    for n in range(12):
        writer.append([event(n)])
    shipper = ground.shipper()
    place = f"events/{POP}/{writer.id}/2"
    lost = {r.n for r in records((ground.root / writer.id / "00000002.seg").read_bytes())}
    ground.sim.answers[place] = (422, httpx.ByteStream(REFUSAL))
    shipper._committed[ground.root / writer.id / "00000002.seg"] = 0
    ground.ship_all(shipper)
    assert ground.arrived() == [n for n in range(12) if n not in lost]
    assert "00000002.seg.bad" in ground.left()
    assert ground.metrics.counters["nearside_ship_set_aside_total"] == 1
    writer.close()
    ground.ship_all(shipper)
    assert ground.left() == ["00000002.seg.bad"]


def test_a_living_segment_is_set_aside_once_nobody_writes_to_it(ground: Ground) -> None:
    writer = ground.writer()
    writer.append([event(1)])
    shipper = ground.shipper()
    place = f"events/{POP}/{writer.id}/1"
    shipper._committed[next(ground.root.glob("*/*.seg"))] = 0
    ground.sim.answers[place] = (422, httpx.ByteStream(REFUSAL))
    ground.ship_all(shipper)
    ground.ship_all(shipper)
    assert ground.left() == ["00000001.seg"]
    assert sum(r.startswith("POST") for r in ground.sim.requests) == 1
    writer.close()
    ground.ship_all(shipper)
    assert ground.left() == ["00000001.seg.bad"]


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 422, 500, 503])
def test_what_may_be_mended_at_the_origin_is_waited_for(ground: Ground, status: int) -> None:
    writer = ground.writer()
    writer.append([event(1)])
    writer.close()
    place = f"events/{POP}/{writer.id}/1"
    body = b'{"error": {"code": "pop", "message": "no such name"}}'
    ground.sim.answers[place] = (status, httpx.ByteStream(body))
    shipper = ground.shipper()
    shipper._committed[next(ground.root.glob("*/*.seg"))] = 0
    with pytest.raises(OriginError, match=r"origin-|pop: no such name"):
        ground.ship_all(shipper)
    ground.sim.answers.clear()
    ground.ship_all(shipper)
    assert ground.arrived() == [1]


def test_the_number_of_segments_set_aside_is_bounded(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ship, "MAX_SET_ASIDE", 2)
    shipper = ground.shipper()
    for n in range(4):
        writer = ground.writer()
        writer.append([event(n)])
        writer.close()
        path = ground.root / writer.id / "00000001.seg"
        shipper._committed[path] = 0
        ground.sim.answers[f"events/{POP}/{writer.id}/1"] = (422, httpx.ByteStream(REFUSAL))
        ground.ship_all(shipper)
    ground.ship_all(shipper)
    assert len(ground.left()) == 2


def test_a_writer_that_is_just_starting_is_left_alone(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ship, "GRACE_S", 5)
    (ground.root / ("a" * 16)).mkdir()
    locked = ground.root / ("b" * 16)
    locked.mkdir()
    (locked / "lock").touch()
    ground.ship_all()
    assert len(list(ground.root.iterdir())) == 2
    for folder in ground.root.iterdir():
        os.utime(folder, (time.time() - 60, time.time() - 60))
    ground.ship_all()
    assert not list(ground.root.iterdir())


def test_what_is_no_spool_is_not_touched(ground: Ground) -> None:
    (ground.root / "notes").mkdir()
    (ground.root / "notes" / "00000001.seg").write_bytes(b"mine")
    ground.ship_all()
    assert ground.left() == ["00000001.seg"]
    assert not ground.sim.requests


def killed_at(step: int) -> Callable[[], None]:
    """A call that kills at the step-th time."""
    left = [step]

    def call() -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Killed

    return call


@pytest.mark.parametrize("step", range(21))
@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
def test_killed_at_any_point_nothing_is_lost_or_doubled(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, step: int, late: bool
) -> None:
    monkeypatch.setattr(spooling, "SEGMENT_BYTES", 400)
    monkeypatch.setattr(ship, "BATCH_BYTES", 250)
    dead, living = ground.writer(), ground.writer()
    for n in range(12):
        dead.append([event(n)])
        living.append([event(100 + n)])
    dead.close()
    kill = killed_at(step)
    handle, unlink = ground.sim.handle_async_request, Path.unlink

    async def killing_request(request: httpx.Request) -> httpx.Response:
        if not late:
            kill()
        answer = await handle(request)
        if late:
            kill()
        return answer

    def killing_unlink(path: Path, missing_ok: bool = False) -> None:
        if not late:
            kill()
        unlink(path, missing_ok=missing_ok)
        if late:
            kill()

    with monkeypatch.context() as patch:
        patch.setattr(ground.sim, "handle_async_request", killing_request)
        patch.setattr(Path, "unlink", killing_unlink)
        with pytest.raises(Killed):
            ground.ship_all()
    ground.ship_all()
    assert sorted(ground.arrived()) == [*range(12), *range(100, 112)]
    assert ground.left() == [f"{living._segment:08d}.seg"]


def test_events_wait_while_the_origin_is_down_and_arrive_once(ground: Ground) -> None:
    writer = ground.writer()
    shipper = ground.shipper()

    async def main() -> None:
        ground.sim.down = True
        writer.append(map(event, range(5)))
        async with running(shipper.run()):
            await until(lambda: "events" in shipper._origin.reach.failing)
            assert shipper.waiting_bytes > 0
            writer.append([event(5)])
            ground.sim.down = False
            await until(lambda: len(ground.arrived()) == 6)
            await until(lambda: shipper.waiting_bytes == 0)

    asyncio.run(main())
    assert ground.arrived() == list(range(6))
    assert shipper._origin.reach.reachable


def test_what_was_written_while_the_disk_was_full_does_not_shift_the_watermark(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = ground.writer()
    writer.append([event(0)])
    write = os.write

    def short(descriptor: int, data: bytes) -> int:
        # The first record fits; the agent looks just now.
        size = write(descriptor, data[: len(frame(event(1)))])
        ground.ship_all()
        return size

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", short)
        with pytest.raises(spooling.SpoolFullError):
            writer.append([event(1), event(2)])
    for n in range(3, 8):
        writer.append([event(n)])
    ground.ship_all()
    # The first of the batch may have gone out, though nothing was acknowledged; all that was, did.
    assert set(ground.arrived()) >= {0, 3, 4, 5, 6, 7}

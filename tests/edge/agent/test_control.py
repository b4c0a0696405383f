"""Workers come and go; what they counted stays."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edge.agent import control as module
from edge.agent.control import Control, rss_bytes
from edge.agent.metrics import Metrics
from tests.edge.agent.conftest import until


class FakeWorker:
    """The worker's end of the socket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def say(self, message: object) -> None:
        self._writer.write(msgspec.json.encode(message) + b"\n")

    async def hear(self) -> Any:
        return msgspec.json.decode(await asyncio.wait_for(self._reader.readline(), 5))

    async def heard_the_end(self) -> bool:
        return await asyncio.wait_for(self._reader.read(), 5) == b""

    def leave(self) -> None:
        self._writer.close()


@asynccontextmanager
async def listening(
    path: Path,
) -> AsyncIterator[tuple[Control, Callable[[str], Coroutine[None, None, FakeWorker]]]]:
    control = Control(path, Metrics())
    await control.start()
    workers: list[FakeWorker] = []

    async def connect(spool: str) -> FakeWorker:
        worker = FakeWorker(*await asyncio.open_unix_connection(path))
        workers.append(worker)
        worker.say({"hello": {"pid": os.getpid(), "worker": len(workers) - 1, "spool": spool}})
        # To look at what is active: it may have started before the last change.
        assert await worker.hear() == {"activate": True}
        return worker

    try:
        yield control, connect
    finally:
        for worker in workers:
            worker.leave()
        await control.stop()


def test_sums_never_go_down(tmp_path: Path) -> None:
    async def main() -> None:
        async with listening(tmp_path / "sock") as (control, connect):
            first, second = await connect("a"), await connect("b")
            first.say({"metrics": {"pages_total": 5, "gauge:open": 2}})
            second.say({"metrics": {"pages_total": 7, "gauge:open": 1}})
            await until(lambda: control.counters().get("pages_total") == 12)
            assert control.gauges() == {"open": 3}
            first.leave()
            await until(lambda: len(control.workers()) == 1)
            assert control.counters()["pages_total"] == 12
            assert control.gauges() == {"open": 1}
            # The same process again, after it lost the socket.
            first = await connect("a")
            assert control.counters()["pages_total"] == 12
            first.say({"metrics": {"pages_total": 6}})
            await until(lambda: control.counters()["pages_total"] == 13)

    asyncio.run(main())


def test_the_totals_of_many_dead_workers_are_kept_in_one_sum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_GONE", 2)

    async def main() -> None:
        async with listening(tmp_path / "sock") as (control, connect):
            for number in range(6):
                worker = await connect(f"spool-{number}")
                worker.say({"metrics": {"pages_total": 10}})
                await until(lambda number=number: control.counters().get("pages_total") == 10 * (number + 1))  # type: ignore[misc]
                worker.leave()
                await until(lambda: not control.workers())
            assert len(control._counters) == 2
            assert control.counters()["pages_total"] == 60

    asyncio.run(main())


def test_all_workers_are_told(tmp_path: Path) -> None:
    async def main() -> None:
        async with listening(tmp_path / "sock") as (control, connect):
            workers = [await connect("a"), await connect("b")]
            control.activate()
            assert control.tell({"purge": {"all": True}}) == 2
            for worker in workers:
                assert await worker.hear() == {"activate": True}
                assert await worker.hear() == {"purge": {"all": True}}

    asyncio.run(main())


def test_what_workers_say_of_a_bundle_is_in_their_status(tmp_path: Path) -> None:
    async def main() -> None:
        async with listening(tmp_path / "sock") as (control, connect):
            worker = await connect("a")
            worker.say({"refused": {"bundle": "b" * 32, "code": "golden"}})
            await until(lambda: control.workers()[0].refused is not None)
            assert control._metrics.counters['nearside_worker_refused_total{code="golden"}'] == 1
            worker.say({"activated": {"bundle": "c" * 32, "revision": 3, "ms": 1.5}})
            await until(lambda: control.workers()[0].activated is not None)
            status = control.workers()[0].status()
            assert status["activated"] == {"bundle": "c" * 32, "revision": 3, "ms": 1.5}
            assert status["refused"] is None
            assert status["pid"] == os.getpid()
            assert status["rss_bytes"] > 1_000_000

    asyncio.run(main())


@pytest.mark.parametrize(
    "said", [b"{}\n", b"not json\n", b'{"hello": 3}\n', b"x" * (2 << 20), b'{"metrics": {}}\n']
)
def test_who_does_not_say_hello_is_sent_away(tmp_path: Path, said: bytes) -> None:
    async def main() -> None:
        async with listening(tmp_path / "sock") as (control, connect):
            stranger = FakeWorker(*await asyncio.open_unix_connection(tmp_path / "sock"))
            stranger._writer.write(said)
            with suppress(ConnectionResetError):
                assert await stranger.heard_the_end()
            stranger.leave()
            assert not control.workers()
            await connect("a")
            assert len(control.workers()) == 1

    asyncio.run(main())


def test_numbers_that_are_none_are_left_out(tmp_path: Path) -> None:
    async def main() -> None:
        async with listening(tmp_path / "sock") as (control, connect):
            worker = await connect("a")
            worker._writer.write(b'{"metrics": {"huge_total": 1e999, "pages_total": 1}}\n')
            worker.say({"metrics": {"pages_total": 2}})
            await until(lambda: not control.workers() or control.counters().get("pages_total") == 2)
            assert "huge_total" not in control.counters()

    asyncio.run(main())


def test_a_socket_that_was_left_behind_is_replaced(tmp_path: Path) -> None:
    async def main() -> None:
        async with listening(tmp_path / "sock"):
            pass
        assert (tmp_path / "sock").exists()
        async with listening(tmp_path / "sock") as (control, connect):
            await connect("a")
            assert len(control.workers()) == 1

    asyncio.run(main())


def test_the_memory_of_a_process_that_is_gone_is_unknown() -> None:
    assert rss_bytes(2**22 + 1) is None

"""A worker follows `active.json` and its agent; whatever goes wrong, what it serves stays."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.bundle.active import Active as Wanted
from edge.bundle.active import active_path, bundle_folder, control_path, write_active
from edge.bundle.format import Attribute
from edge.bundle.reader import open_bundle
from edge.decide.engine import EmptyEngine
from edge.proxy.policy import Terms
from edge.proxy.store import Entry, Store
from edge.worker import control
from edge.worker.active import Holder
from edge.worker.attributes.locator import NOBODY
from edge.worker.control import Activator, ControlLink
from edge.worker.counters import Counters
from edge.worker.site.cache import SharedCache
from tests.workspaces.make import SITE


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state folder; sockets need short paths."""
    folder = tmp_path / "s"
    folder.mkdir()
    return folder


@pytest.fixture
def bundle(state: Path, bundle_folder: Path) -> str:
    """The id of a bundle that lies in the state folder."""
    found = open_bundle(bundle_folder, SITE).id
    shutil.copytree(bundle_folder, folder_of(state, found))
    return found


folder_of: Callable[[Path, str], Path] = bundle_folder


def activate(state: Path, holder: Holder) -> dict[str, Any] | None:
    return asyncio.run(Activator(state, SITE, holder, NOBODY).activate())


def test_before_the_first_activation_there_is_nothing_to_tell(state: Path) -> None:
    holder = Holder()
    assert activate(state, holder) is None
    assert isinstance(holder.active.engine, EmptyEngine)


def test_what_is_active_is_served(state: Path, bundle: str) -> None:
    write_active(state, Wanted(3, bundle, 7, ("welcome",)))
    holder = Holder()
    told = activate(state, holder)
    assert told is not None
    assert (told["activated"]["bundle"], told["activated"]["revision"]) == (bundle, 3)
    assert (holder.active.engine.id, holder.active.revision, holder.active.killed) == (
        bundle,
        3,
        ("welcome",),
    )


def test_a_kill_alone_keeps_the_engine(state: Path, bundle: str) -> None:
    holder = Holder()
    write_active(state, Wanted(3, bundle, 7))
    activate(state, holder)
    engine = holder.active.engine
    write_active(state, Wanted(4, bundle, 8, ("welcome",)))
    activate(state, holder)
    assert holder.active.engine is engine
    assert (holder.active.revision, holder.active.killed) == (4, ("welcome",))


def no_bundle(state: Path, bundle: str) -> None:
    write_active(state, Wanted(4, "0" * 32, 8))


def damaged_pointer(state: Path, bundle: str) -> None:
    active_path(state).write_bytes(b'{"revision": ')


def pointer_outside(state: Path, bundle: str) -> None:
    write_active(state, Wanted(4, "../../../../etc/passwd".ljust(32, "x"), 8))


def damaged_manifest(state: Path, bundle: str) -> None:
    other = shutil.copytree(folder_of(state, bundle), folder_of(state, "1" * 32))
    (other / "rules.manifest").write_bytes(b"\xc1")
    write_active(state, Wanted(4, "1" * 32, 8))


def damaged_artifacts(state: Path, bundle: str) -> None:
    other = shutil.copytree(folder_of(state, bundle), folder_of(state, "2" * 32))
    for path in (other / "artifacts").iterdir():
        path.write_bytes(b"\x91" * path.stat().st_size)
    write_active(state, Wanted(4, "2" * 32, 8))


def missing_artifact(state: Path, bundle: str) -> None:
    other = shutil.copytree(folder_of(state, bundle), folder_of(state, "3" * 32))
    next((other / "artifacts").iterdir()).unlink()
    write_active(state, Wanted(4, "3" * 32, 8))


@pytest.mark.parametrize(
    "breaks",
    [no_bundle, damaged_pointer, pointer_outside, damaged_manifest, damaged_artifacts, missing_artifact],
)
def test_a_bundle_that_can_not_be_loaded_leaves_the_old_one(
    state: Path, bundle: str, breaks: Callable[[Path, str], None]
) -> None:
    holder = Holder()
    write_active(state, Wanted(3, bundle, 7))
    activate(state, holder)
    before = holder.active
    breaks(state, bundle)
    told = activate(state, holder)
    assert told is not None
    assert told["refused"]["code"] != "internal"
    assert holder.active is before


def test_an_attribute_of_a_newer_bundle_is_a_refusal(
    state: Path, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It once ended the worker: at its start, and with it again and again."""
    load = control.Engine.load

    def newer(*args: Any) -> Any:
        engine = load(*args)
        engine.reads = ("weather.now",)
        engine.schema = type(engine.schema)((Attribute("weather.now", "string", "builtin"),), (), ())
        return engine

    monkeypatch.setattr(control.Engine, "load", newer)
    write_active(state, Wanted(3, bundle, 7))
    holder = Holder()
    assert activate(state, holder) == {"refused": {"bundle": bundle, "code": "attribute"}}
    assert isinstance(holder.active.engine, EmptyEngine)


def test_an_error_that_nobody_thought_of_is_a_refusal(
    state: Path, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any) -> Any:
        raise ZeroDivisionError

    monkeypatch.setattr(control.Engine, "load", failing)
    write_active(state, Wanted(3, bundle, 7))
    assert activate(state, Holder()) == {"refused": {"bundle": bundle, "code": "internal"}}


class FakeAgent:
    """The other end of the socket."""

    def __init__(self) -> None:
        self.heard: list[dict[str, Any]] = []
        self.writers: list[asyncio.StreamWriter] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        while line := await reader.readline():
            self.heard.append(json.loads(line))
        writer.close()

    def tell(self, line: bytes) -> None:
        self.writers[-1].write(line + b"\n")

    def count(self, kind: str) -> int:
        return sum(kind in message for message in self.heard)


@asynccontextmanager
async def listening(agent: FakeAgent, state: Path) -> AsyncIterator[None]:
    server = await asyncio.start_unix_server(agent.serve, str(control_path(state)))
    try:
        yield
    finally:
        server.close()
        for writer in agent.writers:
            writer.close()


def make_cache() -> SharedCache:
    store = Store(1 << 20)
    store.put((b"/",), Entry(200, [], b"x", Terms(60), 0))
    store.put((b"/films",), Entry(200, [], b"x", Terms(60), 0, tags=frozenset((b"films",))))
    return SharedCache(store, lambda: 0.0)


def kept(cache: SharedCache) -> set[bytes]:
    return set(cache._store._by_target)


@asynccontextmanager
async def linked(state: Path, holder: Holder, counters: Counters, cache: SharedCache) -> AsyncIterator[None]:
    link = ControlLink(
        state, {"worker": 1, "spool": "ab"}, Activator(state, SITE, holder, NOBODY), cache, counters
    )
    task = asyncio.create_task(link.run())
    try:
        yield
    finally:
        assert not task.done(), "the link ended by itself"
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_the_agent_has_the_worker_read_again_what_was_replaced(state: Path) -> None:
    agent, read = FakeAgent(), list[int]()

    async def main() -> None:
        async with listening(agent, state):
            activator = Activator(state, SITE, Holder(), NOBODY)
            link = ControlLink(state, {"worker": 1, "spool": "ab"}, activator, make_cache(), Counters())
            link.renew = lambda: read.append(1)
            task = asyncio.create_task(link.run())
            await until(lambda: len(read) == 1)  # what was replaced while there was no agent
            agent.tell(b'{"renew": true}')
            await until(lambda: len(read) == 2)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "RECONNECT_S", 0.02)


def test_the_link_says_who_it_is_obeys_and_has_the_last_word(state: Path, bundle: str) -> None:
    agent, holder, counters, cache = FakeAgent(), Holder(), Counters(), make_cache()

    async def main() -> None:
        async with listening(agent, state):
            async with linked(state, holder, counters, cache):
                await until(lambda: agent.count("metrics") == 1)
                write_active(state, Wanted(3, bundle, 7))
                agent.tell(b'{"activate": true}')
                await until(lambda: agent.count("activated") == 1)
                agent.tell(b'{"purge": {"all": true}}')
                agent.tell(b'{"dance": true}')
                await until(lambda: not kept(cache))
                counters.add("late")
            await until(lambda: agent.heard[-1] == {"metrics": {"late": 1}})

    asyncio.run(main())
    hello = agent.heard[0]["hello"]
    assert (hello["worker"], hello["spool"]) == (1, "ab")
    assert hello["pid"] > 0
    assert holder.active.revision == 3


def test_a_bundle_that_came_while_there_was_no_agent_is_found_at_the_next(state: Path, bundle: str) -> None:
    agent, holder = FakeAgent(), Holder()

    async def main() -> None:
        async with linked(state, holder, Counters(), make_cache()):
            async with listening(agent, state):
                await until(lambda: agent.count("hello") == 1)
            control_path(state).unlink(missing_ok=True)
            write_active(state, Wanted(3, bundle, 7))
            async with listening(agent, state):
                await until(lambda: agent.count("activated") == 1)

    asyncio.run(main())
    assert agent.count("hello") >= 2
    assert holder.active.revision == 3


@pytest.mark.parametrize(
    "line", [b"no json", b"7", b"[]", b"null", b"\xff", b"x" * (control.MAX_LINE_BYTES + 9)]
)
def test_nonsense_of_the_agent_costs_the_connection_alone(state: Path, line: bytes) -> None:
    agent = FakeAgent()

    async def main() -> None:
        async with listening(agent, state), linked(state, Holder(), Counters(), make_cache()):
            await until(lambda: agent.count("hello") == 1)
            agent.tell(line)
            await until(lambda: agent.count("hello") == 2)

    asyncio.run(main())


def test_odd_purges_forget_nothing(state: Path) -> None:
    agent, cache = FakeAgent(), make_cache()

    async def main() -> None:
        async with listening(agent, state), linked(state, Holder(), Counters(), cache):
            await until(lambda: agent.count("hello") == 1)
            for purge in (b"true", b'"/"', b"[]", b'{"url": ""}', b'{"url": "/x"}', b'{"key": "films"}'):
                agent.tell(b'{"purge": %s}' % purge)
            await until(lambda: kept(cache) == {b"/"})

    asyncio.run(main())


def test_after_a_lost_connection_nothing_is_kept(state: Path) -> None:
    """Nobody knows what was purged meanwhile."""
    agent, cache = FakeAgent(), make_cache()

    async def main() -> None:
        async with linked(state, Holder(), Counters(), cache):
            async with listening(agent, state):
                await until(lambda: agent.count("hello") == 1)
                assert kept(cache)
            control_path(state).unlink(missing_ok=True)
            async with listening(agent, state):
                await until(lambda: agent.count("hello") == 2)
                await until(lambda: not kept(cache))

    asyncio.run(main())


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("/a?b=1", b"/a?b=1"),
        ("https://films.example/a?b=1#c", b"/a?b=1"),
        ("https://films.example", b"/"),
    ],
)
def test_a_url_of_any_host_names_a_path(url: str, target: bytes) -> None:
    assert control.target_of(url) == target

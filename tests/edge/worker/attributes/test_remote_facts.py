"""Facts of a Redis are there when they come in time, and no page waits longer than it may."""

import asyncio
import shutil
import socket
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from edge.errors import ConfigError
from edge.keys import load_keys
from edge.visitor.facts import MAX_FACTS_BYTES, NO_FACTS, Facts, facts_of, hash_of, remote_name, remote_value
from edge.worker.attributes.remote_facts import (
    KNOWN_S,
    MAX_FAILURES,
    REST_S,
    Naming,
    RedisClient,
    RemoteFacts,
)
from edge.worker.attributes.shelf import Shelf
from edge.worker.counters import Counters
from edge.worker.renewal import raw
from origin.commands.root import app as commands
from origin.keys import new_keys
from tests.edge.worker.conftest import Answer, Clock, Worker
from tests.edge.worker.redis_server import SmallRedis, serving_redis
from tests.edge.worker.test_renewal import ANN, LOYAL, TOLD
from tests.workspaces.make import FILES, SITE, make_bundle

BOB = b"w" * 16
KEY = (1, b"t" * 32)
BUDGET_S = 0.05


def name(visitor: bytes, key: tuple[int, bytes] = KEY) -> bytes:
    return remote_name(SITE, key[0], hash_of(SITE, key[1], visitor))


class Pop:
    """A Redis, and what a worker has of it."""

    def __init__(self) -> None:
        self.redis, self.clock, self.counters = SmallRedis(), Clock(), Counters()

    def run(self, asks: Callable[[RemoteFacts], Awaitable[Any]], budget_s: float = BUDGET_S) -> Any:
        async def main() -> Any:
            async with serving_redis(self.redis) as url:
                facts = RemoteFacts(
                    RedisClient(url), Naming(SITE, [KEY, (0, b"o" * 32)]), self.counters, budget_s, self.clock
                )
                try:
                    return await asks(facts)
                finally:
                    await facts.close()

        return asyncio.run(main())

    def told(self, *visitors: bytes, budget_s: float = BUDGET_S) -> list[Facts]:
        async def asks(facts: RemoteFacts) -> list[Facts]:
            await asyncio.gather(*[facts.look_up(visitor) for visitor in visitors])
            return [facts.get(visitor) for visitor in visitors]

        return self.run(asks, budget_s)  # type: ignore[no-any-return]

    def count(self, outcome: str) -> float:
        return self.counters.snapshot().get(f'nearside_facts_total{{outcome="{outcome}"}}', 0)


@pytest.fixture
def pop() -> Pop:
    found = Pop()
    found.redis.held[name(ANN)] = remote_value(LOYAL)
    return found


def test_those_who_ask_together_are_asked_for_together(pop: Pop) -> None:
    pop.told(ANN)  # the library and the connection take longer the first time
    pop.redis.asked.clear()
    assert pop.told(ANN, BOB, ANN, budget_s=2.0) == [LOYAL, NO_FACTS, LOYAL]
    assert len(pop.redis.asked) == 1
    assert (pop.count("unknown"), pop.redis.connections) == (1, 2)


def test_facts_of_an_older_key_count_until_they_are_told_anew(pop: Pop) -> None:
    pop.redis.held[name(BOB, (0, b"o" * 32))] = remote_value({"segment": "old"})
    assert pop.told(BOB, budget_s=2.0) == [{"segment": "old"}]
    pop.redis.held[name(BOB)] = remote_value({"segment": "new"})
    assert pop.told(BOB, budget_s=2.0) == [{"segment": "new"}]


def test_an_answer_is_remembered_for_a_while(pop: Pop) -> None:
    async def asks(facts: RemoteFacts) -> list[int]:
        found = []
        for later_s in (0, KNOWN_S - 1, 2):
            pop.clock.now_s += later_s
            await facts.look_up(ANN)
            assert facts.get(ANN) == LOYAL
            found.append(len(pop.redis.asked))
        return found

    assert pop.run(asks, 2.0) == [1, 1, 2]


def test_nobody_waits_longer_than_they_may_and_what_comes_late_serves_the_next(pop: Pop) -> None:
    pop.redis.delay_s = 0.3

    async def asks(facts: RemoteFacts) -> tuple[float, Facts, Facts]:
        start = time.perf_counter()
        await facts.look_up(ANN)
        waited_s, at_once = time.perf_counter() - start, facts.get(ANN)
        await asyncio.sleep(0.5)
        return waited_s, at_once, facts.get(ANN)

    waited_s, at_once, later = pop.run(asks)
    assert waited_s < 0.25
    assert (at_once, later) == (NO_FACTS, LOYAL)
    assert pop.count("late") == 1


@pytest.mark.parametrize("ill", ["slow", "broken", "gone"])
def test_a_redis_that_fails_is_left_alone_and_tried_again(pop: Pop, ill: str) -> None:
    pop.redis.broken = ill == "broken"

    async def asks(facts: RemoteFacts) -> tuple[int, int, Facts]:
        pop.redis.delay_s = 0.02 if ill == "slow" else 0
        if ill == "gone":
            facts._held = RedisClient("redis://127.0.0.1:1/0?protocol=2")
        budget_s, facts._budget_s = facts._budget_s, 0.01
        for number in range(MAX_FAILURES):
            await facts.look_up(b"%16d" % number)
            await asyncio.sleep(0.06)
        before = len(pop.redis.asked)
        for number in range(50):
            await facts.look_up(b"x%15d" % number)
        after = len(pop.redis.asked)
        pop.redis.broken, pop.redis.delay_s, pop.clock.now_s = False, 0, pop.clock.now_s + REST_S
        facts._budget_s = budget_s
        if ill != "gone":
            await facts.look_up(ANN)
        return before, after, facts.get(ANN)

    # The clock of the breaker stands, so that slowness has to be told to it.
    if ill == "slow":
        pop.clock = Ticking()  # type: ignore[assignment]
    before, after, found = pop.run(asks, 2.0)
    assert before == after
    assert pop.count("resting") == 50
    assert found == (NO_FACTS if ill == "gone" else LOYAL)


class Ticking(Clock):
    """Goes on by itself, too."""

    def __call__(self) -> float:
        return self.now_s + time.monotonic()


@pytest.mark.parametrize(
    "value", [b"\xc1", b"", b"x" * 10_000, remote_value({"a": "b"})[:-1], b"\x93\x01\x02\x03"]
)
def test_what_is_damaged_is_not_known(pop: Pop, value: bytes) -> None:
    pop.redis.held[name(ANN)] = value
    assert pop.told(ANN, budget_s=2.0) == [NO_FACTS]


def test_values_are_bounded_and_the_same_for_the_same() -> None:
    assert facts_of(remote_value({f"f{number}": "" for number in range(65)})) == NO_FACTS
    assert facts_of(remote_value({"a": "x" * 2 * MAX_FACTS_BYTES})) == NO_FACTS
    assert remote_value({"a": "1", "b": "2"}) == remote_value({"b": "2", "a": "1"})


def test_what_is_no_url_is_told() -> None:
    with pytest.raises(ConfigError, match="no URL of a Redis"):
        RedisClient("redis://[")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """A workspace that asks for facts."""
    files = {**FILES, **TOLD}
    return Engine.load(open_bundle(make_bundle(tmp_path_factory.mktemp("facts"), files), SITE))


@pytest.fixture
def worker(tmp_path: Path, engine: Engine) -> Iterator[Worker]:
    """A worker with it."""
    found = Worker(tmp_path, engine)
    yield found
    found.spool.close()


def pages(worker: Worker, pop: Pop, *cookies: str, budget_s: float = 2.0, agent: str = "") -> list[Answer]:
    """Pages of visitors who ask together."""

    async def main() -> list[Answer]:
        async with serving_redis(pop.redis) as url:
            facts = RemoteFacts(RedisClient(url), Naming(SITE, [KEY]), worker.counters, budget_s)
            worker.holder.active = replace(worker.holder.active, shelf=Shelf(remote=facts))
            try:
                app = worker.app()
                asks = [worker.ask(app, "/", {"cookie": cookie, "user-agent": agent}) for cookie in cookies]
                return await asyncio.gather(*asks)
            finally:
                await facts.close()

    return asyncio.run(main())


def test_a_page_goes_by_facts_that_come_in_time(worker: Worker, pop: Pop) -> None:
    ann, bob = worker.cookie(visitor=ANN), worker.cookie(visitor=BOB)
    _, other = pages(worker, pop, f"consent=full; {ann}", f"consent=full; {bob}")
    first, second = worker.decisions()
    assert first.context.attributes["visitor.segment"] == "loyal"
    assert "visitor.segment" not in second.context.attributes
    assert len(pop.redis.asked) == 1
    assert other.status == 200


@pytest.mark.parametrize("who", ["session", "nobody", "bot", "forged"])
def test_nobody_is_looked_up_who_did_not_agree_or_is_not_known(worker: Worker, pop: Pop, who: str) -> None:
    ann = worker.cookie(visitor=ANN)
    cookie = {
        "session": f"consent=session; {ann}",
        "nobody": "consent=full",
        "bot": f"consent=full; {ann}",
        "forged": "consent=full; nearside=AAAA",
    }[who]
    (answer,) = pages(worker, pop, cookie, agent="Googlebot" if who == "bot" else "")
    assert answer.status == 200
    assert not pop.redis.asked


def test_a_page_does_not_wait_for_a_slow_redis(worker: Worker, pop: Pop) -> None:
    pop.redis.delay_s = 1.5
    start = time.perf_counter()
    (answer,) = pages(worker, pop, f"consent=full; {worker.cookie(visitor=ANN)}", budget_s=0.02)
    assert time.perf_counter() - start < 1.0
    assert b"Welcome" in answer.body
    assert worker.count('nearside_facts_total{outcome="late"}') == 1


@pytest.fixture
def redis_url(tmp_path: Path) -> Iterator[str]:
    """A real one."""
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("redis-server is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
    server = subprocess.Popen([program, *options], stdout=subprocess.DEVNULL)
    try:
        for _ in range(200):
            with socket.socket() as tried:
                if tried.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.02)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        server.terminate()
        server.wait(10)


def test_what_the_command_lays_into_a_real_redis_an_edge_finds(tmp_path: Path, redis_url: str) -> None:
    _, _, keys = new_keys(tmp_path / "keys", "films")
    table = tmp_path / "facts.csv"
    rows = "".join(f"{number:032x},loyal,{number}\n" for number in range(2500))
    table.write_text(f"visitor,segment,ltv\n{rows}")
    told = CliRunner().invoke(commands, ["facts", str(table), "-o", redis_url, "--keys", str(keys)])
    assert told.exit_code == 0, told.output
    assert "2,500 visitors, 2 facts" in told.output

    async def main() -> list[Facts]:
        held = load_keys(keys)
        facts = RemoteFacts(RedisClient(redis_url), Naming(held.site, raw(held.event)), Counters(), 2.0)
        found = []
        for number in (0, 2499, 2500):
            await facts.look_up(number.to_bytes(16, "big"))
            found.append(facts.get(number.to_bytes(16, "big")))
        await facts.close()
        return found

    loyal = {"segment": "loyal"}
    assert asyncio.run(main()) == [loyal | {"ltv": "0"}, loyal | {"ltv": "2499"}, NO_FACTS]

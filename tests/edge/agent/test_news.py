"""News that can't be read is refused; a stream that breaks or falls silent is asked for again."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from edge.agent import news
from edge.agent import origin as module
from tests.edge.agent.conftest import World


class Stream(httpx.AsyncByteStream):
    """Chunks, and then the end."""

    def __init__(self, *chunks: bytes) -> None:
        self._chunks = chunks

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for chunk in self._chunks:
            await asyncio.sleep(0)
            yield chunk


def streams(world: World) -> int:
    return world.sim.requests.count("GET news")


@pytest.mark.parametrize(
    "line", [b"not json", b'{"rollout": "\xff"}', b'{"rollout": "*"}', b'{"rollout": 3}', b"[]"]
)
def test_a_line_that_can_not_be_read_is_counted(world: World, line: bytes) -> None:
    world.sim.answers["news"] = (200, Stream(line + b"\n"))
    world.run(lambda: world.refused("news") > 0)
    assert not world.in_force()


def test_a_line_without_end_is_bounded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_NEWS_LINE_BYTES", 1000)
    world.sim.answers["news"] = (200, Stream(*[b"x" * 100] * 20))
    world.run(lambda: world.refused("too-large") > 0)
    assert streams(world) >= 1


def test_signs_of_life_and_unknown_fields_are_no_news(world: World) -> None:
    world.sim.answers["news"] = (200, Stream(b'{"alive": true}\n\n{"al', b'ive": true, "new": 1}\n'))
    world.run(lambda: streams(world) >= 2)
    assert not world.refusals.last


def test_a_proxy_that_holds_back_the_stream_does_not_hold_back_the_rollout(world: World) -> None:
    number = world.sim.publish()
    world.sim.answers["news"] = (200, Stream())
    world.run(lambda: world.in_force() == number)
    assert world.updater.in_line


def test_a_stream_that_ends_at_once_is_not_hammered(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(news, "RECONNECT_FIRST_S", 0.1)
    monkeypatch.setattr(news, "RECONNECT_MOST_S", 10)
    world.sim.publish()
    world.sim.answers["news"] = (200, Stream(b'{"alive": true}\n'))
    later = time.monotonic() + 0.5
    world.run(lambda: time.monotonic() > later)
    assert 1 <= streams(world) <= 6


@pytest.mark.parametrize("bend", [lambda sim: setattr(sim, "down", True), lambda sim: sim.files.clear()])
def test_an_origin_that_went_away_is_heard_again(world: World, bend: Callable[..., None]) -> None:
    world.sim.publish()
    world.run(lambda: world.in_force() == 1)
    before = dict(world.sim.files)

    def mend() -> bool:
        world.sim.down = False
        world.sim.files.update(before)
        world.sim.publish({"rules": {"schema": b"another schema"}})
        return True

    bend(world.sim)
    world.run(lambda: streams(world) >= 1, mend, lambda: world.in_force() == 2)
    assert world.origin.reach.reachable

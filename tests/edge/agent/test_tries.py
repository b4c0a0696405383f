"""Tries: until it is done, later each time, and at once when there is something new."""

import asyncio

import pytest

from edge.agent import tries
from edge.agent.tries import Tries
from tests.edge.agent.conftest import running, until


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RETRY_FIRST_S", "REFUSED_FIRST_S"):
        monkeypatch.setattr(tries, name, 100.0)


@pytest.mark.anyio
async def test_nothing_is_tried_before_it_is_woken_and_no_more_once_it_is_done() -> None:
    times: list[int] = []

    async def attempt() -> float:
        times.append(1)
        return 0.0

    work = Tries()
    async with running(work.run(attempt)):
        await asyncio.sleep(0.01)
        assert times == []
        work.wake()
        await until(lambda: len(times) == 1)
        await asyncio.sleep(0.01)
        assert len(times) == 1


@pytest.mark.anyio
async def test_who_waits_is_woken() -> None:
    delays: list[float] = []
    work = Tries()

    async def attempt() -> float:
        delays.append(work.after_failure_s())
        return delays[-1]

    async with running(work.run(attempt)):
        work.wake()
        await until(lambda: len(delays) == 1)
        work.wake()  # it would wait for a minute
        await until(lambda: len(delays) == 2)
    assert min(delays) >= 50, "a wake begins anew: the first delay again"
    assert max(delays) <= 100


def test_a_refusal_waits_as_refusals_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tries, "REFUSED_FIRST_S", 10.0)
    monkeypatch.setattr(tries, "RETRY_FIRST_S", 1.0)

    work = Tries()
    assert 5 <= work.after_refusal_s() <= 10
    assert 0.5 <= work.after_failure_s() <= 1

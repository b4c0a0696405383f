"""No page waits for its decision longer than it may: what is late is the site's, counted and recorded."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.decide.engine import Engine
from edge.worker.app import PageApp
from edge.worker.beside.routes import make_beside
from edge.worker.turn.budget import Budget
from edge.worker.turn.turn import MAX_BATCH, Turn
from origin.lake.replay import replay
from tests.edge.worker.conftest import MAX_PAGE_BYTES, PAGE, Answer, Worker

FULL = {"cookie": "consent=full"}
LATE = 'nearside_pages_total{kind="late"}'


class Ticks:
    """A clock that stands, but for what tests let pass."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


class HurriedWorker(Worker):
    """Has 50 ms for a page, on a clock of its own."""

    def __init__(self, folder: Path, engine: Engine) -> None:
        super().__init__(folder, engine)
        self.ticks = Ticks()
        self.budget = Budget(0.05, self.ticks)

    def run(self, asks: Any) -> Any:
        async def main() -> Any:
            turn = Turn(self.holder, self.desk, budget=self.budget)
            app = PageApp(self.site, self.cache, turn, make_beside(self.holder, self.desk), MAX_PAGE_BYTES)  # type: ignore[arg-type]
            return await asks(app)

        return asyncio.run(main())


@pytest.fixture
def hurried(tmp_path: Path, engine: Engine) -> Iterator[HurriedWorker]:
    worker = HurriedWorker(tmp_path, engine)
    yield worker
    worker.spool.close()


def slow(worker: HurriedWorker, monkeypatch: pytest.MonkeyPatch, name: str, took_s: float) -> None:
    """Let a step of the engine or of the worker's bundle take so long."""
    of = worker.holder.active.engine if name == "decide_batch" else worker.holder.active.reader
    made = getattr(of, name)

    def step(*given: Any) -> Any:
        worker.ticks.now_s += took_s
        return made(*given)

    monkeypatch.setattr(of, name, step, raising=False)


def is_personal(answer: Answer) -> bool:
    assert answer.status == 200
    return b"Welcome to" in answer.body


def test_who_is_in_time_is_decided(hurried: HurriedWorker, monkeypatch: pytest.MonkeyPatch) -> None:
    slow(hurried, monkeypatch, "decide_batch", 0.01)
    assert all(is_personal(answer) for answer in hurried.together(*[("/", FULL)] * MAX_BATCH))
    assert hurried.count(LATE) == 0
    assert all(record.missed == () for record in hurried.decisions())


def test_who_waited_too_long_gets_the_plain_page_at_once(
    hurried: HurriedWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second batch waits for the first, which takes longer than anybody may wait."""
    slow(hurried, monkeypatch, "decide_batch", 0.06)
    answers = hurried.together(*[("/", FULL)] * (MAX_BATCH + 5))
    assert sorted(map(is_personal, answers)) == [False] * 5 + [True] * MAX_BATCH
    assert [answer.body for answer in answers if not is_personal(answer)] == [PAGE] * 5
    assert hurried.count(LATE) == 5
    assert len(hurried.decisions()) == MAX_BATCH


def test_a_late_page_keeps_the_sites_defaults_and_its_record_says_so(
    hurried: HurriedWorker, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow(hurried, monkeypatch, "attributes", 0.06)
    answer = hurried.get("/film/alien", FULL)
    assert answer.body == PAGE
    assert hurried.state(answer).items == ("alien",)  # the view counts
    assert hurried.count(LATE) == 1
    assert hurried.count('nearside_pages_total{kind="default"}') == 0
    (record,) = hurried.decisions()
    assert (record.slots, record.missed) == ((), ("hero", "recommended"))
    assert replay({engine.id: engine}, [record]).different == 0


def test_a_bundle_that_is_too_slow_is_tried_again_now_and_then(
    hurried: HurriedWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow(hurried, monkeypatch, "decide_batch", 0.2)
    seen = [is_personal(hurried.get("/", FULL)) for _ in range(40)]
    assert seen[:2] == [True, True]  # what it costs is not known yet
    assert 4 <= sum(seen[2:]) <= 12
    assert hurried.count(LATE) == seen.count(False)


def test_once_it_is_quick_again_all_are_decided(
    hurried: HurriedWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as slowed:
        slow(hurried, slowed, "decide_batch", 0.2)
        while hurried.count(LATE) == 0:
            hurried.get("/", FULL)
    seen = [is_personal(hurried.get("/", FULL)) for _ in range(20)]
    assert all(seen[8:])

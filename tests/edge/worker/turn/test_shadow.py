"""Challengers are scored when pages have left: late, seldom enough, and no page fails by one."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from edge.decide.engine import EmptyEngine, Engine
from edge.decide.types import DecisionRecord, Record, Shadow
from edge.events import spool
from edge.worker.app import PageApp
from edge.worker.counters import Counters
from edge.worker.turn.shadow import MAX_COST_S, MAX_SHARE, MAX_WAITING, PAUSE_S, ShadowWork
from tests.edge.worker.conftest import Said, Worker
from tests.workspaces.shop import asks, item, shop_engine


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder: Path = tmp_path_factory.mktemp("shadow")
    return shop_engine(folder, "model: taste\nfallback: popular\nchallenger: {model: also, share: 1}\n")


class Desk:
    """Time that passes by hand, and a spool in memory."""

    def __init__(self, cost_s: float = 0.0) -> None:
        self.now_s, self.cost_s = 0.0, cost_s
        self.later: list[tuple[float, Callable[[], None]]] = []
        self.records: list[Record] = []
        self.counters = Counters()
        self.work = ShadowWork(
            lambda after, work: self.later.append((after, work)), self.counters, self.clock
        )

    def clock(self) -> float:
        self.now_s += self.cost_s
        return self.now_s

    def commit(self, records: list[Record]) -> bool:
        self.records += records
        return True

    def count(self, outcome: str) -> float:
        return self.counters.snapshot().get(f'nearside_challengers_total{{outcome="{outcome}"}}', 0)


def _record(engine: Engine, number: int, *history: int) -> DecisionRecord:
    context = asks(*history, seed=number)
    slots = engine.decide(context).slots
    return DecisionRecord(f"{number:032x}", "films", "p", engine.id, 1, "", (), "", context, slots)


def test_what_it_would_list_is_recorded_beside_the_decision(engine: Engine) -> None:
    desk, record = Desk(), _record(engine, 1, 3, 4)
    desk.work.note([record], engine, desk.commit)
    assert desk.records == []
    ((after, work),) = desk.later
    assert after == PAUSE_S
    work()
    (shadow,) = desk.records
    assert isinstance(shadow, Shadow)
    assert (shadow.decision, shadow.placement) == (record.id, "recommended")
    assert (shadow.recommender, shadow.challenger) == ("mine", "also")
    assert shadow.items == engine.challengers.items(record.slots[0], record.context)  # type: ignore[union-attr]
    assert desk.count("scored") == 1
    assert len(desk.later) == 1


def test_one_at_a_time_and_in_a_part_of_the_time(engine: Engine) -> None:
    desk = Desk(cost_s=0.001)
    desk.work.note([_record(engine, n, n) for n in range(5)], engine, desk.commit)
    for done in range(1, 6):
        assert len(desk.later) == done
        desk.later[-1][1]()
        assert len(desk.records) == done
    # Each pause but the first is as long as leaves the work its part of the time.
    assert [after for after, _ in desk.later[1:]] == pytest.approx([0.001 * (1 / MAX_SHARE - 1)] * 4)


def test_what_finds_no_room_is_left_out_and_counted(engine: Engine) -> None:
    desk, record = Desk(), _record(engine, 1, 3)
    desk.work.note([record] * (MAX_WAITING + 3), engine, desk.commit)
    assert desk.count("crowded") == 3
    assert len(desk.later) == 1


def test_a_slow_one_is_left_out_and_tried_again_at_last(engine: Engine) -> None:
    desk, record = Desk(cost_s=10 * MAX_COST_S), _record(engine, 1, 3)
    desk.work.note([record], engine, desk.commit)
    desk.later[-1][1]()
    desk.cost_s = 0.0
    tries = 0
    while len(desk.later) == 1:
        desk.work.note([record], engine, desk.commit)
        tries += 1
        assert tries < 200
    assert tries > 5
    assert desk.count("slow") == tries - 1


def test_one_that_fails_fails_nothing_else(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    desk, record = Desk(), _record(engine, 1, 3)
    desk.work.note([record, replace(record, id="f" * 32)], engine, desk.commit)
    items = type(engine.challengers).items
    monkeypatch.setattr(type(engine.challengers), "items", lambda *_: 1 / 0)
    desk.later[-1][1]()
    monkeypatch.setattr(type(engine.challengers), "items", items)
    desk.later[-1][1]()
    assert [shadow.decision for shadow in desk.records if isinstance(shadow, Shadow)] == ["f" * 32]
    assert desk.counters.snapshot()['nearside_decision_errors_total{error="ZeroDivisionError"}'] == 1


def test_nothing_is_noted_where_there_is_no_challenger(engine: Engine, tmp_path: Path) -> None:
    desk, record = Desk(), _record(engine, 1, 3)
    desk.work.note([record], EmptyEngine(), desk.commit)
    desk.work.note([record], shop_engine(tmp_path, "model: taste\n"), desk.commit)
    assert desk.later == []


def test_a_page_of_a_worker_is_followed_by_its_challengers_list(engine: Engine, tmp_path: Path) -> None:
    worker = Worker(tmp_path, engine)
    desk = Desk()
    object.__setattr__(worker.desk, "shadow", desk.work)
    page = b'<html><body><div data-placement="recommended">old</div></body></html>'
    worker.site.says[b"/"] = Said(page)
    answer = worker.get("/", {"cookie": "consent=full", "accept": "text/html"})
    assert item(0)[:1].encode() in answer.body
    (after, work) = desk.later[0]
    work()
    found = [r for path in sorted(tmp_path.rglob("*.seg")) for r in spool.records(path.read_bytes())]
    decisions = [r for r in found if isinstance(r, DecisionRecord)]
    shadows = [r for r in found if isinstance(r, Shadow)]
    assert after == PAUSE_S
    assert [shadow.decision for shadow in shadows] == [decision.id for decision in decisions]


def test_on_a_running_loop_it_comes_after_the_answer(engine: Engine, tmp_path: Path) -> None:
    worker = Worker(tmp_path, engine)
    worker.site.says[b"/"] = Said(b'<html><body><div data-placement="recommended">old</div></body></html>')

    def kinds() -> list[str]:
        found = [r for path in sorted(tmp_path.rglob("*.seg")) for r in spool.records(path.read_bytes())]
        return [type(record).__name__ for record in found]

    async def visit(page_app: PageApp) -> list[list[str]]:
        loop = asyncio.get_running_loop()
        object.__setattr__(worker.desk, "shadow", ShadowWork(loop.call_later, worker.counters))
        await worker.ask(page_app, "/", {"cookie": "consent=full", "accept": "text/html"})
        before = kinds()
        while "Shadow" not in kinds():
            await asyncio.sleep(PAUSE_S)
        return [before, kinds()]

    assert worker.run(visit) == [["DecisionRecord"], ["DecisionRecord", "Shadow"]]

"""Experiments on the page path: who takes part, what sticks, what testers see, and what the record says."""

import asyncio
import os
from pathlib import Path

import msgspec
import pytest

from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from edge.decide.types import DecisionRecord
from edge.events import spool
from edge.events.forced import PARAMETER, Forced
from edge.rules.bucketing import bucket
from edge.visitor.state import VisitorState
from origin.lake.replay import replay
from tests.edge.worker.conftest import PAGE, Said, Worker
from tests.workspaces.make import EXPERIMENTS, SITE, make_bundle

GERMAN = {"x-geo-country": "DE"}


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The small workspace with experiments."""
    return Engine.load(open_bundle(make_bundle(tmp_path_factory.mktemp("tested"), EXPERIMENTS), SITE))


@pytest.fixture
def worker(tmp_path: Path, engine: Engine) -> Worker:
    """A worker with it."""
    return Worker(tmp_path, engine)


def visitor(low: float, high: float) -> bytes:
    """A visitor whose place in hero-words is there, and whom no holdout holds."""
    while True:
        raw = os.urandom(16)
        held = any((bucket(seed, raw.hex(), 2) or 0.0) < 0.1 for seed in ("quiet-2026", "never"))
        if not held and low <= (bucket("hero-words", raw.hex(), 2) or 0.0) < high:
            return raw


CONTROL, WARM, COOL, OUTSIDE = (0.0, 0.45), (0.5, 0.77), (0.8, 0.98), (0.46, 0.49)


def known(worker: Worker, part: tuple[float, float]) -> dict[str, str]:
    return {**GERMAN, "cookie": f"consent=full; {worker.cookie(visitor=visitor(*part))}"}


def forced(worker: Worker, experiment: str, variation: str, expires_s: int = 2**40) -> str:
    return f"/?{PARAMETER}={worker.desk.forced.sign(Forced(experiment, variation, expires_s))}"


def test_a_visitor_sees_their_variation_and_the_record_can_be_replayed(
    worker: Worker, engine: Engine
) -> None:
    assert b"Come in" in worker.get("/", known(worker, WARM)).body
    assert b"Chill" in worker.get("/", known(worker, COOL)).body
    assert b"Welcome" in worker.get("/", known(worker, OUTSIDE)).body
    warm, cool, outside = worker.decisions()
    assert (warm.slots[0].experiment, warm.slots[0].variation) == ("hero-words", "warm")
    assert warm.context.unit == warm.visitor
    assert cool.slots[0].variation == "cool"
    assert "hero-words:coverage" in outside.excluded
    again = replay({engine.id: engine}, worker.decisions())
    assert (again.decided, again.different) == (3, 0)


def test_a_control_keeps_the_sites_default_and_is_recorded(worker: Worker) -> None:
    answer = worker.get("/", known(worker, CONTROL))
    assert PAGE.split(b"the default")[0] in answer.body
    assert b"the default" in answer.body
    (record,) = worker.decisions()
    (slot,) = [slot for slot in record.slots if slot.placement == "hero"]
    assert (slot.variation, slot.content, slot.items, slot.propensity) == ("control", "", (), 0.45)


def test_a_variation_sticks_though_its_page_began_before_it_was_decided(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("edge.worker.site.streaming.PATIENCE_S", 0.002)

    async def made_slowly() -> None:
        await asyncio.sleep(0.02)

    at = PAGE.index(b"<main>")
    worker.site.says[b"/"] = Said([PAGE[:at], made_slowly, PAGE[at:]])
    answer = worker.get("/", known(worker, COOL))
    assert not answer.values("content-length")
    assert b"Chill" in answer.body
    assert worker.state(answer).assigned == (("hero-words", 1, "cool"),)
    assert worker.decisions()[0].context.assigned == ()


def test_without_an_id_nobody_is_enrolled(worker: Worker) -> None:
    for tier in ("contextual", "session"):
        answer = worker.get("/", {**GERMAN, "cookie": f"consent={tier}"})
        assert b"Welcome" in answer.body
    for record in worker.decisions():
        assert record.context.unit == ""
        assert "hero-words:no-unit" in record.excluded
    worker.get("/", {**GERMAN, "cookie": "consent=full"})
    assert len(worker.decisions()[-1].context.unit) == 32


def test_a_variation_sticks_to_the_cookie(worker: Worker) -> None:
    raw = visitor(*COOL)
    first = worker.get("/", {**GERMAN, "cookie": f"consent=full; {worker.cookie(visitor=raw)}"})
    assert worker.state(first).assigned == (("hero-words", 1, "cool"),)
    state = VisitorState(visitor=raw, visits=1, assigned=(("hero-words", 1, "warm"),))
    sealed = worker.desk.cookies.seal(state).decode()
    stuck = worker.get("/", {**GERMAN, "cookie": f"consent=full; nearside={sealed}"})
    assert b"Come in" in stuck.body
    assert worker.state(stuck).assigned == state.assigned
    assert worker.decisions()[-1].context.assigned == state.assigned


def test_a_tester_sees_what_they_demand_and_teaches_nothing(worker: Worker) -> None:
    headers = known(worker, WARM)
    answer = worker.get(forced(worker, "hero-words", "cool"), headers)
    assert b"Chill" in answer.body
    assert worker.state(answer).assigned == ()
    worker.get("/", headers)
    tested, plain = worker.decisions()
    assert (tested.context.forced, tested.teaches) == ((("hero-words", "cool"),), False)
    assert (plain.context.forced, plain.teaches) == ((), True)
    without = worker.get(forced(worker, "hero-words", "cool"), {**GERMAN, "cookie": "consent=contextual"})
    assert b"Chill" in without.body
    nothing = worker.get(forced(worker, "hero-words", "cool"), {**GERMAN, "cookie": "consent=none"})
    assert nothing.body == PAGE


def test_a_demand_that_is_forged_or_old_is_counted_and_ignored(worker: Worker) -> None:
    headers = known(worker, WARM)
    old = forced(worker, "hero-words", "cool", expires_s=1)
    for target in (old, f"/?{PARAMETER}=AAAA", f"/?{PARAMETER}=%C3%A4"):
        assert b"Come in" in worker.get(target, headers).body
    assert worker.count("nearside_refused_requests_total") == 3
    assert all(record.teaches for record in worker.decisions())


def test_an_app_is_told_the_variation_or_that_nobody_is_enrolled(worker: Worker) -> None:
    asked = {"placements": ["hero"], "attributes": {"geo.country": "DE"}, "tier": "full"}
    answer = worker.post("/_nearside/decide", asked).json
    assert [slot["campaign"] for slot in answer["slots"]] == ["welcome"]
    (record,) = worker.decisions()
    assert "hero-words:no-unit" in record.excluded


def test_records_of_before_are_read(worker: Worker) -> None:
    worker.get("/", known(worker, WARM))
    (record,) = worker.decisions()
    raw = msgspec.msgpack.decode(msgspec.msgpack.encode(record))
    older = [*raw[:9], raw[9][:6], [slot[:7] for slot in raw[10]], *raw[11:13]]
    read = msgspec.msgpack.decode(msgspec.msgpack.encode(older), type=DecisionRecord)
    assert (read.context.unit, read.excluded, read.slots[0].variation) == ("", (), "")
    assert spool.frame(read)

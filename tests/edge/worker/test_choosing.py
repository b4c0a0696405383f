"""Bandits, defaults and the best by value on the page path, for visitors whom nobody knows."""

from dataclasses import replace
from pathlib import Path

import pytest

from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from edge.decide.types import DEFAULT
from edge.events.forced import PARAMETER, Forced
from origin.lake.replay import replay
from tests.edge.worker.conftest import PAGE, Worker
from tests.workspaces.make import BANDITS, FILES, SITE, make_bundle

PLACES = "[{name: hero, default: app}, {name: recommended, choose: best}, trending]"
RULES = """\
campaigns:
  - {id: known, placement: recommended, value: {plus: {visitor.visits: 1}}, show: {content: summer}}
  - {id: often, placement: recommended, value: 1.5, show: {content: welcome}}
"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The small workspace with a bandit in the hero, and the best of two below."""
    changes = {
        **BANDITS,
        "site.yaml": FILES["site.yaml"].replace("[hero, recommended, trending]", PLACES),
        "rules/campaigns.yaml": RULES,
        "rules/audiences.yaml": None,
        "rules/bandits.yaml": BANDITS["rules/bandits.yaml"].replace("[trending, recommended]", "trending"),
    }
    return Engine.load(open_bundle(make_bundle(tmp_path_factory.mktemp("choosing"), changes), SITE))


@pytest.fixture
def worker(tmp_path: Path, engine: Engine) -> Worker:
    return Worker(tmp_path, engine)


def test_an_unknown_visitor_is_drawn_for_and_the_record_can_be_replayed(
    worker: Worker, engine: Engine
) -> None:
    bodies = {worker.get("/", {"cookie": "consent=contextual"}).body.count(b"Come in") for _ in range(60)}
    assert bodies == {0, 1}
    records = worker.decisions()
    heroes = [next(slot for slot in record.slots if slot.placement == "hero") for record in records]
    assert {(hero.variation, hero.propensity) for hero in heroes} <= {
        ("warm", 0.62), ("cool", 0.33), ("quiet", 0.05),
    }  # fmt: skip
    # An arm that shows nothing leaves the default.
    assert {(hero.variation, hero.content) for hero in heroes} <= {
        ("warm", "warm"), ("cool", "cool"), ("quiet", "app"),
    }  # fmt: skip
    assert {record.context.unit for record in records} == {""}
    assert {record.weights for record in records} == {""}
    found = replay({engine.id: engine}, records)
    assert (found.decided, found.different) == (60, 0)


def test_who_agreed_to_nothing_sees_no_default(worker: Worker) -> None:
    assert worker.get("/", {"cookie": "consent=none"}).body == PAGE
    assert worker.decisions() == []


def test_a_killed_bandit_leaves_the_default(worker: Worker) -> None:
    worker.holder.active = replace(worker.holder.active, killed=("greet",))
    assert b"Take films along" in worker.get("/", {"cookie": "consent=contextual"}).body
    (record,) = worker.decisions()
    assert record.slots[0].policy == DEFAULT


def test_a_tester_demands_an_arm(worker: Worker) -> None:
    demand = worker.desk.forced.sign(Forced("greeting", "cool", 2**40))
    for _ in range(5):
        answer = worker.get(f"/?{PARAMETER}={demand}", {"cookie": "consent=contextual"})
        assert b"Chill" in answer.body
    assert {record.teaches for record in worker.decisions()} == {False}


def test_the_best_follows_what_is_known_of_the_visitor(worker: Worker) -> None:
    first = worker.get("/", {"cookie": "consent=full"})
    assert b"Welcome" in first.body
    again = worker.get("/", {"cookie": f"consent=full; {worker.cookie(visits=3)}"})
    assert b"mountains" in again.body

"""Predictions from a cookie to the page: what a model tells changes what is shown."""

from pathlib import Path

import pytest

from edge.decide.engine import Engine
from edge.pages.plan import scan
from edge.worker.attributes.facts import Request
from edge.worker.turn.personalize import personalize
from edge.worker.turn.view import PageView
from tests.edge.worker.conftest import Worker
from tests.workspaces.predicting import make_predicting_bundle

NOW_MS = 1_750_000_000_000
PAGE = (
    b'<html><body><div data-placement="hero">plain</div><div data-placement="side">plain</div></body></html>'
)
EAGER, IDLE = b"consent=full; pages=49; kind=new", b"consent=full; pages=0; kind=returning"


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine.load(make_predicting_bundle(tmp_path_factory.mktemp("predicting")))


@pytest.fixture
def worker(tmp_path: Path, engine: Engine) -> Worker:
    return Worker(tmp_path, engine)


def _visit(worker: Worker, *cookies: bytes) -> list[bytes]:
    views = [PageView(Request("/", b"", {b"cookie": cookie}), scan(PAGE), PAGE) for cookie in cookies]
    personalize(views, worker.holder.active, worker.desk, NOW_MS)
    return [view.body for view in views]


def test_a_page_goes_by_what_models_tell(worker: Worker) -> None:
    eager, idle, unknown = _visit(worker, EAGER, IDLE, b"consent=full")
    assert eager.count(b"An offer") == 2
    assert b"An offer" not in idle
    assert b"An offer" not in unknown


def test_the_record_has_what_it_is_made_from(worker: Worker) -> None:
    _visit(worker, EAGER)
    (record,) = worker.decisions()
    assert record.context.attributes == {"session.pages": 49.0, "session.kind": "new"}
    assert [slot.policy for slot in record.slots] == ["likely", "buyers"]


@pytest.mark.parametrize("stated", [{}, {"model.buy": 1.0, "model.segment": "buyer"}])
def test_an_app_can_not_say_what_a_model_tells(worker: Worker, stated: dict[str, object]) -> None:
    asked = {
        "attributes": {"session.pages": 0, **stated},
        "tier": "contextual",
        "placements": ["hero", "side"],
    }
    answer = worker.post("/_nearside/decide", asked)
    assert answer.status == 200
    assert b"likely" not in answer.body
    eager = {**asked, "attributes": {"session.pages": 49, "session.kind": "new"}}
    assert b"likely" in worker.post("/_nearside/decide", eager).body

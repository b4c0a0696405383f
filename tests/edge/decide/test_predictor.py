"""What models tell before rules are matched: the same in any batch, by one call, only where it is read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from edge.bundle import format as fmt
from edge.bundle.features import Column
from edge.bundle.predictions import KIND, PredictionGolden, Predictions
from edge.bundle.reader import Bundle, open_bundle
from edge.decide import golden
from edge.decide.engine import Engine
from edge.decide.predictor import (
    MAX_REMEMBERED,
    ROWS,
    Predictor,
    check_golden,
    load_predictor,
    read_predictions,
)
from edge.decide.types import Context, DecisionRecord
from edge.errors import BundleError
from edge.worker.active import Active
from origin.lake.replay import replay
from tests.workspaces.predicting import FILES, SITE, make_predicting_bundle

UNREAD = "campaigns:\n  - {id: any, placement: hero, show: {content: offer}}\n"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_predicting_bundle(tmp_path_factory.mktemp("predicting"))


@pytest.fixture
def engine(bundle: Bundle) -> Engine:
    return Engine.load(bundle)


def _context(**attributes: Any) -> Context:
    named = {f"session.{name}": value for name, value in attributes.items()}
    return Context(0, 0, "full", named, (), ("hero", "side"))


def _many(count: int) -> list[Context]:
    draw = np.random.default_rng(3)
    kinds = ("new", "returning", "else")
    made = [_context(pages=float(draw.integers(0, 60)), kind=kinds[draw.integers(3)]) for _ in range(count)]
    return [_context(), _context(pages=7.0), _context(kind="new"), *made]


def _shown(engine: Engine, context: Context) -> dict[str, str]:
    return {slot.placement: slot.policy for slot in engine.decide(context).slots}


def test_rules_go_by_numbers_and_by_the_name_of_the_winner(engine: Engine) -> None:
    eager, idle = _context(pages=49.0, kind="new"), _context(pages=0.0, kind="returning")
    assert _shown(engine, eager) == {"hero": "likely", "side": "buyers"}
    assert _shown(engine, idle) == {}
    told = engine.told(eager).attributes
    assert told["model.segment"] == "buyer"
    assert isinstance(told["model.buy"], float) and 0.5 < told["model.buy"] < 1
    outputs = [told[f"model.segment.{name}"] for name in ("bargain", "browser", "buyer")]
    assert sum(float(str(output)) for output in outputs) == pytest.approx(1, abs=1e-5)


def test_a_context_is_told_the_same_alone_and_beside_others(bundle: Bundle) -> None:
    contexts = _many(60)
    together = Engine.load(bundle)
    told = [together._predictor.told(contexts), together._predictor.told(contexts[::-1])[::-1]]  # type: ignore[union-attr]
    alone = [Engine.load(bundle).told(context) for context in contexts[:20]]
    assert told[0] == told[1]
    assert told[0][:20] == alone
    assert together.decide_batch(contexts) == [Engine.load(bundle).decide(context) for context in contexts]


class _Counted:
    """A session that counts its calls."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.calls = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def run_with_iobinding(self, binding: Any) -> None:
        self.calls += 1
        self._session.run_with_iobinding(binding)


def test_a_turn_of_pages_has_one_call_and_known_rows_none(engine: Engine) -> None:
    predictor = engine._predictor
    assert predictor is not None
    counted = predictor.session = _Counted(predictor.session)
    contexts = _many(ROWS)[:ROWS]
    engine.decide_batch(contexts)
    assert counted.calls == 1
    engine.decide_batch(contexts[3:9])
    assert counted.calls == 1
    engine.forget()
    engine.decide_batch(_many(3 * ROWS)[: ROWS + 1])
    assert counted.calls == 3


def test_what_is_remembered_is_bounded(engine: Engine) -> None:
    predictor = engine._predictor
    assert predictor is not None
    predictor.told([_context(pages=float(n)) for n in range(MAX_REMEMBERED + 50)])
    assert len(predictor._remembered) == MAX_REMEMBERED


def test_nothing_is_predicted_that_no_rule_reads(tmp_path: Path) -> None:
    engine = Engine.load(make_predicting_bundle(tmp_path, {"rules/rules.yaml": UNREAD}))
    assert engine._predictor is None
    assert engine.reads == ()
    context = _context(pages=3.0)
    assert engine.told(context) is context


def test_only_what_is_read_is_asked_of_the_graph(tmp_path: Path) -> None:
    rules = UNREAD.replace("placement", "audience: {model.buy: {$gt: 0}}, placement")
    engine = Engine.load(make_predicting_bundle(tmp_path, {"rules/rules.yaml": rules}))
    assert set(engine.told(_context(pages=3.0)).attributes) == {"session.pages", "model.buy"}


def test_the_edge_reads_what_predictions_are_made_from(engine: Engine) -> None:
    assert engine.reads == ("session.kind", "session.pages")
    assert Active(engine).reader  # a reader for each


def test_a_record_holds_what_it_is_made_from_and_a_replay_makes_it_again(engine: Engine) -> None:
    contexts = _many(40)
    records = [
        DecisionRecord(f"{n:032}", SITE, "pop", engine.id, 1, "", (), "", context, decision.slots)
        for n, (context, decision) in enumerate(zip(contexts, engine.decide_batch(contexts), strict=True))
    ]
    assert not any(name.startswith("model.") for record in records for name in record.context.attributes)
    result = replay({engine.id: Engine.load(engine.bundle)}, records)
    assert (result.decided, result.different) == (len(contexts), 0)
    assert sum(len(record.slots) for record in records) > 20


def test_nobody_can_say_what_a_model_tells(engine: Engine) -> None:
    said = msgspec.structs.replace(_context(pages=0.0), attributes={"session.pages": 0.0, "model.buy": 1.0})
    assert "hero" not in _shown(engine, said)


@pytest.mark.parametrize("value", ["many", True, float("nan"), 1e300, [1.0]])
def test_odd_values_are_missing_or_counted_as_numbers(engine: Engine, value: Any) -> None:
    told = engine.told(_context(pages=value)).attributes
    alike = engine.told(_context(pages=1.0) if value is True else _context()).attributes
    assert told["model.buy"] == alike["model.buy"]


PURPOSES = {
    "site.yaml": """\
site: shop
placements: [hero, side]
attributes:
  session.pages: {type: number, source: "cookie:pages"}
  session.kind: {type: string, source: "cookie:kind"}
consent:
  sources: [{cookie: consent}]
  purposes: {taste: {tier: full}}
""",
    "models/buy.yaml": f"{FILES['models/buy.yaml']}purposes: taste\n",
}


def test_without_a_grant_there_is_no_prediction(tmp_path: Path) -> None:
    engine = Engine.load(make_predicting_bundle(tmp_path, PURPOSES))
    eager = _context(pages=49.0, kind="new")
    assert _shown(engine, eager) == {"side": "buyers"}
    assert _shown(engine, _granting(eager, ("taste",))) == {"hero": "likely", "side": "buyers"}


def _granting(context: Context, granted: tuple[str, ...]) -> Context:
    return msgspec.structs.replace(context, granted=granted)


def test_an_answer_that_is_no_number_is_missing(engine: Engine) -> None:
    predictor = engine._predictor
    assert predictor is not None
    assert predictor._named(((float("nan"),), (0.1, float("inf"), 0.2)), ()) == {
        "model.segment.bargain": 0.1, "model.segment.buyer": 0.2
    }  # fmt: skip


def test_the_session_is_kept_where_the_graph_is_the_same(bundle: Bundle, engine: Engine) -> None:
    after = Engine.load(bundle, engine)
    assert after._predictor is not None and engine._predictor is not None
    assert after._predictor.session is engine._predictor.session


# What is wrong with a plan, and what is said.
def _bent() -> Iterator[tuple[str, Any, str]]:
    yield "no column", lambda p: replace_(p, columns=()), "unknown column"
    yield "too few columns", lambda p: replace_(p, columns=p.columns[:1]), "unknown column"
    yield "one column more", lambda p: replace_(p, columns=(*p.columns, Column("x"))), "'context'"
    yield "no prediction", lambda p: replace_(p, predictions=p.predictions[:1] * 2), "predictions"
    yield "another output", lambda p: _first(p, output="else"), "'else'"
    yield "more outputs", lambda p: _first(p, outputs=("a", "b")), "'prediction/buy'"
    yield "no outputs", lambda p: _first(p, outputs=()), "0 outputs"
    yield "a winner of one", lambda p: _first(p, names_winner=True), "winner of one"
    yield (
        "a binding too many",
        lambda p: replace_(p, bindings={**p.bindings, "x": ("predictions/segment", "w")}),
        "missing",
    )


def replace_(plan: Predictions, **changes: Any) -> Predictions:
    return msgspec.structs.replace(plan, **changes)


def _first(plan: Predictions, **changes: Any) -> Predictions:
    first, *others = plan.predictions
    return replace_(plan, predictions=(msgspec.structs.replace(first, **changes), *others))


class _Bent(Bundle):
    """A bundle with another plan of predictions."""

    def __init__(self, bundle: Bundle, plan: Predictions) -> None:
        super().__init__(bundle.folder, bundle.manifests, bundle.id)
        self._plan = fmt.encode(plan)

    def read(self, artifact: fmt.Artifact) -> memoryview:
        return memoryview(self._plan) if artifact.kind == KIND else super().read(artifact)


@pytest.mark.parametrize("case", [pytest.param(case[1:], id=case[0]) for case in _bent()])
def test_a_plan_that_does_not_fit_its_graph_is_refused(bundle: Bundle, case: tuple[Any, str]) -> None:
    bend, said = case
    with pytest.raises(BundleError, match=said):
        load_predictor(_Bent(bundle, bend(read_predictions(bundle))), ["model.buy", "model.segment"])


def test_rules_that_read_what_no_model_tells_are_refused(bundle: Bundle) -> None:
    plan = read_predictions(bundle)
    without = replace_(plan, predictions=plan.predictions[1:])
    with pytest.raises(BundleError, match=r"interface|plan"):
        Engine.load(_Bent(bundle, without))


def test_a_golden_row_with_another_answer_is_refused(bundle: Bundle) -> None:
    plan = read_predictions(bundle)
    assert check_golden(bundle) == len(plan.golden) > 30
    wrong = PredictionGolden(plan.golden[5].row, ((0.123,), plan.golden[5].answers[1]))
    with pytest.raises(BundleError, match=r"golden: 'buy' answers"):
        golden.check(_Bent(bundle, replace_(plan, golden=(*plan.golden[:5], wrong))))


def test_the_folder_opens_as_a_worker_opens_it(bundle: Bundle) -> None:
    opened = open_bundle(bundle.folder, SITE, verify=False)
    assert isinstance(Engine.load(opened)._predictor, Predictor)

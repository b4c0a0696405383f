"""Lists that go by the request's context: another context is another list, and none is mixed up."""

from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from compiler.build import verify_golden
from edge.bundle import format as fmt
from edge.bundle.features import Column
from edge.bundle.reader import Bundle
from edge.decide.engine import Engine
from edge.decide.plan_check import check_plan
from edge.decide.types import Context, DecisionRecord, Muted
from edge.errors import BundleError
from origin.explain.listed import explain_lists
from origin.lake.replay import replay
from tests.workspaces.contextual import make_contextual
from tests.workspaces.make import FILES

CONSENT = """\
consent:
  cookie: consent
  default: full
  purposes: {ads: {tcf: [2]}}
"""
ASKED: list[dict[str, Any]] = [
    {},
    {"geo.country": "AT"},
    {"geo.country": "CH", "session.pages": 3},
    {"geo.country": "XX", "session.pages": 1e9},
    {"session.pages": 20},
    {"session.pages": "many"},
]
HISTORIES = ((), ("alien",), ("heat", "gilda", "alien"))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return make_contextual(tmp_path_factory.mktemp("contextual"))


def context(history: tuple[str, ...] = (), attributes: dict[str, Any] | None = None, **more: Any) -> Context:
    return Context(1_760_000_000_000, 7, "full", attributes or {}, history, ("recommended",), **more)


def items(engine: Engine, asked: Context) -> tuple[str, ...]:
    (slot,) = engine.decide(asked).slots
    return slot.items


CONTEXTS = [context(history, attributes) for history, attributes in product(HISTORIES, ASKED)]


def test_another_context_is_another_list(bundle: Bundle) -> None:
    engine = Engine.load(bundle)
    found = {items(engine, context((), {"geo.country": code})) for code in ("AT", "CH", "DE")}
    assert len(found) == 3
    assert items(engine, context(("alien",), {"geo.country": "AT"})) != items(engine, context(("alien",)))


def test_remembered_cold_batched_and_single_lists_are_one(bundle: Bundle) -> None:
    warm = Engine.load(bundle)
    batched = warm.decide_batch(CONTEXTS)
    for asked, decision in zip(CONTEXTS, batched, strict=True):
        cold = Engine.load(bundle)
        assert cold.decide(asked) == decision == warm.decide(asked)
    assert warm.decide_batch(CONTEXTS[::-1]) == batched[::-1]
    assert len({decision.slots[0].items for decision in batched}) > 6


def test_where_nothing_is_known_the_fallback_lists(bundle: Bundle) -> None:
    engine = Engine.load(bundle)
    popular = engine.decide(replace(context(), placements=("trending",))).slots[0].items
    assert items(engine, context())[:3] == popular
    assert items(engine, context((), {"geo.country": 7}))[:3] == popular, "a number is no country"
    assert items(engine, context((), {"geo.country": "AT"}))[:3] != popular


def test_what_is_muted_is_left_out_and_the_context_still_counts(bundle: Bundle) -> None:
    engine = Engine.load(bundle)
    for attributes in ASKED[1:3]:
        best = items(engine, context((), attributes))
        asked = context((), attributes, muted=Muted((best[0],)))
        assert items(engine, asked)[:3] == best[1:]


def test_a_decision_depends_on_what_models_take_in(bundle: Bundle) -> None:
    engine = Engine.load(bundle)
    assert {"geo.country", "session.pages"} <= set(engine.reads)
    assert "device.type" not in engine.reads, "no model takes it in"


def test_without_a_grant_neither_history_nor_context_is_used(tmp_path: Path) -> None:
    site = FILES["site.yaml"].replace("consent: {cookie: consent, default: contextual}\n", CONSENT)
    changes = {
        "site.yaml": site.replace(
            "items:", '  session.pages: {type: number, source: "cookie:pages"}\nitems:'
        ),
        "models/near.yaml": "recipe: two-tower\ninteractions: interactions.csv\n"
        "features: [country, pages]\npurposes: [ads]\n",
    }
    engine = Engine.load(make_contextual(tmp_path, changes))
    known = context(("alien",), {"geo.country": "AT"})
    granted = items(engine, replace(known, granted=("ads",)))
    assert items(engine, known) == items(engine, context()) != granted
    both = engine.decide_batch([known, replace(known, granted=("ads",)), context(granted=("ads",))])
    assert [decision.slots[0].items for decision in both][:2] == [items(engine, context()), granted]


def test_a_record_replays_to_the_same_decision(bundle: Bundle) -> None:
    engine = Engine.load(bundle)
    records = []
    for number, asked in enumerate(CONTEXTS):
        kept = {name: value for name, value in asked.attributes.items() if name in engine.reads}
        slots = engine.decide(asked).slots
        seen = replace(asked, attributes=kept)
        record = DecisionRecord(str(number), engine.site, "pop", engine.id, 1, "", (), "", seen, slots)
        wire = msgspec.msgpack.encode(record)
        records.append(msgspec.msgpack.decode(wire, type=DecisionRecord))
    found = replay({engine.id: Engine.load(bundle)}, records)
    assert (found.decided, found.different) == (len(CONTEXTS), 0)


def test_golden_lists_have_contexts_and_are_checked(bundle: Bundle) -> None:
    assert verify_golden(bundle)["histories"] > 32
    golden = fmt.decode(bundle.read(bundle.one("models", "golden")), tuple[fmt.ModelsGolden, ...])
    assert all(len(case.row) == 2 for case in golden)
    assert len({case.items["near"] for case in golden if not case.history}) > 3
    assert len({case.row for case in golden}) > 30


def test_an_explanation_says_what_of_the_context_moved_a_score(bundle: Bundle) -> None:
    engine = Engine.load(bundle)
    asked = context(("alien",), {"geo.country": "AT"})
    head, first, *_ = explain_lists(engine, asked, engine.decide(asked))
    assert head == (
        "recommended: near lists, of 1 viewed item; of the context geo.country AT, session.pages missing"
    )
    assert "geo.country" in first
    cold = context((), {"session.pages": 20})
    head, first, *_ = explain_lists(engine, cold, engine.decide(cold))
    assert "of no history; of the context session.pages 20, geo.country missing" in head
    assert "most by session.pages" in first


def test_a_plan_of_too_many_columns_or_of_unknown_ones_is_refused(bundle: Bundle) -> None:
    plan = fmt.decode(bundle.read(bundle.one("models", "plan")), fmt.ModelsPlan)
    check_plan(plan)
    with pytest.raises(BundleError, match="257 columns"):
        check_plan(replace(plan, columns=tuple(Column(f"a{n}") for n in range(257))))
    with pytest.raises(BundleError, match="unknown column"):
        check_plan(replace(plan, columns=plan.columns[:1]))

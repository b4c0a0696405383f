"""The best by value: what the engine picks is what counting every campaign finds, exactly and quickly."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from compiler.rules.walk import Walk
from compiler.workspace import read_workspace
from edge.bundle import format as fmt
from edge.bundle.reader import open_bundle
from edge.decide.best import MAX_AMOUNT, Best, amount
from edge.decide.choice import Chooser, load_choices
from edge.decide.engine import Engine
from edge.decide.golden import check
from edge.decide.types import Context, Value
from edge.errors import BundleError
from edge.rules.bucketing import bucket
from tests.workspaces.make import FILES, SITE, make_bundle

PLACEMENTS = ("hero", "recommended", "trending")
CHOOSING = FILES["site.yaml"].replace(
    "[hero, recommended,", "[{name: hero, choose: best}, {name: recommended, choose: best},"
)
NAMES = ("visitor.visits", "visitor.items", "visitor.new")
numbers = st.integers(-3_000, 3_000).map(lambda steps: steps / 1000)
few = st.sampled_from((-1.0, 0.0, 0.5, 1.0))


@st.composite
def campaigns(draw: st.DrawFn, count: int = 8) -> str:
    """Rules with few bases and weights, so that values are often equal."""
    lines = []
    for number in range(draw(st.integers(2, count))):
        plus = {name: draw(few) for name in draw(st.lists(st.sampled_from(NAMES), unique=True, max_size=2))}
        where = draw(st.lists(st.sampled_from(PLACEMENTS), unique=True, min_size=1))
        value: Any = {"base": draw(few), "plus": plus} if plus else draw(few)
        audience = draw(st.sampled_from(["{}", "{device.type: mobile}", "{visitor.visits: {$gt: 0}}"]))
        more = draw(st.sampled_from(["", ", exclusive: loud", ", programme: spring"]))
        show = draw(st.sampled_from(["{content: app}", "{experiment: half}", "{bandit: any}"]))
        lines.append(
            f"  - {{id: c{number}, audience: {audience}, placement: {where}, "
            f"priority: {draw(st.integers(0, 2))},"
            f" value: {value}, show: {show}{more}}}\n"
        )
    return "campaigns:\n" + "".join(lines).replace("'", "")


DRAWN = """\
experiments:
  - {id: half, coverage: 0.5, variations: [{key: a, show: {content: app}}]}
bandits:
  - {id: any, arms: [{key: a, show: nothing}, {key: b, show: {content: summer}}]}
holdouts:
  - {id: some, share: 0.5, seed: some"""

CONTEXTS = st.tuples(
    st.fixed_dictionaries(
        {},
        optional={
            "device.type": st.just("mobile"),
            "visitor.visits": st.integers(0, 3),
            "visitor.items": st.sampled_from((0.0, 0.5, 2.0)),
            "visitor.new": st.booleans(),
        },
    ),
    st.sampled_from(["", *(f"{number:032x}" for number in range(40))]),
    st.integers(0, 5),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(campaigns(), st.lists(CONTEXTS, min_size=10, max_size=30))
def test_the_engine_agrees_with_counting_every_campaign(
    tmp_path_factory: pytest.TempPathFactory, rules: str, asked: list[tuple[dict[str, Value], str, int]]
) -> None:
    folder = make_bundle(
        tmp_path_factory.mktemp("best"),
        {
            "site.yaml": CHOOSING,
            "rules/campaigns.yaml": rules + DRAWN + f", of: {'spring' if 'spring' in rules else 'site'}}}\n",
            "rules/audiences.yaml": None,
        },
    )  # fmt: skip
    engine = Engine.load(open_bundle(folder, SITE))
    walk = Walk(read_workspace(folder.parent / "workspace"))
    for attributes, unit, seed in asked:
        context = Context(0, seed, "full", attributes, (), PLACEMENTS, unit)
        won = dict(zip(PLACEMENTS, walk.won(attributes, unit, seed), strict=True))
        found = {slot.placement: (slot.policy, slot.variation) for slot in engine.decide(context).slots}
        assert found == {name: who for name, who in won.items() if who[0]}, (attributes, unit)
        assert engine.winners(context) == {name: who for name, (who, _) in won.items() if who}


@given(
    st.lists(st.tuples(numbers, st.integers(0, 3), st.integers(0, 9)), min_size=1, max_size=40),
    st.integers(0, (1 << 40) - 1),
    st.dictionaries(st.sampled_from("abc"), st.floats(-5, 5) | st.booleans() | st.just("text")),
)
def test_a_pick_is_the_maximum(rows: list[Any], alive: int, attributes: dict[str, Value]) -> None:
    formulas = ((), (("a", 1000),), (("a", -500), ("b", 2000)), (("c", 1),))
    rows.sort(key=lambda row: round(row[0] * 1000))
    # As compiled: of equal bases the stronger has the higher bit.
    rows.sort(key=lambda row: (round(row[0] * 1000), row[2]))
    bases = tuple(round(base * 1000) for base, _, _ in rows)
    best = Best(fmt.Best(formulas, bases, tuple(of for _, of, _ in rows), tuple(rank for _, _, rank in rows)))
    alive &= (1 << len(rows)) - 1
    found = best.pick(alive, attributes)
    keys = [best.key(bit, attributes) for bit in range(len(rows)) if alive >> bit & 1]
    assert (found < 0) == (not keys)
    if keys:
        assert best.key(found, attributes) == max(keys)
        assert alive >> found & 1


@pytest.mark.parametrize(
    ("value", "steps"),
    [(None, 0), ("3", 0), (True, 1000), (False, 0), (3, 3000), (0.0005, 0), (2.25, 2250), (-1.5, -1500),
     (math.nan, 0), (math.inf, 10**12), (-1e300, -(10**12)), ([1.0], 0)],
)  # fmt: skip
def test_what_an_attribute_counts(value: Any, steps: int) -> None:
    assert amount(value) == steps
    assert MAX_AMOUNT * 1000 == 10**12


def test_large_amounts_do_not_swallow_small_ones() -> None:
    """With floats, 1e15 + 0.1 equals 1e15 + 0.2."""
    best = Best(fmt.Best(((("a", 10**9),),), (100, 200), (0, 0), (1, 0)))
    assert best.pick(0b11, {"a": 1e9}) == 1
    assert best.key(1, {"a": 1e9})[0] - best.key(0, {"a": 1e9})[0] == 100_000


RULES = """\
campaigns:
  - {id: steady, placement: [hero, trending], value: 2, show: {content: welcome}}
  - {id: keen, placement: [hero, trending], value: {plus: {visitor.visits: 1}}, show: {content: app}}
  - {id: eager, placement: hero, priority: 5, value: {plus: {visitor.visits: 1}}, show: {content: summer}}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    changes: dict[str, str | bytes | None] = {
        "site.yaml": CHOOSING,
        "rules/campaigns.yaml": RULES,
        "rules/audiences.yaml": None,
    }
    return make_bundle(tmp_path_factory.mktemp("best"), changes)


@pytest.fixture(scope="module")
def engine(folder: Path) -> Engine:
    return Engine.load(open_bundle(folder, SITE))


def winners(engine: Engine, visits: float, killed: tuple[str, ...] = ()) -> dict[str, str]:
    context = Context(0, 0, "contextual", {"visitor.visits": visits}, (), PLACEMENTS)
    return {slot.placement: slot.policy for slot in engine.decide(context, killed).slots}


def test_only_the_placements_that_say_so_show_the_best(engine: Engine) -> None:
    # In trending priority decides: of equals the first id.
    assert winners(engine, 1) == {"hero": "steady", "trending": "keen"}
    assert winners(engine, 3) == {"hero": "eager", "trending": "keen"}
    assert winners(engine, 3, ("eager",)) == {"hero": "keen", "trending": "keen"}
    # Of equal values the higher priority.
    assert winners(engine, 2)["hero"] == "eager"
    assert winners(engine, 2, ("eager",))["hero"] == "keen"
    assert "visitor.visits" in engine.reads
    assert not engine.divides


def test_values_alone_need_nothing_of_a_request(tmp_path: Path) -> None:
    rules = RULES.replace("{plus: {visitor.visits: 1}}", "3")
    changes = {"site.yaml": CHOOSING, "rules/campaigns.yaml": rules, "rules/audiences.yaml": None}
    engine = Engine.load(open_bundle(make_bundle(tmp_path, changes), SITE))
    assert winners(engine, 0) == {"hero": "eager", "trending": "keen"}
    assert engine.chooser is not None
    assert not any(engine.chooser.special)
    assert engine.reads == ()


def test_placements_that_show_the_first_are_not_special(engine: Engine) -> None:
    assert engine.chooser is not None
    low, mask = engine.chooser.campaigns.masks["trending"]
    assert not any(engine.chooser.special[low : mask.bit_length()])


def test_golden_contexts_count_more_and_more(folder: Path) -> None:
    bundle = open_bundle(folder, SITE)
    golden = fmt.decode(bundle.read(bundle.one("rules", "golden")), tuple[fmt.RulesGolden, ...])
    assert {case.winners[0] for case in golden} == {"steady", "eager"}
    assert check(bundle)[0] == len(golden)


GOOD = fmt.Best(((), (("a", 1),)), (0, 1, 2), (0, 1, 1), (0, 1, 2))


@pytest.mark.parametrize(
    "best",
    [
        replace(GOOD, bases=(0, 1)),
        replace(GOOD, of=(0, 1)),
        replace(GOOD, ranks=()),
        replace(GOOD, bases=(0, 2, 1)),
        replace(GOOD, of=(0, 1, 2)),
        replace(GOOD, of=(0, -1, 1)),
        replace(GOOD, formulas=()),
        replace(GOOD, formulas=((),) * 65),
        replace(GOOD, formulas=((("a", 1),) * 9,)),
    ],
)
def test_malformed_values_are_refused(engine: Engine, best: fmt.Best) -> None:
    campaigns = engine._campaigns
    assert Chooser(fmt.Choices(bests={"hero": GOOD}), campaigns, (3, 0)).bests["hero"].moves
    with pytest.raises(BundleError, match="experiments: 'hero'"):
        Chooser(fmt.Choices(bests={"hero": best}), campaigns, (3, 0))
    with pytest.raises(BundleError, match="experiments: 'gone'"):
        Chooser(fmt.Choices(bests={"gone": replace(GOOD, bases=(), of=(), ranks=())}), campaigns, (3, 0))


def test_who_is_held_out_of_the_best_sees_the_next(tmp_path: Path) -> None:
    rules = RULES + "holdouts:\n  - {id: out, share: 0.5, of: eager, seed: out}\n"
    changes = {"site.yaml": CHOOSING, "rules/campaigns.yaml": rules, "rules/audiences.yaml": None}
    folder = make_bundle(tmp_path, changes)
    engine = Engine.load(open_bundle(folder, SITE))
    choices = load_choices(open_bundle(folder, SITE))
    assert choices is not None
    assert set(choices.bests) == {"hero", "recommended"}
    seen = set()
    for number in range(40):
        unit = f"{number:032x}"
        context = Context(0, 0, "full", {"visitor.visits": 9}, (), ("hero",), unit)
        decision = engine.decide(context)
        held = (bucket("out", unit, 2) or 0.0) < 0.5
        assert decision.slots[0].policy == ("keen" if held else "eager")
        assert decision.excluded == (("out:held-out",) if held else ())
        seen.add(held)
    assert seen == {True, False}

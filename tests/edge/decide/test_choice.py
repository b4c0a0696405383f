"""Experiments, holdouts and exclusive groups decide as written, and as the plain walk over campaigns does."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.rules.walk import Walk
from compiler.workspace import read_workspace
from edge.bundle import format as fmt
from edge.bundle.reader import open_bundle
from edge.decide.campaigns import Campaigns
from edge.decide.choice import Chooser, load_choices
from edge.decide.engine import Engine
from edge.decide.types import Context, Decision, Slot
from edge.errors import BundleError
from edge.rules.bucketing import bucket
from tests.workspaces.make import EXPERIMENTS, FILES, SITE, make_bundle

PLACEMENTS = ("hero", "recommended", "trending")
UNITS = tuple(f"{n:032x}" for n in range(400))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small workspace with experiments, compiled: which runs its golden visitors."""
    return make_bundle(tmp_path_factory.mktemp("choice"), EXPERIMENTS)


@pytest.fixture(scope="module")
def engine(folder: Path) -> Engine:
    """Its engine."""
    return Engine.load(open_bundle(folder, SITE))


@pytest.fixture(scope="module")
def walk(folder: Path) -> Walk:
    """Its campaigns, walked one by one."""
    return Walk(read_workspace(folder.parent / "workspace"))


def context(unit: str = "", country: str = "DE", **more: Any) -> Context:
    return Context(0, 0, "full", {"geo.country": country}, (), PLACEMENTS, unit, **more)


def slots(decision: Decision) -> dict[str, Slot]:
    return {slot.placement: slot for slot in decision.slots}


def unit_where(engine: Engine, wanted: Any, country: str = "DE") -> str:
    """A visitor whose decision is as wanted."""
    return next(unit for unit in UNITS if wanted(engine.decide(context(unit, country))))


def in_variation(experiment: str, variation: str) -> Any:
    return lambda decision: any(
        (s.experiment, s.variation) == (experiment, variation) for s in decision.slots
    )


CONTEXTS = st.builds(context, st.sampled_from(("", *UNITS)), st.sampled_from(["DE", "FR", "US"]))


@settings(deadline=None)
@given(CONTEXTS)
def test_the_engine_agrees_with_the_walk(engine: Engine, walk: Walk, asked: Context) -> None:
    won = walk.won(asked.attributes, asked.unit)
    assert engine.winners(asked) == {p: name for p, (name, _) in zip(PLACEMENTS, won, strict=True) if name}
    shown = slots(engine.decide(asked))
    variations = [shown[name].variation if name in shown else "" for name in PLACEMENTS]
    assert variations == [variation for _, variation in won]


@settings(deadline=None)
@given(st.lists(CONTEXTS, min_size=1, max_size=8))
def test_a_batch_decides_as_each_alone(engine: Engine, contexts: list[Context]) -> None:
    assert engine.decide_batch(contexts) == [engine.decide(one) for one in contexts]


def test_a_slot_says_its_variation_and_how_likely_it_was(engine: Engine) -> None:
    unit = unit_where(engine, in_variation("hero-words", "warm"))
    hero = slots(engine.decide(context(unit)))["hero"]
    assert (hero.policy, hero.content, hero.propensity) == ("words", "warm", 0.27)
    assert engine.render(hero) == b"Come in"
    unit = unit_where(engine, in_variation("hero-words", "control"))
    hero = slots(engine.decide(context(unit)))["hero"]
    assert (hero.content, hero.items, hero.fills, hero.propensity) == ("", (), False, 0.45)
    assert engine.render(hero) == b""


def test_an_experiment_over_several_placements_is_one_variation(engine: Engine) -> None:
    unit = unit_where(engine, in_variation("rules-or-model", "model"), "FR")
    shown = slots(engine.decide(context(unit, "FR")))
    assert {shown[name].variation for name in ("trending", "recommended")} == {"model"}
    assert (shown["trending"].candidates, len(shown["trending"].items)) == ("popular", 2)
    assert (shown["recommended"].candidates, len(shown["recommended"].items)) == ("taste", 3)
    unit = unit_where(engine, in_variation("rules-or-model", "rules"), "FR")
    shown = slots(engine.decide(context(unit, "FR")))
    assert (shown["trending"].content, shown["recommended"].fills) == ("warm", False)


def test_who_is_not_enrolled_gets_the_next_campaign_and_the_record_says_why(engine: Engine) -> None:
    decision = engine.decide(context(""))
    assert slots(decision)["hero"].policy == "welcome"
    assert decision.excluded == ("hero-words:no-unit", "rules-or-model:no-unit")
    outside = next(unit for unit in UNITS if "hero-words:coverage" in engine.decide(context(unit)).excluded)
    assert slots(engine.decide(context(outside)))["hero"].policy == "welcome"
    assert any("rules-or-model:namespace" in engine.decide(context(u, "FR")).excluded for u in UNITS)


def test_who_is_held_out_sees_what_there_would_be_without(engine: Engine) -> None:
    seeds = {"quiet": ("quiet-2026", 0.1), "never": ("never", 0.05)}
    for unit in UNITS:
        held = {name for name, (seed, share) in seeds.items() if (bucket(seed, unit, 2) or 0.0) < share}
        decision = engine.decide(context(unit))
        if "never" in held:
            assert (decision.slots, decision.excluded) == ((), ("never:held-out",))
        elif "quiet" in held:
            assert slots(decision)["hero"].policy == "welcome"
            assert "quiet:held-out" in decision.excluded
        else:
            assert not any("held-out" in reason for reason in decision.excluded)


def test_a_page_has_one_campaign_of_a_group(engine: Engine) -> None:
    unit = unit_where(engine, in_variation("hero-words", "cool"))
    decision = engine.decide(context(unit))
    assert slots(decision)["trending"].policy == "popular"
    assert "lists:exclusive" in decision.excluded
    freed = next(u for u in UNITS if engine.winners(context(u)).get("trending") == "lists")
    assert engine.winners(context(freed))["hero"] == "welcome"
    # Where the stronger one has no placement, it does not count.
    below = msgspec.structs.replace(context(unit), placements=("trending", "recommended"))
    assert "lists:exclusive" not in engine.decide(below).excluded


def test_a_killed_experiment_is_no_experiment(engine: Engine) -> None:
    unit = unit_where(engine, in_variation("hero-words", "cool"))
    assert engine.winners(context(unit), ("words",))["hero"] == "welcome"
    assert engine.decide(context(unit), ("words", "lists", "lists-alone")).excluded == ()


def test_what_sticks_wins_over_the_hash(engine: Engine) -> None:
    unit = unit_where(engine, in_variation("hero-words", "cool"))
    assert engine.decide(context(unit)).assigned == (("hero-words", 1, "cool"),)
    stuck = engine.decide(context(unit, assigned=(("hero-words", 1, "warm"),)))
    assert (slots(stuck)["hero"].variation, stuck.assigned) == ("warm", ())
    for other in (("hero-words", 2, "warm"), ("hero-words", 1, "gone"), ("another", 1, "warm")):
        again = engine.decide(context(unit, assigned=(other,)))
        assert slots(again)["hero"].variation == "cool"
        assert again.assigned == (("hero-words", 1, "cool"),)
    assert "hero-words:no-unit" in engine.decide(context("", assigned=(("hero-words", 1, "warm"),))).excluded


def test_a_tester_sees_the_variation_whoever_they_are(engine: Engine) -> None:
    never = next(u for u in UNITS if engine.decide(context(u)).excluded == ("never:held-out",))
    for unit in ("", never):
        decision = engine.decide(context(unit, forced=(("hero-words", "cool"),)))
        hero = slots(decision)["hero"]
        assert (hero.content, hero.propensity, decision.assigned) == ("cool", 1.0, ())
    unknown = engine.decide(context("", forced=(("hero-words", "gone"),)))
    assert slots(unknown)["hero"].policy == "welcome"
    elsewhere = engine.decide(context("", "US", forced=(("hero-words", "cool"),)))
    assert slots(elsewhere)["hero"].policy == "welcome"


def test_others_change_nothing(engine: Engine, tmp_path: Path) -> None:
    """Weights of another experiment, the order of the file, the names of campaigns: no visitor moves."""
    rules = EXPERIMENTS["rules/experiments.yaml"]
    swapped = rules.replace("[[0, 0.4], [0.4, 0.9]]", "[[0, 0.7], [0.7, 0.8]]").replace("id: words", "id: zz")
    extra = "  - {id: aa-new, variations: [{key: a, show: nothing}, {key: b, show: {content: warm}}]}\n"
    swapped = swapped.replace("experiments:\n", "experiments:\n" + extra)
    swapped += "  - {id: aa, placement: hero, priority: 1, show: {experiment: aa-new}}\n"
    other = Engine.load(
        open_bundle(make_bundle(tmp_path, {**EXPERIMENTS, "rules/experiments.yaml": swapped}), SITE)
    )
    for unit in UNITS[:200]:
        before, after = (slots(one.decide(context(unit))).get("hero") for one in (engine, other))
        if before is not None and before.experiment == "hero-words":
            assert after is not None
            assert (after.experiment, after.variation) == (before.experiment, before.variation)


def test_a_bundle_without_any_has_no_such_artifact(tmp_path: Path) -> None:
    bundle = open_bundle(make_bundle(tmp_path), SITE)
    assert load_choices(bundle) is None
    assert not Engine.load(bundle).divides
    again = fmt.encode(fmt.RulesGolden({}, ("", "", "")))
    assert b"unit" not in again


def _campaigns(folder: Path) -> tuple[fmt.Choices, Campaigns]:
    engine = Engine.load(open_bundle(folder, SITE))
    choices = load_choices(open_bundle(folder, SITE))
    assert choices is not None
    return choices, engine._campaigns


def _bent(choices: fmt.Choices, **changes: Any) -> fmt.Choices:
    first = msgspec.structs.replace(choices.experiments[0], **changes)
    return msgspec.structs.replace(choices, experiments=(first, *choices.experiments[1:]))


def test_choices_that_do_not_fit_are_refused(folder: Path) -> None:
    choices, campaigns = _campaigns(folder)
    one, *_ = choices.experiments[0].variations
    replace = msgspec.structs.replace
    broken = [
        _bent(choices, version=3),
        _bent(choices, variations=()),
        _bent(choices, variations=(one, one)),
        _bent(choices, namespace=("n", 0.5, 0.2)),
        _bent(choices, variations=(replace(one, start=float("nan")),)),
        _bent(choices, variations=(replace(one, end=2.0),)),
        _bent(choices, variations=(replace(one, shows={"hero": (0, 99)}),)),
        _bent(choices, variations=(replace(one, shows={"hero": (2, 0)}),)),
        _bent(choices, id=choices.experiments[1].id),
        replace(choices, groups=((0, 1), (1, 2))),
        replace(choices, groups=((99,),)),
        replace(choices, holdouts=(fmt.Holdout("a", "a", 0.5, (99,)),)),
        replace(choices, holdouts=(fmt.Holdout("a", "a", float("nan"), None),)),
        replace(choices, holdouts=(fmt.Holdout("a", "a", 0.1, None),) * 2),
    ]
    Chooser(choices, campaigns, (5, 5))
    for document in broken:
        with pytest.raises(BundleError, match="experiments"):
            Chooser(document, campaigns, (5, 5))


def test_a_workspace_of_exclusive_campaigns_alone_is_settled(tmp_path: Path) -> None:
    pairs = "".join(
        f"  - {{id: {name}, placement: {place}, priority: {rank}, exclusive: g, show: {{content: app}}}}\n"
        for name, place, rank in (("x-hero", "hero", 50), ("x-both", "[trending, recommended]", 60))
    )
    changes = {"rules/campaigns.yaml": FILES["rules/campaigns.yaml"] + pairs}
    engine = Engine.load(open_bundle(make_bundle(tmp_path, changes), SITE))
    won = engine.winners(context())
    assert won == {"hero": "welcome", "trending": "x-both", "recommended": "x-both"}
    assert engine.decide(context()).excluded == ("x-hero:exclusive",)
    assert not engine.divides

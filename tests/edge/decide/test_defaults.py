"""A placement's default content is there whenever nothing else is, and the record says so."""

from pathlib import Path
from typing import Any

import pytest

from edge.bundle import format as fmt
from edge.bundle.reader import open_bundle
from edge.decide.choice import Chooser
from edge.decide.engine import Engine
from edge.decide.types import DEFAULT, Context, Slot
from edge.errors import BundleError
from tests.workspaces.make import BANDITS, EXPERIMENTS, FILES, SITE, make_bundle

PLACEMENTS = ("trending", "hero", "recommended")
LISTED = "[hero, recommended, trending]"
DEFAULTS = "[{name: hero, default: warm}, {name: recommended, default: cool}, {name: trending, default: app}]"
RULES = """\
campaigns:
  - {id: mobile, placement: hero, audience: {device.type: mobile}, show: {content: welcome}}
  - {id: for-you, placement: recommended, show: {recommender: recent, card: film}}
"""
RECENT = "recipe: recently-viewed\ninteractions: interactions.csv\n"


def site(text: str) -> str:
    return text.replace(LISTED, DEFAULTS)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Two campaigns, three defaults, and a list that a new visitor has nothing in."""
    changes: dict[str, str | bytes | None] = {
        "site.yaml": site(FILES["site.yaml"]),
        "rules/campaigns.yaml": RULES,
        "rules/audiences.yaml": None,
        "content/warm.txt": "Come in\n",
        "content/cool.txt": "Chill\n",
        "models/recent.yaml": RECENT,
    }
    return Engine.load(open_bundle(make_bundle(tmp_path_factory.mktemp("defaults"), changes), SITE))


def slots(engine: Engine, history: tuple[str, ...] = (), **more: Any) -> dict[str, Slot]:
    context = Context(0, 0, "contextual", more, history, PLACEMENTS)
    return {slot.placement: slot for slot in engine.decide(context).slots}


def test_what_nobody_wins_shows_the_default_in_the_order_of_the_page(engine: Engine) -> None:
    found = slots(engine)
    assert tuple(found) == PLACEMENTS
    assert found["hero"] == Slot("hero", DEFAULT, content="warm")
    assert found["trending"] == Slot("trending", DEFAULT, content="app")
    assert engine.render(found["hero"]) == b"Come in"
    assert engine.winners(Context(0, 0, "contextual", {}, (), ("hero", "trending"))) == {}


def test_a_list_without_items_leaves_the_default(engine: Engine) -> None:
    assert slots(engine)["recommended"] == Slot("recommended", DEFAULT, content="cool")
    full = slots(engine, ("alien", "dune"))["recommended"]
    assert (full.policy, full.content, full.items[:1]) == ("for-you", "", ("alien",))


def test_a_winner_is_no_default_and_one_that_is_killed_is_none(engine: Engine) -> None:
    context = Context(0, 0, "contextual", {"device.type": "mobile"}, (), ("hero",))
    assert engine.decide(context).slots[0].policy == "mobile"
    assert engine.decide(context, ("mobile",)).slots[0].policy == DEFAULT
    assert engine.decide_batch([context] * 2, (DEFAULT,)) == [engine.decide(context)] * 2
    assert engine.decide(Context(0, 0, "contextual", {}, (), ("elsewhere",))).slots == ()


def test_who_is_held_out_and_who_is_in_a_control_has_the_default(tmp_path: Path) -> None:
    changes = {**EXPERIMENTS, "site.yaml": site(str(EXPERIMENTS["site.yaml"]))}
    engine = Engine.load(open_bundle(make_bundle(tmp_path, changes), SITE))
    seen = set()
    for number in range(300):
        context = Context(0, 0, "full", {"geo.country": "DE"}, (), ("hero",), f"{number:032x}")
        decision = engine.decide(context)
        (hero,) = decision.slots
        if decision.excluded == ("never:held-out",):
            assert hero == Slot("hero", DEFAULT, content="warm")
            seen.add("held")
        if hero.variation == "control":
            assert (hero.policy, hero.content, hero.propensity) == ("words", "warm", 0.45)
            seen.add("control")
    assert seen == {"held", "control"}


def test_an_arm_that_shows_nothing_has_the_default(tmp_path: Path) -> None:
    engine = Engine.load(
        open_bundle(make_bundle(tmp_path, {**BANDITS, "site.yaml": site(FILES["site.yaml"])}), SITE)
    )
    context = Context(0, 0, "contextual", {}, (), ("hero",), forced=(("greeting", "quiet"),))
    (hero,) = engine.decide(context).slots
    assert (hero.policy, hero.variation, hero.content) == ("greet", "quiet", "warm")


@pytest.mark.parametrize("defaults", [{"hero": 99}, {"hero": -1}, {"gone": 0}])
def test_malformed_defaults_are_refused(engine: Engine, defaults: dict[str, int]) -> None:
    with pytest.raises(BundleError, match="no such default"):
        Chooser(fmt.Choices(defaults=defaults), engine._campaigns, (4, 1))

"""An engine decides by context alone: the same in any company, at any time, from any order of loading."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bundle.arrays import Array
from edge.bundle.format import RulesSchema
from edge.bundle.reader import open_bundle
from edge.bundle.strings import pack_strings
from edge.decide import engine as module
from edge.decide import listing
from edge.decide.campaigns import Campaigns
from edge.decide.engine import Engine
from edge.decide.types import Context, Decision
from edge.errors import BundleError
from tests.workspaces.make import FILES, SITE, make_bundle

PLACEMENTS = ("hero", "recommended", "trending")
ITEMS = ("alien", "brazil", "casablanca", "dune", "eva", "fargo", "gilda", "heat")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small workspace with campaigns of equal priority."""
    ties = "".join(
        f"  - {{id: {name}, placement: hero, priority: 10, audience: tied, show: {{content: app}}}}\n"
        for name in ("tie-b", "tie-a", "tie-c")
    )
    changes = {
        "rules/campaigns.yaml": FILES["rules/campaigns.yaml"] + ties,
        "rules/audiences.yaml": FILES["rules/audiences.yaml"] + "  tied: {geo.country: TI}\n",
    }
    return make_bundle(tmp_path_factory.mktemp("engine"), changes)


@pytest.fixture(scope="module")
def engine(folder: Path) -> Engine:
    """Its engine, used by all tests of this file: warm."""
    return Engine.load(open_bundle(folder, SITE))


def context(
    history: tuple[str, ...] = (), placements: tuple[str, ...] = PLACEMENTS, **attributes: Any
) -> Context:
    named = {name.replace("_", "."): value for name, value in attributes.items()}
    return Context(1_760_000_000_000, 7, "full", named, history, placements)


def shown(decision: Decision) -> dict[str, Any]:
    return {slot.placement: slot.content or slot.items for slot in decision.slots}


CONTEXTS = st.builds(
    context,
    st.lists(st.sampled_from((*ITEMS, "unknown", "")), max_size=6, unique=True).map(tuple),
    st.lists(st.sampled_from((*PLACEMENTS, "footer")), max_size=4).map(tuple),
    device_type=st.sampled_from(["mobile", "desktop"]),
    geo_country=st.sampled_from(["AT", "CH", "US", "TI", "\xff"]),
    visitor_visits=st.integers(0, 12),
    time_now=st.sampled_from([0, 1_785_000_000_000, 2**53]),
)


@settings(deadline=None)
@given(st.lists(CONTEXTS, min_size=1, max_size=12), st.data())
def test_a_decision_does_not_depend_on_its_company(
    engine: Engine, contexts: list[Context], data: Any
) -> None:
    alone = []
    for each in contexts:
        engine.forget()
        alone.append(engine.decide(each))
    engine.forget()
    engine.decide_batch(data.draw(st.lists(st.sampled_from(contexts))))
    for _ in range(2):
        assert engine.decide_batch(contexts) == alone
        assert engine.decide_batch(contexts[::-1]) == alone[::-1]
    engine.forget()
    assert engine.decide_batch(contexts) == alone


def test_priority_wins_then_the_first_id(engine: Engine) -> None:
    assert shown(engine.decide(context()))["hero"] == "welcome"
    assert shown(engine.decide(context(device_type="mobile")))["hero"] == "app"
    assert engine.winners(context(geo_country="TI"))["hero"] == "tie-a"
    summer = 1_785_000_000_000
    alpine = context(device_type="mobile", geo_country="AT", visitor_visits=2, time_now=summer)
    assert engine.winners(alpine) == {
        "hero": "alpine-summer",
        "recommended": "for-you",
        "trending": "alpine-summer",
    }


def test_a_killed_campaign_leaves_the_next(engine: Engine) -> None:
    tied = context(geo_country="TI")
    assert engine.winners(tied, ("tie-a",))["hero"] == "tie-b"
    assert engine.winners(tied, ("tie-a", "tie-b", "tie-c"))["hero"] == "welcome"
    everything = tuple(engine.winners(context(), ()).values())
    assert engine.decide(context(), everything) == Decision(())
    assert engine.winners(tied, ("unknown", "", "\x00"))["hero"] == "tie-a"
    assert engine.winners(tied)["hero"] == "tie-a"


def test_slots_follow_the_placements_asked_for(engine: Engine) -> None:
    decision = engine.decide(context(placements=("trending", "footer", "hero", "trending")))
    assert [slot.placement for slot in decision.slots] == ["trending", "hero", "trending"]
    assert engine.decide(context(placements=())) == Decision(())


def test_an_empty_history_falls_back_and_an_unknown_one_is_empty(engine: Engine) -> None:
    empty = engine.decide(context())
    assert len(shown(empty)["recommended"]) == 4
    assert len(shown(empty)["trending"]) == 3
    assert engine.decide(context(("nobody", "", "x" * 5000))) == empty


def test_what_was_seen_is_not_shown(engine: Engine) -> None:
    seen = ITEMS[:5]
    decision = engine.decide(context(seen))
    assert not set(shown(decision)["recommended"]) & set(seen)
    everything = engine.decide(context(ITEMS))
    assert "recommended" not in shown(everything)


def test_long_histories_are_not_remembered(engine: Engine) -> None:
    engine.forget()
    engine.decide(context(("x" * 5000, "alien")))
    assert not engine._listing._remembered
    engine.decide(context(("alien",)))
    assert [history for history, *_ in engine._listing._remembered] == [("alien",)]


def test_what_is_remembered_is_bounded(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "MAX_HISTORIES", 3)
    answers = {item: engine.decide(context((item,))) for item in ITEMS}
    assert len(engine._listing._remembered) <= 3
    assert {item: engine.decide(context((item,))) for item in ITEMS} == answers


def test_fragments_are_escaped_as_they_were_compiled(engine: Engine) -> None:
    decision = engine.decide(context(("casablanca", "gilda")))
    (slot,) = [slot for slot in decision.slots if slot.placement == "recommended"]
    assert "eva" in slot.items
    for _ in range(2):  # cold, then remembered
        fragment = engine.render(slot)
        assert b"<script" not in fragment
        assert fragment.count(b'class="card"') == len(slot.items)
    (summer,) = engine.decide(
        context((), ("hero",), geo_country="AT", visitor_visits=2, time_now=1_785_000_000_000)
    ).slots
    assert engine.render(summer).strip() == b"Summer &amp; &quot;mountains&quot; &lt;3"


def test_a_reload_keeps_what_did_not_change(folder: Path, engine: Engine) -> None:
    again = Engine.load(open_bundle(folder, SITE), engine)
    assert again.items is engine.items
    assert again._listing.recommender is engine._listing.recommender
    assert again.decide(context(("alien",))) == engine.decide(context(("alien",)))
    assert not again._previous


SCHEMA = RulesSchema((), PLACEMENTS, (("taste", "film", 4),))
GOOD: dict[str, Array] = {
    "starts": np.array([0, 2, 2, 3], np.uint32),
    "campaign": np.array([0, 1, 1], np.uint32),
    "action": np.array([0, 0, 1], np.uint8),
    "target": np.array([0, 1, 0], np.uint32),
    **pack_strings("ids", [b"a", b"b"]),
}


def test_campaigns_that_fit_are_taken() -> None:
    campaigns = Campaigns(GOOD, SCHEMA, 2)
    assert campaigns.bits(["b"]) == 0b110
    assert campaigns.masks == {"hero": (0, 3), "recommended": (2, 0), "trending": (2, 4)}
    empty = {name: array[:0] for name, array in GOOD.items()} | {"starts": np.zeros(4, np.uint32)}
    assert Campaigns(empty | pack_strings("ids", []), SCHEMA, 0).bits(["a"]) == 0


BROKEN: list[Callable[[dict[str, Array]], Any]] = [
    lambda a: a.pop("starts"),
    lambda a: a.pop("campaign"),
    lambda a: a.pop("action"),
    lambda a: a.pop("target"),
    lambda a: a.pop("ids.blob"),
    lambda a: a.update(starts=a["starts"][:0]),
    lambda a: a.update(starts=a["starts"][:-1]),
    lambda a: a.update(starts=a["starts"] + np.uint32(1)),
    lambda a: a.update(starts=np.array([0, 3, 2, 3], np.uint32)),
    lambda a: a.update(starts=np.array([0, 2, 2, 4], np.uint32)),
    lambda a: a.update(campaign=np.array([0, 1, 2], np.uint32)),
    lambda a: a.update(campaign=np.array([0, 1], np.uint32)),
    lambda a: a.update(action=np.array([0, 0, 2], np.uint8)),
    lambda a: a.update(action=np.array([0, 0], np.uint8)),
    lambda a: a.update(target=np.array([0, 2, 0], np.uint32)),
    lambda a: a.update(target=np.array([0, 1, 1], np.uint32)),
    lambda a: a.update(target=np.array([0, 1], np.uint32)),
    lambda a: a.update(pack_strings("ids", [b"a", b"\xff"])),
]


@pytest.mark.parametrize("breaks", BROKEN)
def test_campaigns_that_do_not_fit_are_refused(breaks: Callable[[dict[str, Array]], Any]) -> None:
    arrays = dict(GOOD)
    breaks(arrays)
    with pytest.raises(BundleError):
        Campaigns(arrays, SCHEMA, 2)


@settings(deadline=None)
@given(st.data())
def test_any_arrays_are_taken_or_refused_by_name(data: Any) -> None:
    """Of any type and shape; what is taken can be walked to its end."""
    arrays = dict(GOOD)
    name = data.draw(st.sampled_from(sorted(GOOD)))
    dtype = data.draw(st.sampled_from(["|u1", "<u4", "<u8", "<i4", "<i8", "<f4", "<f8"]))
    values = data.draw(st.lists(st.integers(0, 4) | st.just(-1), max_size=6))
    array = np.array(values).astype(dtype)
    arrays[name] = array.reshape(
        data.draw(st.sampled_from([(-1,), (1, -1), (-1, 1)])) if len(array) else (0, 1)
    )
    try:
        campaigns = Campaigns(arrays, SCHEMA, 2)
    except BundleError:
        return
    assert [campaigns.ids.text(campaigns.owner[bit]) for bit in range(campaigns.size)]
    assert campaigns.bits(["a", "b"]) < 1 << campaigns.size


def test_an_engine_of_parts_that_differ_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Campaigns", lambda *_: SimpleNamespace(size=1))
    with pytest.raises(BundleError, match="differ in size"):
        Engine.load(open_bundle(folder, SITE))

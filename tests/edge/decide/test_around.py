"""Recommenders list nothing that may not be listed, are not starved, and decide the same each time."""

from collections import Counter
from pathlib import Path

import pytest
from msgspec.structs import replace

from compiler.workspace import WorkspaceError
from edge.decide.engine import Engine
from edge.decide.types import Muted
from tests.workspaces import shop
from tests.workspaces.make import FILES
from tests.workspaces.shop import N_ITEMS, asks, countries, genres, item, listed, shop_engine

HISTORIES: list[tuple[int, ...]] = [(), (3,), (10, 11), (20, 4, 31, 7), tuple(range(1, 40))]
ALL = """\
only: [{column: countries, has: geo.country}]
at_most: {genre: 2}
explore: {slot: 2, share: 0.5}
"""


def load(folder: Path, text: str) -> Engine:
    return shop_engine(folder, f"model: taste\nfallback: popular\n{text}")


def test_a_bare_recommender_lists_what_its_models_do(tmp_path: Path) -> None:
    engine = load(tmp_path, "")
    bare = shop_engine(tmp_path / "bare", "model: taste\n", {
        "rules/campaigns.yaml": "campaigns:\n  - {id: a, placement: recommended, "
        "show: {recommender: taste, card: film, limit: 6}}\n",
        "recommenders/mine.yaml": None,
    })  # fmt: skip
    for history in HISTORIES:
        assert listed(engine, asks(*history)) == listed(bare, asks(*history))
        assert len(listed(engine, asks(*history))) == 6


def test_filters_take_out_before_the_list_is_cut(tmp_path: Path) -> None:
    engine = load(
        tmp_path,
        "only: [{where: {item.stock: {$gt: 0}, item.price: {$lt: 30}}}, {where: {item.brand: acme}}]\n",
    )
    left = {n for n in range(30) if n % 7 and n % 3 == 0}
    for history in HISTORIES:
        found = listed(engine, asks(*history))
        assert set(found) <= left - set(history)
        assert len(found) == min(6, len(left - set(history)))


def test_a_region_opens_what_it_may_see(tmp_path: Path) -> None:
    engine = load(tmp_path, "only: [{column: countries, has: geo.country}]\n")
    for history in HISTORIES:
        for country in ("DE", "AT", "FR", "XX", None):
            attributes = {"geo_country": country} if country else {}
            found = listed(engine, asks(*history, **attributes))
            assert found
            assert all(not countries(n) or country in countries(n) for n in found)
    assert any(countries(n) for n in listed(engine, asks(3, geo_country="DE")))


def test_who_is_unknown_may_be_let_in(tmp_path: Path) -> None:
    engine = load(tmp_path, "only: [{column: age, at_most: visitor.age, unknown: keep}]\n")
    ages = [0 if n % 3 == 0 else 6 * (n % 3 + 1) for n in range(N_ITEMS)]
    for age in (0, 5, 12, 17.5, 18, 99):
        found = listed(engine, asks(3, visitor_age=age))
        assert len(found) == 6
        assert all(ages[n] <= age for n in found)
    assert listed(engine, asks(3)) == listed(load(tmp_path / "all", ""), asks(3))


def test_a_condition_of_the_context_switches_a_filter(tmp_path: Path) -> None:
    engine = load(tmp_path, "only: [{when: {device.type: mobile}, where: {item.price: {$lt: 10}}}]\n")
    assert max(listed(engine, asks(3, device_type="mobile"))) < 10
    assert listed(engine, asks(3, device_type="desktop")) == listed(engine, asks(3))
    assert max(listed(engine, asks(3))) >= 10


def test_a_batch_gets_what_each_would_get_alone(tmp_path: Path) -> None:
    engine = load(
        tmp_path,
        ALL,
    )
    contexts = [
        asks(*history, seed=seed, geo_country=country)
        for seed, history in enumerate(HISTORIES)
        for country in ("DE", "FR")
    ]
    alone = []
    for context in contexts:
        engine.forget()
        alone.append(engine.decide(context))
    engine.forget()
    assert engine.decide_batch(contexts) == alone
    assert engine.decide_batch(contexts) == alone


def test_caps_hold_and_do_not_starve(tmp_path: Path) -> None:
    engine = load(tmp_path, "at_most: {brand: 2}\nconsider: 7\n")
    for history in HISTORIES:
        found = listed(engine, asks(*history))
        assert max(Counter(n % 3 for n in found).values()) <= 2
        # There are three brands, and all of them last, however deep they lie.
        assert len(found) == 6


def test_diversity_trades_score_for_unlikeness(tmp_path: Path) -> None:
    plain = load(tmp_path / "plain", "")
    none = load(tmp_path / "none", "diverse: {weight: 0, by: genre}\n")
    much = load(tmp_path / "much", "diverse: {weight: 0.9, by: genre}\n")

    def different(engine: Engine) -> int:
        return sum(len(set().union(*map(genres, listed(engine, asks(*history))))) for history in HISTORIES)

    assert [listed(none, asks(*h)) for h in HISTORIES] == [listed(plain, asks(*h)) for h in HISTORIES]
    assert different(much) > different(plain)
    assert all(listed(much, asks(*h))[0] == listed(plain, asks(*h))[0] for h in HISTORIES)


def test_pins_stand_where_they_are_put_unless_a_filter_forbids_it(tmp_path: Path) -> None:
    engine = load(
        tmp_path,
        "only: [{column: countries, has: geo.country}]\npin: [{item: i08, at: 1}, {item: i05, at: 4}]\n",
    )
    german, french = listed(engine, asks(3, geo_country="DE")), listed(engine, asks(3, geo_country="FR"))
    assert (german[0], german[3]) == (8, 5)
    assert french[0] == 8
    assert 5 not in french
    assert listed(engine, asks(3, geo_country="DE", muted=Muted((item(8),))))[0] != 8
    for found in (german, french):
        assert len(found) == len(set(found)) == 6


def test_boosts_raise_bury_and_prefer_the_newest(tmp_path: Path) -> None:
    plain = load(tmp_path / "plain", "")
    up = load(tmp_path / "up", "boost: [{where: {item.brand: acme}, times: 100}]\n")
    down = load(tmp_path / "down", "boost: [{where: {item.brand: acme}, plus: -1000}]\n")
    new = load(tmp_path / "new", "boost: [{newest: added, half_life: 12h, times: 100}]\n")

    def acme(engine: Engine) -> int:
        return sum(n % 3 == 0 for h in HISTORIES for n in listed(engine, asks(*h)))

    assert acme(up) > acme(plain) > acme(down) == 0
    assert listed(new, asks())[0] % 28 == 27


def test_a_low_score_leaves_it_to_the_next_model_and_at_last_to_the_site(tmp_path: Path) -> None:
    popular = listed(load(tmp_path / "plain", "fill: false\n"), asks())
    unsure = load(tmp_path / "unsure", "confident: {score: 1000}\n")
    assert listed(unsure, asks(3)) == [n for n in popular if n != 3][:6]
    alone = shop_engine(tmp_path / "alone", "model: also\nconfident: {items: 60}\n")
    assert alone.decide(asks(3)).slots == ()


def test_what_a_model_leaves_free_the_next_fills(tmp_path: Path) -> None:
    # Of the newest items, which nobody viewed, item-item knows nothing at all.
    only = "only: [{where: {item.price: {$gt: 40}}}]\n"
    filled = shop_engine(tmp_path / "filled", f"model: also\nfallback: popular\n{only}")
    short = shop_engine(tmp_path / "short", f"model: also\nfallback: popular\nfill: false\n{only}")
    lists = [(listed(filled, asks(n)), listed(short, asks(n))) for n in range(50)]
    assert all(len(full) == 6 and full[: len(few)] == few for full, few in lists)
    assert any(len(few) < 6 for _, few in lists)


def test_short_histories_go_to_the_next_model(tmp_path: Path) -> None:
    engine = load(tmp_path, "confident: {history: 2}\n")
    popular = listed(engine, asks())
    assert [n for n in popular if n != 3] == listed(engine, asks(3))[: len(popular) - (3 in popular)]
    assert listed(engine, asks(3, 4)) != [n for n in popular if n not in (3, 4)]


def test_what_is_owned_or_muted_is_left_out_and_replaced(tmp_path: Path) -> None:
    engine = load(tmp_path, "leave_out: visitor.owned\n")
    first = listed(engine, asks(3))
    owned = listed(engine, asks(3, visitor_owned=", ".join(map(item, first))))
    assert len(owned) == 6
    assert not set(first) & set(owned)
    everything = "|".join(item(n) for n in range(N_ITEMS) if n not in (50, 51))
    assert set(listed(engine, asks(3, visitor_owned=everything))) == {50, 51}
    muted = listed(engine, asks(3, muted=Muted((), ("crime",))))
    assert len(muted) == 6
    assert not any("crime" in genres(n) for n in muted)


def test_what_was_seen_may_be_kept(tmp_path: Path) -> None:
    engine = load(tmp_path, "seen: keep\nonly: [{where: {item.price: {$lt: 4}}}]\n")
    assert sorted(listed(engine, asks(1, 2))) == [0, 1, 2, 3]
    muted = asks(1, 2, muted=Muted((item(2),)))
    assert sorted(listed(engine, muted)) == [0, 1, 3]


def test_exploring_draws_as_often_as_it_says(tmp_path: Path) -> None:
    engine = load(tmp_path, "explore: {slot: 2, share: 0.4, of: 4}\n")
    usual = load(tmp_path / "usual", "")
    base = listed(usual, asks(3))
    slots = [engine.decide(asks(3, seed=seed)).slots[0] for seed in range(4000)]
    told: dict[tuple[str, ...], float] = {slot.items: slot.propensity for slot in slots}
    counts = Counter(slot.items for slot in slots)
    assert len(told) == 5
    assert sum(told.values()) == pytest.approx(1)
    for items, propensity in told.items():
        assert counts[items] / len(slots) == pytest.approx(propensity, abs=0.03)
        assert [items[0], *items[2:]] == [item(n) for n in base[:1] + base[2:]]
    assert told[tuple(map(item, base))] == pytest.approx(0.6)


def test_exploring_may_be_among_some_alone(tmp_path: Path) -> None:
    where = "where: {item.price: {$gte: 55}}"
    engine = load(
        tmp_path, f"explore: {{slot: 6, share: 1, of: 3, {where}}}\nonly: [{{where: {{item.stock: 1}}}}]\n"
    )
    tried = {listed(engine, asks(3, seed=seed))[5] for seed in range(60)}
    assert len(tried) == 3
    assert all(n >= 55 and n % 7 for n in tried)


def test_new_items_stand_among_those_that_are_like_them(tmp_path: Path) -> None:
    text = "model: popular\nonly: [{where: {item.price: {$gte: 44}}}]\n"
    with_ = shop_engine(tmp_path / "with", text + "new_items: {like: [genre, brand]}\n")
    new = set(range(N_ITEMS - shop.NEW, N_ITEMS))
    assert not new & set(listed(shop_engine(tmp_path / "without", text), asks()))
    assert new & set(listed(with_, asks()))
    some = shop_engine(tmp_path / "some", text + "new_items: {like: genre, where: {item.price: 59}}\n")
    assert new & set(listed(some, asks())) <= {59}


def test_exploring_a_place_that_a_campaign_lacks_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="explores place 7, and a campaign shows 6"):
        load(tmp_path, "explore: {slot: 7, share: 0.5}\n")


def test_models_may_be_shown_by_recommenders_alone(tmp_path: Path) -> None:
    rules = (
        "campaigns:\n  - {id: a, placement: recommended, show: {recommender: mine, card: film, limit: 3}}\n"
    )
    changes = {"rules/campaigns.yaml": rules, "models/also.yaml": None}
    engine = shop_engine(tmp_path, "model: taste\nfallback: popular\n", changes)
    assert engine.listing.recommender.names == ()
    assert len(listed(engine, asks(3))) == 3


def test_a_bundle_again_decides_the_same(tmp_path: Path) -> None:
    text = (
        "at_most: {genre: 2}\nexplore: {slot: 2, share: 0.5}\nonly: [{column: countries, has: geo.country}]\n"
    )
    engine = load(tmp_path, text)
    again = Engine.load(engine.bundle, engine)
    for seed, history in enumerate(HISTORIES):
        context = asks(*history, seed=seed, geo_country="AT")
        assert again.decide(context) == engine.decide(context)


def test_without_a_grant_the_list_is_of_no_history(tmp_path: Path) -> None:
    consent = "consent: {cookie: consent, purposes: {taste: {}}}"
    site = str(shop.FILES["site.yaml"]).replace("consent: {cookie: consent, default: contextual}", consent)
    model = FILES["models/taste.yaml"] + "purposes: taste\n"
    files = {"site.yaml": site, "models/taste.yaml": model}
    engine = shop_engine(tmp_path, "model: taste\nfallback: popular\nexplore: {slot: 2, share: 1}\n", files)
    bare = asks()
    batch = [replace(asks(3, 17), granted=("taste",)), asks(3, 17), replace(bare, granted=("taste",))]
    granted, withheld, nobody = (listed(engine, context) for context in batch)
    assert withheld == nobody
    assert withheld != granted
    engine.forget()
    decided = engine.decide_batch(batch)
    assert [[int(name[1:]) for name in one.slots[0].items] for one in decided] == [granted, withheld, nobody]

"""A challenger lists what its recommender would with another model; a share of decisions tries it."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from edge.bundle import recommender_format as wire
from edge.decide import challengers as module
from edge.decide.engine import Engine
from edge.decide.stock import Stock
from edge.decide.types import Muted
from edge.errors import BundleError
from tests.workspaces.shop import asks, item, listed, shop_engine

AROUND = (
    "only: [{where: {item.stock: {$gt: 0}}}, {column: countries, has: geo.country}]\nat_most: {brand: 2}\n"
)
HISTORIES: list[tuple[int, ...]] = [(), (3,), (10, 11), (20, 4, 31, 7)]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder: Path = tmp_path_factory.mktemp("champion")
    explore = "explore: {slot: 2, share: 0.5}\n"
    return shop_engine(
        folder,
        f"model: taste\nfallback: popular\n{AROUND}{explore}challenger: {{model: also, share: 0.25}}\n",
    )


def test_it_lists_as_a_recommender_of_its_model_would(engine: Engine, tmp_path: Path) -> None:
    other = shop_engine(tmp_path, f"model: also\nfallback: popular\n{AROUND}")
    challengers = engine.challengers
    assert challengers is not None
    differs = 0
    for history in HISTORIES:
        context = asks(*history, geo_country="DE", muted=Muted((item(5),)))
        (slot,) = engine.decide(context).slots
        found = [int(name[1:]) for name in challengers.items(slot, context)]
        assert found == listed(other, context)
        differs += found != [int(name[1:]) for name in slot.items]
    assert differs


def test_it_leaves_out_what_is_sold_out(engine: Engine) -> None:
    challengers, context = engine.challengers, asks(3, geo_country="DE")
    assert challengers is not None
    (slot,) = engine.decide(context).slots
    before = challengers.items(slot, context)
    stock = Stock("some", 1, frozenset(engine.items.positions(before[:2])))
    after = challengers.items(slot, context, stock)
    assert not {*before[:2]} & {*after}
    assert len(after) == len(before)


def test_the_page_is_what_it_is_without_a_challenger(engine: Engine, tmp_path: Path) -> None:
    alone = shop_engine(
        tmp_path, f"model: taste\nfallback: popular\n{AROUND}explore: {{slot: 2, share: 0.5}}\n"
    )
    assert alone.challengers is None
    for seed, history in enumerate(HISTORIES):
        context = asks(*history, seed=seed, geo_country="DE")
        assert alone.decide(context).slots == engine.decide(context).slots


def test_a_share_of_the_decisions_tries_it_and_always_the_same(engine: Engine) -> None:
    challengers = engine.challengers
    assert challengers is not None
    (slot,) = engine.decide(asks(3)).slots
    tried = [challengers.tried(slot, seed) is not None for seed in range(4000)]
    assert sum(tried) / len(tried) == pytest.approx(0.25, abs=0.03)
    assert tried == [challengers.tried(slot, seed) is not None for seed in range(4000)]
    assert challengers.tried(replace(slot, candidates="popular"), tried.index(True)) is None
    assert challengers.tried(replace(slot, items=()), tried.index(True)) is None


def test_the_draw_does_not_go_with_that_of_exploring(engine: Engine) -> None:
    challengers = engine.challengers
    assert challengers is not None
    slots = [(seed, engine.decide(asks(3, seed=seed)).slots[0]) for seed in range(2000)]
    explored = [slot.propensity < 0.5 for seed, slot in slots if challengers.tried(slot, seed)]
    assert sum(explored) / len(explored) == pytest.approx(0.5, abs=0.08)


def test_a_share_that_is_none_is_refused(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    document = module.load_recommenders(engine.bundle)
    broken = replace(document, trials=tuple(replace(trial, share=0.0) for trial in document.trials))

    def load(_bundle: object) -> wire.Recommenders:
        return broken

    monkeypatch.setattr(module, "load_recommenders", load)
    with pytest.raises(BundleError, match="no share of the decisions"):
        module.load_challengers(engine.bundle, None, engine.items, engine.about, engine.schema)

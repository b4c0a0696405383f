"""What is sold out is in no list, however it is made, and lists are as long as items last."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from onnx import numpy_helper

from edge.bundle import format as fmt
from edge.bundle.stock import StockList, decode_stock, stock_id
from edge.decide.engine import Engine
from edge.decide.recommender import Recommender, open_session
from edge.decide.stock import ALL, Stock, stock_of
from edge.decide.types import Context
from edge.errors import BundleError
from tests.workspaces.make import SITE
from tests.workspaces.shop import N_ITEMS, asks, item, listed, shop_engine

CHOOSY = """\
model: taste
fallback: popular
only: [{column: countries, has: geo.country}]
pin: [{item: i08, at: 2}]
at_most: {brand: 2}
diverse: {weight: 0.4, by: genre}
explore: {slot: 3, share: 0.5}
leave_out: visitor.owned
consider: 11
"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return shop_engine(tmp_path_factory.mktemp("stock"), CHOOSY)


def sold_out(engine: Engine, *numbers: int, serial: int = 1) -> Stock:
    listed_ = StockList(fmt.FORMAT, SITE, serial, tuple(sorted(map(item, numbers))))
    return stock_of(listed_, stock_id(fmt.encode(listed_)), engine.items)


def shown(engine: Engine, context: Context, stock: Stock) -> dict[str, list[int]]:
    slots = engine.decide(context, stock=stock).slots
    return {slot.placement: [int(name[1:]) for name in slot.items] for slot in slots}


numbers = st.integers(0, N_ITEMS - 1)


@settings(deadline=None, max_examples=60)
@given(st.lists(numbers, unique=True, max_size=9), st.sets(numbers, max_size=55), st.integers(0, 99))
def test_a_list_is_what_it_were_if_the_visitor_had_asked_to_leave_that_out(
    engine: Engine, history: list[int], out: set[int], seed: int
) -> None:
    asked = asks(*history, seed=seed, geo_country="DE")
    found = engine.decide(asked, stock=sold_out(engine, *out))
    owned = asks(*history, seed=seed, geo_country="DE", visitor_owned=",".join(map(item, out)))
    assert found == engine.decide(owned)


@pytest.mark.parametrize("history", [(), (3,), (20, 4, 31, 7)])
def test_bare_models_list_the_next_ones_instead(engine: Engine, history: tuple[int, ...]) -> None:
    asked = asks(*history, placements=("trending",))
    before = shown(engine, asked, ALL)["trending"]
    after = shown(engine, asked, sold_out(engine, before[0], before[2]))["trending"]
    assert after[:4] == [n for n in before if n not in (before[0], before[2])]
    assert len(after) == len(before)


def test_nothing_left_is_no_slot(engine: Engine) -> None:
    everything = sold_out(engine, *range(N_ITEMS))
    assert shown(engine, asks(3, placements=("recommended", "trending")), everything) == {}


def test_what_comes_back_is_listed_again_and_nothing_remembered_is_served(engine: Engine) -> None:
    asked = asks(3, 9)
    before = listed(engine, asked)
    out = sold_out(engine, *before)
    for stock, wanted in ((ALL, True), (out, False), (ALL, True), (sold_out(engine, serial=3), True)):
        assert (shown(engine, asked, stock)["recommended"] == before) is wanted
    assert not set(shown(engine, asked, out)["recommended"]) & set(before)


def test_a_batch_shares_one_stock(engine: Engine) -> None:
    batch = [asks(*history, geo_country="FR") for history in ((), (3,), (3,), (10, 11))]
    out = sold_out(engine, *range(0, N_ITEMS, 2))
    alone = []
    for asked in batch:
        engine.forget()
        alone.append(engine.decide(asked, stock=out))
    engine.forget()
    assert engine.decide_batch(batch, stock=out) == alone


def test_ids_that_the_catalog_lacks_are_counted_and_say_nothing(engine: Engine) -> None:
    document = StockList(fmt.FORMAT, SITE, 4, ("a", item(1), "z"))
    stock = stock_of(document, "f" * 32, engine.items)
    assert (stock.out, stock.unknown, stock.serial) == (frozenset({1}), 2, 4)


def test_a_graph_of_before_stock_leaves_out_the_same(engine: Engine, tmp_path: Path) -> None:
    other = shop_engine(tmp_path, CHOOSY)
    _make_old(other)
    out = sold_out(engine, *range(0, N_ITEMS, 3), 8)
    for history in ((), (3,), (20, 4, 31, 7), tuple(range(1, 40))):
        asked = asks(*history, geo_country="DE", placements=("recommended", "trending"))
        assert other.decide(asked) == engine.decide(asked)
        assert other.decide(asked, stock=out) == engine.decide(asked, stock=out)


def _make_old(engine: Engine) -> None:
    """Give an engine a graph that knows no stock, as compilers of before made it."""
    bundle, recommender = engine.bundle, engine.listing.recommender
    proto = onnx.load_model_from_string(bytes(bundle.read(bundle.one("models", "graph"))))
    kept = [value for value in proto.graph.input if value.name != "stock"]
    del proto.graph.input[:]
    proto.graph.input.extend(kept)
    proto.graph.initializer.append(numpy_helper.from_array(np.zeros(N_ITEMS + 1, np.float32), "stock"))
    arrays = {name: array for name, array in recommender.arrays.items() if name != "stock"}
    plan = replace(recommender.plan, stock=False)
    engine.listing.recommender = Recommender(plan, open_session(proto.SerializeToString()), arrays)


@pytest.mark.parametrize(
    ("document", "code"),
    [
        (StockList(2, SITE, 1, ()), "format"),
        (StockList(fmt.FORMAT, "shoes", 1, ()), "foreign-site"),
        (StockList(fmt.FORMAT, SITE, 0, ()), "stock"),
        (StockList(fmt.FORMAT, SITE, 1, ("b", "a")), "stock"),
        (StockList(fmt.FORMAT, SITE, 1, ("a", "a")), "stock"),
        (fmt.Rollout(fmt.FORMAT, SITE, 1, {"*": 1}), "malformed"),
        (fmt.Revision(fmt.FORMAT, SITE, 1, {}), "malformed"),
    ],
)
def test_what_is_no_stock_list_is_refused(document: StockList, code: str) -> None:
    with pytest.raises(BundleError) as refused:
        decode_stock(fmt.encode(document), SITE)
    assert refused.value.code == code

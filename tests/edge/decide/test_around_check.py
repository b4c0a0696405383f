"""Parts of recommenders that do not fit each other are refused before a decision relies on them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec.structs import replace

from edge.bundle import format as fmt
from edge.bundle import recommender_format as wire
from edge.bundle.reader import open_bundle
from edge.decide.around import Around, load_arrays, load_recommenders
from edge.decide.engine import Engine
from edge.decide.golden import check
from edge.errors import BundleError
from tests.workspaces.make import SITE
from tests.workspaces.shop import N_ITEMS, shop_engine

TEXT = """\
model: taste
fallback: popular
only:
  - {where: {item.stock: 1}}
  - {column: countries, has: geo.country}
  - {column: age, at_most: visitor.age}
  - {when: {device.type: mobile}, where: {item.genre: drama}}
boost: [{where: {item.brand: acme}, times: 2}]
pin: [{item: i03, at: 1}]
at_most: {brand: 2}
diverse: {weight: 0.2, by: genre}
explore: {slot: 3, share: 0.1, where: {item.price: {$lt: 20}}}
new_items: {like: genre}
"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder: Path = tmp_path_factory.mktemp("check")
    return shop_engine(folder, TEXT)


def _finish(**changes: Any) -> Callable[[wire.Recommenders], wire.Recommenders]:
    return lambda document: replace(document, finishes=(replace(document.finishes[0], **changes),))


def _gate(number: int, **changes: Any) -> Callable[[wire.Recommenders], wire.Recommenders]:
    def changed(document: wire.Recommenders) -> wire.Recommenders:
        gates = list(document.gates)
        gates[number] = replace(gates[number], **changes)
        return replace(document, gates=tuple(gates))

    return changed


DOCUMENTS = [
    _finish(links=()),
    _finish(links=(wire.Link("mine:9", "taste"),)),
    _finish(links=(wire.Link("popular", "popular"),)),
    _finish(links=(wire.Link("mine:0", "taste", -1),)),
    _finish(limit=0),
    _finish(limit=10_000),
    _finish(caps=(("nothing", 1),)),
    _finish(caps=(("brand", 0),)),
    _finish(alike=("nothing",)),
    _finish(diversity=1.5),
    _finish(diversity=float("nan")),
    _finish(pins=(("i03", -1),)),
    _finish(pins=(("i03", 1), ("i04", 1))),
    _finish(gates=(7,)),
    _finish(masks=("mine/none",)),
    _finish(masks=("mine/factor",)),
    _finish(explore=wire.Explore(6, 0.1, 5)),
    _finish(explore=wire.Explore(1, 0.0, 5)),
    _finish(explore=wire.Explore(1, 0.5, 5, "mine:y")),
    _gate(0, kind="regex"),
    _gate(0, reads=()),
    _gate(0, kind="at-most"),
    _gate(1, kind="has"),
    _gate(2, when={"$and": 3}),
    _gate(2, when={"device.type": {"$before": "some day"}}),
    lambda document: replace(document, gates=document.gates[:1]),
    lambda document: replace(document, finishes=document.finishes * 2),
]


@pytest.mark.parametrize("change", DOCUMENTS, ids=range(len(DOCUMENTS)))
def test_documents_that_do_not_fit(
    engine: Engine, change: Callable[[wire.Recommenders], wire.Recommenders]
) -> None:
    document, plan = load_recommenders(engine.bundle), engine._listing.recommender.plan
    Around(document, load_arrays(engine.bundle), plan, engine.items)
    with pytest.raises(BundleError, match=r"recommenders|arrays"):
        Around(change(document), load_arrays(engine.bundle), plan, engine.items)


ARRAYS: list[tuple[str, Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]]] = [
    ("mine/allow", lambda array: array[:-1]),
    ("mine/allow", lambda array: array.astype(np.float32)),
    ("mine/factor", lambda array: array * np.float32("nan")),
    ("gate/0", lambda array: array[:-1]),
    ("gate/1/bounds", lambda array: array[::-1]),
    ("group/brand/starts", lambda array: array + np.uint64(1)),
    ("group/brand/values", lambda array: array[:-1]),
    ("group/genre/values", lambda array: array + np.uint32(1 << 30)),
    ("mine/new/taste/near", lambda array: array + np.int32(N_ITEMS)),
    ("mine/new/taste/near", lambda array: array - np.int32(N_ITEMS)),
    ("mine/new/taste/place", lambda array: array + np.int32(5)),
]


@pytest.mark.parametrize(("key", "change"), ARRAYS, ids=range(len(ARRAYS)))
def test_arrays_that_do_not_fit(
    engine: Engine, key: str, change: Callable[[np.ndarray[Any, Any]], np.ndarray[Any, Any]]
) -> None:
    arrays = dict(load_arrays(engine.bundle))
    arrays[key] = change(arrays[key])
    with pytest.raises(BundleError, match="recommenders"):
        Around(load_recommenders(engine.bundle), arrays, engine._listing.recommender.plan, engine.items)


def test_other_candidates_than_the_golden_ones_are_caught(tmp_path: Path) -> None:
    bundle = shop_engine(tmp_path, TEXT).bundle
    golden = fmt.decode(bundle.read(bundle.one("catalog", "golden")), list[wire.PoolsGolden])
    assert {len(items) for case in golden for items in case.items.values()} >= {wire.GOLDEN_TOP}
    items = {name: found[::-1] for name, found in golden[0].items.items()}
    turned = msgspec.msgpack.encode([replace(golden[0], items=items), *golden[1:]])
    artifact = bundle.one("catalog", "golden")
    (tmp_path / "bundle" / "artifacts" / artifact.sha256).chmod(0o644)
    (tmp_path / "bundle" / "artifacts" / artifact.sha256).write_bytes(turned)
    with pytest.raises(BundleError, match="'mine:"):
        check(open_bundle(tmp_path / "bundle", SITE, verify=False))

"""Pools over shortlists list what a scan does, or nearly, and filters leave them with enough to look at."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from compiler.models.graph import RecommenderSpec, merge
from compiler.recommenders.graph import Pool, Stage
from compiler.recommenders.parts import reference_pool
from compiler.recommenders.short import width_of
from edge.bundle.arrays import Array
from edge.decide.recommender import Recommender, open_session
from models import recipe
from models.data.interactions import from_rows, sort_items
from models.graphs import blocked, blocks, shortlist
from models.graphs.blocked import with_blocks
from models.trained import Trained

N_ITEMS, LIMIT = 600, 8
GATES = 3


@pytest.fixture(scope="module")
def models() -> Iterator[dict[str, Trained]]:
    draw = np.random.default_rng(3)
    items = sort_items(f"item{n}" for n in range(N_ITEMS))
    rows = [
        (f"user{user}", items[item % N_ITEMS], 1_700_000_000 + 60 * turn, 1.0)
        for user in range(400)
        for turn, item in enumerate(user % 15 * 40 + draw.integers(0, 60, 14))
    ]
    data = from_rows(rows, items)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shortlist, "TIMES", 0)
        patch.setattr(shortlist, "FEWEST", 0)
        patch.setattr(shortlist.fixed_shortlist, "__defaults__", (40,))
        patch.setattr(shortlist.FixedFinder.__init__, "__defaults__", (40, True))
        patch.setattr(blocked, "FEWEST", 0)
        patch.setattr(blocked, "STEP", 1)
        patch.setattr(blocks.block_arrays, "__defaults__", (None, 1.0, 8))
        found = {name: recipe.train(name, name, data, {}) for name in ("popularity", "item-item")}
        found["bpr"] = with_blocks(recipe.train("bpr", "bpr", data, {"factors": 8, "rounds": 6}))
        assert all(model.shortlist for model in found.values())
        yield found


def _arrays() -> dict[str, Array]:
    draw = np.random.default_rng(4)
    factor = draw.choice([0.5, 1, 1, 2], N_ITEMS)
    few = np.zeros(N_ITEMS, np.uint8)
    few[::200] = 1
    return {
        "a/allow": (draw.random(N_ITEMS) < 0.7).astype(np.uint8),
        "few/allow": few,
        "a/factor": factor.astype(np.float32),
        "a/inverse": (1 / factor).astype(np.float32),
        "a/bonus": draw.choice([0, 0, 0.01, -0.01], N_ITEMS).astype(np.float32),
        "gate/0": (draw.random((GATES, N_ITEMS)) < 0.5).astype(np.uint8),
    }


ARRAYS = _arrays()
POOLS = [
    Pool(f"{model}-{name}", model, LIMIT, gates=gates, allow=allow, boost=boost)
    for model in ("popularity", "item-item", "bpr")
    for name, gates, allow, boost in (
        ("bare", (), "", ""),
        ("filtered", (0,), "a/allow", ""),
        ("boosted", (), "", "a"),
        ("all", (0,), "a/allow", "a"),
    )
]


def _recommender(models: dict[str, Trained], pools: list[Pool]) -> Recommender:
    stage = Stage(tuple(pools), ARRAYS, 1)
    merged = merge(models, [RecommenderSpec("popularity", 3)], stage=stage)
    held = {**{f"arrays/{name}": model.arrays for name, model in models.items()}, "around": ARRAYS}
    arrays = {name: held[file][key] for name, (file, key) in merged.plan.bindings.items()}
    return Recommender(merged.plan, open_session(merged.graph), arrays)


@pytest.fixture(scope="module")
def wide(models: dict[str, Trained]) -> list[Pool]:
    return [replace(pool, width=2 if pool.model != "item-item" else 1) for pool in POOLS]


@pytest.fixture(scope="module")
def both(models: dict[str, Trained], wide: list[Pool]) -> list[Recommender]:
    """A recommender over shortlists, and one over all scores."""
    return [_recommender(models, wide), _recommender(models, POOLS)]


@pytest.mark.parametrize("seed", range(20))
def test_pools_equal_the_reference(
    seed: int, models: dict[str, Trained], wide: list[Pool], both: list[Recommender]
) -> None:
    draw = np.random.default_rng(seed)
    batch = [
        (draw.choice(N_ITEMS, draw.integers(0, 12), replace=False).tolist(), int(draw.integers(GATES)))
        for _ in range(1 + seed % 4)
    ]
    histories, gates = [history for history, _ in batch], [(gate,) for _, gate in batch]
    short, whole = (recommender.find(histories, gates) for recommender in both)
    for row, history in enumerate(histories):
        for pool in wide:
            found = short.lists[pool.name][row]
            assert found == reference_pool(models, pool, ARRAYS, history, gates[row]), pool.name
            if pool.model == "item-item":
                assert found == whole.lists[pool.name][row], pool.name


def test_what_is_banned_leaves_room_for_what_follows(both: list[Recommender]) -> None:
    first = both[0].find([[5, 80]], [(1,)]).lists
    for name in ("item-item-all", "bpr-all", "popularity-all"):
        known = first[name][0][:3]
        deeper = both[0].find_without([5, 80], known, (1,)).lists[name][0]
        assert deeper[: LIMIT - 3] == first[name][0][3:]
        assert not set(known) & set(deeper)


def _width(models: dict[str, Trained], pool: Pool) -> int:
    return width_of(models[pool.model], pool, ARRAYS, [GATES])


def test_filters_make_shortlists_wider(models: dict[str, Trained]) -> None:
    for model in ("popularity", "bpr"):
        bare, all_ = (
            _width(models, pool) for pool in POOLS if pool.name in (f"{model}-bare", f"{model}-all")
        )
        assert 0 < bare <= (all_ or 99), model
    assert {_width(models, pool) for pool in POOLS if pool.model == "item-item"} == {1}


def test_what_no_shortlist_can_hold_is_scanned(models: dict[str, Trained]) -> None:
    assert _width(models, Pool("few", "popularity", LIMIT, allow="few/allow")) == 0
    assert _width(models, Pool("kept", "item-item", LIMIT, keeps_seen=True)) == 0
    assert _width(models, Pool("new", "item-item", LIMIT, new="a/new")) == 0
    plain = {name: replace(model, shortlist=b"", finder=None) for name, model in models.items()}
    assert _width(plain, Pool("bare", "bpr", LIMIT)) == 0

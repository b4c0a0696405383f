"""The graph of recommenders: each pool lists what the reference predictor does, and no gate leaks."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.models.graph import RecommenderSpec, merge
from compiler.problems import Problems
from compiler.recommenders.graph import NEIGHBOURS, Pool, Stage
from compiler.recommenders.parts import compile_recommenders, reference_pool
from compiler.workspace import read_workspace
from edge.bundle import format as fmt
from edge.bundle.arrays import Array
from edge.decide.recommender import Recommender, open_session
from models import recipe
from models.data.interactions import from_rows, sort_items
from models.trained import Trained
from tests.workspaces import shop
from tests.workspaces.make import make_workspace, train_models

N_ITEMS = 40


def _models() -> dict[str, Trained]:
    draw = np.random.default_rng(3)
    items = sort_items(f"item{n}" for n in range(N_ITEMS))
    rows = [
        (f"user{user}", items[item], 1_700_000_000 + user, 1.0)
        for user in range(50)
        for item in draw.choice(N_ITEMS, 7, replace=False).tolist()
    ]
    data = from_rows(rows, items)
    return {name: recipe.train(name, name, data, {}) for name in ("popularity", "ease", "recently-viewed")}


def _arrays() -> dict[str, Array]:
    draw = np.random.default_rng(4)
    factor = draw.choice([0.25, 1, 1, 3], N_ITEMS)
    return {
        "a/allow": (draw.random(N_ITEMS) < 0.8).astype(np.uint8),
        "a/factor": factor.astype(np.float32),
        "a/inverse": (1 / factor).astype(np.float32),
        "a/bonus": draw.choice([0, 0, 0.5, -0.5], N_ITEMS).astype(np.float32),
        "a/new/near": draw.integers(0, N_ITEMS, (3, NEIGHBOURS)).astype(np.int32),
        "a/new/place": np.array([*range(N_ITEMS - 3), N_ITEMS, N_ITEMS + 1, N_ITEMS + 2], np.int32),
        "gate/0": (draw.random((4, N_ITEMS)) < 0.5).astype(np.uint8),
        "gate/1": np.array([[1] * N_ITEMS, [n % 2 for n in range(N_ITEMS)]], np.uint8),
    }


POOLS = (
    Pool("all", "ease", 12, gates=(0, 1), allow="a/allow", boost="a", new="a/new"),
    Pool("bare", "ease", 12),
    Pool("boosted", "popularity", N_ITEMS, keeps_seen=True, boost="a"),
    Pool("kept", "recently-viewed", 5, keeps_seen=True, gates=(1,)),
    Pool("sure", "ease", 12, least=0.05),
)
STAGE = Stage(POOLS, _arrays(), 2)


@pytest.fixture(scope="module")
def models() -> dict[str, Trained]:
    return _models()


@pytest.fixture(scope="module")
def recommender(models: dict[str, Trained]) -> Recommender:
    merged = merge(models, [RecommenderSpec("popularity", 3)], stage=STAGE)
    held = {**{f"arrays/{name}": model.arrays for name, model in models.items()}, "around": STAGE.arrays}
    arrays = {name: held[file][key] for name, (file, key) in merged.plan.bindings.items()}
    return Recommender(merged.plan, open_session(merged.graph), arrays)


contexts = st.tuples(
    st.lists(st.integers(0, N_ITEMS - 1), unique=True, max_size=20), st.integers(0, 3), st.integers(0, 1)
)


@settings(deadline=None, max_examples=60)
@given(st.lists(contexts, min_size=1, max_size=6))
def test_pools_equal_the_reference(
    models: dict[str, Trained], recommender: Recommender, batch: list[tuple[list[int], int, int]]
) -> None:
    found = recommender.find([history for history, _, _ in batch], [gates for _, *gates in batch])
    for row, (history, *gates) in enumerate(batch):
        for pool in POOLS:
            wanted = reference_pool(models, pool, STAGE.arrays, history, gates)
            assert found.lists[pool.name][row] == wanted, pool.name
    for name, scores in found.scores.items():
        for row, listed in enumerate(found.lists[name]):
            assert scores[row][: len(listed)] == sorted(scores[row][: len(listed)], reverse=True)


def test_deeper_candidates_follow_the_first_ones(recommender: Recommender) -> None:
    history, gates = [3, 17], (1, 0)
    first = recommender.find([history], [gates]).lists
    for name in ("all", "bare", "boosted"):
        known = first[name][0]
        deeper = recommender.find_without(history, known, gates).lists[name][0]
        assert not set(known) & set(deeper)
        assert name == "boosted" or not set(history) & set(deeper)
    assert recommender.find([history], [gates]).lists == first


def test_a_graph_without_recommenders_is_as_it_was(models: dict[str, Trained]) -> None:
    specs = [RecommenderSpec("ease", 10, "popularity")]
    merged = merge(models, specs)
    assert b"gate" not in fmt.encode(merged.plan) + merged.graph
    assert b"pool" not in fmt.encode(merged.plan) + merged.graph


def test_the_order_of_pools_in_a_workspace_changes_nothing(tmp_path: Path) -> None:
    files = {
        **shop.FILES,
        "recommenders/mine.yaml": "model: taste\nonly: [{column: countries, has: geo.country}]\n",
    }
    workspace = read_workspace(make_workspace(tmp_path, files))
    trained = train_models(workspace)
    one = compile_recommenders(workspace, trained, Problems())
    turned = dict(reversed(trained.items()))
    other = compile_recommenders(
        replace(workspace, recommenders=workspace.recommenders[::-1]), turned, Problems()
    )
    assert one.interface == other.interface
    assert merge(trained, [], stage=one.stage).graph == merge(turned, [], stage=other.stage).graph

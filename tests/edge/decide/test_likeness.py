"""Items are alike by the angle between their rows, in numbers that no machine's order of sums changes."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from compiler.recommenders.arrays import directions_of
from compiler.workspace import WorkspaceError, read_workspace
from edge.bundle import recommender_format as wire
from edge.bundle.arrays import unpack
from edge.decide.around import Around, load_arrays, load_recommenders
from edge.decide.engine import Engine
from edge.decide.likeness import Directions, Groups, Likeness
from edge.errors import BundleError
from models.trained import Trained
from tests.workspaces.make import train_models
from tests.workspaces.shop import N_ITEMS, asks, listed, shop_engine

FACTORS = {"models/factors.yaml": "recipe: svd\ninteractions: interactions.csv\nfactors: 8\n"}
whole = st.integers(-127, 127)


@given(st.lists(st.lists(whole, min_size=5, max_size=5), min_size=1, max_size=9))
def test_likeness_is_the_cosine_and_never_below_0(rows: list[list[int]]) -> None:
    held = np.array(rows, np.int8)
    found = Likeness([Directions(held)], range(len(rows)))
    for at, one in enumerate(held.astype(float)):
        for other, told in zip(held.astype(float), found.to(at), strict=True):
            lengths = np.linalg.norm(one) * np.linalg.norm(other)
            assert told == pytest.approx(max(0.0, one @ other / lengths) if lengths else 0.0, abs=1e-12)


def test_the_order_of_sums_changes_nothing() -> None:
    draw = np.random.default_rng(3)
    rows = draw.integers(-127, 128, (200, 1_024)).astype(np.int8)
    turned = rows[:, draw.permutation(1_024)]
    one, other = (Likeness([Directions(held)], range(200)) for held in (rows, turned))
    assert all(one.to(at).tobytes() == other.to(at).tobytes() for at in range(200))


def test_with_columns_it_is_the_mean() -> None:
    groups = Groups(np.array([0, 1, 2], np.uint64), np.array([7, 7], np.uint32))
    rows = Directions(np.array([[127, 0], [0, 127]], np.int8))
    assert Likeness([groups, rows], [0, 1]).to(0).tolist() == [1.0, 0.5]


def load(folder: Path, text: str, changes: dict[str, str] | None = None) -> Engine:
    return shop_engine(folder, f"model: taste\nfallback: popular\n{text}", {**FACTORS, **(changes or {})})


def trained(folder: Path) -> dict[str, Trained]:
    return train_models(read_workspace(folder / "workspace"))


def test_lists_are_those_of_the_paper_over_the_models_rows(tmp_path: Path) -> None:
    engine = load(tmp_path, "diverse: {weight: 0.6, model: factors}\n")
    bare = load(tmp_path / "bare", "consider: 50\n")
    rows = trained(tmp_path)["factors"].vectors
    assert rows is not None
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    unlike = 0
    for history in ((3,), (10, 11), (20, 4, 31, 7)):
        found = listed(engine, asks(*history))
        unlike += found != listed(bare, asks(*history))
        assert len(set(found)) == 6
        pairs = [unit[a] @ unit[b] for a in found for b in found if a < b]
        usual = listed(bare, asks(*history))
        before = [unit[a] @ unit[b] for a in usual for b in usual if a < b]
        assert np.maximum(pairs, 0).mean() <= np.maximum(before, 0).mean() + 1e-9
    assert unlike
    again = Engine.load(engine.bundle)
    assert [listed(again, asks(n)) for n in range(9)] == [listed(engine, asks(n)) for n in range(9)]


def test_rows_are_shipped_by_the_models_and_once(tmp_path: Path) -> None:
    engine = load(tmp_path, "diverse: {weight: 0.6, model: factors, by: genre}\n")
    manifests = engine.bundle.manifests
    artifact = engine.bundle.artifacts("models", "arrays")["alike/factors"]
    rows = unpack(engine.bundle.read(artifact))["alike/factors"]
    assert (rows.shape, rows.dtype.str) == ((N_ITEMS, 8), "|i1")
    wanted = directions_of(trained(tmp_path)["factors"])
    assert wanted is not None
    assert np.array_equal(rows, wanted)
    assert manifests["models"].provides["alike/factors"] == manifests["rules"].requires["alike/factors"]
    # Nobody asks for the model's list, so no call computes it.
    assert "factors" not in engine.listing.recommender.names


def test_a_model_without_rows_is_refused_with_what_would_do(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match="'taste' has no row for each item"):
        load(tmp_path, "diverse: {weight: 0.6, model: taste}\n")


@pytest.mark.parametrize("bend", [lambda rows: rows[:-1], lambda rows: rows.astype(np.float32), None])
def test_rows_that_do_not_fit_are_refused(tmp_path: Path, bend: object) -> None:
    engine = load(tmp_path, "diverse: {weight: 0.6, model: factors}\n")
    arrays = dict(load_arrays(engine.bundle))
    key = wire.ALIKE + "factors"
    arrays = {**arrays, key: bend(arrays[key])} if callable(bend) else arrays
    document = load_recommenders(engine.bundle)
    if bend is None:
        (finish,) = document.finishes
        document = replace(document, finishes=(replace(finish, near="nothing"),))
    with pytest.raises(BundleError, match="has no rows of"):
        Around(document, arrays, engine.listing.recommender.plan, engine.items)

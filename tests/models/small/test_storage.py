"""Stored models: the same lists from fewer bytes, and sums that stay exact."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays as drawn
from numpy.typing import NDArray

from edge.decide.inference import ort
from edge.decide.operators import check_graph
from models import recipe
from models.data.interactions import Interactions
from models.small.gaps import from_gaps, to_gaps
from models.small.storage import decode, encode, store
from models.trained import EXACT_STEPS, WEIGHT_STEPS, Trained

STORAGES = ("float16", "int8")


def _padded(n_items: int, seed: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    draw = np.random.default_rng(seed)
    history = np.full((20, 12), n_items, np.int32)
    for row, length in enumerate(draw.integers(0, 12, 20).tolist()):
        history[row, :length] = draw.choice(n_items, length, replace=False)
    weight = (history < n_items) * draw.integers(0, 17, history.shape) / WEIGHT_STEPS
    return history, weight.astype(np.float32)


@pytest.fixture(
    scope="module", params=["also-viewed", "content", "ease", "hybrid", "popularity", "svd", "user-user"]
)
def plain(request: pytest.FixtureRequest, tastes: Interactions) -> Trained:
    return recipe.train("mine", request.param, tastes, {})


@pytest.mark.parametrize("storage", STORAGES)
def test_graph_and_reference_of_a_stored_model_are_equal(plain: Trained, storage: str) -> None:
    stored = store(plain, storage)
    check_graph(stored.scores_graph)
    session = ort.InferenceSession(stored.scores_graph, providers=["CPUExecutionProvider"])
    for seed in range(3):
        history, weight = _padded(len(plain.items), seed)
        feeds = {"history": history, "weight": weight, **stored.arrays}
        assert np.array_equal(session.run(["scores"], feeds)[0], stored.score(history, weight))


@pytest.mark.parametrize("storage", STORAGES)
def test_a_stored_model_says_nearly_the_same(plain: Trained, storage: str) -> None:
    history, weight = _padded(len(plain.items), 1)
    before, after = (model.score(history, weight) for model in (plain, store(plain, storage)))
    finite = np.isfinite(before) & np.isfinite(after)
    assert finite.mean() == np.isfinite(before).mean()
    assert np.abs(before[finite] - after[finite]).max() <= 0.01 * np.abs(before[finite]).max()


def test_bytes_are_what_the_setting_says(tastes: Interactions) -> None:
    def size(storage: str) -> int:
        model = recipe.train("mine", "ease", tastes, {"storage": storage, "neighbours": 20})
        assert model.card["settings"]["storage"] == storage
        return sum(array.nbytes for array in model.arrays.values())

    plain, half, quarter = size("float32"), size("float16"), size("int8")
    assert half == plain / 2 + 4
    assert quarter == plain / 4 + 4 * 33


def test_saved_and_loaded_is_the_same(tastes: Interactions, tmp_path: Path) -> None:
    model = recipe.train("mine", "ease", tastes, {"storage": "int8"})
    recipe.save(model, tmp_path / "mine")
    loaded = recipe.load(tmp_path / "mine")
    history, weight = _padded(len(model.items), 2)
    assert np.array_equal(loaded.score(history, weight), model.score(history, weight))
    assert {array.dtype.str for array in loaded.arrays.values()} == {"|i1", "|u1", "<f4"}


STEPS = drawn(np.int64, (6, 9), elements=st.integers(-(2**20), 2**20))
POWERS = drawn(np.int64, (9,), elements=st.integers(-30, 10))


@given(STEPS, POWERS, st.sampled_from(STORAGES))
def test_sums_that_were_exact_stay_exact(
    steps: NDArray[np.int64], powers: NDArray[np.int64], storage: str
) -> None:
    """Of each column, whose steps are its own, any sum weighted by sixteenths: in float32 as in integers."""
    array = (steps * 2.0**powers).astype(np.float32)
    found = decode(encode({"weights": array}, storage))["weights"]
    weights = np.arange(1, 7, dtype=np.float32) * 2 / WEIGHT_STEPS
    before = [_exact(array[:, column], weights) for column in range(9)]
    after = [_exact(found[:, column], weights) for column in range(9)]
    assert not [column for column in range(9) if before[column] and not after[column]]


def _exact(column: NDArray[np.float32], weights: NDArray[np.float32]) -> bool:
    """Whether all partial sums are whole steps of the column, fewer than float32 can count."""
    parts = column.astype(np.float64) * weights
    whole = [Fraction(part) for part in parts.tolist() if part]
    finest = max((one.denominator for one in whole), default=1)
    shared = np.gcd.reduce([int(one * finest) for one in whole]) if whole else 1
    return float(np.abs(parts).sum()) * finest / (shared & -shared) <= EXACT_STEPS


@given(STEPS, st.integers(-30, 10))
def test_int8_is_within_half_a_code(steps: NDArray[np.int64], power: int) -> None:
    array = (steps * 2.0**power).astype(np.float32)
    stored = encode({"weights": array}, "int8")
    assert stored["weights.int8"].min() >= -127
    error = np.abs(decode(stored)["weights"].astype(np.float64) - array)
    assert (error <= stored["weights.scales"] / 2).all()


@given(drawn(np.float32, (4, 7), elements=st.floats(-1e6, 1e6, width=32)))
def test_float16_is_cut_off_towards_zero(array: NDArray[np.float32]) -> None:
    found = decode(encode({"weights": array}, "float16"))["weights"]
    assert (np.abs(found) <= np.abs(array)).all()
    room = np.maximum(np.abs(array) * 2.0**-10, max(np.abs(array).max(), 2.0**-100) * 2.0**-37)
    assert (np.abs(found - array) <= room).all()


def test_what_is_not_worth_it_stays() -> None:
    plain = {
        "bias": np.ones(4, np.float32),
        "far": np.full((2, 2), 1 << 16, np.int32),
        "wrong": np.full((2, 2), np.nan, np.float32),
        "empty": np.zeros((0, 3), np.float32),
    }
    assert encode(plain, "int8").keys() == plain.keys()


@given(st.data())
def test_gaps_are_positions(data: st.DataObject) -> None:
    width = data.draw(st.integers(1, 40))
    rows = data.draw(
        st.lists(
            st.lists(st.integers(0, 900), min_size=width, max_size=width, unique=True), min_size=1, max_size=5
        )
    )
    neighbour = np.array(rows, np.int32)
    value = np.arange(1, neighbour.size + 1, dtype=np.float32).reshape(neighbour.shape)
    found = to_gaps(neighbour, value)
    if found is None:
        assert (np.diff(np.sort(neighbour), prepend=0) > 255).mean() > 0.02
        return
    places, values = from_gaps(found[0]), found[1]
    dense, kept = np.zeros((len(rows), 901)), np.zeros((len(rows), 901))
    np.put_along_axis(dense, neighbour, value, 1)
    for row in range(len(rows)):
        np.add.at(kept[row], places[row], values[row])
    assert ((kept == dense) | (kept == 0)).all()
    lost = (kept != dense).sum(axis=1)
    wide = (np.diff(np.sort(neighbour), prepend=0) > 255).any(axis=1)
    assert not lost[~wide].any()
    for row in np.flatnonzero(lost).tolist():
        gone = dense[row][kept[row] != dense[row]]
        assert gone.max() < kept[row][kept[row] > 0].min(initial=np.inf), "the weakest go"


def test_positions_far_apart_are_kept_as_they_are() -> None:
    neighbour = np.arange(0, 100_000, 1000, dtype=np.int32).reshape(1, -1)
    value = np.ones(neighbour.shape, np.float32)
    assert to_gaps(neighbour, value) is None
    assert "neighbour" in encode({"neighbour": neighbour, "value": value}, "int8")

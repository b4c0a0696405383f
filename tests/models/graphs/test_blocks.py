"""Blocks of items hold each item once, and nearly all of the best are found in few of them."""

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.bundle.arrays import Array
from models.graphs.blocks import BLOCK, block_arrays, order_blocks
from models.graphs.factors import USER_STEPS, whole_numbers
from models.trained import EXACT_STEPS

FACTORS, PROBES, TOP = 16, 24, 50


def _items(count: int) -> NDArray[np.float32]:
    """Items in groups, some of which are larger than others, in whole numbers."""
    draw = np.random.default_rng(2)
    groups = draw.normal(size=(max(1, count // 100), FACTORS)) * draw.exponential(
        size=(max(1, count // 100), 1)
    )
    items = groups[draw.integers(0, len(groups), count)] + 0.2 * draw.normal(size=(count, FACTORS))
    return whole_numbers(items.T)[0]


@pytest.fixture(scope="module")
def out() -> NDArray[np.float32]:
    return _items(20_000)


@pytest.fixture(scope="module")
def arrays(out: NDArray[np.float32]) -> dict[str, Array]:
    return block_arrays(out)


@pytest.fixture(scope="module")
def steps(out: NDArray[np.float32]) -> NDArray[np.float32]:
    draw = np.random.default_rng(3)
    users = out.T[draw.integers(0, out.shape[1], (40, 10))].sum(axis=1)
    return np.round(users / np.abs(users).max(axis=1, keepdims=True) * USER_STEPS)


def test_each_item_is_in_one_block(out: NDArray[np.float32], arrays: dict[str, Array]) -> None:
    member, rows = arrays["block_items"], arrays["out"].reshape(-1, FACTORS)
    assert np.array_equal(np.sort(member[member >= 0]), np.arange(out.shape[1]))
    assert np.array_equal(rows[arrays["block_place"][:-1]].T, out)
    assert np.array_equal(member.ravel()[arrays["block_place"][:-1]], np.arange(out.shape[1]))
    assert arrays["block_place"][-1] == member.size
    assert member.size < 1.6 * out.shape[1]


def _found(arrays: dict[str, Array], scores: NDArray[np.float32], order: NDArray[np.int64]) -> float:
    hits = 0
    for row, blocks in zip(scores, order[:, :PROBES], strict=True):
        best = np.argsort(-row)[:TOP]
        hits += int(np.isin(arrays["block_place"][best] // BLOCK, blocks).sum())
    return hits / (TOP * len(scores))


def test_most_of_the_best_are_found(
    out: NDArray[np.float32], arrays: dict[str, Array], steps: NDArray[np.float32]
) -> None:
    order = order_blocks(arrays, steps, np.ones((len(steps), 1), np.float32))
    assert _found(arrays, steps @ out, order) >= 0.95
    assert 0.2 * out.shape[1] > PROBES * BLOCK


def test_a_bias_decides_which_blocks_are_looked_at(
    out: NDArray[np.float32], arrays: dict[str, Array], steps: NDArray[np.float32]
) -> None:
    draw = np.random.default_rng(4)
    bias = (draw.exponential(size=out.shape[1]) * (steps @ out).std()).astype(np.float32)
    biased = block_arrays(out, bias)
    scores, one = steps @ out + bias, np.ones((len(steps), 1), np.float32)
    assert np.array_equal(biased["bias"].ravel()[biased["block_place"][:-1]], bias)
    found = _found(biased, scores, order_blocks(biased, steps, one))
    assert found >= 0.9
    assert found > _found(arrays, scores, order_blocks(arrays, steps, one)) + 0.1


def test_products_with_centres_are_exact_in_any_order(arrays: dict[str, Array]) -> None:
    centre = arrays["block_centre"]
    assert np.array_equal(centre, np.round(centre))
    assert np.abs(centre).sum(axis=0).max() * USER_STEPS < EXACT_STEPS


def test_a_handful_of_items_is_one_block_or_two() -> None:
    few = block_arrays(_items(100)[:, :5])
    assert sorted(few["block_items"][few["block_items"] >= 0].tolist()) == [0, 1, 2, 3, 4]
    assert np.isfinite(few["block_reach"]).all()

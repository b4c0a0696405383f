"""Low-rank scores: the graph and the reference are equal, and sums are exact for the worst of histories."""

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.bundle.arrays import Array
from edge.decide.inference import ort
from edge.decide.operators import check_graph
from models.graphs.factors import (
    LONGEST,
    USER_STEPS,
    Scale,
    factor_arrays,
    factor_graph,
    score_factors,
    user_factors,
)
from models.trained import EXACT_STEPS, WEIGHT_STEPS

ITEMS, FACTORS = 40, 6


def _arrays(seed: int = 0, *, bias: bool = False, recency: bool = False) -> dict[str, Array]:
    draw = np.random.default_rng(seed)
    into, out = draw.normal(size=(ITEMS, FACTORS)), draw.normal(size=(FACTORS, ITEMS))
    return factor_arrays(
        into,
        out,
        draw.normal(size=ITEMS) if bias else None,
        0.9 ** np.arange(8) if recency else None,
    )


def _histories(seed: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    draw = np.random.default_rng(seed)
    history = np.full((9, 12), ITEMS, np.int32)
    weight = np.zeros(history.shape, np.float32)
    for row in range(1, len(history)):  # the first knows nothing
        length = int(draw.integers(1, 13))
        history[row, :length] = draw.choice(ITEMS, length, replace=False)
        weight[row, :length] = draw.integers(0, WEIGHT_STEPS + 1, length) / WEIGHT_STEPS
    return history, weight


@pytest.mark.parametrize("recency", [False, True])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("scale", ["sum", "mean", "root"])
def test_graph_and_reference_are_equal(scale: Scale, bias: bool, recency: bool) -> None:
    arrays = _arrays(bias=bias, recency=recency)
    graph = factor_graph("f", arrays, scale)
    check_graph(graph)
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    for seed in range(5):
        history, weight = _histories(seed)
        got = session.run(["scores"], {"history": history, "weight": weight, **arrays})[0]
        wanted = score_factors(arrays, history, weight, scale)
        assert got.dtype == wanted.dtype == np.float32
        assert np.array_equal(got, wanted)


def test_scores_are_the_products_up_to_rounding() -> None:
    draw = np.random.default_rng(1)
    into, out, bias = (draw.normal(size=shape) for shape in ((ITEMS, FACTORS), (FACTORS, ITEMS), ITEMS))
    arrays = factor_arrays(into, out, bias)
    history, weight = _histories(2)
    exact = (weight[..., None] * np.vstack([into, np.zeros(FACTORS)])[history]).sum(axis=1) @ out
    found = score_factors(arrays, history, weight) - arrays["bias"]
    assert np.abs(found - exact).max() < 0.004 * np.abs(exact).max()


def test_newer_items_weigh_more() -> None:
    eye = np.eye(ITEMS)
    arrays = factor_arrays(eye, eye, recency=np.array([1.0, 0.5, 0.25]))
    history = np.array([[3, 1, 2, 0]], np.int32)
    scores = score_factors(arrays, history, np.ones((1, 4), np.float32))[0]
    assert scores[[3, 1, 2, 0]] == pytest.approx([1, 0.5, 0.25, 0.25], rel=0.01)


def test_a_mean_does_not_grow_with_the_history() -> None:
    arrays = factor_arrays(np.ones((ITEMS, 1)), np.ones((1, ITEMS)))
    history = np.arange(16, dtype=np.int32)[np.newaxis]
    weight = np.ones(history.shape, np.float32)
    sums = {scale: score_factors(arrays, history, weight, scale)[0, 0] for scale in ("sum", "mean", "root")}
    assert sums == pytest.approx({"sum": 16, "mean": 1, "root": 4}, rel=0.01)


@pytest.mark.parametrize("recency", [False, True])
def test_the_worst_history_is_still_exact(recency: bool) -> None:
    draw = np.random.default_rng(3)
    into, out = draw.exponential(size=(3 * LONGEST, 2)), draw.exponential(size=(2, 5))
    arrays = factor_arrays(into, out, recency=np.array([1.0, 0.75]) if recency else None)
    worst = np.argsort(-into[:, 0])[:LONGEST].astype(np.int32)[np.newaxis]
    weight = np.full(worst.shape, 15 / WEIGHT_STEPS, np.float32)
    found = user_factors(arrays, worst, weight, "sum")[0]
    places = weight[0] * (arrays["recency"].astype(np.float64) if recency else 1)
    assert np.array_equal(found.astype(np.float64), places @ arrays["into"][worst[0]].astype(np.float64))
    sizes = np.abs(arrays["out"]).sum(axis=0) * USER_STEPS
    assert 0.99 * EXACT_STEPS < sizes.max() < EXACT_STEPS


def test_nothing_known_scores_the_bias_alone() -> None:
    arrays = _arrays(bias=True)
    scores = score_factors(arrays, *(part[:1] for part in _histories(0)))
    assert np.array_equal(scores[0], arrays["bias"])


def test_factors_that_are_all_zero_are_no_error() -> None:
    arrays = factor_arrays(np.zeros((ITEMS, 2)), np.zeros((2, ITEMS)))
    assert not score_factors(arrays, *_histories(0)).any()

"""Figures against libraries, and against cases that can be counted by hand."""

import numpy as np
import pytest

from models.predict.measure import (
    auc,
    brier,
    calibration_error,
    explained,
    figure,
    log_loss,
    members,
    ndcg_of_group,
    qini,
    uplift_of_best,
)

DRAW = np.random.default_rng(1)
LABELS = (DRAW.random(500) < 0.3).astype(np.float32)
CHANCES = np.round(np.clip(LABELS * 0.3 + DRAW.random(500) * 0.7, 0.01, 0.99), 2).astype(np.float32)


def test_figures_are_the_librarys() -> None:
    from sklearn import metrics  # noqa: PLC0415

    assert auc(LABELS, CHANCES) == pytest.approx(metrics.roc_auc_score(LABELS, CHANCES))
    assert brier(LABELS, CHANCES) == pytest.approx(metrics.brier_score_loss(LABELS, CHANCES))
    assert log_loss(LABELS, CHANCES) == pytest.approx(metrics.log_loss(LABELS, CHANCES), rel=1e-6)
    assert explained(LABELS, CHANCES) == pytest.approx(metrics.r2_score(LABELS, CHANCES), rel=1e-5)
    gains = DRAW.permutation(12).astype(np.float64)
    places = DRAW.random(12)
    assert ndcg_of_group(gains, places, 5) == pytest.approx(metrics.ndcg_score([gains], [places], k=5))


def test_what_cannot_be_measured_is_nan() -> None:
    assert np.isnan(auc(np.ones(3), np.arange(3)))
    assert np.isnan(ndcg_of_group(np.zeros(3), np.arange(3), 5))
    assert np.isnan(explained(np.ones(3), np.arange(3)))
    assert np.isnan(uplift_of_best(LABELS[:3], CHANCES[:3], np.ones(3, np.bool_), 0.5))


def test_calibration_error_is_the_mean_distance() -> None:
    chances = np.repeat([0.2, 0.6], 50)
    labels = np.concatenate([np.arange(50) < 10, np.arange(50) < 20]).astype(np.float32)
    right = np.concatenate([np.arange(50) % 5 == 0, np.arange(50) % 5 < 3])
    assert calibration_error(right.astype(np.float32), chances) == pytest.approx(0, abs=1e-6)
    assert calibration_error(np.repeat([0.0, 1.0], 50), chances) == pytest.approx((0.2 + 0.4) / 2)
    assert calibration_error(labels, chances) > 0.2


def test_qini_is_of_the_order() -> None:
    treatment = np.arange(4000) % 2 == 0
    moved = np.arange(4000) < 1000
    labels = (treatment & moved).astype(np.float32)
    good = qini(labels, -np.arange(4000.0), treatment)
    # A quarter of all, half of the treated rows of it gain: the curve is 0.25 high from a quarter on.
    assert good == pytest.approx(0.25 * (1 - 0.125) - 0.125, abs=0.002)
    assert qini(labels, np.arange(4000.0), treatment) == pytest.approx(-good, abs=0.002)
    assert abs(qini(labels, np.random.default_rng(2).random(4000), treatment)) < 0.02
    assert uplift_of_best(labels, -np.arange(4000.0), treatment, 0.25) == 1
    assert uplift_of_best(labels, -np.arange(4000.0), treatment, 1) == 0.25


def test_an_interval_holds_the_truth_as_often_as_it_says() -> None:
    held = 0
    for seed in range(60):
        values = np.random.default_rng(seed).normal(size=80)
        found = figure(lambda rows, values=values: float(values[rows].mean()), 80, seed)
        held += found.low <= 0 <= found.high
        assert found.low < found.value < found.high
    assert 51 <= held <= 60


def test_members_are_the_rows_of_each_group() -> None:
    assert [rows.tolist() for rows in members(np.array([5, 2, 5, 2, 9]))] == [[1, 3], [0, 2], [4]]

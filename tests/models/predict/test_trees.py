"""Trees in a graph say what the library says that grew them."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import logit

from edge.errors import GivenError
from models.predict import recipe
from models.predict.boosting import boost, lightgbm_params
from models.predict.contract import TOLERANCE, Prediction
from models.predict.forest import fit_forest
from models.predict.hist_boosting import fit_histograms
from models.predict.table import Table
from models.predict.trees import (
    MAX_NODES,
    check_sums,
    gather,
    not_above,
    of_histogram,
    of_lightgbm,
    read_trees,
)
from tests.models.predict.test_recipe import odd_rows, run

PLAIN = {"calibration": "none", "patience": 0, "rounds": 120}


def _lightgbm(table: Table, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    settings = recipe.check_settings("boosting", PLAIN)
    found: NDArray[np.float64] = boost(lightgbm_params(settings, "binary"), table, 120).predict(rows)
    return found


def _histograms(table: Table, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    model = fit_histograms(table, recipe.check_settings("hist-boosting", PLAIN))
    found: NDArray[np.float64] = model.predict_proba(rows)[:, 1]
    return found


def _forest(table: Table, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    model = fit_forest(table, recipe.check_settings("forest", {"calibration": "none"}))
    found: NDArray[np.float64] = model.predict_proba(np.clip(rows, -1e30, 1e30))[:, 1]
    return np.clip(found, 1e-3, 1 - 1e-3)


SOURCES: dict[str, tuple[Any, dict[str, object]]] = {
    "boosting": (_lightgbm, PLAIN),
    "hist-boosting": (_histograms, PLAIN),
    "forest": (_forest, {"calibration": "none"}),
}


@pytest.mark.parametrize("name", sorted(SOURCES))
@pytest.mark.parametrize("with_missing", [True, False])
def test_a_graph_says_what_its_library_says(buyers: Table, name: str, with_missing: bool) -> None:
    table = buyers
    if not with_missing:
        # What a library does with a value that was never missing while it learned is its own affair.
        table = Table(buyers.features, np.nan_to_num(buyers.rows), buyers.labels)
    predict, settings = SOURCES[name]
    model = recipe.train("mine", name, table, settings)
    for rows in (buyers.rows, odd_rows(4)):
        assert np.abs(run(model, rows)[:, 0] - predict(table, rows)).max() <= TOLERANCE


def test_ranks_are_lightgbms(buyers: Table) -> None:
    model = recipe.train("rank", "lambdamart", buyers, {"patience": 0, "rounds": 80})
    params = lightgbm_params(recipe.check_settings("lambdamart", {}), "lambdarank")
    for rows in (buyers.rows, odd_rows(4)):
        theirs = boost(params, buyers, 80).predict(rows)
        assert np.abs(run(model, rows)[:, 0] - theirs).max() <= TOLERANCE


def test_the_order_of_rows_changes_no_rank(buyers: Table) -> None:
    mixed = buyers.where(np.random.default_rng(0).permutation(len(buyers)))
    ours, theirs = (recipe.train("r", "lambdamart", table) for table in (buyers, mixed))
    assert np.corrcoef(ours.reference(buyers.rows)[:, 0], theirs.reference(buyers.rows)[:, 0])[0, 1] > 0.95


def test_an_amount_is_predicted_as_it_is(buyers: Table) -> None:
    amounts = Table(buyers.features, buyers.rows, (10 * buyers.rows[:, 0]).astype(np.float32))
    model = recipe.train("spend", "boosting", amounts, {"objective": "amount"})
    assert np.corrcoef(model.reference(amounts.rows)[:, 0], amounts.labels)[0, 1] > 0.95
    assert model.reference(amounts.rows).max() > 10


def test_thresholds_are_rounded_so_that_no_float32_changes_sides() -> None:
    draw = np.random.default_rng(5)
    thresholds = draw.normal(size=2000)
    rounded = not_above(thresholds)
    near = thresholds.astype(np.float32)
    for value in (near, np.nextafter(near, np.float32(9)), np.nextafter(near, np.float32(-9))):
        assert np.array_equal(value.astype(np.float64) <= thresholds, value <= rounded)
    assert (near.astype(np.float64) > thresholds).any()
    assert not_above(np.array([np.inf, 1e300, -1e300])).tolist() == [
        np.inf,
        np.finfo(np.float32).max,
        -np.inf,
    ]


def test_sums_over_trees_are_exact_in_float32() -> None:
    draw = np.random.default_rng(6)
    trees = [[(0, 0.0, -1, -1, False, value)] for value in draw.normal(size=500).tolist()]
    values = gather(trees).value
    for _ in range(20):
        order = draw.permutation(len(values))
        assert np.cumsum(values[order], dtype=np.float32)[-1] == values.astype(np.float64).sum()


def test_trees_are_read_back_from_the_graph(buyers: Table) -> None:
    model = recipe.train("mine", "boosting", buyers)
    trees = read_trees(model.graph)
    assert len(trees.roots) == model.card["trees"]
    # A binary tree has one leaf more than it has branches.
    assert 2 * trees.is_leaf.sum() == len(trees.left) + len(trees.roots)
    with pytest.raises(ValueError, match="no trees"):
        read_trees(recipe.train("mine", "logistic", buyers).graph)


def test_early_stopping_takes_fewer_trees_than_all_rounds(buyers: Table) -> None:
    stopped = recipe.train("mine", "boosting", buyers, {"patience": 10, "rounds": 400})
    assert stopped.card["trees"] < 200


def _brier(model: Prediction, table: Table) -> float:
    return float(np.mean((model.reference(table.rows)[:, 0] - table.labels) ** 2))


def test_calibration_mends_an_overfitted_model(buyers: Table) -> None:
    learned, fresh = buyers.where(np.arange(600) < 300), buyers.where(np.arange(600) >= 300)
    wild = {"rounds": 300, "learning_rate": 0.3, "patience": 0, "leaf_rows": 2}
    plain, calibrated = (
        recipe.train("m", "boosting", learned, {**wild, "calibration": how}) for how in ("none", "platt")
    )
    assert _brier(calibrated, fresh) < 0.9 * _brier(plain, fresh)


def test_a_forest_that_is_right_is_left_as_it_is(buyers: Table) -> None:
    found = recipe.train("m", "forest", buyers).reference(buyers.rows)[:, 0].astype(np.float64)
    plain = recipe.train("m", "forest", buyers, {"calibration": "none"}).reference(buyers.rows)[:, 0]
    kept = (plain > 0.01) & (plain < 0.99)
    slope = np.polyfit(logit(plain[kept].astype(np.float64)), logit(found[kept]), 1)[0]
    assert 0.6 < slope < 1.6


def test_categories_are_refused_by_name(buyers: Table) -> None:
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415

    rows = np.stack([np.arange(600) * 7 % 5, buyers.rows[:, 0]], axis=1)
    labels = np.isin(rows[:, 0], (1, 4))
    model = HistGradientBoostingClassifier(max_iter=2, categorical_features=[0]).fit(rows, labels)
    with pytest.raises(GivenError, match="splits by categories"):
        of_histogram(model._predictors[0][0].nodes)

    import lightgbm  # noqa: PLC0415

    data = lightgbm.Dataset(
        rows, labels.astype(int), categorical_feature=[0], params={"min_data_per_group": 1}
    )
    booster = lightgbm.train({"objective": "binary", "verbosity": -1, "num_threads": 1}, data, 2)
    with pytest.raises(GivenError, match="only <= is made into graphs"):
        of_lightgbm(booster)


def test_more_nodes_than_a_graph_takes_are_refused() -> None:
    leaf = (0, 0.0, -1, -1, False, 0.0)
    with pytest.raises(GivenError, match="ask for fewer trees or leaves"):
        gather([[leaf]] * (MAX_NODES + 1))


def test_ranking_needs_groups_and_whole_labels(buyers: Table) -> None:
    with pytest.raises(GivenError, match="name a group column"):
        recipe.train("r", "lambdamart", Table(buyers.features, buyers.rows, buyers.labels))
    halves = Table(buyers.features, buyers.rows, buyers.labels / 2, groups=buyers.groups)
    with pytest.raises(GivenError, match="whole numbers from 0 to 30"):
        recipe.train("r", "lambdamart", halves)


def test_trees_that_say_something_else_are_refused(buyers: Table) -> None:
    settings = recipe.check_settings("boosting", {})
    booster = boost(lightgbm_params(settings, "binary"), buyers, 20)
    trees = gather(of_lightgbm(booster))
    assert check_sums(trees, buyers.rows, lambda rows: booster.predict(rows, raw_score=True)) is trees
    for bent in (replace(trees, missing_left=~trees.missing_left), replace(trees, value=trees.value * 1.001)):
        with pytest.raises(GivenError, match="off what the library says"):
            check_sums(bent, buyers.rows, lambda rows: booster.predict(rows, raw_score=True))

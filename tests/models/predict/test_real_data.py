"""What was learned from public data holds on rows that were kept back, and graphs say what libraries say."""

from pathlib import Path

import numpy as np
import pytest

from loadtest.prediction_data import Shoppers, fifths, hillstrom, mind, queries, upworthy
from models.predict import recipe
from models.predict.boosting import boost, lightgbm_params
from models.predict.card import split
from models.predict.contract import TOLERANCE
from models.predict.evaluate import evaluate
from models.predict.measure import auc
from models.predict.table import Table
from tests.models.predict.test_recipe import run


@pytest.fixture(scope="module")
def shoppers(data_dir: Path) -> Table:
    return Shoppers.read(data_dir).table


def test_purchases_are_foreseen_and_chances_come_true(shoppers: Table) -> None:
    learned, held_out = split(shoppers, None)
    model = recipe.train("buy", "boosting", shoppers.where(learned), {"rounds": 60, "patience": 0})
    found = evaluate(model, shoppers.where(held_out))
    assert found["auc"].low > 0.9
    assert found["ece"].value < 0.03


def test_a_graph_says_what_lightgbm_says_on_ten_thousand_sessions(shoppers: Table) -> None:
    settings = recipe.check_settings("boosting", {"rounds": 60, "patience": 0, "calibration": "none"})
    draw = np.random.default_rng(0)
    rows = shoppers.rows.copy()
    rows[draw.random(rows.shape) < 0.05] = np.nan
    rows[:100, 0] = 999  # no session has had as many pages
    some = Table(shoppers.features, rows[:3000], shoppers.labels[:3000])
    model = recipe.train("buy", "boosting", some, settings)
    theirs = boost(lightgbm_params(settings, "binary"), some, 60).predict(rows)
    assert len(rows) > 10_000
    assert np.abs(run(model, rows)[:, 0] - theirs).max() <= TOLERANCE
    assert np.array_equal(run(model, rows), model.reference(rows))


def test_without_page_values_purchases_are_harder_to_foresee(data_dir: Path, shoppers: Table) -> None:
    plain = Shoppers.read(data_dir, with_page_values=False).table
    assert set(shoppers.features) - set(plain.features) == {"PageValues", "log PageValues"}
    for learned, held_out in list(fifths(len(plain)))[:1]:
        with_them, without = (
            auc(table.labels[held_out], model.reference(table.rows[held_out])[:, 0])
            for table in (shoppers, plain)
            for model in (recipe.train("buy", "logistic", table.where(learned)),)
        )
        assert with_them > without + 0.08


def test_headlines_are_told_apart_better_than_by_chance(data_dir: Path) -> None:
    table = upworthy(data_dir)
    learned, held_out = split(table, None)
    model = recipe.train("ctr", "text", table.where(learned), {"words": 1024})
    found = evaluate(model, table.where(held_out))
    assert found["pairs"].low > 0.52
    assert found["clear_pairs"].low > 0.57


def test_an_email_moves_those_most_of_whom_it_is_said(data_dir: Path) -> None:
    table = hillstrom(data_dir)
    half = np.random.default_rng(1).permutation(len(table)) % 2 == 0
    model = recipe.train("uplift", "uplift", table.where(half))
    found = evaluate(model, table.where(~half))
    assert found["qini"].low > 0
    assert found["uplift_of_best"].value > found["uplift_of_all"].value


def test_intents_of_news_are_told_better_than_by_the_majority(data_dir: Path) -> None:
    learned, titles, _ = queries(data_dir)
    some = learned.where(np.arange(len(learned)) % 2 == 0)
    found = evaluate(recipe.train("intent", "intent", some, {"words": 1024}), titles)
    assert found["accuracy"].low > found["majority"].high


def test_what_is_said_of_a_candidate_was_known_by_then(data_dir: Path) -> None:
    table, times = mind(data_dir)
    assert (np.diff(times) >= 0).all()
    assert table.groups is not None
    first = table.where(table.groups == 0)
    assert not first.rows[:, table.features.index("views so far")].any()
    last = table.where(table.groups == table.groups.max())
    assert last.rows[:, table.features.index("views so far")].max() > 0
    assert np.isnan(table.rows).any()

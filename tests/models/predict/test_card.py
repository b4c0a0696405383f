"""A card says how good a model is on rows that it has not seen, and for whom."""

import json
from collections.abc import Mapping

import numpy as np
import pytest

from edge.errors import GivenError
from models.predict import recipe
from models.predict.card import Held, split, train_measured
from models.predict.evaluate import MEASURES
from models.predict.recipe import PREDICTIONS
from models.predict.table import Table

QUICK = {"boosting": {"rounds": 30}, "hist-boosting": {"rounds": 30}, "forest": {"trees": 20}}
WANTED: Mapping[str, set[str]] = {
    "intent": {"accuracy", "majority"},
    "lambdamart": {"auc", "ndcg@5"},
    "segments": set(),
    "text": {"pairs", "clear_pairs"},
    "uplift": {"qini", "uplift_of_best", "uplift_of_all"},
}


CHANCES = {"auc", "brier", "log_loss", "ece"}


@pytest.mark.parametrize("name", sorted(PREDICTIONS))
def test_every_recipe_has_the_figures_that_fit_it(tables: dict[str, Table], name: str) -> None:
    measured = train_measured("mine", name, tables[name], QUICK.get(name))
    found = measured.prediction.card["metrics"]
    assert set(found) == WANTED.get(name, CHANCES)
    assert all(figure["low"] <= figure["value"] <= figure["high"] for figure in found.values())
    assert measured.seconds > 0
    assert "seconds" not in json.dumps(measured.prediction.card)
    assert (name in MEASURES) == bool(found)


def test_a_card_is_the_same_each_time_and_tells_of_held_out_rows(buyers: Table) -> None:
    first, again = (train_measured("m", "logistic", buyers).prediction.card for _ in range(2))
    assert first == again
    assert first["split"].endswith("at random")
    assert 120 < first["rows_held_out"] < 180
    assert first["rows"] == 600
    assert 0.8 < first["metrics"]["auc"]["value"] < 0.98


def test_in_time_the_newest_rows_are_kept_back(buyers: Table) -> None:
    lone = Table(buyers.features, buyers.rows, buyers.labels)
    times = np.random.default_rng(1).permutation(600).astype(np.int64) * 86_400
    learned, kept_back = split(lone, times)
    assert times[learned].max() < times[kept_back].min()
    assert kept_back.mean() == pytest.approx(0.25, abs=0.01)
    card = train_measured("m", "logistic", lone, held=Held(times)).prediction.card
    assert card["period"] == ["1970-01-01", "1971-08-23"]
    assert card["split"].startswith("the oldest 75 %")


def test_no_group_is_torn_apart(buyers: Table) -> None:
    assert buyers.groups is not None
    for times in (None, np.arange(600, dtype=np.int64)):
        learned, kept_back = split(buyers, times)
        assert not set(buyers.groups[learned]) & set(buyers.groups[kept_back])


def test_one_moment_cannot_be_split(buyers: Table) -> None:
    with pytest.raises(GivenError, match="too few groups or moments"):
        split(buyers, np.zeros(600, np.int64))


def test_visitors_are_told_apart_by_a_column_that_nothing_learns_from(buyers: Table) -> None:
    sex = ["f" if row % 2 else "m" for row in range(600)]
    rare = ["often"] * 590 + ["rare"] * 10
    held = Held(by={"sex": sex, "kind": rare})
    card = train_measured("m", "logistic", buyers, held=held).prediction.card
    assert set(card["by"]["sex"]) == {"f", "m"}
    assert card["by"]["sex"]["f"]["rows"] + card["by"]["sex"]["m"]["rows"] == card["rows_held_out"]
    assert {"rate", "predicted", "auc"} <= set(card["by"]["sex"]["f"])
    assert set(card["by"]["kind"].get("rare", {"rows": 0})) == {"rows"}
    assert (
        train_measured("m", "logistic", buyers).prediction.graph
        == recipe.train("m", "logistic", buyers).graph
    )

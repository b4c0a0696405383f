"""Chances of places come out of clicks, though not chance put things there, and weigh views in training."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge.errors import GivenError
from models import recipe
from models.data.interactions import Interactions, from_rows, read_csv
from models.data.positions import LEAST, Shown, noticed, view_weights

CHANCES = np.array([1.0, 0.5, 0.2])


def _shown(seed: int) -> Shown:
    """Good things stand in front mostly, so that clicks alone say too little of the later places."""
    draw = np.random.default_rng(seed)
    liked = np.linspace(0.4, 0.05, 30)
    pages = np.array([draw.choice(30, 3, replace=False) for _ in range(20_000)])
    order = np.argsort(pages + 8 * draw.normal(size=pages.shape), axis=1)
    things = np.take_along_axis(pages, order, axis=1).ravel()
    places = np.tile(np.arange(3), len(pages))
    clicks = draw.random(len(things)) < liked[things] * CHANCES[places]
    return Shown(things, places, clicks.astype(np.float64))


def test_chances_are_told_apart_from_what_stands_there() -> None:
    shown = _shown(1)
    rates = np.bincount(shown.places, shown.clicks) / np.bincount(shown.places)
    assert np.abs(rates / rates[0] - CHANCES).max() > 0.05
    assert noticed(shown) == pytest.approx(CHANCES, abs=0.03)


def test_without_clicks_all_places_are_alike() -> None:
    nothing = Shown(np.array([0, 1]), np.array([0, 1]), np.zeros(2))
    assert noticed(nothing).tolist() == [1, 1]


@pytest.fixture
def placed() -> Interactions:
    """`a` is viewed three times from the first place, `b` twice from one that half of all notice."""
    rows = [(f"u{n}", "a", n, 1.0, 1.0) for n in range(3)] + [(f"v{n}", "b", n, 1.0, 0.5) for n in range(2)]
    return from_rows(rows, ("a", "b"))


def test_weights_are_the_inverse_of_chances_and_of_mean_one(placed: Interactions) -> None:
    full = view_weights(placed, {"debias_position": 1})
    assert full / full[0] == pytest.approx([1, 1, 1, 2, 2])
    assert full.mean() == pytest.approx(1)
    assert view_weights(placed, {"debias_position": 0}).tolist() == [1] * 5
    rare = replace(placed, noticed=np.array([1, 1, 1, 1, 0.001], np.float32))
    assert np.ptp(np.log(view_weights(rare, {"debias_position": 1}))) == pytest.approx(np.log(1 / LEAST))


def test_popularity_counts_what_a_place_hid(placed: Interactions) -> None:
    best = [
        recipe.train("p", "popularity", placed, {"debias_position": power}).arrays["score"].argmax()
        for power in (0, 1)
    ]
    assert best == [0, 1]


@pytest.mark.parametrize("name", ["als", "bpr", "ease", "hybrid", "popularity", "svd"])
def test_weights_reach_what_is_learned(tastes: Interactions, name: str) -> None:
    tastes = replace(tastes, item_columns={"title": tastes.item_ids})
    chances = np.where(tastes.items % 2 == 0, 1, 0.2).astype(np.float32)
    settings: dict[str, object] = {"debias_position": 1}
    history, weight = np.array([[0, 1, 2]], np.int32), np.ones((1, 3), np.float32)
    plain = recipe.train("m", name, tastes, settings).score(history, weight)
    weighed = recipe.train("m", name, replace(tastes, noticed=chances), settings).score(history, weight)
    same = recipe.train("m", name, replace(tastes, noticed=chances), {}).score(history, weight)
    assert not np.array_equal(plain, weighed)
    assert np.array_equal(plain, same)


def test_chances_are_read_and_empty_ones_are_one(tmp_path: Path) -> None:
    path = tmp_path / "views.csv"
    path.write_text("user,item,noticed,timestamp\nu,a,0.25,1\nu,b,,2\n")
    found = read_csv(path, ("a", "b"))
    assert found.noticed is not None
    assert found.noticed.tolist() == [0.25, 1]
    assert found.where(found.items == 1).noticed.tolist() == [1]  # type: ignore[union-attr]
    path.write_text("user,item,noticed,timestamp\nu,a,,1\n")
    assert read_csv(path, ("a",)).noticed is None


@pytest.mark.parametrize("chance", ["0", "1.5", "often", "nan"])
def test_what_is_no_chance_is_refused_with_its_line(tmp_path: Path, chance: str) -> None:
    path = tmp_path / "views.csv"
    path.write_text(f"user,item,timestamp,noticed\nu,a,1,{chance}\n")
    with pytest.raises(GivenError, match=r"views\.csv:2: noticed"):
        read_csv(path, ("a",))


def test_where_each_thing_has_one_place_hardly_anything_is_corrected() -> None:
    shown = Shown(np.tile([0, 1], 500), np.tile([0, 1], 500), np.tile([1.0, 0.0, 1.0, 1.0], 250))
    assert noticed(shown) == pytest.approx([1, 1], abs=0.05)

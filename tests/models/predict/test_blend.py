"""Blends weigh objectives, and the frontier shows what is given up."""

from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from edge.decide.operators import check_graph
from edge.errors import GivenError
from models.predict import recipe
from models.predict.blend import blend
from models.predict.contract import Prediction
from models.predict.frontier import as_svg, as_table, frontier, mixes
from models.predict.table import Table
from tests.models.predict.test_recipe import odd_rows, run


@pytest.fixture(scope="module")
def parts(buyers: Table) -> dict[str, Prediction]:
    spent = Table(buyers.features, buyers.rows, (buyers.labels * 20 + buyers.rows[:, 3]).astype(np.float32))
    return {
        "click": recipe.train("click", "logistic", buyers),
        "buy": recipe.train("buy", "forest", buyers, {"trees": 10}),
        "spend": recipe.train("spend", "boosting", spent, {"objective": "amount", "rounds": 20}),
    }


def test_a_blend_is_the_sum_of_what_parts_are_worth(parts: dict[str, Prediction], buyers: Table) -> None:
    made = blend("value", parts, {"click": 0.05, "buy": -2.0, "spend": 1.0})
    assert check_graph(made.graph)
    for rows in (buyers.rows, odd_rows(4)):
        found = {name: part.reference(rows)[:, 0].astype(np.float64) for name, part in parts.items()}
        expected = 0.05 * found["click"] - 2 * found["buy"] + found["spend"]
        assert np.abs(made.reference(rows)[:, 0] - expected).max() < 1e-5
        assert np.abs(run(made, rows) - made.reference(rows)).max() < 1e-5


def test_a_blend_is_saved_and_read_back(parts: dict[str, Prediction], buyers: Table, tmp_path: Path) -> None:
    made = blend("value", parts, {"click": 1.0, "buy": 1.0, "spend": 0.5})
    recipe.save(made, tmp_path)
    loaded = recipe.load(tmp_path)
    assert np.array_equal(loaded.reference(buyers.rows), made.reference(buyers.rows))
    assert loaded.card["parts"]["click"]["recipe"] == "logistic"
    assert blend("value", parts, {"click": 1.0, "buy": 1.0, "spend": 0.5}).graph == made.graph


def test_what_does_not_fit_together_is_refused(parts: dict[str, Prediction], buyers: Table) -> None:
    other = Table(("w", "x", "y", "z"), buyers.rows, buyers.labels)
    strange = recipe.train("strange", "logistic", other)
    made = blend("value", {"click": parts["click"]}, {"click": 1.0})
    for some, weights, said in (
        (parts, {"click": 1.0}, "weights are of"),
        ({}, {}, "weights are of"),
        ({"click": parts["click"]}, {"click": float("nan")}, "no number"),
        ({"click": parts["click"], "odd": strange}, {"click": 1.0, "odd": 1.0}, "'odd' has other features"),
        ({"all": made}, {"all": 1.0}, "a blend itself"),
    ):
        with pytest.raises(GivenError, match=said):
            blend("value", some, weights)


def test_mixes_are_all_tenths() -> None:
    assert len(mixes(("a", "b"))) == 11
    assert len(mixes(("a", "b", "c"))) == 66
    assert all(sum(mix.values()) == pytest.approx(1) for mix in mixes(("a", "b", "c")))


def test_the_frontier_is_what_no_other_choice_beats() -> None:
    draw = np.random.default_rng(3)
    clicks, spend = draw.random(2000), draw.random(2000)
    points = frontier({"click": clicks, "spend": spend}, {"click": clicks, "spend": spend}, share=0.1)
    # What is predicted comes true, so each mix is best for somebody.
    assert all(point.is_best for point in points)
    assert points[-1].outcomes["click"] > points[5].outcomes["click"] > points[0].outcomes["click"]
    worse = frontier({"click": -clicks, "noise": draw.random(2000)}, {"click": clicks}, share=0.1)
    assert sum(point.is_best for point in worse) < len(worse)
    grouped = frontier({"click": clicks}, {"click": clicks}, groups=np.arange(2000) // 10)
    assert grouped[0].outcomes["click"] == pytest.approx(clicks.reshape(-1, 10).max(axis=1).mean(), abs=0.06)


def test_the_frontier_is_shown_as_a_table_and_a_picture() -> None:
    draw = np.random.default_rng(3)
    values = {"<click>": draw.random(200), "spend": draw.random(200)}
    points = frontier(values, values)
    table = as_table(points).splitlines()
    assert table[0].startswith("| weight of <click> | weight of spend |")
    assert len(table) == 13
    picture = as_svg(points, "<click>", "spend")
    tree = ElementTree.fromstring(picture)
    assert sum(element.tag.endswith("circle") for element in tree.iter()) == 11
    assert picture == as_svg(frontier(values, values), "<click>", "spend")
    assert as_svg(frontier({"a": np.ones(9)}, {"a": np.ones(9), "b": np.ones(9)}), "a", "b")

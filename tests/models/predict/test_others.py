"""The network, the segments and the uplift: each against a library or a known answer."""

import numpy as np
import pytest

from edge.errors import GivenError
from models.predict import recipe
from models.predict.mlp import fit_network
from models.predict.segments import name_segments
from models.predict.table import Table


def test_a_network_says_what_scikit_learn_says(buyers: Table) -> None:
    from sklearn.neural_network import MLPClassifier  # noqa: PLC0415

    settings = recipe.check_settings("mlp", {"epochs": 5, "layers": 2, "calibration": "none", "patience": 0})
    model = recipe.train("m", "mlp", buyers, settings)
    standard, layers = fit_network(buyers, settings)
    assert [weights.shape for weights, _ in layers] == [(8, 32), (32, 32), (32, 1)]
    theirs = MLPClassifier((32, 32), alpha=0.001, learning_rate_init=0.003, max_iter=5, random_state=1)
    inputs = np.concatenate(standard.apply(buyers.rows), axis=1)
    with pytest.warns(UserWarning, match="converged"):
        theirs.fit(inputs, buyers.labels > 0)
    found = model.reference(buyers.rows)[:, 0]
    assert np.abs(found - theirs.predict_proba(inputs)[:, 1]).max() <= 1e-5


@pytest.fixture(scope="module")
def islands() -> Table:
    """Three groups far apart, half of one's values missing."""
    draw = np.random.default_rng(8)
    centres = np.array([[0, 0], [9, 0], [0, 9]])
    places = np.repeat([0, 1, 2], [60, 40, 20])
    rows = (centres[places] + draw.normal(scale=0.5, size=(120, 2))).astype(np.float32)
    return Table(("pages", "minutes"), rows, places.astype(np.float32))


def test_segments_are_as_many_as_there_are_islands(islands: Table) -> None:
    model = recipe.train("kind", "segments", islands)
    found = model.reference(islands.rows).argmax(axis=1)
    assert np.array_equal(found, islands.labels)
    assert model.outputs[1] == "high-pages-low-minutes"
    assert [segment["share"] for segment in model.card["segments"]] == [0.5, 0.3333, 0.1667]
    assert model.card["segments"][1]["centre"]["pages"] == pytest.approx(9, abs=0.3)
    assert max(model.card["silhouettes"], key=model.card["silhouettes"].get) == "3"


def test_a_given_count_is_kept(islands: Table) -> None:
    model = recipe.train("kind", "segments", islands, {"count": 5})
    assert len(set(model.outputs)) == 5


def test_names_tell_segments_apart() -> None:
    centres = np.array([[2.0, 1.0, 0.9], [2.1, 1.1, -0.9], [0.1, 0.0, -0.2], [0.0, 0.1, 0.0]])
    names = name_segments(centres, ("A", "b=x", "c"))
    assert names == ("high-a-high-b-x", "high-a-high-b-x-low-c", "ordinary", "ordinary-4")


@pytest.mark.parametrize(
    ("settings", "said"),
    [({"count": 1}, "from 2, not 1"), ({"count": 2.5}, "not 2.5"), ({"count": 50}, "4 rows differ")],
)
def test_segments_need_rows_that_differ(settings: dict[str, object], said: str) -> None:
    rows = np.arange(4, dtype=np.float32).repeat(3)[:, np.newaxis]
    with pytest.raises(GivenError, match=said):
        recipe.train("kind", "segments", Table(("x",), rows, rows[:, 0]), settings)


@pytest.mark.parametrize("learner", ["logistic", "boosting"])
def test_uplift_finds_whom_a_treatment_moves(learner: str) -> None:
    draw = np.random.default_rng(9)
    rows = draw.normal(size=(4000, 2)).astype(np.float32)
    treatment = draw.random(4000) < 0.5
    chance = 0.3 + 0.3 * treatment * (rows[:, 0] > 0) + 0.1 * (rows[:, 1] > 0)
    table = Table(
        ("moved", "other"), rows, (draw.random(4000) < chance).astype(np.float32), treatment=treatment
    )
    model = recipe.train("uplift", "uplift", table, {"learner": learner, "rounds": 100})
    found = model.reference(rows)[:, 0]
    assert found[rows[:, 0] > 0.5].mean() > 0.2
    assert abs(found[rows[:, 0] < -0.5].mean()) < 0.1


def test_uplift_needs_both_arms(buyers: Table) -> None:
    with pytest.raises(GivenError, match="both must be there"):
        recipe.train("uplift", "uplift", Table(buyers.features, buyers.rows, buyers.labels))

"""One contract for all prediction recipes, on rows whose answer is obvious."""

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.decide import words
from edge.decide.inference import ort
from edge.decide.operators import check_graph
from edge.errors import GivenError
from models.predict import recipe
from models.predict.contract import STEP, TOLERANCE, Prediction, is_prediction
from models.predict.table import Rows, Table
from models.settings import Choice, Number

ALL = sorted(recipe.PREDICTIONS)


SMALL: dict[str, dict[str, object]] = {
    "boosting": {"rounds": 60},
    "hist-boosting": {"rounds": 60},
    "forest": {"trees": 30},
}
"""As every test trains."""


@pytest.fixture(scope="module", params=ALL)
def trained(request: pytest.FixtureRequest, tables: dict[str, Table]) -> Prediction:
    return recipe.train("mine", request.param, tables[request.param], SMALL.get(request.param))


@pytest.fixture
def rows(trained: Prediction, tables: dict[str, Table]) -> Rows:
    """What the model was trained on, as rows."""
    table = tables[trained.card["recipe"]]
    return words.rows(table.texts, trained.width) if trained.words else table.rows


def run(model: Prediction, rows: Rows) -> NDArray[np.float32]:
    session = ort.InferenceSession(model.graph, providers=["CPUExecutionProvider"])
    found: NDArray[np.float32] = session.run(["prediction"], {"features": rows, **model.arrays})[0]
    return found


def odd_rows(width: int) -> Rows:
    """What no training row is like: all missing, huge, tiny, and each value missing in turn."""
    draw = np.random.default_rng(11)
    rows = draw.normal(scale=3, size=(200, width)).astype(np.float32)
    rows[draw.random(rows.shape) < 0.2] = np.nan
    rows[:6] = np.array([np.nan, 0, 1e30, -1e30, 1e-30, 3.4e38], np.float32)[:, np.newaxis]
    return rows


def test_graph_and_reference_give_the_same_numbers(trained: Prediction, rows: Rows) -> None:
    # A text's row is never missing a value, nor huge.
    odd = words.rows(["", "\0", "ÄÖ \ud800", "x" * 9999], trained.width) if trained.words else odd_rows(4)
    for some in (rows, odd, rows[:0]):
        expected = trained.reference(some)
        assert expected.shape == (len(some), len(trained.outputs))
        assert expected.dtype == np.float32
        assert np.isfinite(expected).all()
        assert np.abs(run(trained, some) - expected).max(initial=0) <= TOLERANCE


def test_an_edge_takes_the_graph(trained: Prediction) -> None:
    assert check_graph(trained.graph)


def test_what_shares_a_batch_changes_nothing(trained: Prediction, rows: Rows) -> None:
    session = ort.InferenceSession(trained.graph, providers=["CPUExecutionProvider"])
    together = run(trained, rows[:100])
    alone = [session.run(None, {"features": row[np.newaxis], **trained.arrays})[0] for row in rows[:100]]
    assert np.array_equal(together, np.concatenate(alone))
    steps = together / STEP
    assert np.array_equal(steps, np.round(steps))


def test_saved_and_loaded_is_the_same(trained: Prediction, rows: Rows, tmp_path: Path) -> None:
    recipe.save(trained, tmp_path / "mine")
    assert is_prediction(tmp_path / "mine")
    loaded = recipe.load(tmp_path / "mine")
    assert (loaded.name, loaded.features, loaded.outputs) == ("mine", trained.features, trained.outputs)
    assert (loaded.graph, loaded.words, loaded.names_winner) == (
        trained.graph,
        trained.words,
        trained.names_winner,
    )
    assert loaded.card == json.loads(json.dumps(trained.card))
    assert np.array_equal(loaded.reference(rows), trained.reference(rows))


def test_training_again_gives_the_same_bytes(trained: Prediction, tables: dict[str, Table]) -> None:
    name = trained.card["recipe"]
    again = recipe.train("mine", name, tables[name], SMALL.get(name))
    assert again.graph == trained.graph
    assert again.card == trained.card


@pytest.mark.parametrize("name", ALL)
def test_progress_ends_at_one(tables: dict[str, Table], name: str) -> None:
    heard: list[float] = []
    recipe.train("mine", name, tables[name], SMALL.get(name), lambda step, share: heard.append(share))
    assert heard == sorted(heard)
    assert heard[-1] == pytest.approx(1.0)


def test_a_broken_folder_is_refused(trained: Prediction, tmp_path: Path) -> None:
    with pytest.raises(GivenError, match="train the model again"):
        recipe.load(tmp_path / "none")
    assert not is_prediction(tmp_path / "none")
    recipe.save(trained, tmp_path)
    (tmp_path / "graph.onnx").write_bytes(b"no graph")
    with pytest.raises(GivenError, match="train the model again"):
        recipe.load(tmp_path)


@pytest.mark.parametrize(
    ("name", "settings", "code", "said"),
    [
        ("logistik", {}, "unknown-recipe", "did you mean 'logistic'?"),
        ("logistic", {"regularisation": 5}, "unknown-setting", "did you mean 'regularization'?"),
        ("logistic", {"regularization": 0}, "setting", "must be a number above 0, not 0"),
        ("logistic", {"seed": 0}, "setting", "seed must be a whole number from 1"),
    ],
)
def test_wrong_recipes_and_settings_are_named(
    buyers: Table, name: str, settings: dict[str, object], code: str, said: str
) -> None:
    with pytest.raises(GivenError) as caught:
        recipe.train("mine", name, buyers, settings)
    assert caught.value.code == code
    assert said in str(caught.value)


def test_every_setting_says_what_it_is_as_json_schema() -> None:
    for name in ALL:
        for setting in recipe.settings_of(name).values():
            assert isinstance(setting, Number | Choice)
            schema = setting.schema()
            assert schema["description"].endswith(".")
            assert setting.read(schema["default"]) == schema["default"]

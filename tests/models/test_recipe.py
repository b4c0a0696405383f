"""One contract for all recipes, on data whose answer is obvious."""

import json
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
from numpy.typing import NDArray

from edge.errors import GivenError
from models import recipe
from models.ease import exact_step, prune, solve
from models.interactions import Interactions, from_rows
from models.trained import EXACT_STEPS, WEIGHT_STEPS, Trained

ALL = sorted(recipe.RECIPES)


@pytest.fixture(scope="module", params=ALL)
def trained(request: pytest.FixtureRequest, tastes: Interactions) -> Trained:
    return recipe.train("mine", request.param, tastes, {})


def _padded(rows: list[list[int]], n_items: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    length = max(1, *map(len, rows))
    history = np.array([[*row, *[n_items] * (length - len(row))] for row in rows], np.int32)
    return history, (history != n_items).astype(np.float32)


def _run(model: Trained, history: NDArray[np.int32], weight: NDArray[np.float32]) -> NDArray[np.float32]:
    session = ort.InferenceSession(model.scores_graph, providers=["CPUExecutionProvider"])
    scores: NDArray[np.float32] = session.run(
        ["scores"], {"history": history, "weight": weight, **model.arrays}
    )[0]
    return scores


def _random_rows(n_items: int, seed: int) -> list[list[int]]:
    draw = np.random.default_rng(seed)
    lengths = draw.integers(0, 12, 20).tolist()
    return [draw.choice(n_items, length, replace=False).tolist() for length in lengths]


@pytest.mark.parametrize("seed", range(5))
def test_graph_and_reference_give_the_same_numbers(trained: Trained, seed: int) -> None:
    history, weight = _padded(_random_rows(len(trained.items), seed), len(trained.items))
    weight *= np.random.default_rng(seed).integers(0, 17, weight.shape).astype(np.float32) / WEIGHT_STEPS
    scores = trained.score(history, weight)
    assert scores.shape == (len(history), len(trained.items))
    assert scores.dtype == np.float32
    assert np.array_equal(_run(trained, history, weight), scores)


def test_what_shares_a_batch_changes_nothing(trained: Trained) -> None:
    rows = _random_rows(len(trained.items), 3)
    together = trained.score(*_padded(rows, len(trained.items)))
    for row, scores in zip(rows, together, strict=True):
        assert np.array_equal(trained.score(*_padded([row], len(trained.items)))[0], scores)


def test_the_order_of_a_history_changes_nothing(trained: Trained) -> None:
    history, weight = _padded(_random_rows(len(trained.items), 4), len(trained.items))
    turned = _run(trained, history[:, ::-1].copy(), weight[:, ::-1].copy())
    assert np.array_equal(turned, _run(trained, history, weight))


def test_saved_and_loaded_is_the_same(trained: Trained, tmp_path: Path) -> None:
    recipe.save(trained, tmp_path / "mine")
    loaded = recipe.load(tmp_path / "mine")
    assert (loaded.name, loaded.items) == ("mine", trained.items)
    assert loaded.scores_graph == trained.scores_graph
    assert loaded.card == json.loads(json.dumps(trained.card))
    assert loaded.arrays.keys() == trained.arrays.keys()
    history, weight = _padded(_random_rows(len(trained.items), 5), len(trained.items))
    assert np.array_equal(loaded.score(history, weight), trained.score(history, weight))


def test_training_again_gives_the_same_bytes(trained: Trained, tastes: Interactions) -> None:
    again = recipe.train("mine", trained.card["recipe"], tastes, {})
    assert again.scores_graph == trained.scores_graph
    assert again.card == trained.card
    assert all(np.array_equal(again.arrays[name], array) for name, array in trained.arrays.items())


def test_progress_ends_at_one(tastes: Interactions) -> None:
    for name in ALL:
        heard: list[float] = []
        recipe.train("mine", name, tastes, {}, lambda step, share, heard=heard: heard.append(share))
        assert heard == sorted(heard)
        assert heard[-1] == 1.0


def test_ease_lists_the_rest_of_the_taste(tastes: Interactions) -> None:
    model = recipe.train("ease", "ease", tastes, {"regularization": 1.0})
    known = [model.items.index(item) for item in ("g2-0", "g2-1", "g2-2")]
    scores = model.score(*_padded([known], len(model.items)))[0]
    best = [model.items[position] for position in np.argsort(-scores) if position not in known][:5]
    assert {item[:2] for item in best} == {"g2"}


def test_popularity_halves_with_age() -> None:
    day = 86_400
    rows = [("u1", "old", 0, 1.0), ("u2", "old", 0, 1.0), ("u1", "new", 10 * day, 1.0)]
    data = from_rows(rows, ("new", "none", "old"))
    model = recipe.train("p", "popularity", data, {"half_life_days": 10})
    assert model.arrays["score"].tolist() == [1.0, 0.0, 1.0]
    slow = recipe.train("p", "popularity", data, {"half_life_days": 1000})
    assert slow.arrays["score"][0] < slow.arrays["score"][2] == 1.0


def test_values_are_steps_whose_sums_are_exact(tastes: Interactions) -> None:
    weights = solve(tastes, len(tastes.item_ids), 0.5)
    arrays = prune(weights, 10)
    columns = np.argpartition(-np.abs(weights), 9, axis=1)[:, :10]
    columns.sort(axis=1)
    step = exact_step(columns, np.take_along_axis(weights, columns, axis=1), len(weights))
    steps = arrays["value"].astype(np.float64) / step
    assert np.array_equal(steps, np.round(steps))
    sums = np.bincount(arrays["neighbour"].ravel(), np.abs(steps).ravel())
    assert sums.max() * WEIGHT_STEPS < EXACT_STEPS
    assert sums.max() * WEIGHT_STEPS > EXACT_STEPS / 4
    assert not arrays["value"][-1].any()


def test_pruning_keeps_the_greatest_by_size() -> None:
    weights = np.array(
        [[0.0, -4.0, 1.0, 2.0], [1.0, 0.0, -2.0, 3.0], [4.0, 3.0, 0.0, 1.0], [1.0, 2.0, 3.0, 0.0]]
    )
    assert prune(weights, 2)["neighbour"].tolist() == [[1, 3], [2, 3], [0, 1], [1, 2], [0, 0]]


def test_one_item_and_repeated_rows_train(tmp_path: Path) -> None:
    lone = from_rows([("u", "a", 1, 1.0), ("u", "a", 2, 1.0)], ("a",))
    for name in ALL:
        model = recipe.train("m", name, lone, {})
        assert model.score(*_padded([[], [0]], 1)).shape == (2, 1)
    twice = from_rows([("u", "a", 1, 1.0), ("u", "a", 2, 1.0), ("u", "b", 2, 1.0)], ("a", "b"))
    once = from_rows([("u", "a", 1, 1.0), ("u", "b", 2, 1.0)], ("a", "b"))
    assert np.array_equal(solve(twice, 2, 1.0), solve(once, 2, 1.0))


@pytest.mark.parametrize(
    ("name", "settings", "code", "said"),
    [
        ("eese", {}, "unknown-recipe", "did you mean 'ease'?"),
        ("transformer", {}, "unknown-recipe", "there are ease, popularity"),
        ("ease", {"regularisation": 5}, "unknown-setting", "did you mean 'regularization'?"),
        ("ease", {"regularization": "much"}, "setting", "must be a number above 0, not 'much'"),
        ("popularity", {"half_life_days": 0}, "setting", "must be a number above 0, not 0"),
        ("popularity", {"half_life_days": True}, "setting", "not True"),
    ],
)
def test_wrong_recipes_and_settings_are_named(
    tastes: Interactions, name: str, settings: dict[str, object], code: str, said: str
) -> None:
    with pytest.raises(GivenError) as caught:
        recipe.train("mine", name, tastes, settings)
    assert caught.value.code == code
    assert said in str(caught.value)


def test_a_broken_folder_is_refused(trained: Trained, tmp_path: Path) -> None:
    with pytest.raises(GivenError, match="train the model again"):
        recipe.load(tmp_path / "none")
    recipe.save(trained, tmp_path)
    (tmp_path / "card.json").write_text("[]")
    with pytest.raises(GivenError, match="train the model again"):
        recipe.load(tmp_path)


def test_too_many_items_for_the_dense_solve_are_refused() -> None:
    many = from_rows([("u", "0", 1, 1.0)], tuple(map(str, range(20_001))))
    with pytest.raises(GivenError, match="at most 20000 items"):
        recipe.train("e", "ease", many, {})

"""One contract for all recipes, on data whose answer is obvious."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from edge.decide.inference import ort
from edge.errors import GivenError
from models import recipe
from models.data.interactions import Interactions, from_rows
from models.graphs.neighbours import exact_step, quantize, strongest
from models.learn.cooccurrence import use_matrix
from models.recipes.ease import count_together, solve
from models.settings import COMMON, Choice, Number, Text
from models.trained import EXACT_STEPS, WEIGHT_STEPS, Trained

ALL = sorted(recipe.RECIPES)
PLAIN = {
    "regularization": 3.0,
    **{"user_power": 0.0, "item_power": 0.0, "nearness": 0.0, "closeness": 0.0, "liking": 0.0},
    "debias_position": 0.0,
}
"""EASE as in its first paper."""


@pytest.fixture(scope="module", params=ALL)
def recipe_name(request: pytest.FixtureRequest) -> str:
    """Each recipe that can be trained here."""
    if request.param in {network.name for network in recipe.NETWORKS}:
        request.getfixturevalue("minilm" if request.param == "text-embeddings" else "torch")
    return str(request.param)


@pytest.fixture(scope="module")
def trained(recipe_name: str, tastes: Interactions) -> Trained:
    return recipe.train("mine", recipe_name, tastes, {})


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


@pytest.mark.parametrize("name", ["ease", "item-item", "popularity"])
def test_the_order_of_a_history_changes_nothing(tastes: Interactions, name: str) -> None:
    trained = recipe.train("mine", name, tastes, {})
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


def test_progress_ends_at_one(recipe_name: str, tastes: Interactions) -> None:
    heard: list[float] = []
    recipe.train("mine", recipe_name, tastes, {}, lambda step, share: heard.append(share))
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
    weights = solve(tastes, len(tastes.item_ids), {**PLAIN, "regularization": 0.5})
    columns, kept = strongest(weights, 10)
    arrays = quantize(columns, kept, len(weights))
    step = exact_step(columns, kept, len(weights))
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
    arrays = quantize(*strongest(weights, 2), 4)
    assert arrays["neighbour"].tolist() == [[1, 3], [2, 3], [0, 1], [1, 2], [0, 0]]


def test_without_powers_ease_is_the_papers(tastes: Interactions) -> None:
    used = use_matrix(tastes, len(tastes.item_ids)).toarray()
    inverse = np.linalg.inv(used.T @ used + 3.0 * np.eye(used.shape[1]))
    wanted = -inverse / np.diag(inverse)
    np.fill_diagonal(wanted, 0.0)
    assert np.allclose(solve(tastes, used.shape[1], PLAIN), wanted)


def test_powers_scale_users_and_items_and_are_taken_back(tastes: Interactions) -> None:
    used = use_matrix(tastes, len(tastes.item_ids)).toarray()
    of_users = np.maximum(used.sum(axis=1), 1) ** -0.25
    of_items = np.maximum(used.sum(axis=0), 1) ** -0.5
    scaled = of_users[:, np.newaxis] * used * of_items
    gram = scaled.T @ scaled * (used.sum() / (scaled**2).sum())
    inverse = np.linalg.inv(gram + 3.0 * np.eye(used.shape[1]))
    plain = -inverse / np.diag(inverse)
    np.fill_diagonal(plain, 0.0)
    wanted = of_items[:, np.newaxis] * plain / of_items
    assert np.allclose(solve(tastes, used.shape[1], {**PLAIN, "user_power": 0.25, "item_power": 0.5}), wanted)


def test_what_one_visit_holds_counts_again() -> None:
    rows = [
        ("u", "a", 0, 1.0),
        ("u", "b", 30, 1.0),
        ("u", "c", 600, 1.0),
        ("v", "a", 0, 1.0),
        ("v", "c", 0, 1.0),
    ]
    data = from_rows(rows, ("a", "b", "c"))
    plain, of_items = count_together(data, 3, PLAIN)
    near, _ = count_together(data, 3, {**PLAIN, "nearness": 2.0, "pause_minutes": 1.0})
    assert of_items.tolist() == [1.0, 1.0, 1.0]
    assert plain.tolist() == [[2, 1, 2], [1, 1, 1], [2, 1, 2]]
    assert np.allclose(near - plain, [[4, 2, 2], [2, 2, 0], [2, 0, 4]])


def test_item_item_lists_the_rest_of_the_taste(tastes: Interactions) -> None:
    for similarity in ("cosine", "jaccard", "lift", "share"):
        model = recipe.train("i", "item-item", tastes, {"similarity": similarity, "shrinkage": 2})
        known = [model.items.index(item) for item in ("g2-0", "g2-1", "g2-2")]
        scores = model.score(*_padded([known], len(model.items)))[0]
        best = [model.items[p] for p in np.argsort(-scores) if p not in known][:5]
        assert {item[:2] for item in best} == {"g2"}, similarity


def test_similarities_are_what_their_names_say() -> None:
    rows = [
        ("u1", "a", 1, 1.0),
        ("u1", "b", 1, 1.0),
        ("u2", "a", 1, 1.0),
        ("u3", "b", 1, 1.0),
        ("u4", "a", 1, 1.0),
    ]
    data = from_rows(rows, ("a", "b"))
    # a: 3 users, b: 2, both: 1, of 4
    wanted = {"cosine": 1 / np.sqrt(6), "jaccard": 1 / 4, "lift": 4 / 6, "share": 1 / 3}
    for similarity, value in wanted.items():
        model = recipe.train("i", "item-item", data, {"similarity": similarity})
        assert model.score(*_padded([[0]], 2))[0, 1] == pytest.approx(value, rel=1e-5)
        halved = recipe.train("i", "item-item", data, {"similarity": similarity, "shrinkage": 1})
        assert halved.score(*_padded([[0]], 2))[0, 1] == pytest.approx(value / 2, rel=1e-5)


def test_also_viewed_looks_at_the_newest_item_alone(tastes: Interactions) -> None:
    model = recipe.train("a", "also-viewed", tastes, {})
    newest, older = model.items.index("g1-0"), model.items.index("g2-0")
    alone = model.score(*_padded([[newest]], len(model.items)))
    assert np.array_equal(model.score(*_padded([[newest, older]], len(model.items))), alone)
    best = model.items[int(np.argmax(alone[0]))]
    assert best.startswith("g1")


def test_also_viewed_can_count_one_visit_alone() -> None:
    hour = 3600
    rows = [("u", "a", 0, 1.0), ("u", "b", 60, 1.0), ("u", "c", 5 * hour, 1.0)]
    data = from_rows(rows, ("a", "b", "c"))
    for minutes, together in ((0, ["b", "c"]), (30, ["b"])):
        model = recipe.train("a", "also-viewed", data, {"pause_minutes": minutes})
        scores = model.score(*_padded([[0]], 3))[0]
        assert [model.items[p] for p in range(3) if np.isfinite(scores[p])] == together


def test_recently_viewed_lists_the_history_as_it_is(tastes: Interactions) -> None:
    model = recipe.train("r", "recently-viewed", tastes, {})
    assert not model.excludes_seen
    scores = model.score(*_padded([[4, 2, 7], []], len(model.items)))
    assert np.argsort(-scores[0], kind="stable")[:3].tolist() == [4, 2, 7]
    assert np.isfinite(scores).sum() == 3


def test_a_catalog_of_one_item_trains(recipe_name: str) -> None:
    lone = from_rows([("u", "a", 1, 1.0), ("u", "a", 2, 1.0)], ("a",))
    lone = replace(lone, item_columns={"title": ("Alone",), "image": ("",)})
    model = recipe.train("m", recipe_name, lone, {})
    assert model.score(*_padded([[], [0]], 1)).shape == (2, 1)


def test_repeated_rows_count_once() -> None:
    twice = from_rows([("u", "a", 1, 1.0), ("u", "a", 2, 1.0), ("u", "b", 2, 1.0)], ("a", "b"))
    once = from_rows([("u", "a", 1, 1.0), ("u", "b", 2, 1.0)], ("a", "b"))
    assert np.array_equal(solve(twice, 2, PLAIN), solve(once, 2, PLAIN))


@pytest.mark.parametrize(
    ("name", "settings", "code", "said"),
    [
        ("eese", {}, "unknown-recipe", "did you mean 'ease'?"),
        ("transformer", {}, "unknown-recipe", "there are als, also-viewed, "),
        ("ease", {"regularisation": 5}, "unknown-setting", "did you mean 'regularization'?"),
        ("ease", {"regularization": "much"}, "setting", "must be a number above 0, not 'much'"),
        ("popularity", {"half_life_days": 0}, "setting", "must be a number above 0, not 0"),
        ("popularity", {"half_life_days": True}, "setting", "not True"),
        ("ease", {"user_power": 2}, "setting", "must be a number from 0 to 1, not 2"),
        ("ease", {"neighbours": 0.5}, "setting", "must be a whole number from 1 to 1000, not 0.5"),
        ("item-item", {"similarity": "cosin"}, "setting", "must be one of cosine, jaccard, lift, share"),
        ("recently-viewed", {"max_history": 5000}, "setting", "a whole number from 1 to 1000"),
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


def test_every_setting_says_what_it_is_as_json_schema() -> None:
    for name in ALL:
        for setting in {**recipe.RECIPES[name].settings, **COMMON}.values():
            assert isinstance(setting, Number | Choice | Text)
            schema = setting.schema()
            assert schema["description"].endswith(".")
            assert setting.read(schema["default"]) == schema["default"]

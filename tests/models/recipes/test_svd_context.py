"""Factors that begin with what a context leads one to expect: it lists for who has no history."""

from dataclasses import replace
from typing import Any

import numpy as np
import onnxruntime
import pytest

from edge.bundle.features import CONTEXT
from models import recipe
from models.data.contexts import Contexts, Rows
from models.data.interactions import Interactions
from models.graphs.factors import factor_graph
from models.trained import Trained
from tests.models.conftest import GROUP_ITEMS, GROUPS

NAMES = ("group", "age", "owner")


@pytest.fixture(scope="module")
def told(tastes: Interactions) -> Interactions:
    """The tastes with a code that says which group somebody is of, and numbers that say nothing."""
    draw = np.random.default_rng(3)
    ages = draw.integers(10, 80, len(tastes.user_ids)).astype(np.float32)
    owner = draw.integers(0, 2, len(tastes.user_ids)).astype(np.float32)
    rows = np.stack([tastes.users % GROUPS, ages[tastes.users], owner[tastes.users]], axis=1)
    rows = rows.astype(np.float32)
    rows[tastes.users >= 70] = np.nan
    return replace(tastes, contexts=Contexts(NAMES, (GROUPS + 1, 0, 0), rows))


@pytest.fixture(scope="module")
def model(told: Interactions) -> Trained:
    return recipe.train("s", "svd", told, {"factors": 8})


def _graph_scores(model: Trained, history: Any, weight: Any, context: Rows) -> Rows:
    session = onnxruntime.InferenceSession(model.scores_graph, providers=["CPUExecutionProvider"])
    feeds = {"history": history, "weight": weight, CONTEXT: context, **model.arrays}
    found: Rows = session.run(["scores"], feeds)[0]
    return found


def _groups_of_best(model: Trained, scores: Rows, count: int) -> set[str]:
    return {model.items[place][:2] for place in np.argsort(-scores, kind="stable")[:count]}


def test_who_has_no_history_gets_a_list_by_the_context(model: Trained) -> None:
    assert model.features == NAMES
    context = np.array([[group, np.nan, np.nan] for group in range(GROUPS)], np.float32)
    nobody = np.full((GROUPS, 1), len(model.items), np.int32)
    scores = model.score(nobody, np.zeros((GROUPS, 1), np.float32), context)
    for group, row in enumerate(scores):
        assert _groups_of_best(model, row, GROUP_ITEMS - 1) == {f"g{group}"}


def test_a_history_outweighs_a_context_that_says_otherwise(model: Trained) -> None:
    known = [model.items.index(f"g2-{n}") for n in range(4)]
    for group in (0, 2, np.nan):
        context = np.array([[group, 30, 1]], np.float32)
        scores = model.score(np.array([known], np.int32), np.ones((1, 4), np.float32), context)[0]
        assert _groups_of_best(model, scores, 4) == {"g2"}


def test_what_says_nothing_of_items_hardly_counts(model: Trained) -> None:
    lengths = np.linalg.norm(model.arrays["context_into"], axis=1)
    sizes = [float(lengths[model.arrays["range_at"] == place].max()) for place in range(3)]
    assert sizes[0] > 2 * max(sizes[1:])


def test_a_long_history_in_an_unknown_context_has_the_scores_of_before(
    model: Trained, told: Interactions
) -> None:
    bare = recipe.train("s", "svd", replace(told, contexts=None), {"factors": 8})
    history = np.arange(32, dtype=np.int32)[np.newaxis]
    long, short = np.ones((1, 32), np.float32), np.full((1, 32), 0.5, np.float32)
    assert np.array_equal(model.score(history, long), bare.score(history, long))
    assert not np.array_equal(model.score(history, short), bare.score(history, short))


def test_without_features_nothing_is_added(tastes: Interactions) -> None:
    bare = recipe.train("s", "svd", tastes, {"factors": 8})
    assert bare.features == ()
    assert bare.arrays.keys() == {"into", "out"}
    assert bare.scores_graph == factor_graph("svd", bare.arrays)


@pytest.mark.parametrize("storage", ["float32", "float16", "int8"])
def test_the_graph_is_the_model_in_any_batch(told: Interactions, storage: str) -> None:
    model = recipe.train("s", "svd", told, {"factors": 8, "storage": storage})
    draw, n_items, count = np.random.default_rng(5), len(model.items), 40
    history = np.full((count, 12), n_items, np.int32)
    for row in range(count):
        length = int(draw.integers(0, 13))
        history[row, :length] = draw.permutation(n_items)[:length]
    weight = (history < n_items) * draw.integers(1, 17, history.shape) / np.float32(16)
    numbers = [draw.integers(0, GROUPS + 2, count), draw.normal(40, 60, count), draw.integers(0, 2, count)]
    context = np.stack(numbers, axis=1).astype(np.float32)
    context[draw.random(context.shape) < 0.3] = np.nan
    asked = history, weight.astype(np.float32), context
    scores = _graph_scores(model, *asked)
    assert np.array_equal(scores, model.score(*asked))
    alone = [_graph_scores(model, *(part[at : at + 1] for part in asked))[0] for at in range(9)]
    assert np.array_equal(scores[:9], alone)


def test_one_who_views_other_things_in_visits_of_other_contexts_is_listed_them(tastes: Interactions) -> None:
    """Everybody views things of one group in the morning, and of another twelve hours later."""
    group = np.array([int(item[1]) for item in tastes.item_ids])[tastes.items]
    kept = tastes.where(group < 2)
    evening = (group[group < 2] == 1).astype(np.float32)[:, np.newaxis]
    users = (kept.users // GROUPS).astype(np.int32)
    times = kept.timestamps + 43_200 * evening[:, 0].astype(np.int64)
    contexts = Contexts(("evening",), (0,), evening)
    model = recipe.train(
        "s", "svd", replace(kept, users=users, timestamps=times, contexts=contexts), {"factors": 8}
    )
    history = np.array([[0, 8]] * 2, np.int32)
    scores = model.score(history, np.ones(history.shape, np.float32), np.array([[0], [1]], np.float32))
    of_group = scores[:, :16].reshape(2, 2, 8).mean(axis=2)
    assert of_group[0, 0] > 1.1 * of_group[0, 1]
    assert of_group[1, 1] > 1.1 * of_group[1, 0]


def test_the_same_rows_give_the_same_bytes(model: Trained, told: Interactions) -> None:
    again = recipe.train("s", "svd", told, {"factors": 8})
    assert again.scores_graph == model.scores_graph
    assert all(np.array_equal(again.arrays[name], model.arrays[name]) for name in model.arrays)


def test_an_ensemble_takes_in_what_it_does(told: Interactions) -> None:
    model = recipe.train("e", "ensemble", told, {"members": "popularity svd"})
    assert model.card["weights"]["svd/0"] > 0
    assert model.features == NAMES
    history, context = (
        np.full((2, 1), len(model.items), np.int32),
        np.array([[0, 30, 1], [3, 30, 1]], np.float32),
    )
    weight = np.zeros(history.shape, np.float32)
    scores = model.score(history, weight, context)
    assert np.array_equal(_graph_scores(model, history, weight, context), scores)
    assert not np.array_equal(scores[0], scores[1])

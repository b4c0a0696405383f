"""Two towers that take in a context: it lists for who has no history, and the graph is the model."""

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import onnxruntime
import pytest

from edge.bundle.features import CONTEXT
from edge.errors import GivenError
from models import recipe
from models.data.contexts import Contexts, Rows
from models.data.interactions import Interactions
from models.trained import Trained
from tests.models.conftest import GROUP_ITEMS, GROUPS

NAMES = ("group", "age")


@pytest.fixture(scope="module")
def told(tastes: Interactions) -> Interactions:
    """The tastes with a code that says which group somebody is of, and an age that says nothing."""
    draw = np.random.default_rng(3)
    ages = draw.integers(10, 80, len(tastes.user_ids)).astype(np.float32)
    rows = np.stack([tastes.users % GROUPS, ages[tastes.users]], axis=1).astype(np.float32)
    rows[tastes.users >= 70] = np.nan
    return replace(tastes, contexts=Contexts(NAMES, (GROUPS + 1, 0), rows))


@pytest.fixture(scope="module")
def model(torch: ModuleType, told: Interactions) -> Trained:
    return recipe.train("t", "two-tower", told, {"factors": 16, "epochs": 150, "patience": 0, "cold": 0.3})


def _asked(n_items: int, count: int = 40) -> tuple[Any, Any, Rows]:
    """Histories of all lengths with contexts of all kinds."""
    draw = np.random.default_rng(5)
    history = np.full((count, 12), n_items, np.int32)
    for row in range(count):
        length = int(draw.integers(0, 13))
        history[row, :length] = draw.permutation(n_items)[:length]
    context = np.stack([draw.integers(0, GROUPS + 2, count), draw.normal(40, 60, count)], axis=1)
    context[draw.random(context.shape) < 0.3] = np.nan
    return history, (history < n_items).astype(np.float32), context.astype(np.float32)


def _graph_scores(model: Trained, history: Any, weight: Any, context: Rows) -> Rows:
    session = onnxruntime.InferenceSession(model.scores_graph, providers=["CPUExecutionProvider"])
    feeds = {"history": history, "weight": weight, CONTEXT: context, **model.arrays}
    found: Rows = session.run(["scores"], feeds)[0]
    return found


def test_who_has_no_history_gets_a_list_by_the_context(model: Trained) -> None:
    context = np.array([[group, np.nan] for group in range(GROUPS)], np.float32)
    nobody = np.full((GROUPS, 1), len(model.items), np.int32)
    scores = model.score(nobody, np.zeros((GROUPS, 1), np.float32), context)
    for group, row in enumerate(scores):
        best = [model.items[place] for place in np.argsort(-row)[: GROUP_ITEMS - 1]]
        assert {item[:2] for item in best} == {f"g{group}"}


def test_who_has_a_history_gets_one_by_that_whether_a_context_is_known_or_not(model: Trained) -> None:
    known = [model.items.index(f"g2-{n}") for n in range(3)]
    for context in (None, np.array([[2, 30]], np.float32)):
        scores = model.score(np.array([known], np.int32), np.ones((1, 3), np.float32), context)[0]
        best = [model.items[place] for place in np.argsort(-scores) if place not in known][:5]
        assert {item[:2] for item in best} == {"g2"}


@pytest.mark.parametrize("storage", ["float32", "float16", "int8"])
def test_the_graph_is_the_model_in_any_batch(torch: ModuleType, told: Interactions, storage: str) -> None:
    chosen = {"factors": 8, "epochs": 3, "patience": 0, "storage": storage}
    model = recipe.train("t", "two-tower", told, chosen)
    history, weight, context = _asked(len(model.items))
    scores = _graph_scores(model, history, weight, context)
    assert np.array_equal(scores, model.score(history, weight, context))
    alone = [
        _graph_scores(model, *(part[at : at + 1] for part in (history, weight, context)))[0]
        for at in range(9)
    ]
    assert np.array_equal(scores[:9], alone)


def test_it_is_kept_with_its_features_and_rows(model: Trained, tmp_path: Path) -> None:
    assert model.features == NAMES
    recipe.save(model, tmp_path / "t")
    again = recipe.load(tmp_path / "t")
    assert again.features == NAMES
    assert again.card == model.card
    asked = _asked(len(model.items))
    assert np.array_equal(again.score(*asked), model.score(*asked))
    items, contexts = again.sample["items"], again.sample[CONTEXT]
    assert contexts.shape == (len(items), 2)
    groups = np.array([int(model.items[item][1]) for item in items])
    there = ~np.isnan(contexts[:, 0])
    assert np.array_equal(contexts[there, 0], groups[there])
    assert not there.all()


def test_the_same_rows_give_the_same_bytes_and_other_contexts_others(
    torch: ModuleType, told: Interactions
) -> None:
    quick = {"factors": 8, "epochs": 2, "patience": 0}
    one, other = (recipe.train("t", "two-tower", told, quick) for _ in range(2))
    assert one.scores_graph == other.scores_graph
    assert all(np.array_equal(one.arrays[name], other.arrays[name]) for name in one.arrays)
    bare = recipe.train("t", "two-tower", replace(told, contexts=None), quick)
    assert bare.features == ()
    assert CONTEXT not in bare.sample
    assert bare.card["data"] != one.card["data"]


def test_one_who_views_other_things_in_other_contexts_is_listed_them(
    torch: ModuleType, tastes: Interactions
) -> None:
    """Everybody views things of one group in the morning, and of another in the evening."""
    group = np.array([int(item[1]) for item in tastes.item_ids])[tastes.items]
    kept = tastes.where(group < 2)
    users = (kept.users // GROUPS).astype(np.int32)
    evening = (group[group < 2] == 1).astype(np.float32)[:, np.newaxis]
    told = replace(kept, users=users, contexts=Contexts(("evening",), (0,), evening))
    model = recipe.train("t", "two-tower", told, {"factors": 16, "epochs": 60, "patience": 0})
    history = np.array([[0, 8, 1, 9]] * 2, np.int32)
    scores = model.score(history, np.ones(history.shape, np.float32), np.array([[0], [1]], np.float32))
    morning, later = ({model.items[place][:2] for place in np.argsort(-row)[:4]} for row in scores)
    assert (morning, later) == ({"g0"}, {"g1"})


def test_an_ensemble_takes_in_what_its_members_do(torch: ModuleType, told: Interactions) -> None:
    model = recipe.train("e", "ensemble", told, {"members": "popularity two-tower"})
    history, weight, context = _asked(len(model.items))
    assert model.card["weights"]["two-tower/0"] > 0
    assert model.features == NAMES
    assert np.array_equal(
        _graph_scores(model, history, weight, context), model.score(history, weight, context)
    )
    assert not np.array_equal(model.score(history, weight), model.score(history, weight, context))


def test_other_recipes_take_in_none(told: Interactions) -> None:
    with pytest.raises(
        GivenError, match="ease takes in no features of the context; ensemble, svd and two-tower do"
    ):
        recipe.train("e", "ease", told)
    with pytest.raises(GivenError, match="als takes in no features"):
        recipe.check_settings("als", {"features": ["age"]})
    assert "features" not in recipe.check_settings("two-tower", {"features": ["age"]})

"""Blends: their scores are the weighted sum of their members', and weights are what lists best."""

import numpy as np
import pytest

from edge.decide.inference import ort
from edge.errors import GivenError
from models import recipe
from models.data.interactions import Interactions
from models.graphs.blend import blend_arrays, blend_graph, blend_scores, learn_weights


def test_scores_are_the_weighted_sum(tastes: Interactions) -> None:
    chosen = {"members": "ease item-item als als", "neighbours": 20}
    model = recipe.train("e", "ensemble", tastes, chosen)
    assert set(model.card["weights"]) == {"ease/0", "item-item/0", "als/0", "als/1"}
    used = {key.rpartition("/")[0] for key in model.arrays}
    assert used == {name for name, weight in model.card["weights"].items() if weight}
    history, weight = np.array([[3, 8, 32]], np.int32), np.array([[1, 1, 0]], np.float32)
    wanted = np.zeros(32)
    for name in used:
        member, _, seed = name.partition("/")
        settings = {"seed": int(seed)} if member == "als" else {"neighbours": 20}
        found = recipe.train("m", member, tastes, settings).score(history, weight)[0]
        wanted += np.where(np.isfinite(found), found, 0) * model.arrays[f"{name}/share"].item()
    assert model.score(history, weight)[0] == pytest.approx(wanted, rel=1e-5, abs=1e-7)


def test_weights_are_learned_from_who_lists_best() -> None:
    draw = np.random.default_rng(5)
    relevant = draw.random((200, 40)) < 0.1
    relevant[:, 0] = True
    seen = np.zeros(relevant.shape, np.bool_)
    noise = draw.random(relevant.shape).astype(np.float32)
    good = (relevant + noise).astype(np.float32)
    weights = learn_weights({"good": good, "noise": -100 * noise}, seen, relevant)
    assert weights["good"] > 0
    assert weights["noise"] == 0 or weights["noise"] * 100 < weights["good"]


def test_a_member_alone_is_kept_though_it_lists_worse_than_nothing() -> None:
    relevant = np.array([[True, False, False, False]])
    weights = learn_weights({"wrong": -relevant.astype(np.float32)}, np.zeros_like(relevant), relevant)
    assert weights["wrong"] > 0


def test_a_member_that_is_no_recipe_is_named(tastes: Interactions) -> None:
    with pytest.raises(GivenError, match="no recipe 'eese'; did you mean 'ease'"):
        recipe.train("e", "ensemble", tastes, {"members": "svd eese"})
    with pytest.raises(GivenError, match="no recipe 'ensemble'"):
        recipe.train("e", "ensemble", tastes, {"members": "ensemble"})


@pytest.mark.parametrize("name", [one.name for one in recipe.PLAIN if one.excludes_seen])
def test_any_recipe_may_stand_between_others(tastes: Interactions, name: str) -> None:
    """Names of its own nodes are none of the blend's."""
    ease = recipe.train("a", "ease", tastes)
    members = {"a": ease, f"{name}/0": recipe.train("b", name, tastes), "z": ease}
    arrays = blend_arrays(members, dict.fromkeys(members, 1.0))
    graph = blend_graph("e", members, arrays)
    history, weight = np.array([[3, 8]], np.int32), np.ones((1, 2), np.float32)
    wanted = blend_scores({key: one.score(history, weight) for key, one in members.items()}, arrays)
    session = ort.InferenceSession(graph, providers=["CPUExecutionProvider"])
    (scores,) = session.run(["scores"], {"history": history, "weight": weight, **arrays})
    assert np.array_equal(scores, wanted)

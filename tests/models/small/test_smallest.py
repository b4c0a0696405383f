"""The search of the smallest model: what is tried, what is chosen, and what is on the frontier."""

from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from models import recipe
from models.data.interactions import Interactions
from models.small.smallest import Frontier, search
from models.trained import Trained


def _found(tastes: Interactions, metric: Mapping[tuple[float, str], float], lose: float) -> Frontier:
    """A search on models whose metrics are made up, by neighbours and storage."""
    trained: list[float] = []

    def train(smaller: Mapping[str, float]) -> Trained:
        trained.append(smaller["neighbours"])
        return recipe.train("mine", "ease", tastes, smaller)

    def measure(model: Trained) -> NDArray[np.float64]:
        forms = [name.rpartition(".")[2] for name in model.arrays]
        kind = next((form for form in ("float16", "int8") if form in forms), "float32")
        return np.full(4, metric.get((model.card["settings"]["neighbours"], kind), 0.5))

    settings = recipe.check_settings("ease", {"neighbours": 16})
    found = search(settings, recipe.settings_of("ease"), train, measure, lose)
    assert trained == list(dict.fromkeys(trained))
    return found


def test_the_smallest_within_the_allowed_loss_is_chosen(tastes: Interactions) -> None:
    worse = {(2, kind): 0.49 for kind in ("float32", "float16", "int8")}
    found = _found(tastes, {**worse, (4, "int8"): 0.49}, 0.01)
    assert (found.chosen.settings, found.chosen.storage) == ({"neighbours": 4}, "float16")
    loose = _found(tastes, worse, 0.03)
    assert loose.chosen.settings == {"neighbours": 2}
    assert loose.chosen.loss == pytest.approx(0.02)
    assert min(point.bytes for point in loose.points) == loose.chosen.bytes


def test_nothing_smaller_is_trained_where_plain_numbers_lose_too_much(tastes: Interactions) -> None:
    found = _found(tastes, {(8, kind): 0.4 for kind in ("float32", "float16", "int8")}, 0.01)
    assert {point.settings["neighbours"] for point in found.points} == {16, 15, 14, 12, 8}
    assert found.chosen.settings == {"neighbours": 12}


def test_settings_that_keep_no_less_are_tried_once(tastes: Interactions) -> None:
    """An item of `tastes` has seven neighbours: ask for more, and the model is the same."""

    def train(smaller: Mapping[str, float]) -> Trained:
        return recipe.train(
            "mine", "user-user", tastes, {**smaller, "neighbours": min(7, smaller["neighbours"])}
        )

    settings = recipe.check_settings("user-user", {"neighbours": 16})
    found = search(settings, recipe.settings_of("user-user"), train, lambda model: np.full(4, 0.5), 0.01)
    tried = [point.settings["neighbours"] for point in found.points if point.storage == "float32"]
    assert tried == [16, 6, 4, 2]


def test_the_configured_model_is_always_allowed(tastes: Interactions) -> None:
    found = _found(tastes, {(16, "float32"): 0.51}, 0.0)
    assert found.chosen == found.points[0]


def test_a_loss_that_chance_may_hide_is_not_allowed(tastes: Interactions) -> None:
    """The mean is the same, and users differ by so much that a percent more is likely."""

    def measure(model: Trained) -> NDArray[np.float64]:
        return np.array([0.5, 0.5, 0.2, 0.8]) if "value" in model.arrays else np.array([0.8, 0.2, 0.5, 0.5])

    settings = recipe.check_settings("item-item", {"neighbours": 1})
    known = {"neighbours": recipe.settings_of("item-item")["neighbours"]}
    found = search(settings, known, lambda _: recipe.train("p", "item-item", tastes), measure, 0.01)
    assert [point.loss for point in found.points] == [0, 0, 0]
    assert found.points[1].bound > 0.3
    assert found.chosen == found.points[0]


def test_the_frontier_has_what_no_other_beats(tastes: Interactions) -> None:
    found = _found(tastes, {(16, "float32"): 0.52, (16, "int8"): 0.51}, 0.1)
    small, *best = found.best()
    assert small.bytes == min(point.bytes for point in found.points)
    assert [(point.settings["neighbours"], point.storage) for point in best] == [
        (16, "int8"),
        (16, "float32"),
    ]


def test_a_recipe_that_can_not_shrink_is_only_stored_smaller(tastes: Interactions) -> None:
    settings = recipe.check_settings("popularity", {})
    known = recipe.settings_of("popularity")
    found = search(
        settings, known, lambda _: recipe.train("p", "popularity", tastes), lambda _: np.full(3, 0.3), 0.01
    )
    assert [point.storage for point in found.points] == ["float32", "float16", "int8"]
    assert [dict(point.settings) for point in found.points] == [{}, {}, {}]

"""Rows of what was viewed together, closely, or liked; and popularity taken back."""

import numpy as np
import pytest

from models import recipe
from models.data.histories import histories
from models.data.interactions import from_rows
from models.learn.scaled import said_of_items, scaled_rows
from models.measures.exposure import exposure_gap
from origin.training.recommenders import rank

PLAIN = {
    "user_power": 0.0,
    "item_power": 0.0,
    "nearness": 0.0,
    "closeness": 0.0,
    "liking": 0.0,
    "debias_position": 0.0,
}


def test_stretches_and_likes_are_rows_of_their_own() -> None:
    rows = [("u", "a", 0, 5.0), ("u", "b", 60, 1.0), ("u", "c", 120, 5.0), ("v", "c", 0, 3.0)]
    data = from_rows(rows, ("a", "b", "c"))
    everything = [[1, 1, 1], [0, 0, 1]]
    assert scaled_rows(data, 3, PLAIN)[0].toarray().tolist() == everything
    close, _ = scaled_rows(data, 3, {**PLAIN, "closeness": 4.0, "places": 2})
    assert close.toarray().tolist() == [*everything, [2, 2, 0], [0, 0, 2], [0, 0, 2]]
    liked, _ = scaled_rows(data, 3, {**PLAIN, "liking": 4.0})
    assert liked.toarray().tolist() == [*everything, [2, 0, 2]]


def test_without_values_nothing_is_liked() -> None:
    data = from_rows([("u", "a", 0, 1.0), ("u", "b", 1, 1.0)], ("a", "b"))
    assert scaled_rows(data, 2, {**PLAIN, "liking": 4.0})[0].toarray().tolist() == [[1, 1]]


def test_what_many_viewed_counts_by_the_inverse_of_its_popularity() -> None:
    data = from_rows([(f"u{n}", item, n, 1.0) for n, item in enumerate("aaaab")], ("a", "b", "c"))
    views = np.array([4, 1, 1])
    for debias in (0.0, 0.5, 1.0):
        found = said_of_items(data, 3, {"debias": debias})
        assert found == pytest.approx((views / 2) ** -debias)


@pytest.mark.parametrize("name", ["ease", "svd"])
def test_lists_of_a_debiased_model_add_less_to_popularity(name: str) -> None:
    draw = np.random.default_rng(3)
    chance = 1 / np.arange(1, 41)
    rows = [
        (f"u{user}", f"{item:02}", int(draw.integers(10**6)), 1.0)
        for user in range(120)
        for item in draw.choice(40, 8, replace=False, p=chance / chance.sum()).tolist()
    ]
    data = from_rows(rows, tuple(f"{item:02}" for item in range(40)))
    gaps = []
    for debias in (0, 0.5, 1):
        model = recipe.train(
            "m",
            name,
            data,
            {"debias": debias, "regularization": 20} if name == "ease" else {"debias": debias, "factors": 8},
        )
        gaps.append(exposure_gap([lists[:3] for lists in rank(model, histories(data))], data))
    assert gaps[0] > gaps[1] > gaps[2]

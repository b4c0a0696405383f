"""Popularity taken back: what each item's scores are multiplied by, and what it does to lists."""

import numpy as np
import pytest

from models import recipe
from models.exposure import exposure_gap
from models.interactions import from_rows
from models.metrics import histories
from models.scaled import said_of_items
from origin.training.recommenders import rank


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

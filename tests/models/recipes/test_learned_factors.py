"""ALS and BPR: tastes are found, and the seed is what chance depends on."""

import numpy as np
import pytest

from models import recipe
from models.data.interactions import Interactions


@pytest.mark.parametrize("name", ["als", "bpr"])
def test_they_list_the_rest_of_the_taste(tastes: Interactions, name: str) -> None:
    chosen = {"als": {"factors": 8, "regularization": 1}, "bpr": {"factors": 8, "rounds": 40}}[name]
    model = recipe.train("m", name, tastes, chosen)
    known = np.array([[model.items.index(item) for item in ("g2-0", "g2-1", "g2-2")]], np.int32)
    scores = model.score(known, np.ones(known.shape, np.float32))[0]
    best = [model.items[position] for position in np.argsort(-scores) if position not in known][:5]
    assert {item[:2] for item in best} == {"g2"}


@pytest.mark.parametrize("name", ["als", "bpr"])
def test_another_seed_is_another_model(tastes: Interactions, name: str) -> None:
    one, other = (recipe.train("m", name, tastes, {"seed": seed}) for seed in (0, 1))
    assert other.card["seed"] == 1
    assert not np.array_equal(one.arrays["into"], other.arrays["into"])

"""Fellow visitors' say, against the sum over fellows that it stands for."""

import numpy as np
import pytest

from models import recipe
from models.data.interactions import Interactions
from models.learn.cooccurrence import use_matrix


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_it_is_the_sum_over_all_fellows(tastes: Interactions, power: float) -> None:
    n_items = len(tastes.item_ids)
    model = recipe.train("u", "user-user", tastes, {"user_power": power, "item_power": 0.5})
    used = use_matrix(tastes, n_items).toarray()
    history = np.array([[0, 3, 9]], np.int32)
    scale = used.sum(axis=0) ** -0.5
    alike = (used[:, history[0]] * scale[history[0]]).sum(axis=1) * used.sum(axis=1) ** -power
    scores = model.score(history, np.ones((1, 3), np.float32))[0]
    fellows = (alike @ used) * scale
    others = [p for p in range(n_items) if p not in history[0]]
    listed = np.isfinite(scores[others])
    assert np.array_equal(listed, fellows[others] > 0)
    assert scores[others][listed] == pytest.approx(fellows[others][listed], rel=1e-4)

"""Self-attention learns what comes next, whether it is told from all items or from some that are drawn."""

import numpy as np
import pytest

from models import recipe
from models.data.interactions import Interactions, from_rows

ITEMS = tuple("abcdefgh")


@pytest.fixture
def walks() -> Interactions:
    """Half of all go from a to h in turn, half come back the same way."""
    ways = (ITEMS, ITEMS[::-1])
    rows = [(f"u{user}", item, 60 * at, 1.0) for user in range(40) for at, item in enumerate(ways[user % 2])]
    return from_rows(rows, ITEMS)


@pytest.mark.usefixtures("torch")
@pytest.mark.parametrize("drawn", [2000, 5])
def test_next_is_what_follows_in_the_order_of_the_newest(walks: Interactions, drawn: int) -> None:
    settings = {"factors": 16, "drawn": drawn, "dropout": 0, "epochs": 60, "learning_rate": 0.01}
    model = recipe.train("s", "sasrec", walks, {**settings, "patience": 0})
    for newest_first, then in (("cba", "d"), ("fgh", "e"), ("edcba", "f")):
        history = np.array([[ITEMS.index(item) for item in newest_first]], np.int32)
        scores = model.score(history, np.ones(history.shape, np.float32))[0]
        scores[history[0]] = -np.inf
        assert ITEMS[int(scores.argmax())] == then

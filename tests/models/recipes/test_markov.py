"""What comes next: order, distance, visits and the places of the history count."""

import numpy as np
import pytest

from models import recipe
from models.data.interactions import Interactions, from_rows
from models.recipes.markov import follow_counts

HOUR = 3600


@pytest.fixture
def walks() -> Interactions:
    """Everybody goes a, b, c, d in this order; one comes back for e much later."""
    rows = [(f"u{user}", item, user + 60 * at, 1.0) for user in range(9) for at, item in enumerate("abcd")]
    return from_rows([*rows, ("u0", "e", 50 * HOUR, 1.0)], tuple("abcde"))


def _scores(walks: Interactions, history: str, **settings: object) -> dict[str, float]:
    model = recipe.train("m", "markov", walks, settings)
    known = np.array([[walks.item_ids.index(item) for item in history]], np.int32)
    found = model.score(known, np.ones(known.shape, np.float32))[0]
    return {item: float(score) for item, score in zip("abcde", found, strict=True) if np.isfinite(score)}


def test_pairs_count_less_the_farther_apart(walks: Interactions) -> None:
    counts = follow_counts(walks, 5, 2, 60).toarray()
    assert counts[0].tolist() == [0, 9, 4.5, 0, 0]
    assert counts[3].tolist() == [0, 0, 0, 0, 0]
    assert follow_counts(walks, 5, 2, 0).toarray()[3].tolist() == [0, 0, 0, 0, 1]


def test_next_is_what_follows_not_what_came_before(walks: Interactions) -> None:
    assert sorted(_scores(walks, "b")) == ["c", "d"]
    found = _scores(walks, "b", popularity=0)
    assert found["c"] > found["d"]


def test_newer_items_say_more(walks: Interactions) -> None:
    near = _scores(walks, "cba", half_life_places=0.5, popularity=0)
    assert max(near, key=lambda item: near[item]) == "d"
    assert near["d"] > 5 * near.get("b", 0)

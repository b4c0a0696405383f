"""Views and texts together: what nobody viewed yet is listed by what is said of it."""

from dataclasses import replace

import numpy as np
import pytest

from models import recipe
from models.data.interactions import Interactions, from_rows


@pytest.fixture
def shop() -> Interactions:
    """Everybody viewed a and b, or c and d; e and f are new, and said to be like a and like c."""
    pairs = (("a", "b"), ("c", "d"))
    rows = [(f"u{user}", item, user, 1.0) for user in range(20) for item in pairs[user % 2]]
    titles = ("red shoe", "red shoe", "blue hat", "blue hat", "red shoe", "blue hat")
    return replace(from_rows(rows, ("a", "b", "c", "d", "e", "f")), item_columns={"title": titles})


def _best(shop: Interactions, name: str, **settings: object) -> list[str]:
    model = recipe.train("h", name, shop, {"regularization": 1.0, **settings})
    scores = model.score(np.array([[0]], np.int32), np.ones((1, 1), np.float32))[0]
    return [shop.item_ids[p] for p in np.argsort(-scores, kind="stable") if p != 0 and scores[p] > 0]


def test_what_nobody_viewed_is_listed_by_its_texts(shop: Interactions) -> None:
    assert _best(shop, "hybrid", text_weight=1) == ["b", "e"]
    assert _best(shop, "ease") == ["b"]


def test_without_weight_it_is_ease(shop: Interactions) -> None:
    plain = recipe.train("h", "ease", shop, {}).arrays
    hybrid = recipe.train("h", "hybrid", shop, {"text_weight": 0}).arrays
    assert all(np.array_equal(plain[name], hybrid[name]) for name in plain)

"""Likes: values above what their user and their item lead one to expect."""

import numpy as np
import pytest

from models.data.interactions import Interactions, from_rows
from models.data.liked import liked

ITEMS = tuple(f"i{n:02}" for n in range(40))
BEST = [*ITEMS[10:30]]
MANY = 200


def _rated(values: dict[tuple[str, str], float]) -> Interactions:
    rows = [(user, item, 0, value) for (user, item), value in values.items()]
    return from_rows(rows, ITEMS)


def test_a_generous_user_likes_what_they_value_more_than_the_rest() -> None:
    rows = {(f"u{n}", item): 3.0 for n in range(MANY) for item in ITEMS}
    rows |= {("generous", item): 5.0 if item in BEST else 4.0 for item in ITEMS}
    found = liked(_rated(rows))
    assert [item for item, is_liked in zip(ITEMS, found[-len(ITEMS) :], strict=True) if is_liked] == BEST


def test_what_all_value_highly_is_liked_by_those_who_value_it_more_than_all() -> None:
    rows = {(f"u{n}", item): value for n in range(MANY) for item, value in ((ITEMS[0], 5.0), (ITEMS[1], 2.0))}
    rows |= {("same", ITEMS[0]): 5.0, ("same", ITEMS[1]): 3.0}
    found = liked(_rated(rows))
    assert found[-2:].tolist() == [False, True]


@pytest.mark.parametrize("value", [0.0, 0.1, 1.0, 1e9])
def test_nothing_is_liked_where_all_values_are_the_same(value: float) -> None:
    assert not liked(_rated({(f"u{n}", item): value for n in range(MANY) for item in ITEMS})).any()


def test_about_half_is_liked_where_values_are_drawn_at_random() -> None:
    draw = np.random.default_rng(1)
    rows = {(f"u{n}", item): float(draw.integers(1, 6)) for n in range(MANY) for item in ITEMS}
    assert 0.4 < liked(_rated(rows)).mean() < 0.6

"""Exposure and groups, on lists whose figures are plain."""

import pytest

from models.data.interactions import from_rows
from models.measures.exposure import by_group, exposure_gap, gini

ITEMS = ("a", "b", "c", "d", "e")


def test_gini_is_0_where_all_are_shown_alike_and_near_1_for_one_alone() -> None:
    assert gini([[0, 1], [2, 3], [4]], 5) == 0
    assert gini([[0]] * 9, 5) == pytest.approx(0.8)
    assert gini([], 5) == 0


def test_a_gap_is_what_lists_add_to_popularity() -> None:
    rows = [(f"u{user}", "abcde"[user % 5] if user % 2 else "a", user, 1.0) for user in range(10)]
    train = from_rows(rows, ITEMS)
    head = sum(item == "a" for _, item, _, _ in rows) / 10
    assert exposure_gap([[0]], train) == pytest.approx(1 - head)
    assert exposure_gap([[1]], train) == pytest.approx(-head)


def test_groups_are_measured_apart() -> None:
    lists, wanted = [[0], [1], [0], [2]], [frozenset({0}), frozenset({1}), frozenset({4}), frozenset()]
    found = by_group(lists, wanted, ["x", "x", "y", "y"], 1)
    assert found == {"x": (2, 1.0, 1.0, 1.0), "y": (1, 0.0, 0.0, 0.0)}

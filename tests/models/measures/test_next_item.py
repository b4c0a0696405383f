"""Moments of a later part: what is history then, what comes next, and who counts how much."""

import numpy as np
import pytest

from models.data.interactions import from_rows
from models.measures.next_item import PER_USER, hits, interval, moments

ITEMS = tuple("abcdefghijklmnopqrstuvwxyz")
ROWS = [
    ("u", "a", 1, 1.0),
    ("u", "b", 2, 1.0),
    ("u", "c", 11, 1.0),
    ("u", "d", 12, 1.0),
    ("u", "e", 12, 1.0),
    ("new", "f", 20, 1.0),
    ("new", "g", 21, 1.0),
]


def test_a_history_is_what_was_before_newest_first() -> None:
    data = from_rows(ROWS, ITEMS)
    old = data.timestamps < 10
    found = moments(data.where(old), data.where(~old), 50)
    seen = [
        (data.user_ids[user], "".join(ITEMS[item] for item in history), ITEMS[target])
        for user, history, target in zip(
            found.users.tolist(), found.histories, found.targets.tolist(), strict=True
        )
    ]
    # d and e came in one second: neither is the other's history
    assert seen == [("u", "ba", "c"), ("u", "cba", "d"), ("u", "cba", "e"), ("new", "f", "g")]
    assert [len(history) for history in moments(data.where(old), data.where(~old), 2).histories] == [
        2,
        2,
        2,
        1,
    ]


def test_an_item_that_comes_again_is_nothing_new() -> None:
    data = from_rows([("u", "a", 1, 1.0), ("u", "b", 2, 1.0), ("u", "a", 3, 1.0)], ITEMS)
    old = data.timestamps < 2
    found = moments(data.where(old), data.where(~old), 50)
    assert found.targets.tolist() == [1]


def test_each_user_counts_once_however_many_the_moments() -> None:
    rows = [("much", item, 10 + at, 1.0) for at, item in enumerate(ITEMS)]
    data = from_rows([*rows, ("little", "a", 1, 1.0), ("little", "z", 50, 1.0)], ITEMS)
    old = data.timestamps < 11
    found = moments(data.where(old), data.where(~old), 50)
    assert np.bincount(found.users).tolist() == [PER_USER, 1]
    lists = [[25] if user == 1 else [] for user in found.users.tolist()]
    assert hits(lists, found).tolist() == [0.0, 1.0]


def test_an_interval_holds_the_mean_and_narrows() -> None:
    values = np.random.default_rng(2).random(100)
    low, high = interval(values)
    assert low < values.mean() < high
    assert high - low == pytest.approx(4 * values.std() / 10, rel=0.2)

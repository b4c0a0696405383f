"""Splits: every row on one side, and on the right one."""

import numpy as np

from models.data.interactions import Interactions
from models.data.split import split_in_time, split_per_user


def _rows(part: Interactions) -> list[tuple[int, int, int]]:
    return list(zip(part.users.tolist(), part.items.tolist(), part.timestamps.tolist(), strict=True))


def test_each_user_keeps_a_share(tastes: Interactions) -> None:
    train, test = split_per_user(tastes, 0.75, 1)
    assert sorted(_rows(train) + _rows(test)) == sorted(_rows(tastes))
    assert set(np.bincount(train.users).tolist()) == {4}
    assert set(np.bincount(test.users).tolist()) == {2}


def test_the_seed_decides(tastes: Interactions) -> None:
    first, again, other = (split_per_user(tastes, 0.75, seed)[0] for seed in (1, 1, 2))
    assert _rows(first) == _rows(again) != _rows(other)


def test_time_divides_without_overlap(tastes: Interactions) -> None:
    train, test = split_in_time(tastes, 0.75)
    assert len(train) == round(0.75 * len(tastes))
    assert train.timestamps.max() < test.timestamps.min()
    assert train.item_ids == tastes.item_ids

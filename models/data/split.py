"""Divides interactions into those to train on and those to test with."""

import numpy as np
from numpy.typing import NDArray

from models.data.interactions import Interactions


def split_per_user(
    interactions: Interactions, train_share: float, seed: int
) -> tuple[Interactions, Interactions]:
    """A random share of each user's rows to train on, the rest to test with.

    The stratified split of the Recommenders project's comparisons: each
    user has ``round(train_share * rows)`` rows in the first part.
    """
    order = np.random.default_rng(seed).permutation(len(interactions))
    grouped = order[np.argsort(interactions.users[order], kind="stable")]
    return _divide(interactions, grouped, train_share)


def split_in_time(interactions: Interactions, train_share: float) -> tuple[Interactions, Interactions]:
    """The oldest share of all rows to train on, what came after it to test with.

    Rows of one second stay together, so no test row is as old as a training row.
    """
    ordered = np.sort(interactions.timestamps)
    cut = ordered[max(0, round(train_share * len(ordered)) - 1)]
    old = interactions.timestamps <= cut
    return interactions.where(old), interactions.where(~old)


def _divide(
    interactions: Interactions, grouped: NDArray[np.int64], train_share: float
) -> tuple[Interactions, Interactions]:
    counts = np.bincount(interactions.users, minlength=len(interactions.user_ids))
    starts = np.cumsum(counts) - counts
    rank = np.arange(len(grouped)) - np.repeat(starts, counts)
    to_train = rank < np.repeat(np.round(train_share * counts), counts)
    return interactions.where(np.sort(grouped[to_train])), interactions.where(np.sort(grouped[~to_train]))

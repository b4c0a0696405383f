"""Learns by what a history adds up to its user's factors, so that a history alone gives the user."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np
import scipy.linalg
import scipy.sparse

from models.graphs.factors import Dense
from models.learn.cooccurrence import MAX_ITEMS
from models.settings import Number

CAUTION: Final = Number(10, "Views that an item needs to say half of what it could.", positive=True)

MAX_STEPS: Final = 200
NEAR: Final = 1e-5
"""A regression in steps ends where so small a share of it is left."""


def fold_in(used: scipy.sparse.csr_array, users: Dense, caution: float) -> Dense:
    """What one view of each item adds to a user's factors: the ridge regression of factors on histories.

    An item that nobody viewed adds nothing.

    Parameters
    ----------
    used : sparse matrix of shape (n_users, n_items)
        Who viewed what.
    users : ndarray of shape (n_users, factors)
        What was learned of them.
    """
    if used.shape[1] > MAX_ITEMS:
        return _in_steps(used, users.astype(np.float64), caution)
    gram = (used.T @ used).toarray().astype(np.float64)
    gram[np.diag_indices(len(gram))] += caution
    into: Dense = scipy.linalg.solve(
        gram, used.T @ users.astype(np.float64), assume_a="pos", overwrite_a=True
    )
    return into


def _in_steps(used: scipy.sparse.csr_array, users: Dense, caution: float) -> Dense:
    """The same by conjugate gradients, each factor for itself: no item is set against each other."""
    back = used.T.tocsr()
    into = np.zeros((used.shape[1], users.shape[1]))
    left: Dense = back @ users
    way, size = left.copy(), (left * left).sum(axis=0)
    enough = NEAR * NEAR * size
    for _ in range(MAX_STEPS):
        if (size <= enough).all():
            break
        moved: Dense = back @ (used @ way) + caution * way
        length = np.divide(size, (way * moved).sum(axis=0), where=size > enough, out=np.zeros_like(size))
        into += length * way
        left -= length * moved
        before, size = size, (left * left).sum(axis=0)
        way = left + np.divide(size, before, where=before > 0, out=np.zeros_like(size)) * way
    return into


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread gives the same numbers each time; `implicit` warns of BLAS's threads, which are one then."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]  # noqa: PLC0415 - comes with implicit

    with threadpool_limits(1), warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=RuntimeWarning, module="implicit")
        yield

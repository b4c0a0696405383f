"""Learns what contexts lead one to expect of a user's factors."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import scipy.sparse

from edge.bundle.arrays import Array
from models.data.contexts import Rows
from models.data.interactions import Interactions
from models.graphs.expected import in_ranges
from models.graphs.factors import Dense

CAUTION: Final = 30
"""Users of a range that say half of what they could."""

BATCH: Final = 65_536
"""Contexts that are held at once, dense."""


def expected_factors(
    interactions: Interactions, ranges: Mapping[str, Array], into: Dense
) -> tuple[Dense, Dense]:
    """What each range adds to a user's factors, and the factors of the mean user.

    A ridge regression of factors on ranges. Each view is an example of its context, with the factors of
    a history of such items, as long as the user's; a user's examples count as much as another's. A range
    says how its users are unlike all those of whom that number is known: what is missing says nothing.

    Parameters
    ----------
    ranges
        What `models.graphs.expected.range_arrays` made.
    into : ndarray of shape (n_items, factors)
        What one view adds to its user's factors.
    """
    contexts, items = interactions.contexts, interactions.items
    assert contexts is not None
    share = 1 / np.bincount(interactions.users)[interactions.users]
    usual: Dense = np.bincount(items, minlength=len(into)) @ into / share.sum()
    inside = _inside(ranges, contexts.rows)
    views = scipy.sparse.csr_array(
        (np.ones(len(items)), (np.arange(len(items)), items)), (len(items), len(into))
    )
    counts = inside.T @ share
    apart = _apart(counts, ranges["range_at"])
    beyond = apart.T @ ((inside.T @ views) @ into - counts[:, np.newaxis] * usual)
    gram = apart.T @ (inside.T @ inside.multiply(share[:, np.newaxis])).toarray() @ apart
    told: Dense = apart @ np.linalg.solve(gram + CAUTION * np.eye(len(gram)), beyond)
    return told, usual


def _inside(ranges: Mapping[str, Array], rows: Rows) -> scipy.sparse.csr_array:
    parts = [
        scipy.sparse.csr_array(in_ranges(ranges, rows[at : at + BATCH]).astype(np.float64))
        for at in range(0, len(rows), BATCH)
    ]
    found: scipy.sparse.csr_array = scipy.sparse.vstack(parts, format="csr")
    return found


def _apart(counts: Dense, range_at: Array) -> Dense:
    """A matrix that takes from each range its share of those of whom its number is known."""
    same = range_at[:, np.newaxis] == range_at
    usual = same * counts / np.maximum(same @ counts, 1e-6)[:, np.newaxis]
    apart: Dense = np.eye(len(counts)) - usual
    return apart

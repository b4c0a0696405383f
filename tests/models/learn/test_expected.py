"""What contexts lead one to expect, against the same regression over rows that are written out."""

from dataclasses import replace

import numpy as np
import pytest

from models.data.contexts import Contexts
from models.data.interactions import Interactions, from_rows
from models.graphs.expected import in_ranges, range_arrays
from models.learn import expected
from models.learn.expected import CAUTION, expected_factors


@pytest.fixture
def told() -> Interactions:
    """Thirty users with some views each, an age that is sometimes missing, and a device by view."""
    draw = np.random.default_rng(2)
    rows = [
        (f"u{user}", f"i{item}", 0, 1.0) for user in range(30) for item in draw.permutation(6)[: 2 + user % 4]
    ]
    plain = from_rows(rows, tuple(f"i{number}" for number in range(6)))
    ages = draw.integers(10, 80, 30)[plain.users].astype(np.float32)
    ages[plain.users % 5 == 0] = np.nan
    devices = draw.integers(0, 3, len(plain)).astype(np.float32)
    return replace(plain, contexts=Contexts(("age", "device"), (0, 3), np.stack([ages, devices], axis=1)))


def test_it_is_the_ridge_regression_of_histories_on_ranges(
    told: Interactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expected, "BATCH", 7)
    assert told.contexts is not None
    into, ranges = np.random.default_rng(4).normal(size=(6, 3)), range_arrays(told.contexts)
    found, usual = expected_factors(told, ranges, into)
    views = np.bincount(told.users)[told.users][:, np.newaxis]
    factors = views * into[told.items]
    assert np.allclose(usual, np.average(factors, axis=0, weights=1 / views[:, 0]))
    inside = in_ranges(ranges, told.contexts.rows).astype(np.float64)
    for place in range(2):  # from the mean of all of whom that number is known
        own = ranges["range_at"] == place
        known = inside[:, own].any(axis=1)
        mean = np.average(inside[known][:, own], axis=0, weights=1 / views[known, 0])
        inside[np.ix_(known, own)] -= mean
    gram = inside.T @ (inside / views) + CAUTION * np.eye(inside.shape[1])
    wanted = inside @ np.linalg.solve(gram, inside.T @ ((factors - usual) / views))
    assert np.allclose(in_ranges(ranges, told.contexts.rows) @ found, wanted)
    assert np.abs(wanted).max() > 0.01

"""Rows whose answers are obvious, with values missing."""

import numpy as np
import pytest

from models.predict.table import Table

FEATURES = ("strong", "weak", "often-missing", "noise")


@pytest.fixture(scope="session")
def buyers() -> Table:
    """Who buys: more with `strong`, a little more with `weak`, and more where `often-missing` is missing."""
    draw = np.random.default_rng(3)
    rows = draw.normal(size=(600, len(FEATURES)))
    absent = draw.random(len(rows)) < 0.3
    margin = 2 * rows[:, 0] + 0.4 * rows[:, 1] + 1.5 * absent - 0.5
    labels = draw.random(len(rows)) < 1 / (1 + np.exp(-margin))
    rows[absent, 2] = np.nan
    groups = np.arange(len(rows)) // 6
    return Table(FEATURES, rows.astype(np.float32), labels.astype(np.float32), groups=groups)

"""Logistic regression finds what a library finds, and learns what a missing value means."""

import numpy as np

from models.predict import recipe
from models.predict.standard import FARTHEST, Standard
from models.predict.table import Table


def test_weights_are_the_librarys(buyers: Table) -> None:
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    inputs = np.concatenate(Standard.of(buyers.rows, buyers.weight).apply(buyers.rows), axis=1)
    theirs = LogisticRegression(C=1 / 3, tol=1e-10, max_iter=1000).fit(inputs, buyers.labels)
    ours = recipe.train("buy", "logistic", buyers, {"regularization": 3})
    assert np.abs(ours.reference(buyers.rows)[:, 0] - theirs.predict_proba(inputs)[:, 1]).max() < 1e-5


def test_a_missing_value_has_a_weight_of_its_own(buyers: Table) -> None:
    model = recipe.train("buy", "logistic", buyers)
    rows = np.zeros((2, 4), np.float32)
    rows[1, 2] = np.nan
    there, missing = model.reference(rows)[:, 0]
    assert missing > there + 0.2


def test_weights_of_rows_count_as_rows() -> None:
    rows = np.array([[0], [1], [2], [3]], np.float32)
    labels = np.array([0, 1, 0, 1], np.float32)
    heavy = Table(("x",), rows, labels, np.array([3, 1, 1, 1], np.float32))
    often = Table(("x",), rows[[0, 0, 0, 1, 2, 3]], labels[[0, 0, 0, 1, 2, 3]])
    found = [recipe.train("m", "logistic", table).reference(rows) for table in (heavy, often)]
    assert np.allclose(*found, atol=2e-6)


def test_what_never_varies_counts_for_nothing() -> None:
    rows = np.array([[5, np.nan], [5, np.nan], [5, np.nan]], np.float32)
    scaled, absent = Standard.of(rows, np.ones(3, np.float32)).apply(rows)
    assert not scaled.any()
    assert absent[:, 1].all()


def test_wild_values_are_cut_to_the_farthest() -> None:
    rows = np.array([[0], [1]], np.float32)
    scaled, _ = Standard.of(rows, np.ones(2, np.float32)).apply(np.array([[1e30], [-1e30]], np.float32))
    assert scaled.ravel().tolist() == [FARTHEST, -FARTHEST]

"""From a history to its user's factors: the regression gives back what was learned of those it knows."""

import numpy as np
import pytest
import scipy.sparse

from edge.errors import GivenError
from models.learn.cooccurrence import check_size
from models.learn.fold_in import fold_in


def test_histories_give_back_their_users() -> None:
    draw = np.random.default_rng(1)
    used = scipy.sparse.csr_array((draw.random((40, 12)) < 0.3).astype(float))
    into = draw.normal(size=(12, 3))
    assert np.allclose(fold_in(used, used @ into, 1e-9), into, atol=1e-6)


def test_what_nobody_viewed_says_nothing_and_caution_says_less() -> None:
    used = scipy.sparse.csr_array(np.array([[1.0, 0.0], [1.0, 0.0]]))
    users = np.ones((2, 1))
    assert fold_in(used, users, 2).tolist() == [[0.5], [0.0]]


def test_a_catalog_that_is_too_large_is_refused() -> None:
    with pytest.raises(GivenError, match=r"ease takes at most 20000 items, not 20001.*; item-item,.* als"):
        check_size("ease", 20_001)


def test_many_items_are_solved_in_steps_to_the_same_end(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(2)
    used = scipy.sparse.csr_array((draw.random((200, 60)) < 0.1).astype(float))
    users = draw.normal(size=(200, 4))
    whole = fold_in(used, users, 3)
    monkeypatch.setattr("models.learn.fold_in.MAX_ITEMS", 59)
    assert np.allclose(fold_in(used, users, 3), whole, atol=1e-3 * np.abs(whole).max())

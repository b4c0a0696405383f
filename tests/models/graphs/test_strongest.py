"""Large catalogs' neighbours are those of a table of each item against each."""

from collections.abc import Iterator

import numpy as np
import pytest
import scipy.sparse

from models.data.interactions import Interactions, from_rows
from models.graphs import strongest as module
from models.graphs.neighbours import strongest
from models.graphs.strongest import strongest_pairs
from models.recipe import train

N_ITEMS = 70
HISTORIES = [[0], [3, 9, 12], list(range(0, 60, 7)), [69, 1]]


@pytest.fixture
def blocks_of_nine() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK_ITEMS", 9)
        yield


@pytest.fixture(scope="module")
def views() -> Interactions:
    draw = np.random.default_rng(5)
    rows = [
        (f"u{user}", f"i{item:02}", 1_700_000_000 + 40 * turn, 1.0)
        for user in range(60)
        for turn, item in enumerate((user % 5 * 14 + draw.integers(0, 25, 9)) % N_ITEMS)
    ]
    return from_rows(rows, [f"i{item:02}" for item in range(N_ITEMS)])


@pytest.mark.usefixtures("blocks_of_nine")
def test_they_are_the_strongest_of_a_table() -> None:
    draw = np.random.default_rng(6)
    left = scipy.sparse.csr_array(np.where(draw.random((40, 30)) < 0.2, draw.normal(size=(40, 30)), 0))
    right = scipy.sparse.csr_array(np.where(draw.random((30, 40)) < 0.2, draw.normal(size=(30, 40)), 0))
    table = 3 * (left @ right).toarray()
    np.fill_diagonal(table, 0)
    columns, kept = strongest_pairs(left, right, lambda both, one, other: 3 * both, 6, lambda *_: None)
    wanted = np.zeros_like(table)
    np.put_along_axis(wanted, *strongest(table, 6), axis=1)
    found = np.zeros_like(table)
    np.add.at(found, (np.arange(40)[:, np.newaxis], columns), kept)
    assert np.allclose(found, wanted)
    assert (np.diff(columns, axis=1) >= 0).all()


@pytest.mark.usefixtures("blocks_of_nine")
@pytest.mark.parametrize("recipe", ["item-item", "also-viewed", "user-user", "markov"])
def test_recipes_give_the_same_scores_either_way(
    recipe: str, views: Interactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = np.full((len(HISTORIES), 9), N_ITEMS, np.int32)
    for row, items in enumerate(HISTORIES):
        history[row, : len(items)] = items
    weight = (history < N_ITEMS).astype(np.float32)
    whole = train("m", recipe, views, {"neighbours": N_ITEMS}).score(history, weight)
    for name in ("learn.cooccurrence", "recipes.user_user", "recipes.markov"):
        monkeypatch.setattr(f"models.{name}.MAX_ITEMS", N_ITEMS - 1)
    many = train("m", recipe, views, {"neighbours": N_ITEMS}).score(history, weight)
    assert np.array_equal(np.isfinite(whole), np.isfinite(many))
    assert np.allclose(whole[np.isfinite(whole)], many[np.isfinite(many)], rtol=1e-5)

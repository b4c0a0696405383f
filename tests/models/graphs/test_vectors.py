"""Models of factors have a row for each item, however they are stored; others have none."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from models.data.interactions import Interactions, from_rows
from models.graphs import blocked, blocks
from models.graphs.blocked import with_blocks
from models.recipe import Trained, train
from models.small.storage import store

N_ITEMS = 120


@pytest.fixture(scope="module")
def data() -> Interactions:
    draw = np.random.default_rng(8)
    rows = [
        (f"u{user}", f"i{item:03}", 1_700_000_000 + 60 * turn, 1.0)
        for user in range(90)
        for turn, item in enumerate((user % 6 * 20 + draw.integers(0, 20, 8)) % N_ITEMS)
    ]
    return from_rows(rows, sorted(f"i{item:03}" for item in range(N_ITEMS)))


def trained(data: Interactions, recipe: str, **settings: Any) -> Trained:
    return train(recipe, recipe, data, settings)


def likeness(rows: np.ndarray) -> np.ndarray:
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
    return unit @ unit.T


@pytest.mark.parametrize("recipe", ["svd", "als", "bpr"])
def test_items_of_one_taste_are_more_alike_than_others(data: Interactions, recipe: str) -> None:
    rows = trained(data, recipe, factors=8).vectors
    assert rows is not None
    assert rows.shape == (N_ITEMS, 8)
    same = np.arange(N_ITEMS)[:, np.newaxis] // 20 == np.arange(N_ITEMS) // 20
    assert likeness(rows)[same].mean() > likeness(rows)[~same].mean() + 0.01


def test_texts_say_what_is_alike_though_nobody_viewed_it() -> None:
    titles = ("red car", "blue boat", "red car again", "green tree", "a blue boat")
    viewed = from_rows([("u", "a", 1, 1.0), ("u", "b", 2, 1.0)], ("a", "b", "c", "d", "e"))
    rows = trained(replace(viewed, item_columns={"title": titles}), "content", columns="title").vectors
    assert rows is not None
    alike = likeness(rows)
    assert alike[0, 2] > alike[0, 1]
    assert alike[1, 4] > alike[1, 3]


@pytest.mark.parametrize("storage", ["float16", "int8"])
def test_stored_rows_are_nearly_the_same(data: Interactions, storage: str) -> None:
    model = trained(data, "svd", factors=8)
    plain, stored = model.vectors, store(model, storage).vectors
    assert plain is not None
    assert stored is not None
    assert np.abs(likeness(plain) - likeness(stored)).max() < 0.06


def test_rows_of_blocks_are_the_same(data: Interactions, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"FEWEST": 0, "TIMES": 1, "STEP": 1, "TOP": 12}.items():
        monkeypatch.setattr(blocked, name, value)
    monkeypatch.setattr(blocks.block_arrays, "__defaults__", (None, 1.0, 8))
    model = trained(data, "svd", factors=8)
    in_blocks = with_blocks(model)
    assert "block_place" in in_blocks.arrays
    assert model.vectors is not None
    assert np.array_equal(model.vectors, in_blocks.vectors)


@pytest.mark.parametrize("recipe", ["popularity", "ease", "markov"])
def test_other_models_have_none(data: Interactions, recipe: str) -> None:
    assert trained(data, recipe).vectors is None

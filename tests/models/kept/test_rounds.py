"""Training by rounds or of members that was stopped goes on to the same numbers, and leaves nothing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models import recipe
from models.data.interactions import Interactions
from models.kept import folder as kept
from models.recipes.als import Als
from models.recipes.bpr import Bpr
from models.recipes.svd import Svd
from models.trained import Trained

SETTINGS: dict[str, dict[str, object]] = {
    "als": {"rounds": 6, "factors": 4},
    "bpr": {"rounds": 6, "factors": 4},
    "ensemble": {"members": "svd ease markov user-user"},
}


class _StoppedError(Exception):
    pass


def _train(tastes: Interactions, name: str, stop_at: float = 2.0) -> tuple[Trained, list[float]]:
    heard: list[float] = []

    def hear(step: str, share: float) -> None:
        heard.append(share)
        if share >= stop_at:
            raise _StoppedError

    return recipe.train("mine", name, tastes, SETTINGS[name], hear), heard


@pytest.mark.parametrize("name", sorted(SETTINGS))
@pytest.mark.parametrize("share", [0.3, 0.7])
def test_training_that_was_stopped_goes_on_to_the_same_model(
    tastes: Interactions, tmp_path: Path, name: str, share: float
) -> None:
    whole, _ = _train(tastes, name)
    with kept.keeping(tmp_path / "kept"):
        with pytest.raises(_StoppedError):
            _train(tastes, name, share)
        assert list((tmp_path / "kept").iterdir())
        resumed, heard = _train(tastes, name)
        assert not list((tmp_path / "kept").iterdir())
    assert resumed.card == whole.card
    assert resumed.scores_graph == whole.scores_graph
    assert all(np.array_equal(array, resumed.arrays[key]) for key, array in whole.arrays.items())
    assert heard[-1] == 1


@pytest.mark.parametrize("made", [Als, Bpr])
def test_rounds_that_are_done_are_not_done_again(
    tastes: Interactions, tmp_path: Path, made: type[Als | Bpr]
) -> None:
    name = made.name
    with kept.keeping(tmp_path):
        with pytest.raises(_StoppedError):
            _train(tastes, name, 0.5)
        _, heard = _train(tastes, name)
    assert heard[0] > 0.5


def test_members_that_are_trained_are_not_trained_again(
    tastes: Interactions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SETTINGS, "ensemble", {"members": "svd"})
    with kept.keeping(tmp_path):
        with pytest.raises(_StoppedError):
            _train(tastes, "ensemble", 0.5)
        rows: list[int] = []
        before = Svd.train

        def counted(self: Svd, interactions: Interactions, *given: Any) -> Trained:
            rows.append(len(interactions))
            return before(self, interactions, *given)

        monkeypatch.setattr(Svd, "train", counted)
        _train(tastes, "ensemble")
    assert rows == [len(tastes)], "on a part it was trained before the stop"


@pytest.mark.parametrize("name", ["als", "bpr"])
@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 and then nothing"])
def test_a_damaged_file_is_begun_anew(tastes: Interactions, tmp_path: Path, name: str, damage: bytes) -> None:
    whole, _ = _train(tastes, name)
    with kept.keeping(tmp_path):
        with pytest.raises(_StoppedError):
            _train(tastes, name, 0.5)
        (path,) = tmp_path.iterdir()
        path.write_bytes(damage)
        again, _ = _train(tastes, name)
    assert all(np.array_equal(array, again.arrays[key]) for key, array in whole.arrays.items())

"""Networks are trained as their seed says, stop early, and go on where they were stopped."""

import builtins
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from edge.errors import GivenError
from models import recipe
from models.data.interactions import Interactions
from models.kept import folder as kept
from models.learn.torch_training import schedule_settings
from models.recipes.mult_dae import MultDae
from models.trained import Trained

SMALL = {"hidden": 8, "epochs": 12, "batch": 16}


class _StoppedError(Exception):
    pass


def _train(tastes: Interactions, **settings: object) -> Trained:
    return recipe.train("mine", "mult-dae", tastes, {**SMALL, **settings})


def _same(one: Trained, other: Trained) -> bool:
    return all(np.array_equal(array, other.arrays[name]) for name, array in one.arrays.items())


def test_a_seed_gives_the_same_network_and_another_one_another(
    torch: ModuleType, tastes: Interactions
) -> None:
    torch.manual_seed(99)
    first = _train(tastes)
    torch.manual_seed(98)
    assert _same(first, _train(tastes))
    assert not _same(first, _train(tastes, seed=2))
    assert first.card["seed"] == 1


def test_what_is_drawn_elsewhere_goes_on_as_if_nothing_was_trained(
    torch: ModuleType, tastes: Interactions
) -> None:
    torch.manual_seed(5)
    wanted = torch.rand(3).tolist()
    torch.manual_seed(5)
    _train(tastes)
    assert torch.rand(3).tolist() == wanted


@pytest.mark.parametrize("share", [0.2, 0.7])
def test_training_that_was_stopped_goes_on_to_the_same_network(
    torch: ModuleType, tastes: Interactions, tmp_path: Path, share: float
) -> None:
    settings: dict[str, Any] = {**SMALL, "patience": 4}
    heard: list[float] = []

    def stop(step: str, done: float) -> None:
        if done >= share:
            raise _StoppedError

    with kept.keeping(tmp_path / "kept"):
        with pytest.raises(_StoppedError):
            recipe.train("mine", "mult-dae", tastes, settings, stop)
        assert list((tmp_path / "kept").glob("*.npz"))
        went_on = recipe.train("mine", "mult-dae", tastes, settings, lambda step, done: heard.append(done))
    assert _same(went_on, recipe.train("mine", "mult-dae", tastes, settings))
    assert heard[0] >= min(share, 0.5) - 0.1
    assert not list((tmp_path / "kept").iterdir())


@pytest.mark.parametrize("damage", [b"", b"PK\3\4 no archive", None])
def test_what_was_kept_of_others_or_is_damaged_is_not_used(
    torch: ModuleType, tastes: Interactions, tmp_path: Path, damage: bytes | None
) -> None:
    def stop(step: str, done: float) -> None:
        if done >= 0.3:
            raise _StoppedError

    with kept.keeping(tmp_path):
        with pytest.raises(_StoppedError):
            recipe.train("mine", "mult-dae", tastes, SMALL, stop)
        (path,) = tmp_path.glob("*.npz")
        if damage is not None:
            path.write_bytes(damage)
        settings = SMALL if damage is not None else {**SMALL, "learning_rate": 0.02}
        found = recipe.train("mine", "mult-dae", tastes, settings)
    assert _same(found, recipe.train("mine", "mult-dae", tastes, settings))


def test_training_stops_when_what_is_held_back_gets_no_better(
    torch: ModuleType, tastes: Interactions
) -> None:
    card = _train(tastes, epochs=500, patience=3, learning_rate=0.05).card["training"]
    assert card["epochs"] < 400
    assert card["held_ndcg@10"] > 0.5
    assert _train(tastes, epochs=7, patience=0).card["training"] == {"epochs": 7}


def test_often_viewed_items_get_a_bonus_that_can_be_left_out(torch: ModuleType, tastes: Interactions) -> None:
    plain, more = (_train(tastes, popularity=share, patience=0) for share in (0, 1))
    counts = np.bincount(tastes.items, minlength=len(tastes.item_ids))
    gained = more.arrays["bias"] - plain.arrays["bias"]
    assert np.corrcoef(gained, np.log(counts))[0, 1] > 0.999999
    assert np.array_equal(more.arrays["out"], plain.arrays["out"])


def test_without_pytorch_it_is_said_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tastes: Interactions
) -> None:
    imported = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name == "torch":
            raise ImportError(name)
        return imported(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(GivenError, match=r"pip install 'nearside\[neural\]'.*make neural") as caught:
        _train(tastes)
    assert caught.value.code == "missing-extra"


def test_networks_share_their_settings() -> None:
    assert MultDae.settings.keys() >= schedule_settings(1, 1, 0.1).keys()
    learning = [network for network in recipe.NETWORKS if "epochs" in network.settings]
    assert len(learning) > 3
    for network in learning:
        assert {"epochs", "batch", "learning_rate", "patience", "seed"} <= network.settings.keys()

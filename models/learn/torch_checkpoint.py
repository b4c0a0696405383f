"""Keeps a half-trained network in a file of plain arrays, so that training goes on where it was stopped."""

import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

WEIGHT, OPTIMIZER, RANDOM, COUNTS, KEY = "weight/", "optimizer/", "random", "counts", "key"
DAMAGED: Final = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)


@dataclass
class Counts:
    """How far training has come: epochs done, the smoothed quality now, the best epoch and its quality."""

    epoch: int = 0
    best_epoch: int = 0
    best: float = -1.0
    level: float = 0.0


def save(path: Path, key: str, network: Any, optimizer: Any, counts: Counts) -> None:
    """Write weights, the optimizer's state, chance's state and the counts, whole or not at all."""
    import torch  # noqa: PLC0415 - an extra, and slow to import

    arrays: dict[str, Any] = {
        WEIGHT + name: value.cpu().numpy() for name, value in network.state_dict().items()
    }
    for number, state in optimizer.state_dict()["state"].items():
        for name, value in state.items():
            arrays[f"{OPTIMIZER}{number}/{name}"] = value.cpu().numpy()
    arrays[RANDOM] = torch.get_rng_state().numpy()
    arrays[COUNTS] = np.array([counts.epoch, counts.best_epoch, counts.best, counts.level], np.float64)
    arrays[KEY] = np.frombuffer(key.encode(), np.uint8)
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        np.savez(file, **arrays)
    partial.replace(path)


def restore(path: Path, key: str, network: Any, optimizer: Any) -> Counts | None:
    """Bring everything back to where `save` left it; None for no file, another key or a damaged file."""
    if not path.is_file():
        return None
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
            arrays = {name: held[name] for name in held.files}
        if arrays[KEY].tobytes() != key.encode():
            return None
        counts = arrays[COUNTS].tolist()
        _put_back(arrays, network, optimizer)
    except DAMAGED:
        return None  # training begins anew, and gives the same result
    return Counts(int(counts[0]), int(counts[1]), counts[2], counts[3])


def _put_back(arrays: dict[str, NDArray[Any]], network: Any, optimizer: Any) -> None:
    import torch  # noqa: PLC0415

    weights = {
        name.removeprefix(WEIGHT): torch.from_numpy(a)
        for name, a in arrays.items()
        if name.startswith(WEIGHT)
    }
    states: dict[int, dict[str, Any]] = {}
    for name, array in arrays.items():
        if name.startswith(OPTIMIZER):
            number, _, part = name.removeprefix(OPTIMIZER).partition("/")
            states.setdefault(int(number), {})[part] = torch.from_numpy(array)
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError("weights of another network") from error
    optimizer.load_state_dict({"state": states, "param_groups": optimizer.state_dict()["param_groups"]})
    torch.set_rng_state(torch.from_numpy(arrays[RANDOM]))

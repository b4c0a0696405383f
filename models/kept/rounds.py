"""Keeps what is learned after each round, so that training that was stopped goes on to the same numbers."""

import json
import zipfile
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.bundle import format as fmt
from models.data.interactions import Interactions
from models.kept import folder as kept
from models.settings import Settings

ROUND: Final = "round"
DAMAGED: Final = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)

Learned = Mapping[str, NDArray[Any]]


class Rounds:
    """The rounds of one training; nothing is kept where `models.kept.folder` has no folder."""

    def __init__(self, recipe: str, interactions: Interactions, settings: Settings) -> None:
        told = repr((recipe, sorted(settings.items()), interactions.digest()))
        self._name = f"{fmt.digest(told.encode())[:16]}-rounds.npz"

    def found(self) -> tuple[int, Learned]:
        """How many rounds are done, and what was learned; 0 and nothing where there is no whole file."""
        path = kept.place(self._name)
        if path is None or not path.is_file():
            return 0, {}
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as held:
                learned = {name: held[name] for name in held.files}
            return int(learned.pop(ROUND)), learned
        except DAMAGED:
            return 0, {}  # training begins anew, and gives the same result

    def keep(self, done: int, learned: Learned) -> None:
        """Write it, whole or not at all."""
        path = kept.place(self._name)
        if path is None:
            return
        partial = path.with_suffix(".partial")
        with partial.open("wb") as file:
            np.savez(file, **{ROUND: np.array(done)}, **learned)  # type: ignore[arg-type]  # names are no options
        partial.replace(path)

    def end(self) -> None:
        """The training is done."""
        kept.forget(self._name)


def chance_state(draw: np.random.Generator) -> NDArray[np.uint8]:
    """Where a generator of random numbers stands, as an array."""
    return np.frombuffer(json.dumps(draw.bit_generator.state).encode(), np.uint8)


def set_chance(draw: np.random.Generator, state: NDArray[np.uint8]) -> None:
    """Bring a generator back to where `chance_state` found it."""
    draw.bit_generator.state = json.loads(state.tobytes())

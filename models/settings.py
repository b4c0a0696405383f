"""What a recipe can be told: numbers within bounds, and words to choose among."""

import difflib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from edge.errors import GivenError

Settings = Mapping[str, Any]
"""By name, the values that training uses: complete and checked, floats and strings."""


@dataclass(frozen=True)
class Number:
    """A number from 0 to `most`; `positive` leaves out 0, a `whole` one begins at 1."""

    default: float
    about: str
    most: float = math.inf
    positive: bool = False
    whole: bool = False

    def read(self, value: object) -> float:
        """The value that training uses; a ValueError says what it must be."""
        if isinstance(value, bool) or not isinstance(value, int | float) or not self._holds(value):
            raise ValueError(f"must be {self._bounds()}, not {value!r}")
        return float(value)

    def schema(self) -> dict[str, Any]:
        """The setting as JSON Schema."""
        lower = {"minimum": 1} if self.whole else {"exclusiveMinimum": 0} if self.positive else {"minimum": 0}
        upper = {} if math.isinf(self.most) else {"maximum": self.most}
        kind = "integer" if self.whole else "number"
        return {"type": kind, **lower, **upper, "default": self.default, "description": self.about}

    def _holds(self, value: float) -> bool:
        if self.whole and (value != round(value) or value < 1):
            return False
        return (value > 0 if self.positive else value >= 0) and value <= self.most and math.isfinite(value)

    def _bounds(self) -> str:
        if self.whole:
            return f"a whole number from 1 to {self.most:g}"
        lower = "above 0" if self.positive else "from 0"
        return f"a number {lower}" + ("" if math.isinf(self.most) else f" to {self.most:g}")


@dataclass(frozen=True)
class Choice:
    """A setting that is one of some words."""

    default: str
    about: str
    among: tuple[str, ...]

    def read(self, value: object) -> str:
        """The value that training uses; a ValueError says what it must be."""
        if value not in self.among:
            raise ValueError(f"must be one of {', '.join(self.among)}, not {value!r}")
        return str(value)

    def schema(self) -> dict[str, Any]:
        """The setting as JSON Schema."""
        return {"enum": list(self.among), "default": self.default, "description": self.about}


@dataclass(frozen=True)
class Text:
    """A setting that is words of the workspace's own, such as names of columns."""

    default: str
    about: str

    def read(self, value: object) -> str:
        """The value that training uses; a ValueError says what it must be."""
        if not isinstance(value, str) or not value.strip():
            raise ValueError(f"must be text, not {value!r}")
        return " ".join(value.split())

    def schema(self) -> dict[str, Any]:
        """The setting as JSON Schema."""
        return {"type": "string", "minLength": 1, "default": self.default, "description": self.about}


Setting = Number | Choice | Text

FLOAT32, FLOAT16, INT8 = "float32", "float16", "int8"
MAX_HISTORY: Final = 1000
COMMON: Final[Mapping[str, Setting]] = {
    "max_history": Number(
        50,
        "How many of a visitor's newest items are looked at; a cookie carries 50.",
        MAX_HISTORY,
        whole=True,
    ),
    "recall": Number(
        0.95,
        "In a large catalog, the share of the best 50 items that factors must find; 1 scores all items.",
        1,
    ),
    "storage": Choice(
        FLOAT32,
        "How its arrays are kept: float16 takes half of the bytes, int8 a quarter.",
        (FLOAT32, FLOAT16, INT8),
    ),
}
"""What every recipe has; a bundle takes in as much history as its most demanding model."""


def complete(owner: str, known: Mapping[str, Setting], given: Mapping[str, object]) -> dict[str, float | str]:
    """All settings of an owner: those that are given, and defaults.

    Raises
    ------
    GivenError
        ``unknown-setting``, with the nearest name, or ``setting``.
    """
    read: dict[str, float | str] = {key: setting.default for key, setting in known.items()}
    for key, value in given.items():
        if key not in known:
            raise GivenError("unknown-setting", f"{owner} has no setting {key!r}{nearest(key, known)}")
        try:
            read[key] = known[key].read(value)
        except ValueError as error:
            raise GivenError("setting", f"{owner}: {key} {error}") from error
    return {key: float(value) if not isinstance(value, str) else value for key, value in read.items()}


def nearest(name: str, known: Iterable[str]) -> str:
    """What to say behind an unknown name: the nearest one, else all there are."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, 1)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(names)}"

"""What a visitor's history amounts to: the mean of a number that each item has."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from edge.bundle.arrays import Array, unpack
from edge.bundle.reader import Bundle
from edge.bundle.strings import Strings
from edge.errors import BundleError

KIND: Final = "tastes"
SOURCE: Final = "history"
"""Of the attributes that are such means: ``history:COLUMN``, ``history:COLUMN=VALUE``."""

MAX_TASTES: Final = 256
MAX_REMEMBERED: Final = 1_024

Means = Mapping[str, float]


class Tastes:
    """The means of a bundle, by attribute.

    Parameters
    ----------
    arrays
        By attribute, a float32 for each item; NaN where an item has none.

    Raises
    ------
    BundleError
        ``tastes``: there are too many, or one does not fit the items.
    """

    def __init__(self, arrays: Mapping[str, Array], items: Strings) -> None:
        if len(arrays) > MAX_TASTES:
            raise BundleError("tastes", f"{len(arrays)} means of histories, more than {MAX_TASTES}")
        for name, array in arrays.items():
            if array.dtype != np.float32 or array.shape != (len(items),):
                raise BundleError("tastes", f"{name!r} does not fit the items")
        self._arrays, self._items = dict(arrays), items
        self._remembered: dict[tuple[str, ...], Means] = {}

    def __bool__(self) -> bool:
        return bool(self._arrays)

    def of(self, history: Sequence[str]) -> Means:
        """The mean of each over the items of a history; missing where none of them has one."""
        asked = tuple(history)
        means = self._remembered.get(asked)
        if means is None:
            means = self._means(asked)
            if len(self._remembered) >= MAX_REMEMBERED:
                self._remembered.clear()
            self._remembered[asked] = means
        return means

    def _means(self, history: tuple[str, ...]) -> Means:
        positions = self._items.positions(history)
        found = {}
        for name, array in self._arrays.items():
            held = array[positions].astype(np.float64)
            known = held[~np.isnan(held)]
            if len(known):
                found[name] = float(known.mean())
        return found


class NoTastes(Tastes):
    """What a bundle without such attributes has."""

    def __init__(self) -> None:
        self._arrays, self._remembered = {}, {}

    def of(self, history: Sequence[str]) -> Means:
        """Nothing."""
        return {}


NONE: Final = NoTastes()


def load_tastes(bundle: Bundle, items: Strings) -> Tastes:
    """The means of a bundle; most have none."""
    if not bundle.artifacts("rules", KIND):
        return NONE
    return Tastes(unpack(bundle.read(bundle.one("rules", KIND))), items)

"""Sorted strings as two mapped arrays: found by binary search, never loaded whole."""

from collections.abc import Iterable, Mapping
from typing import Final

import numpy as np

from edge.bundle.arrays import Array
from edge.errors import BundleError

MAX_REMEMBERED: Final = 65_536
MAX_KEY_BYTES: Final = 256
"""Longer keys, which are nobody's, are not remembered."""


class Strings:
    """A table of byte strings by position, over ``{name}.blob`` and ``{name}.offsets``.

    Also the form of contents and cards: any blobs by position. `find` needs
    them sorted. Opening costs the same for ten strings and for a million.
    """

    def __init__(self, arrays: Mapping[str, Array], name: str) -> None:
        try:
            blob, offsets = arrays[f"{name}.blob"], arrays[f"{name}.offsets"]
        except KeyError as error:
            raise BundleError("arrays", f"no array {error.args[0]!r}") from error
        shapes = blob.ndim == offsets.ndim == 1
        if not shapes or blob.dtype != np.uint8 or offsets.dtype != np.uint64 or not len(offsets):
            raise BundleError("arrays", f"{name!r} is no table of strings")
        # One vectorized pass: a bad offset could otherwise show bytes of a neighbour.
        if offsets[0] != 0 or offsets[-1] != len(blob) or bool(np.any(offsets[1:] < offsets[:-1])):
            raise BundleError("arrays", f"offsets of {name!r} do not fit its bytes")
        self._blob = blob.data
        self._offsets = offsets.data
        self._found: dict[bytes, int] = {}
        self._texts: dict[int, str] = {}
        self._known: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._offsets) - 1

    def __getitem__(self, position: int) -> bytes:
        return bytes(self._blob[self._offsets[position] : self._offsets[position + 1]])

    def check_texts(self) -> None:
        """Refuse a table that is not text, so that `text` never fails; costs by its bytes, not its strings.

        Raises
        ------
        BundleError
            ``arrays``: a string is not UTF-8.
        """
        blob, starts = np.asarray(self._blob), np.asarray(self._offsets)
        starts = starts[starts < len(blob)]
        try:
            bytes(self._blob).decode()
        except UnicodeDecodeError as error:
            raise BundleError("arrays", f"strings are not UTF-8: {error}") from error
        # Whole text cut inside of a character is no text either.
        if np.any(blob[starts] & 0xC0 == 0x80):
            raise BundleError("arrays", "strings are not UTF-8: a character is cut in two")

    def text(self, position: int) -> str:
        """The string at a position, as text; remembered."""
        text = self._texts.get(position)
        if text is None:
            text = self[position].decode()
            if len(self._texts) >= MAX_REMEMBERED:
                self._texts.clear()
            self._texts[position] = text
        return text

    def texts(self, positions: list[int]) -> list[str]:
        """The strings at these positions, as text."""
        try:
            return list(map(self._texts.__getitem__, positions))
        except KeyError:
            return [self.text(position) for position in positions]

    def positions(self, texts: tuple[str, ...]) -> list[int]:
        """Where these texts stand, without those that are not in the table."""
        found = list(map(self._known.get, texts))
        if None in found:
            return [position for text in texts if (position := self._position(text)) >= 0]
        return found  # type: ignore[return-value]

    def _position(self, text: str) -> int:
        """`find` for text; only what is in the table is remembered, strangers can't crowd it out."""
        position = self.find(text.encode())
        if position >= 0:
            if len(self._known) >= MAX_REMEMBERED:
                self._known.clear()
            self._known[text] = position
        return position

    def find(self, key: bytes) -> int:
        """The position of `key` among the sorted strings, or -1."""
        position = self._found.get(key)
        if position is None:
            position = self._search(key)
            if len(self._found) >= MAX_REMEMBERED:
                self._found.clear()
            if len(key) <= MAX_KEY_BYTES:
                self._found[key] = position
        return position

    def places(self, keys: Iterable[bytes]) -> list[int]:
        """The position of each of many sorted keys, or -1; nothing is remembered.

        Each is looked for from where the one before stands, in steps that double: many are neighbours.
        """
        found, low, size = [], 0, len(self)
        for key in keys:
            high, step = low, 1
            while high < size and self[high] < key:
                low, high, step = high + 1, high + step, step * 2
            low = self._between(key, low, min(high, size))
            found.append(low if low < size and self[low] == key else -1)
        return found

    def _search(self, key: bytes) -> int:
        low = self._between(key, 0, len(self))
        return low if low < len(self) and self[low] == key else -1

    def _between(self, key: bytes, low: int, high: int) -> int:
        """The first position from `low` on that holds no lesser key; `high` where there is none before."""
        while low < high:
            middle = (low + high) // 2
            if self[middle] < key:
                low = middle + 1
            else:
                high = middle
        return low


def pack_strings(name: str, strings: Iterable[bytes]) -> dict[str, Array]:
    """The two arrays of a `Strings`, in the order given."""
    parts = list(strings)
    offsets = np.zeros(len(parts) + 1, np.uint64)
    np.cumsum([len(part) for part in parts], out=offsets[1:])
    return {
        f"{name}.blob": np.frombuffer(b"".join(parts), np.uint8),
        f"{name}.offsets": offsets,
    }

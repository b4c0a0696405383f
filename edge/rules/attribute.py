"""One attribute's part of the index: which rules a value leaves alive."""

from bisect import bisect_right
from math import inf, isnan
from typing import Any, Final

import numpy as np

from edge.bundle.arrays import Array
from edge.bundle.strings import Strings
from edge.rules.values import BOOLEAN, NUMBER, STRING, Value, key, number, typed

MAX_REMEMBERED: Final = 4096
MAX_REMEMBERED_BYTES: Final = 16 << 20
"""Of one attribute: what many rules and many values may cost a worker at most."""

TRUE: Final = b"1"
FALSE: Final = b"0"
"""How a boolean is remembered: as a dict key, True would be 1.0."""

NOWHERE: Final = (inf, -inf, 0)
"""The segment that holds no number."""

_NUMERIC: Final = (float, int)

_FEW: Final = 24
"""Up to here setting bits one by one beats numpy's overhead (measured)."""
_MASKS: Final = np.left_shift(1, np.arange(8)).astype(np.uint8)


def to_int(row: Array) -> int:
    """A bitmap row (little endian, rule 0 is the lowest bit) as an int."""
    return int.from_bytes(row.tobytes(), "little")


def xor_of(ids: Array, row_bytes: int) -> int:
    """The bits that occur an odd number of times among `ids`."""
    if len(ids) <= _FEW:
        bits = 0
        for position in ids.tolist():
            bits ^= 1 << position
        return bits
    row = np.zeros(row_bytes, np.uint8)
    np.bitwise_xor.at(row, ids >> 3, _MASKS[ids & 7])
    return to_int(row)


class Listed:
    """Exact values: the rules whose outcome for a listed value differs from the default."""

    def __init__(self, keys: Strings, pointers: Array, ids: Array, longest: int) -> None:
        self.longest = longest
        self._keys = keys
        self._pointers = pointers.data
        self._ids = ids

    def flips(self, attribute: int, value: Value, row_bytes: int) -> int:
        """The rules whose outcome for this value is not the attribute's default."""
        position = self._keys.find(key(attribute, value))
        if position < 0:
            return 0
        return xor_of(self._ids[self._pointers[position] : self._pointers[position + 1]], row_bytes)


class Ranges:
    """Intervals of one attribute: sorted cuts, and the rules alive between two of them.

    Parameters
    ----------
    cuts : ndarray of shape (n_cuts,), dtype float64
        Segment s lies between cut s - 1 (inside) and cut s (outside).
    pointers : ndarray of shape (n_cuts + 1,), dtype uint32
        Where each cut's ids begin in `ids`.
    ids : ndarray, dtype uint32
        The rules that begin or end at each cut.
    at : ndarray of shape (n_checkpoints,), dtype uint32
        Segments whose bitmap is stored whole, ascending from 0.
    rows : ndarray of shape (n_checkpoints, row_bytes), dtype uint8
        Those bitmaps.
    """

    def __init__(self, cuts: Array, pointers: Array, ids: Array, at: Array, rows: Array) -> None:
        self._cuts = cuts.data
        self._pointers = pointers.data
        self._ids = ids
        self._at = at.data
        self._rows = rows
        self._segments: dict[int, int] = {}
        self._capacity = capacity(rows.shape[1])

    def window(self, value: float) -> tuple[float, float, int]:
        """The segment that holds this number: from (inside), to (outside), and the rules alive in it."""
        segment = bisect_right(self._cuts, value)
        bits = self._segments.get(segment)
        if bits is None:
            bits = self._build(segment)
            if len(self._segments) >= self._capacity:
                self._segments.clear()
            self._segments[segment] = bits
        low = self._cuts[segment - 1] if segment else -inf
        high = self._cuts[segment] if segment < len(self._cuts) else inf
        return low, high, bits

    def _build(self, segment: int) -> int:
        checkpoint = bisect_right(self._at, segment) - 1
        first = self._pointers[self._at[checkpoint]]
        changed = xor_of(self._ids[first : self._pointers[segment]], self._rows.shape[1])
        return to_int(self._rows[checkpoint]) ^ changed


def capacity(row_bytes: int) -> int:
    """How many bitmaps of this size one attribute may remember."""
    return max(16, min(MAX_REMEMBERED, MAX_REMEMBERED_BYTES // max(1, row_bytes)))


class Attribute:
    """Which rules a value of one attribute leaves alive.

    Parameters
    ----------
    kinds
        Of the values in its lists, and of those that the attribute may have.

    Attributes
    ----------
    remembered : dict
        Bitmaps by value, with `TRUE` and `FALSE` for booleans and None for a
        missing value, which is always there. Callers look here first.
    """

    def __init__(
        self,
        position: int,
        rows: tuple[Array, Array, Array],
        kinds: tuple[int, int],
        listed: Listed,
        ranges: Ranges | None,
    ) -> None:
        absent, default, unranged = rows
        self._position = position
        self._row_bytes = len(absent)
        self._absent = to_int(absent)
        self._default = to_int(default)
        self._unranged = to_int(unranged)
        self._kinds, self._types = kinds
        self._listed = listed
        self._ranges = ranges
        self._capacity = capacity(len(absent))
        self._window = NOWHERE
        self.remembered: dict[Value | bytes | None, int] = {None: self._absent}

    def look_up(self, value: Any) -> int:
        """Work out the bitmap of a value that is not remembered, and remember it if that is of use."""
        if isinstance(value, _NUMERIC):
            # A clock stays between two cuts for long and never shows the same value again.
            low, high, bits = self._window
            if low <= value < high:
                return bits
        if typed(value is TRUE if isinstance(value, bytes) else value, self._types) is None:
            return self._absent
        if isinstance(value, list | tuple):
            # No list of values holds a list; what is asked of its elements is a predicate.
            return self._default & self._unranged
        if not isinstance(value, _NUMERIC) and len(value) > self._listed.longest:
            # In no list. A request may invent any number of these.
            return self._default & self._unranged
        bits = self._number(value) if isinstance(value, _NUMERIC) else self._other(value)
        if len(self.remembered) >= self._capacity:
            self.remembered.clear()
            self.remembered[None] = self._absent
        self.remembered[value] = bits
        return bits

    def _number(self, value: float) -> int:
        listed = self._exact(value, NUMBER)
        if self._ranges is None or isnan(value := number(value)):
            return listed & self._unranged
        low, high, bits = self._ranges.window(value)
        if not self._kinds & NUMBER:
            self._window = (low, high, bits & listed)
        return bits & listed

    def _other(self, value: str | bytes) -> int:
        if isinstance(value, bytes):
            return self._exact(value is TRUE, BOOLEAN) & self._unranged
        return self._exact(value, STRING) & self._unranged

    def _exact(self, value: Value, kind: int) -> int:
        if not self._kinds & kind:
            return self._default
        return self._default ^ self._listed.flips(self._position, value, self._row_bytes)

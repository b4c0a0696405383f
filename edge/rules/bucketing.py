"""Which variation a visitor falls into; the same numbers as the open-source experimentation SDKs."""

from collections.abc import Sequence
from typing import Final

Range = tuple[float, float]
"""From (inside) to (outside), both within 0 and 1."""

_OFFSET: Final = 0x811C9DC5
_PRIME: Final = 0x01000193

MIN_TOTAL: Final = 0.99
MAX_TOTAL: Final = 1.01
"""Weights whose sum lies outside are not believed."""


def fnv1a_32(text: str) -> int:
    """FNV-1a of 32 bits over UTF-16 code units, each taken as one number."""
    units = (
        text.encode() if text.isascii() else memoryview(text.encode("utf-16-le", "surrogatepass")).cast("H")
    )
    found = _OFFSET
    for unit in units:
        found = (found ^ unit) * _PRIME & 0xFFFFFFFF
    return found


def bucket(seed: str, value: str, version: int) -> float | None:
    """Where this value stands in [0, 1); None for an unknown version.

    Version 1 has a thousand places and a known bias between experiments, version 2 ten thousand.
    """
    if version == 1:
        return fnv1a_32(value + seed) % 1000 / 1000
    if version == 2:
        return fnv1a_32(str(fnv1a_32(seed + value))) % 10000 / 10000
    return None


def in_range(place: float, range_: Sequence[float]) -> bool:
    """Whether the place is in the range; its end is outside."""
    return range_[0] <= place < range_[1]


def in_namespace(value: str, name: str, range_: Sequence[float]) -> bool:
    """Whether this value is in the part of a namespace; experiments in disjoint parts exclude each other."""
    place = bucket("__" + name, value, 1)
    return place is not None and in_range(place, range_)


def equal_weights(variations: int) -> list[float]:
    """The same share for each."""
    return [1 / variations] * variations if variations > 0 else []


def usable_weights(variations: int, weights: Sequence[float] | None) -> list[float]:
    """The weights if there is one for each variation and they make up 1, else equal ones."""
    if weights is None or len(weights) != variations or not MIN_TOTAL <= sum(weights) <= MAX_TOTAL:
        return equal_weights(variations)
    return list(weights)


def bucket_ranges(variations: int, coverage: float, weights: Sequence[float] | None = None) -> list[Range]:
    """The range of each variation.

    Each begins where it would with full coverage, so that changing the coverage
    moves no one between variations.
    """
    coverage = min(max(coverage, 0.0), 1.0)
    ranges = []
    begin = 0.0
    for weight in usable_weights(variations, weights):
        ranges.append((begin, begin + coverage * weight))
        begin += weight
    return ranges


def choose_variation(place: float, ranges: Sequence[Sequence[float]]) -> int:
    """The first variation whose range holds the place, or -1."""
    for position, range_ in enumerate(ranges):
        if in_range(place, range_):
            return position
    return -1

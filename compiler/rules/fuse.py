"""Builds binary fuse filters: all ids at once, layer by layer, the same bytes from the same ids."""

import math
from collections.abc import Collection, Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.bundle.arrays import Array
from edge.decide.fuse import MAX_SEGMENT_LENGTH, key_of

MAX_ATTEMPTS: Final = 100
_SEED_STEP: Final = 0x9E3779B97F4A7C15
_MASK64: Final = (1 << 64) - 1
_MIX_1: Final = np.uint64(0xFF51AFD7ED558CCD)
_MIX_2: Final = np.uint64(0xC4CEB9FE1A85EC53)

U64 = NDArray[np.uint64]
Places = NDArray[np.int64]


def build_fuse(ids: Collection[str]) -> dict[str, Array]:
    """The arrays of `edge.decide.fuse.Fuse` over these ids; one that is there twice counts once."""
    keys = np.unique(np.fromiter(map(key_of, ids), np.uint64, len(ids)))
    length, count = _shape(len(keys))
    for attempt in range(MAX_ATTEMPTS):
        seed = attempt * _SEED_STEP & _MASK64
        hashes = _mixed(keys, seed)
        places = _places(hashes, length, count)
        layers = _peel(places, (count + 2) * length)
        if layers is not None:
            prints = _assign(hashes, places, layers, (count + 2) * length)
            return {"shape": np.array([seed, length, count], np.uint64), "prints": prints}
    raise AssertionError("no seed of a hundred gave a filter; each does with 9 of 10 chances")


def found_in(arrays: Mapping[str, Array], keys: U64) -> NDArray[np.bool_]:
    """Whether a filter holds each of these keys: as `edge.decide.fuse.Fuse`, for many at once."""
    seed, length, count = arrays["shape"].tolist()
    hashes = _mixed(keys, seed)
    prints = arrays["prints"][_places(hashes, length, count)]
    found: NDArray[np.bool_] = np.bitwise_xor.reduce(prints, axis=1) == _prints(hashes)
    return found


def _prints(hashes: U64) -> NDArray[np.uint16]:
    return (hashes ^ hashes >> np.uint64(32)).astype(np.uint16)


def _shape(size: int) -> tuple[int, int]:
    """Length of a segment, and how many of them begin a triple; as the paper found them best."""
    if size < 2:
        return 4, 1
    length = min(MAX_SEGMENT_LENGTH, 1 << math.floor(math.log(size) / math.log(3.33) + 2.25))
    factor = max(1.125, 0.875 + 0.25 * math.log(1_000_000) / math.log(size))
    return length, max(1, -(-round(size * factor) // length) - 2)


def _mixed(keys: U64, seed: int) -> U64:
    found = keys + np.uint64(seed)
    found = (found ^ found >> np.uint64(33)) * _MIX_1
    found = (found ^ found >> np.uint64(33)) * _MIX_2
    return found ^ found >> np.uint64(33)


def _places(hashes: U64, length: int, count: int) -> Places:
    """By id, its three places; the first is the high half of hash times span, in steps of 32 bits."""
    span, low = np.uint64(count * length), np.uint64(0xFFFFFFFF)
    below = (hashes & low) * span >> np.uint64(32)
    first = ((hashes >> np.uint64(32)) * span + below) >> np.uint64(32)
    within = np.uint64(length - 1)
    second = (first + np.uint64(length)) ^ (hashes >> np.uint64(18) & within)
    third = (first + np.uint64(2 * length)) ^ (hashes & within)
    return np.stack([first, second, third], axis=1).astype(np.int64)


Layer = tuple[NDArray[Any], NDArray[Any]]
"""Ids, and the place of each that none of the ids of later layers has."""


def _peel(places: Places, size: int) -> list[Layer] | None:
    """Take away all ids that have a place to themselves, until none is left; None where some always share."""
    degree = np.bincount(places.ravel(), minlength=size)
    # The exclusive or of the ids at a place is the id itself where there is one alone.
    holders = np.zeros(size, np.int64)
    everyone = np.arange(len(places))
    for column in range(3):
        np.bitwise_xor.at(holders, places[:, column], everyone)
    layers: list[Layer] = []
    alone = np.flatnonzero(degree == 1)
    left = len(places)
    while len(alone):
        ids, first = np.unique(holders[alone], return_index=True)
        layers.append((ids, alone[first]))
        left -= len(ids)
        touched = places[ids].ravel()
        np.subtract.at(degree, touched, 1)
        np.bitwise_xor.at(holders, touched, np.repeat(ids, 3))
        touched = np.unique(touched)
        alone = touched[degree[touched] == 1]
    return None if left else layers


def _assign(hashes: U64, places: Places, layers: list[Layer], size: int) -> Array:
    """Fingerprints such that the three of each id make its own; the last that was taken away comes first."""
    wanted = _prints(hashes)
    prints = np.zeros(size, np.uint16)
    for ids, own in reversed(layers):
        of_all = np.bitwise_xor.reduce(prints[places[ids]], axis=1)
        prints[own] = wanted[ids] ^ of_all ^ prints[own]
    return prints

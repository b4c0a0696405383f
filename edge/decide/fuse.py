"""A set of many ids in two bytes each: asked whether it holds one, it may say yes in error, never no.

A binary fuse filter (Thomas Mueller Graf and Daniel Lemire, "Binary Fuse Filters: Fast and Smaller Than Xor
Filters", 2022) of three hashes and fingerprints of 16 bits.
"""

from collections.abc import Mapping
from hashlib import blake2b
from typing import Final

from edge.bundle.arrays import Array, unpack
from edge.bundle.reader import Bundle
from edge.errors import BundleError

VISITOR_ID: Final = "visitor.id"
"""What a list may go by beside attributes: the id in the visitor's cookie, 32 hexadecimal digits."""

FINGERPRINT_BITS: Final = 16
FALSE_POSITIVE_RATE: Final = 2.0**-FINGERPRINT_BITS
"""The share of strangers that a filter takes for members: 1 of 65,536."""

MAX_SEGMENT_LENGTH: Final = 1 << 18
MASK64: Final = (1 << 64) - 1
_MIX_1: Final = 0xFF51AFD7ED558CCD
_MIX_2: Final = 0xC4CEB9FE1A85EC53


def key_of(text: str) -> int:
    """64 bits of an id; nothing secret goes into them, so whoever holds a filter can try ids."""
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def mixed(key: int, seed: int) -> int:
    """The key's hash under a seed: the finalizer of MurmurHash3."""
    found = (key + seed) & MASK64
    found = (found ^ found >> 33) * _MIX_1 & MASK64
    found = (found ^ found >> 33) * _MIX_2 & MASK64
    return found ^ found >> 33


class Fuse:
    """A filter over its arrays: ``shape`` u8 (seed, length and number of segments), and ``prints`` u2.

    Raises
    ------
    BundleError
        ``lists``: the arrays are no filter.
    """

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        shape, prints = arrays.get("shape"), arrays.get("prints")
        if shape is None or shape.dtype.str != "<u8" or shape.shape != (3,):
            raise BundleError("lists", "array 'shape' is not three numbers")
        if prints is None or prints.dtype.str != "<u2" or prints.ndim != 1:
            raise BundleError("lists", "array 'prints' is no vector of 16 bits")
        self._seed, length, count = shape.tolist()
        if length & (length - 1) or not 0 < length <= MAX_SEGMENT_LENGTH:
            raise BundleError("lists", f"segments of {length}")
        if count < 1 or (count + 2) * length != len(prints):
            raise BundleError("lists", "segments do not fit the fingerprints")
        self._length, self._span = length, count * length
        self._prints = prints.data

    def __contains__(self, text: str) -> bool:
        found = mixed(key_of(text), self._seed)
        first, second, third = places(found, self._length, self._span)
        prints = self._prints
        held: int = prints[first] ^ prints[second] ^ prints[third]
        return held == print_of(found)


def load_lists(bundle: Bundle) -> dict[str, Fuse]:
    """The lists of a bundle by name; most have none."""
    return {
        name.removeprefix("lists/"): Fuse(unpack(bundle.read(artifact)))
        for name, artifact in bundle.artifacts("rules", "lists").items()
    }


def places(found: int, length: int, span: int) -> tuple[int, int, int]:
    """Where a hash's three fingerprints stand: in three segments, one after the other."""
    first = found * span >> 64
    return (
        first,
        first + length ^ found >> 18 & length - 1,
        first + 2 * length ^ found & length - 1,
    )


def print_of(found: int) -> int:
    """The fingerprint of a hash."""
    return (found ^ found >> 32) & 0xFFFF

"""Makes one gzip stream of parts that were deflated apart, their checksums combined."""

import zlib
from array import array
from collections.abc import Iterable
from functools import lru_cache
from struct import Struct
from typing import Final
from zlib import crc32

HEADER: Final = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
END: Final = b"\x03\0"
"""A last block that holds nothing."""

MAX_STORED: Final = 0xFFFF
STORED_OVERHEAD: Final = 5
SHIFT_FROM: Final = 2048
"""Bytes of a part from which combining its checksum is cheaper than running over it."""
MAX_SHIFTS: Final = 4096
"""Lengths whose shift is remembered; 600 bytes each."""

_POLYNOMIAL: Final = 0xEDB88320
_ONE: Final = 1 << 31
_STORED_HEAD: Final = Struct("<BHH").pack
_TRAILER: Final = Struct("<II").pack


class Part:
    """Bytes of a page and what they are inside of a deflate stream, whatever stands around them.

    Attributes
    ----------
    raw : bytes
        What a browser gets in the end.
    deflated : bytes
        Whole blocks that end at a byte's boundary, refer to nothing before them, and don't end the stream.
    """

    __slots__ = ("crc", "deflated", "raw", "shift")

    def __init__(self, raw: bytes, deflated: bytes) -> None:
        self.raw = raw
        self.deflated = deflated
        self.crc = 0
        self.shift: array[int] | None = None

    def settle(self) -> "Part":
        """Work out what makes adding a long part to a checksum cheap; for parts that stand in many pages."""
        if len(self.raw) >= SHIFT_FROM and self.shift is None:
            self.crc = crc32(self.raw)
            self.shift = shift_of(len(self.raw))
        return self


def stitched(parts: Iterable[Part]) -> bytes:
    """The gzip stream of all parts, one after the other."""
    out = [HEADER]
    crc = size = 0
    for part in parts:
        raw, s = part.raw, part.shift
        out.append(part.deflated)
        size += len(raw)
        if s is None:
            crc = crc32(raw, crc)
            continue
        # The checksum is linear over bits: eight nibbles, each shifted by a look-up.
        crc = (
            part.crc ^ s[crc & 15] ^ s[16 | crc >> 4 & 15] ^ s[32 | crc >> 8 & 15] ^ s[48 | crc >> 12 & 15]
            ^ s[64 | crc >> 16 & 15] ^ s[80 | crc >> 20 & 15] ^ s[96 | crc >> 24 & 15] ^ s[112 | crc >> 28]
        )  # fmt: skip
    out += (END, _TRAILER(crc, size & 0xFFFFFFFF))
    return b"".join(out)


class Stitching:
    """A gzip stream that leaves part by part."""

    def __init__(self) -> None:
        self._crc = self._size = 0

    def add(self, part: Part) -> bytes:
        """The bytes of the next part; those of the first follow `HEADER`."""
        self._crc = crc32(part.raw, self._crc)
        self._size += len(part.raw)
        return part.deflated

    def end(self) -> bytes:
        """What ends the stream."""
        return END + _TRAILER(self._crc, self._size & 0xFFFFFFFF)


def deflated(raw: bytes, level: int) -> bytes:
    """The bytes as blocks for a `Part`; stored where deflating makes them no smaller."""
    if not raw:
        return b""
    squeezer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    squeezed = squeezer.compress(raw) + squeezer.flush(zlib.Z_SYNC_FLUSH)
    return squeezed if len(squeezed) < len(raw) + STORED_OVERHEAD else stored(raw)


def stored(raw: bytes) -> bytes:
    """The bytes as they are, as blocks for a `Part`: their length tells nothing of what they are."""
    if len(raw) <= MAX_STORED:
        return _STORED_HEAD(0, len(raw), len(raw) ^ 0xFFFF) + raw if raw else b""
    return b"".join([stored(raw[at : at + MAX_STORED]) for at in range(0, len(raw), MAX_STORED)])


@lru_cache(MAX_SHIFTS)
def shift_of(length: int) -> "array[int]":
    """What so many bytes after it make of each nibble of a CRC-32, 16 values for each of its eight."""
    columns = [0] * 32
    column = _power(length)
    for bit in range(31, -1, -1):
        columns[bit] = column
        column = _times_x(column)
    shift = array("I", bytes(4 * 128))
    for nibble in range(8):
        for value in range(1, 16):
            low = value & -value
            rest = shift[16 * nibble | value ^ low]
            shift[16 * nibble | value] = rest ^ columns[4 * nibble + low.bit_length() - 1]
    return shift


def _power(length: int) -> int:
    """x to the bits of `length` bytes, modulo the polynomial; the highest bit stands for x⁰."""
    power, square = _ONE, _ONE >> 8
    while length:
        if length & 1:
            power = _product(power, square)
        square = _product(square, square)
        length >>= 1
    return power


def _product(a: int, b: int) -> int:
    product = 0
    for bit in range(31, -1, -1):
        if a >> bit & 1:
            product ^= b
        b = _times_x(b)
    return product


def _times_x(a: int) -> int:
    return a >> 1 ^ _POLYNOMIAL if a & 1 else a >> 1

"""Writes PNG files, with any filter for each line."""

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


def write_png(path: Path, colours: NDArray[np.uint8], filters: Sequence[int] = (0,)) -> None:
    """Write 8-bit colours as PNG, line n with the filter that is due; folders are made."""
    height, width, channels = colours.shape
    lines = b""
    above = np.zeros((width, channels), np.int64)
    for number, row in enumerate(colours.astype(np.int64)):
        kind = filters[number % len(filters)]
        left = np.concatenate([np.zeros((1, channels), np.int64), row[:-1]])
        corner = np.concatenate([np.zeros((1, channels), np.int64), above[:-1]])
        guesses = (0 * row, left, above, (left + above) // 2, _paeth(left, above, corner))
        lines += bytes([kind]) + ((row - guesses[kind]) % 256).astype(np.uint8).tobytes()
        above = row
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    header = struct.pack(">IIBBBBB", width, height, 8, kind, 0, 0, 0)
    path.parent.mkdir(parents=True, exist_ok=True)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(lines)), (b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in parts))


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def _paeth(left: NDArray[np.int64], above: NDArray[np.int64], corner: NDArray[np.int64]) -> NDArray[np.int64]:
    sides = np.stack([left, above, corner])
    best = np.abs(sides - (left + above - corner)).argmin(axis=0)
    return np.take_along_axis(sides, best[np.newaxis], axis=0)[0]

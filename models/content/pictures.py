"""Reads pictures as arrays of colours: PNG by itself, other kinds where Pillow is installed."""

import struct
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.errors import GivenError

SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
MAX_PIXELS: Final = 50_000_000
CHANNELS: Final = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""By PNG's colour type: grey, colours, places in a palette, grey and opacity, colours and opacity."""

Picture = NDArray[np.float32]
"""Of shape (height, width, 3), from 0 to 1; what lets light through stands on white."""


def read_picture(path: Path) -> Picture:
    """Read a picture by what the file holds.

    Raises
    ------
    GivenError
        ``picture``, with the file: it can't be read, is damaged or too large, or its kind needs Pillow.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise GivenError("picture", f"{path}: can't be read: {error}") from error
    try:
        if data.startswith(SIGNATURE):
            return _on_white(_read_png(data))
        return _on_white(_read_other(path))
    except (ValueError, IndexError, OSError, struct.error, zlib.error) as error:
        raise GivenError("picture", f"{path}: {error}") from error


def _on_white(colours: NDArray[np.uint8]) -> Picture:
    """Grey or colours, with opacity or without."""
    values = colours.astype(np.float32) / 255
    opacity = values[:, :, -1:] if colours.shape[2] in (2, 4) else np.ones_like(values[:, :, :1])
    plain = values[:, :, : 1 if colours.shape[2] <= 2 else 3]
    return np.broadcast_to(plain * opacity + (1 - opacity), (*values.shape[:2], 3)).astype(np.float32)


def _read_other(path: Path) -> NDArray[np.uint8]:
    try:
        from PIL import Image  # type: ignore[import-not-found, unused-ignore]  # noqa: PLC0415 - an extra of yours
    except ImportError:
        raise ValueError("is no PNG; to read other kinds, `pip install pillow`") from None
    with Image.open(path) as image:
        _check_size(*image.size)
        return np.asarray(image.convert("RGBA"), np.uint8)


def _check_size(width: int, height: int) -> None:
    if not 0 < width * height <= MAX_PIXELS:
        raise ValueError(f"{width} x {height} pixels; pictures have 1 to {MAX_PIXELS}")


def _read_png(data: bytes) -> NDArray[np.uint8]:
    """PNG of 8 bits a channel, not interlaced: what nearly all are."""
    parts = _chunks(data)
    width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", parts[b"IHDR"])
    _check_size(width, height)
    if depth != 8 or interlaced or kind not in CHANNELS:
        raise ValueError("is a PNG of more or fewer than 8 bits, or interlaced; save it as a plain one")
    channels = CHANNELS[kind]
    inflate = zlib.decompressobj()
    raw = inflate.decompress(parts.get(b"IDAT", b""), height * (1 + width * channels))
    lines = np.frombuffer(raw, np.uint8).reshape(height, 1 + width * channels)
    rows = _unfilter(lines[:, 0], lines[:, 1:], channels).reshape(height, width, channels)
    if kind == 3:
        palette = np.frombuffer(parts[b"PLTE"], np.uint8).reshape(-1, 3)
        return palette[rows[:, :, 0]]
    return rows


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """The parts of the file by kind; those of one kind are joined."""
    found: dict[bytes, bytes] = {}
    at = len(SIGNATURE)
    while at + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind = data[at + 4 : at + 8]
        found[kind] = found.get(kind, b"") + data[at + 8 : at + 8 + length]
        at += 12 + length
    if b"IHDR" not in found:
        raise ValueError("ends before the picture begins")
    return found


def _unfilter(filters: NDArray[Any], lines: NDArray[Any], channels: int) -> NDArray[np.uint8]:
    rows = np.zeros((len(lines), lines.shape[1]), np.uint8)
    above = np.zeros(lines.shape[1], np.uint8)
    for number, (kind, line) in enumerate(zip(filters.tolist(), lines, strict=True)):
        above = rows[number] = _unfiltered(kind, line, above, channels)
    return rows


def _unfiltered(kind: int, line: NDArray[Any], above: NDArray[Any], channels: int) -> NDArray[Any]:
    if kind == 0:
        return line
    if kind == 1:
        return np.cumsum(line.reshape(-1, channels), axis=0, dtype=np.uint8).reshape(-1)
    if kind == 2:
        return np.asarray(line + above, np.uint8)
    if kind not in (3, 4):
        raise ValueError(f"has a line of unknown kind {kind}")
    found = [0] * channels + line.tolist()
    over = [0] * channels + above.tolist()
    for place in range(channels, len(found)):
        left, up, corner = found[place - channels], over[place], over[place - channels]
        guess = (left + up) // 2 if kind == 3 else _nearest(left, up, corner)
        found[place] = (found[place] + guess) & 255
    return np.array(found[channels:], np.uint8)


def _nearest(left: int, up: int, corner: int) -> int:
    """Paeth's guess: which of the three is nearest to ``left + up - corner``."""
    to_left, to_up, to_corner = abs(up - corner), abs(left - corner), abs(left + up - 2 * corner)
    if to_left <= to_up and to_left <= to_corner:
        return left
    return up if to_up <= to_corner else corner

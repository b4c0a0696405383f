"""Remembers rows of numbers that are costly to make, each by the hash of what it was made from."""

from collections.abc import Callable, Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.bundle.arrays import pack, unpack
from edge.errors import BundleError
from models.kept import folder as kept

SAVED_EVERY: Final = 500
"""Rows after which what was made is saved, so that a stop costs little."""

Row = NDArray[np.float32]


def remembered(
    name: str, keys: Iterable[str], make: Callable[[str], Row], hear: Callable[[float], None]
) -> dict[str, Row]:
    """A row of one width for each key, a SHA-256 in hex; only those are made that no earlier call made.

    Where `models.kept.folder` has a folder, they are in its file `name`; a damaged one is made again.
    """
    held = _read(name)
    new = [key for key in dict.fromkeys(keys) if key not in held]
    for number, key in enumerate(new, 1):
        held[key] = make(key)
        if number % SAVED_EVERY == 0 or number == len(new):
            _write(name, held)
        hear(number / len(new))
    return held


def _read(name: str) -> dict[str, Row]:
    path = kept.place(name)
    if path is None or not path.is_file():
        return {}
    try:
        held = unpack(path.read_bytes())
        keys = held["keys"].tobytes().hex()
        return {keys[64 * n : 64 * (n + 1)]: row for n, row in enumerate(held["rows"])}
    except (BundleError, KeyError, OSError):
        return {}


def _write(name: str, held: dict[str, Row]) -> None:
    path = kept.place(name)
    if path is None:
        return
    keys = np.frombuffer(bytes.fromhex("".join(held)), np.uint8).reshape(-1, 32)
    partial = path.with_suffix(".partial")
    partial.write_bytes(pack({"keys": keys, "rows": np.array(list(held.values()), np.float32)}))
    partial.replace(path)

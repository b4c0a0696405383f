"""Rows of raw columns, made up, on which a bundle proves what its models answer."""

import hashlib
from collections.abc import Iterator, Sequence
from math import nan
from typing import Final

import numpy as np

from edge.bundle.features import Column

AMOUNTS: Final = (0.0, 1.0, -1.0, 2.0, 0.5, 3.0, 5.0, 10.0, 17.0, 30.0, 100.0, 1234.5, 1e6, -30.0)
"""What numbers are in golden rows, beside missing."""


def golden_rows(columns: Sequence[Column], count: int) -> Iterator[tuple[float, ...]]:
    """Nothing known, and mixtures; the same rows every time."""
    yield (nan,) * len(columns)
    for turn in range(count - 1):
        yield tuple(_drawn(turn, at, column) for at, column in enumerate(columns))


def _drawn(turn: int, at: int, column: Column) -> float:
    # Not `random`: its numbers may change between versions of Python, and with them the bundle.
    draw = int.from_bytes(hashlib.sha256(f"{turn}:{at}".encode()).digest()[:8], "big")
    if draw % 8 == 0:
        return nan
    if column.text:
        return float(draw // 8 % (len(column.categories) + 1))
    return float(np.float32(AMOUNTS[draw // 8 % len(AMOUNTS)]))

"""How sure a share is that was counted in a sample: intervals, with visitors who come again."""

import math
from collections.abc import Iterable
from typing import Final

Z_95: Final = 1.959964
"""Of 100 samples, 95 lie within so many standard errors."""


def independent(per_visitor: Iterable[int]) -> float:
    """How many independent requests these are worth, by how many each visitor made.

    This is Kish's effective sample size where all requests of one visitor are alike: the least
    that they can be worth, so intervals come out rather too wide than too narrow.
    """
    counts = list(per_visitor)
    squares = sum(count * count for count in counts)
    return sum(counts) ** 2 / squares if squares else 0.0


def interval(hits: int, requests: int, worth: float) -> tuple[float, float]:
    """Wilson's interval of 95 % for a share, of `requests` that are worth so many independent ones."""
    if not requests or worth <= 0:
        return 0.0, 1.0
    share, square = hits / requests, Z_95 * Z_95
    middle = (share + square / (2 * worth)) / (1 + square / worth)
    spread = share * (1 - share) / worth + square / (4 * worth * worth)
    half = Z_95 * math.sqrt(spread) / (1 + square / worth)
    return max(0.0, middle - half), min(1.0, middle + half)

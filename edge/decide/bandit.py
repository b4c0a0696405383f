"""Draws the arm of a bandit: by a decision's exploration seed, and the weights that are in force."""

import hashlib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate
from typing import Final, NamedTuple

from edge.bundle import format as fmt
from edge.decide.types import Context

_MASK: Final = (1 << 64) - 1
_DECIMALS: Final = 9


class Arm(NamedTuple):
    """What a decision has of an experiment or a bandit: one of its variations or arms."""

    experiment: str
    variation: str
    propensity: float
    shows: Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class Weights:
    """Weights that came after the bundle; decision records name them by `id`.

    Attributes
    ----------
    of : Mapping[tuple[str, str], float]
        By bandit and arm. An arm that is not there has the weight that its bundle says.
    """

    id: str = ""
    of: Mapping[tuple[str, str], float] = field(default_factory=dict)


OWN: Final = Weights()
"""None but the bundle's own."""


class Bandit:
    """A bandit with the shares of its arms at hand."""

    def __init__(self, document: fmt.Bandit) -> None:
        self.id = document.id
        self.floor = document.floor
        self.positions = {arm.key: position for position, arm in enumerate(document.arms)}
        self._arms = document.arms
        self._known = (OWN, *self._table(OWN))

    def arms(self, weights: Weights = OWN) -> Sequence[Arm]:
        """All arms, each with its share under these weights as its propensity."""
        return self._shares(weights)[0]

    def draw(self, context: Context, placement: str, weights: Weights = OWN) -> Arm:
        """The arm of one placement: what a tester demands, or else as the seed says."""
        arms, ends = self._shares(weights)
        for name, key in context.forced:
            if name == self.id and key in self.positions:
                return arms[self.positions[key]]._replace(propensity=1.0)
        return arms[bisect_right(ends, self.place(context, placement))]

    def place(self, context: Context, placement: str) -> float:
        """Where this decision stands in [0, 1), for one placement."""
        return draw(context.seed, self.id, placement)

    def _shares(self, weights: Weights) -> tuple[Sequence[Arm], Sequence[float]]:
        # One assignment, as nobody may see the arms of one and the ends of another.
        known = self._known
        if known[0] is not weights:
            known = self._known = (weights, *self._table(weights))
        return known[1:]

    def _table(self, weights: Weights) -> tuple[Sequence[Arm], Sequence[float]]:
        """The arms, and where the part of each ends."""
        given = [weights.of.get((self.id, arm.key), arm.weight) for arm in self._arms]
        shares = shares_of(given, self.floor)
        arms = [
            Arm(self.id, arm.key, round(share, _DECIMALS), arm.shows)
            for arm, share in zip(self._arms, shares, strict=True)
        ]
        return arms, [*accumulate(shares[:-1]), 1.0]


def shares_of(weights: Sequence[float], floor: float) -> list[float]:
    """Shares that make up 1 and go by the weights, none below the floor.

    What the lowest are raised by, the others give, each by its weight.
    """
    raised: set[int] = set()
    while True:
        left = 1.0 - floor * len(raised)
        total = sum(weight for position, weight in enumerate(weights) if position not in raised)
        if len(raised) == len(weights) or total <= 0:
            return [1 / len(weights)] * len(weights)
        shares = [
            floor if position in raised else left * weight / total for position, weight in enumerate(weights)
        ]
        below = {position for position, share in enumerate(shares) if share < floor}
        if not below:
            return shares
        raised |= below


def draw(seed: int, bandit: str, placement: str) -> float:
    """A number in [0, 1), even over seeds, and for each bandit and placement another one."""
    mixed = seed ^ _salt(bandit, placement)
    # The finalizer of SplitMix64: each bit of the seed moves about half of the result's.
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EB & _MASK
    return ((mixed ^ mixed >> 31) >> 11) / (1 << 53)


@lru_cache(1 << 12)
def _salt(bandit: str, placement: str) -> int:
    return int.from_bytes(hashlib.sha256(f"{bandit}\0{placement}".encode()).digest()[:8], "big")

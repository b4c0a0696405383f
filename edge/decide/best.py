"""Picks the campaign of the highest value where a placement shows the best of those that fit."""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from edge.bundle import format as fmt
from edge.decide.types import Value

STEPS: Final = 1_000
"""Numbers count to three decimals: as whole steps their sums are exact, in any order and on any machine."""

MAX_AMOUNT: Final = 1e9

Terms = Sequence[tuple[str, int]]


def amount(value: Value | None) -> int:
    """An attribute's value in steps: true is 1, and what is missing or no number is 0."""
    if not isinstance(value, int | float) or math.isnan(value):
        return 0
    return round(min(max(value, -MAX_AMOUNT), MAX_AMOUNT) * STEPS)


class Best:
    """One placement's campaigns by value; bits are counted from the placement's lowest.

    Bits rise with the base of their value, so of all campaigns with the same terms the highest bit has the
    highest value: a request costs by the terms that differ, not by the campaigns.

    Attributes
    ----------
    moves : bool
        Whether any value depends on the context; else the highest bit always wins.
    reads : frozenset[str]
        The attributes that values look at.
    """

    def __init__(self, document: fmt.Best) -> None:
        self._bases, self._of, self._ranks = document.bases, document.of, document.ranks
        self._formulas = document.formulas
        of = np.array(document.of, np.uint32)
        self._groups = [
            (int.from_bytes(np.packbits(of == number, bitorder="little").tobytes(), "little"), terms)
            for number, terms in enumerate(document.formulas)
        ]
        self.moves = any(document.formulas)
        self.reads = frozenset(name for terms in document.formulas for name, _ in terms)

    def pick(self, alive: int, attributes: Mapping[str, Value]) -> int:
        """The bit of the highest value among those that are alive; -1 where none is."""
        found, highest = -1, 0
        amounts: dict[str, int] = {}
        for mask, terms in self._groups:
            bit = (alive & mask).bit_length() - 1
            if bit < 0:
                continue
            value = self._bases[bit] * STEPS
            for name, weight in terms:
                known = amounts.get(name)
                if known is None:
                    known = amounts[name] = amount(attributes.get(name))
                value += weight * known
            if found < 0 or value > highest or (value == highest and self._ranks[bit] > self._ranks[found]):
                found, highest = bit, value
        return found

    def key(self, bit: int, attributes: Mapping[str, Value]) -> tuple[int, int]:
        """The value of a bit's campaign in millionths, and its rank among those of equal value."""
        added = sum(weight * amount(attributes.get(name)) for name, weight in self.terms(bit))
        return self._bases[bit] * STEPS + added, self._ranks[bit]

    def base(self, bit: int) -> int:
        """The base of a bit's campaign, in steps."""
        return self._bases[bit]

    def terms(self, bit: int) -> Terms:
        """What is added to the base of a bit's campaign."""
        return self._formulas[self._of[bit]]

"""The normal form of what is demanded of one attribute."""

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from typing import Final

from edge.rules.values import Value

INFINITY: Final = math.inf


@dataclass(frozen=True)
class Constraint:
    """What one attribute must be.

    Attributes
    ----------
    allowed : frozenset or None
        The only values that hold; None: any. Where it is set, `excluded` is
        empty and the interval is open: they are already taken out of it.
    excluded : frozenset
        Values that don't hold.
    low, high : float
        The interval, both ends inside.
    ranged : bool
        Whether the value must be a number in the interval.
    absent : bool
        Whether a missing value holds.
    pieces : tuple[tuple[float, float], ...]
        Where it has gaps: the parts of the interval, in order and apart, both ends inside.
    """

    allowed: frozenset[Value] | None = None
    excluded: frozenset[Value] = frozenset()
    low: float = -INFINITY
    high: float = INFINITY
    ranged: bool = False
    absent: bool = True
    pieces: tuple[tuple[float, float], ...] = ()

    @property
    def intervals(self) -> tuple[tuple[float, float], ...]:
        """The parts of the interval; one where it has no gaps."""
        return self.pieces or ((self.low, self.high),)

    @property
    def impossible(self) -> bool:
        """Whether nothing holds, not even a missing value."""
        return not self.absent and self.allowed is not None and not self.allowed

    def both(self, other: "Constraint") -> "Constraint":
        """The constraint that holds where both hold."""
        if self.allowed is None or other.allowed is None:
            allowed = self.allowed if other.allowed is None else other.allowed
        else:
            allowed = self.allowed & other.allowed
        found = normal(
            allowed,
            self.excluded | other.excluded,
            (max(self.low, other.low), min(self.high, other.high)),
            self.ranged or other.ranged,
            self.absent and other.absent,
        )
        for part in (self, other):
            found = found.within(part.pieces) if part.pieces else found
        return found

    def within(self, pieces: tuple[tuple[float, float], ...]) -> "Constraint":
        """The constraint that holds where this one does, with a number in one of the pieces or none."""
        both = [
            (max(one[0], two[0]), min(one[1], two[1])) for one in self.intervals for two in _near(pieces, one)
        ]
        low, high = (both[0][0], both[-1][1]) if both else (INFINITY, -INFINITY)
        if self.allowed is not None:
            inside = (v for v in self.allowed if any(_within(v, *piece) for piece in both))
            return Constraint(frozenset(inside), absent=self.absent)
        found = normal(None, self.excluded, (low, high), ranged=True, absent=self.absent)
        return replace(found, pieces=tuple(both)) if len(both) > 1 else found

    def complement(self) -> "Constraint":
        """The constraint that holds where this one, being of one operator, does not.

        Raises
        ------
        ValueError
            It is bounded on both sides: no one constraint holds outside.
        """
        absent = not self.absent
        if self.allowed is not None:
            return Constraint(excluded=self.allowed, absent=absent)
        if not self.ranged:
            return Constraint(self.excluded, absent=absent)
        if self.low > -INFINITY and self.high < INFINITY:
            raise ValueError("an interval with two ends has no complement of one piece")
        if self.low > -INFINITY:
            below = (-INFINITY, math.nextafter(self.low, -INFINITY) + 0.0)
            return normal(None, frozenset(), below, ranged=True, absent=absent)
        if self.high < INFINITY:
            above = (math.nextafter(self.high, INFINITY) + 0.0, INFINITY)
            return normal(None, frozenset(), above, ranged=True, absent=absent)
        return Constraint(frozenset(), absent=absent)

    def either(self, other: "Constraint") -> "Constraint | None":
        """The constraint that holds where one of both does; None where no single one can say so."""
        absent = self.absent or other.absent
        if self.ranged or other.ranged:
            return None
        if self.allowed is not None and other.allowed is not None:
            return Constraint(self.allowed | other.allowed, absent=absent)
        if self.allowed is not None:
            return Constraint(excluded=other.excluded - self.allowed, absent=absent)
        if other.allowed is not None:
            return Constraint(excluded=self.excluded - other.allowed, absent=absent)
        return Constraint(excluded=self.excluded & other.excluded, absent=absent)


def normal(
    allowed: frozenset[Value] | None,
    excluded: frozenset[Value],
    interval: tuple[float, float],
    ranged: bool,
    absent: bool,
) -> Constraint:
    """The one form among those that mean the same."""
    low, high = interval
    if ranged and allowed is None and low == high:
        allowed = frozenset({low})
    if ranged and low > high:
        allowed = frozenset()
    if allowed is not None:
        inside = (v for v in allowed - excluded if not ranged or _within(v, low, high))
        return Constraint(frozenset(inside), absent=absent)
    if ranged:
        excluded = frozenset(v for v in excluded if _within(v, low, high))
    return Constraint(None, excluded, low, high, ranged, absent)


def _near(
    pieces: tuple[tuple[float, float], ...], interval: tuple[float, float]
) -> list[tuple[float, float]]:
    """Those that share a number with the interval."""
    first = bisect_left(pieces, interval[0], key=lambda piece: piece[1])
    end = bisect_right(pieces, interval[1], key=lambda piece: piece[0])
    return list(pieces[first:end])


def _within(value: Value, low: float, high: float) -> bool:
    return not isinstance(value, str | bool) and low <= value <= high

"""The normal form of what is demanded of one attribute."""

import math
from dataclasses import dataclass
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
    """

    allowed: frozenset[Value] | None = None
    excluded: frozenset[Value] = frozenset()
    low: float = -INFINITY
    high: float = INFINITY
    ranged: bool = False
    absent: bool = True

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
        return normal(
            allowed,
            self.excluded | other.excluded,
            (max(self.low, other.low), min(self.high, other.high)),
            self.ranged or other.ranged,
            self.absent and other.absent,
        )


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


def _within(value: Value, low: float, high: float) -> bool:
    return not isinstance(value, str | bool) and low <= value <= high

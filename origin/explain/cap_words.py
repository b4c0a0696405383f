"""Caps in words: how often a campaign is shown to one visitor, and why it rests for this one."""

from collections.abc import Mapping, Sequence
from typing import Final

from edge.decide.caps import Cap
from edge.decide.types import Value

TIER: Final = "consent.tier"
KEEPS_STATE: Final = ("full", "session")
_UNITS: Final = (("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))


def cap_words(caps: Sequence[Cap]) -> str:
    """How often it is shown."""
    return " and ".join(map(_words, caps)) or "as often as it wins"


def resting(caps: Sequence[Cap], attributes: Mapping[str, Value]) -> str:
    """Why a capped campaign rests; empty where it does not."""
    if not caps:
        return ""
    tier = attributes.get(TIER)
    if tier not in KEEPS_STATE:
        return f"it is capped, and in the consent tier {tier or '(none)'} nothing is counted"
    return next((found for cap in caps if (found := _reached(cap, attributes.get(cap.name)))), "")


def _words(cap: Cap) -> str:
    if cap.measure == "visit":
        return f"{_times(cap.limit)} a visit"
    if cap.measure == "count":
        return f"{_times(cap.limit)} in {_lasting(cap.window_s)}"
    return f"after a rest of {_lasting(cap.limit)}" if cap.limit else f"until a {cap.event}"


def _reached(cap: Cap, value: Value | None) -> str:
    if not isinstance(value, int | float):
        return ""
    if cap.measure == "recency":
        if not cap.limit:
            return f"the visitor's {cap.event} ended it"
        ago = f"{value:.1f} hours ago"
        return f"it was shown {ago}, and rests for {_lasting(cap.limit)}" if value < cap.limit / 3600 else ""
    shown = f"it was shown {_times(int(value))}"
    return f"{shown}, of {_words(cap)}" if value > cap.limit - 1 else ""


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _lasting(seconds: int) -> str:
    name, size = next(unit for unit in _UNITS if seconds % unit[1] == 0)
    count = seconds // size
    return f"{count:,} {name}{'s' if count != 1 else ''}"

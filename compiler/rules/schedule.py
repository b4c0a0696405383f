"""Reads when a campaign runs: from, until, and in which hours of the week."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from compiler.conditions.check import Clause, Condition, Constraint
from compiler.conditions.constraint import INFINITY
from compiler.files.fields import Fields
from compiler.files.yaml_lines import Node
from compiler.problems import Problems, nearest
from compiler.rules.weekly import DAY_MS, DAYS, MINUTE_MS, Interval, Weekly, Window

NOW: Final = "time.now"
MAX_WEEKLY_DAYS: Final = 2 * 366
"""How long weekly windows may go on: each time that they open or close becomes a part of the bundle."""

MAX_WINDOWS: Final = 32

TIME: Final = re.compile(r"([01][0-9]|2[0-3]):[0-5][0-9]|24:00")
ZONE: Final = re.compile(r"UTC|(?!posix/|right/)[A-Za-z][A-Za-z_]*(/[A-Za-z0-9_+-]+){1,2}")
"""Names that mean the same on any machine."""

_LAST_MS: Final = 250_000_000_000_000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HINT: Final = "write it like 2026-05-01T09:00:00+02:00"


@dataclass(frozen=True)
class Schedule:
    """When a campaign runs.

    Attributes
    ----------
    written : Mapping
        From when and until when, as a condition; empty without both.
    zone : str
        The time zone that it is written in; empty where its instants bring their own.
    """

    written: Mapping[str, Any]
    condition: Condition
    weekly: Weekly | None = None
    zone: str = ""


ALWAYS: Final = Schedule({}, Condition())


def read_schedule(node: Node | None, place: tuple[str, str], problems: Problems) -> Schedule:
    """The schedule; what is wrong with it is noted, and left out.

    Parameters
    ----------
    place
        The file, and what the schedule is of.
    """
    if node is None:
        return ALWAYS
    fields = Fields(node, place[0], f"{place[1]}: schedule", problems)
    zone = _zone(fields)
    start, end = _instant(fields, "start", zone), _instant(fields, "end", zone)
    weekly = _weekly(fields, zone, problems)
    fields.close()
    if not node.value:
        fields.error(node.line, "empty", "has neither start nor end", "give one, or leave schedule out")
    elif start is not None and end is not None and start >= end:
        fields.error(fields.line_of("end"), "bad-value", "ends before it starts", "swap start and end")
    elif weekly is not None and _bounded(fields, start, end):
        assert start is not None
        assert end is not None
        return _in_windows(fields, weekly, (start, end))
    return replace(_between(start, end), zone=zone.key if zone else "")


def _between(start: int | None, end: int | None) -> Schedule:
    bounds = {"$gte": start, "$lt": end}
    given = {operator: bound for operator, bound in bounds.items() if bound is not None}
    if not given:
        return ALWAYS
    low = -INFINITY if start is None else start
    # As with $lt, a missing time counts as 0.
    absent = low <= 0 and (end is None or end > 0)
    bound = Constraint(low=low, high=_before(end), ranged=True, absent=absent)
    return Schedule({NOW: given}, Condition((Clause({NOW: bound}),)))


def _in_windows(fields: Fields, weekly: Weekly, bounds: Interval) -> Schedule:
    around = _between(*bounds)
    intervals = weekly.intervals(*bounds)
    if not intervals:
        message = "has no weekly window between its start and its end"
        fields.error(fields.line_of("weekly"), "bad-value", message, "check its days and hours")
        return around
    pieces = tuple((float(begin), _before(end)) for begin, end in intervals)
    absent = any(begin <= 0 < end for begin, end in intervals)
    (clause,) = around.condition.clauses
    windows = Constraint(absent=absent).within(pieces)
    return Schedule(around.written, Condition((clause.both(Clause({NOW: windows})),)), weekly, weekly.zone)


def _before(end: int | None) -> float:
    return INFINITY if end is None else math.nextafter(end, -INFINITY) + 0.0


def _zone(fields: Fields) -> ZoneInfo | None:
    name = fields.text("timezone")
    if name is None:
        return None
    try:
        # A name becomes a path.
        if ZONE.fullmatch(name):
            return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError, ValueError):
        pass
    hint = nearest(name, available_timezones()) if len(name) <= 64 else ""
    hint = hint if hint.startswith("did you mean") else "write it like Europe/Berlin"
    fields.error(fields.line_of("timezone"), "unknown-name", f"has an unknown time zone {name!r}", hint)
    return None


def _instant(fields: Fields, key: str, zone: ZoneInfo | None) -> int | None:
    """UTC milliseconds of an ISO 8601 date and time with its zone, or in the zone of the schedule."""
    text = fields.text(key)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fields.error(fields.line_of(key), "bad-value", f"has {key} {text!r}", _HINT)
        return None
    if moment.tzinfo is None and fields.node("timezone") is None:
        hint = f"{_HINT}, or give a timezone"
        fields.error(fields.line_of(key), "bad-value", f"has {key} {text!r} without a zone", hint)
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=zone or UTC)
    try:
        return (moment - _EPOCH) // timedelta(milliseconds=1)
    except OverflowError:
        fields.error(fields.line_of(key), "bad-value", f"has {key} {text!r}", _HINT)
        return None


def _weekly(fields: Fields, zone: ZoneInfo | None, problems: Problems) -> Weekly | None:
    nodes = fields.items("weekly")
    if len(nodes) > MAX_WINDOWS:
        message = f"has {len(nodes)} weekly windows"
        fields.error(fields.line_of("weekly"), "too-large", message, f"at most {MAX_WINDOWS}")
        return None
    windows = [_window(node, fields, problems) for node in nodes]
    given = fields.node("weekly")
    if given is not None and given.value == []:
        fields.error(given.line, "empty", "has no weekly window", "give one, or leave weekly out")
    if windows and fields.node("timezone") is None:
        message = "has weekly windows and no timezone"
        fields.error(fields.line_of("weekly"), "missing-key", message, "write it like Europe/Berlin")
    if not windows or zone is None or None in windows:
        return None
    return Weekly(zone.key, tuple(window for window in windows if window is not None))


def _window(node: Node, schedule: Fields, problems: Problems) -> Window | None:
    fields = Fields(node, schedule.path, f"{schedule.where}: weekly window", problems)
    days = _days(fields)
    start, end = _time(fields, "from", 0), _time(fields, "to", DAY_MS)
    fields.close()
    if days is None or start is None or end is None:
        return None
    if start in {end, DAY_MS}:
        fields.error(
            fields.line_of("to"), "bad-value", "ends when it starts", "leave out from and to: all day"
        )
        return None
    return Window(days, start, end if start < end else end + DAY_MS)


def _days(fields: Fields) -> frozenset[int] | None:
    found = set()
    given = fields.node("days")
    for name, line in fields.texts("days"):
        if name not in DAYS:
            fields.error(line, "unknown-name", f"has an unknown day {name!r}", f"write {', '.join(DAYS)}")
            return None
        found.add(DAYS.index(name))
    if given is None:
        return frozenset(range(len(DAYS)))
    if given.value == []:
        fields.error(given.line, "empty", "has no day", "leave days out: every day")
    return frozenset(found) if found else None


def _time(fields: Fields, key: str, default: int) -> int | None:
    """Milliseconds after midnight."""
    if fields.node(key) is None:
        return default
    text = fields.text(key)
    if text is None:
        return None
    if not TIME.fullmatch(text):
        fields.error(fields.line_of(key), "bad-value", f"has {key} {text!r}", 'write it like "18:00"')
        return None
    hours, minutes = text.split(":")
    return (int(hours) * 60 + int(minutes)) * MINUTE_MS


def _bounded(fields: Fields, start: int | None, end: int | None) -> bool:
    """Whether weekly windows have a start and an end that are near enough."""
    for key, bound in (("start", start), ("end", end)):
        if bound is None and fields.node(key) is None:
            hint = "or ask for time.hour and time.weekday, which know no end"
            fields.error(fields.line_of("weekly"), "missing-key", f"has weekly windows and no {key}", hint)
    if start is None or end is None:
        return False
    if start < 0 or end > _LAST_MS:
        fields.error(fields.line_of("start"), "bad-value", "is of another age", _HINT)
        return False
    if end - start > MAX_WEEKLY_DAYS * DAY_MS:
        message = f"has weekly windows over {(end - start) // DAY_MS} days"
        fields.error(fields.line_of("end"), "too-large", message, f"at most {MAX_WEEKLY_DAYS}")
        return False
    return True

"""Schedules in words: when a campaign runs, and why it does not run now."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from compiler.rules.weekly import DAYS, MINUTE_MS, Weekly, Window
from edge.bundle.written import When

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def schedule_words(when: When | None) -> str:
    """When it runs."""
    if when is None:
        return "always"
    parts = []
    if when.start_ms is not None:
        parts.append(f"from {_local(when, when.start_ms)}")
    if when.end_ms is not None:
        parts.append(f"until {_local(when, when.end_ms)}")
    return f"{' '.join(parts + _windows(when))} {_zone(when)}"


def closed(when: When | None, now_ms: int | None) -> str:
    """Why it does not run at this instant; empty where it does.

    As in conditions, a missing time counts as the beginning of 1970.
    """
    if when is None:
        return ""
    now = 0 if now_ms is None else now_ms
    if when.start_ms is not None and now < when.start_ms:
        why = f"starts {_local(when, when.start_ms)} {_zone(when)}"
    elif when.end_ms is not None and now >= when.end_ms:
        why = f"ended {_local(when, when.end_ms)} {_zone(when)}"
    elif when.weekly and not _weekly(when).open_at(now):
        why = f"runs {' '.join(_windows(when))} {_zone(when)}"
    else:
        return ""
    return f"{why}, and {'time.now is missing' if now_ms is None else f'it is {_local(when, now)} there'}"


def _weekly(when: When) -> Weekly:
    return Weekly(when.zone, tuple(Window(frozenset(days), start, end) for days, start, end in when.weekly))


def _windows(when: When) -> list[str]:
    return (
        [
            "on "
            + "; ".join(f"{_days(days)} {_time(start)} to {_time(end)}" for days, start, end in when.weekly)
        ]
        if when.weekly
        else []
    )


def _days(days: Sequence[int]) -> str:
    if len(days) == len(DAYS):
        return "every day"
    in_row = len(days) > 2 and list(days) == list(range(days[0], days[-1] + 1))
    return f"{DAYS[days[0]]} to {DAYS[days[-1]]}" if in_row else ", ".join(DAYS[day] for day in days)


def _time(after_midnight_ms: int) -> str:
    hours, minutes = divmod(after_midnight_ms // MINUTE_MS, 60)
    return f"{hours:02}:{minutes:02}" if hours <= 24 else f"{hours - 24:02}:{minutes:02} of the next day"


def _local(when: When, at_ms: int) -> str:
    try:
        moment = (_EPOCH + timedelta(milliseconds=at_ms)).astimezone(ZoneInfo(when.zone or "UTC"))
    except OverflowError:
        return "the end of the calendar" if at_ms > 0 else "the beginning of the calendar"
    return f"{DAYS[moment.weekday()]} {moment:%Y-%m-%d %H:%M}"


def _zone(when: When) -> str:
    return when.zone or "UTC"

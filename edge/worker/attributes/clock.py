"""The visitor's own time of day: a function of the instant and the name of their time zone."""

import re
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

STEP_MS: Final = 900_000
"""All offsets in use are whole quarters of an hour, so hour, day and date hold for one at least."""

_MAX_REMEMBERED: Final = 4096
# A name becomes a path; nothing else ever gets there.
_ZONE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_+-]{0,30}(/[A-Za-z][A-Za-z0-9_+-]{0,30}){0,2}")
# Years that datetime knows, with a day to spare for any offset.
_LAST_MS: Final = 253_402_214_400_000


@lru_cache(_MAX_REMEMBERED)
def zone(name: str | None) -> tzinfo:
    """The time zone of an IANA name; UTC where there is none, or no such zone."""
    if name is None or not _ZONE.fullmatch(name):
        return UTC
    try:
        return ZoneInfo(name)
    # A folder, a file that is no zone, or none.
    except (ZoneInfoNotFoundError, OSError, ValueError):
        return UTC


def local_time(now_ms: int, name: str | None) -> tuple[int, int, str]:
    """Hour (0 to 23), weekday (Monday is 1) and date (YYYY-MM-DD) in the zone of that name."""
    return _local_time(now_ms // STEP_MS, name)


@lru_cache(_MAX_REMEMBERED)
def _local_time(step: int, name: str | None) -> tuple[int, int, str]:
    moment = datetime.fromtimestamp(min(step * STEP_MS, _LAST_MS) // 1000, zone(name))
    return moment.hour, moment.isoweekday(), moment.date().isoformat()

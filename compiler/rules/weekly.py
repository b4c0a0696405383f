"""Weekly windows by the clock on a wall, and the instants at which they open and close."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTE_MS: Final = 60_000
DAY_MS: Final = 24 * 60 * MINUTE_MS

Interval = tuple[int, int]
"""From, and until without it; UTC milliseconds."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# No zone leaves an offset sooner than this after it came to it: Morocco keeps Ramadan for four weeks.
_STRIDE_MS: Final = DAY_MS // 2
_MONDAY: Final = 3  # 1970-01-01 was a Thursday


@dataclass(frozen=True)
class Window:
    """Part of some days: `start_ms` after midnight until `end_ms`, which may lie in the day after."""

    days: frozenset[int]
    start_ms: int
    end_ms: int


@dataclass(frozen=True)
class Weekly:
    """Windows that come again each week, in the time of a zone."""

    zone: str
    windows: tuple[Window, ...]

    def open_at(self, now_ms: int) -> bool:
        """Whether a clock on a wall there shows a time within a window."""
        return self._shows(now_ms + offset_ms(self.zone, now_ms))

    def intervals(self, start_ms: int, end_ms: int) -> tuple[Interval, ...]:
        """The parts of the time from `start_ms` until `end_ms` in which a window is open, in order."""
        found: list[Interval] = []
        for since, until, offset in _offsets(self.zone, start_ms, end_ms):
            local = (since + offset, until + offset)
            found += [(begin - offset, end - offset) for begin, end in self._within(*local)]
        return _merged(found)

    def _shows(self, local_ms: int) -> bool:
        day, time_ms = divmod(local_ms, DAY_MS)
        for window in self.windows:
            if (day + _MONDAY) % 7 in window.days and window.start_ms <= time_ms < window.end_ms:
                return True
            if (day - 1 + _MONDAY) % 7 in window.days and time_ms < window.end_ms - DAY_MS:
                return True
        return False

    def _within(self, since: int, until: int) -> Iterator[Interval]:
        """The windows between two readings of a clock that is not moved in between."""
        # What opened on the day before may still be open.
        for day in range(since // DAY_MS - 1, until // DAY_MS + 1):
            for window in self.windows:
                if (day + _MONDAY) % 7 in window.days:
                    begin = max(since, day * DAY_MS + window.start_ms)
                    end = min(until, day * DAY_MS + window.end_ms)
                    if begin < end:
                        yield begin, end


def offset_ms(zone: str, now_ms: int) -> int:
    """How far the clocks of a zone are ahead of UTC."""
    offset = (_EPOCH + timedelta(milliseconds=now_ms)).astimezone(ZoneInfo(zone)).utcoffset()
    assert offset is not None
    return offset // timedelta(milliseconds=1)


@lru_cache(256)
def _offsets(zone: str, start_ms: int, end_ms: int) -> tuple[tuple[int, int, int], ...]:
    """The stretches of one offset, in order: since, until, offset."""
    found = []
    since, offset = start_ms, offset_ms(zone, start_ms)
    at = start_ms
    while at < end_ms:
        following = min(at + _STRIDE_MS, end_ms)
        while offset_ms(zone, following) != offset:
            moved = _first_other(zone, at, following, offset)
            found.append((since, moved, offset))
            at, since, offset = moved, moved, offset_ms(zone, moved)
        at = following
    return (*found, (since, end_ms, offset))


def _first_other(zone: str, low: int, high: int, offset: int) -> int:
    """The first instant after `low`, and not after `high`, with another offset."""
    while high - low > 1:
        middle = (low + high) // 2
        if offset_ms(zone, middle) == offset:
            low = middle
        else:
            high = middle
    return high


def _merged(intervals: Iterable[Interval]) -> tuple[Interval, ...]:
    """The same time in as few intervals as can be, in order."""
    found: list[Interval] = []
    for begin, end in sorted(intervals):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((begin, end))
    return tuple(found)

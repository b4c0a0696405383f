"""Weekly windows are open when a clock on a wall says so, whatever is done to the clock."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.conditions.check import parse
from compiler.conditions.index import build
from compiler.files.yaml_lines import Node, read_yaml
from compiler.problems import Problems
from compiler.rules.schedule import read_schedule
from compiler.rules.weekly import DAY_MS, MINUTE_MS, Interval, Weekly, Window
from edge.bundle.arrays import pack, unpack
from edge.rules.index import Index

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR_MS = 60 * MINUTE_MS
# Lord Howe moves its clocks by half an hour, Troll by two, Casablanca at Ramadan, Apia left out a day in
# 2011, Havana and Santiago move them at midnight, Kathmandu is 5:45 ahead.
ZONES = (
    "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Antarctica/Troll", "Africa/Casablanca",
    "Pacific/Apia", "America/Havana", "America/Santiago", "Asia/Kathmandu", "Asia/Tehran", "Etc/UTC",
)  # fmt: skip


def _ms(text: str) -> int:
    return (datetime.fromisoformat(text) - EPOCH) // timedelta(milliseconds=1)


def _open(weekly: Weekly, now_ms: int) -> bool:
    """The oracle: weekday and time of day as `datetime` tells them."""
    local = (EPOCH + timedelta(milliseconds=now_ms)).astimezone(ZoneInfo(weekly.zone))
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
    time_ms = (local.replace(tzinfo=None) - midnight) // timedelta(milliseconds=1)
    for window in weekly.windows:
        if local.weekday() in window.days and window.start_ms <= time_ms < window.end_ms:
            return True
        if (local.weekday() - 1) % 7 in window.days and time_ms + DAY_MS < window.end_ms:
            return True
    return False


@st.composite
def _windows(draw: st.DrawFn) -> Window:
    days = draw(st.frozensets(st.integers(0, 6), min_size=1))
    start = draw(st.integers(0, 24 * 4 - 1)) * 15 * MINUTE_MS
    length = draw(st.integers(1, 24 * 4)) * 15 * MINUTE_MS
    return Window(days, start, start + length)


WEEKLIES = st.builds(Weekly, st.sampled_from(ZONES), st.lists(_windows(), min_size=1, max_size=3).map(tuple))
STARTS = st.integers(_ms("2005-01-01T00:00Z"), _ms("2034-01-01T00:00Z"))


def _moved(zone: str, start: int, days: int) -> list[int]:
    """The hours within which clocks are moved: most of what can go wrong is there."""
    found = []
    for at in range(start, start + days * DAY_MS, DAY_MS):
        offsets = [
            (EPOCH + timedelta(milliseconds=now)).astimezone(ZoneInfo(zone)).utcoffset()
            for now in (at, at + DAY_MS)
        ]
        if offsets[0] != offsets[1]:
            found.append(at)
    return found


@settings(max_examples=150, deadline=None)
@given(WEEKLIES, STARTS, st.integers(1, 400), st.randoms(use_true_random=False))
def test_intervals_are_open_exactly_when_the_clock_says_so(
    weekly: Weekly, start: int, days: int, random: Random
) -> None:
    end = start + days * DAY_MS
    intervals = weekly.intervals(start, end)
    instants = [random.randrange(start, end) for _ in range(60)]
    instants += [at for pair in intervals[:30] for edge in pair for at in (edge - 1, edge)]
    for day in _moved(weekly.zone, start, days)[:3]:
        instants += [day + random.randrange(DAY_MS) for _ in range(20)]
        instants += range(day, day + DAY_MS, 15 * MINUTE_MS)
    for now in instants:
        if start <= now < end:
            expected = _open(weekly, now)
            assert any(begin <= now < until for begin, until in intervals) == expected, now
            assert weekly.open_at(now) == expected, now
    assert all(one[1] < two[0] for one, two in pairwise(intervals))


def _opens(zone: str, start: str, window: Window) -> list[Interval]:
    """Hours after `start`, of three days."""
    since = _ms(start)
    found = Weekly(zone, (window,)).intervals(since, since + 3 * DAY_MS)
    return [((a - since) // HOUR_MS, (b - since) // HOUR_MS) for a, b in found]


def test_the_hour_that_is_missing_in_spring_does_not_come_and_that_of_autumn_comes_twice() -> None:
    sunday = Window(frozenset({6}), 2 * HOUR_MS, 3 * HOUR_MS)
    assert _opens("Europe/Berlin", "2026-03-28T00:00+01:00", sunday) == []
    assert _opens("Europe/Berlin", "2026-10-24T00:00+02:00", sunday) == [(26, 28)]


def test_after_the_clocks_are_moved_it_opens_an_hour_earlier_by_utc() -> None:
    evenings = Window(frozenset(range(7)), 18 * HOUR_MS, 20 * HOUR_MS)
    found = _opens("Europe/Berlin", "2026-03-28T00:00+01:00", evenings)
    assert found == [(18, 20), (41, 43), (65, 67)]


def test_a_window_past_midnight_belongs_to_the_day_on_which_it_opens() -> None:
    friday_night = Window(frozenset({4}), 22 * HOUR_MS, 26 * HOUR_MS)
    assert _opens("Europe/Berlin", "2026-05-01T00:00+02:00", friday_night) == [(22, 26)]


def test_all_days_from_midnight_to_midnight_are_one_interval() -> None:
    always = Weekly("Europe/Berlin", (Window(frozenset(range(7)), 0, DAY_MS),))
    assert always.intervals(0, 500 * DAY_MS) == ((0, 500 * DAY_MS),)


def _schedule(folder: Path, text: str) -> Node:
    (folder / "s.yaml").write_text(text, encoding="utf-8")
    node = read_yaml(folder, "s.yaml", Problems())
    assert node is not None
    return node


WEEKENDS = """
start: 2026-03-01
end: "2026-11-30T00:00:00"
timezone: Europe/Berlin
weekly:
  - {days: [sat, sun], from: "10:00", to: "20:00"}
  - {days: fri, from: "22:00", to: "02:30"}
"""


def test_a_windowed_rule_is_one_bit_of_the_index_and_opens_with_the_clock(tmp_path: Path) -> None:
    problems = Problems()
    schedule = read_schedule(_schedule(tmp_path, WEEKENDS), ("s.yaml", "it"), problems)
    problems.raise_errors()
    assert schedule.weekly is not None
    audience = parse({"device.type": "mobile"}, {"device.type": "string"})
    (clause,) = audience.both(schedule.condition).clauses
    index = Index(unpack(pack(build([clause], {"device.type": "string", "time.now": "number"}))))
    start, end = _ms("2026-03-01T00:00+01:00"), _ms("2026-11-30T00:00+01:00")
    for now in range(start - DAY_MS, end + DAY_MS, 30 * MINUTE_MS):
        wanted = start <= now < end and _open(schedule.weekly, now)
        for at in (now, now + 1, now - 1):
            attributes = {"device.type": "mobile", "time.now": at}
            wanted = start <= at < end and _open(schedule.weekly, at)
            assert bool(index.match(attributes, index.everyone)) == wanted, at
    assert not index.match({"device.type": "mobile"}, index.everyone)
    assert not index.match({"time.now": _ms("2026-03-07T12:00+01:00")}, index.everyone)


def test_an_audience_that_asks_for_the_time_is_met_too(tmp_path: Path) -> None:
    schedule = read_schedule(_schedule(tmp_path, WEEKENDS), ("s.yaml", "it"), Problems())
    types = {"time.now": "number"}
    noon, two = _ms("2026-03-07T12:00+01:00"), _ms("2026-03-07T14:00+01:00")
    until = parse({"time.now": {"$lt": noon}}, types).both(schedule.condition)
    exactly = parse({"time.now": {"$in": [noon, noon - DAY_MS]}}, types).both(schedule.condition)
    both = schedule.condition.both(schedule.condition)
    index = Index(unpack(pack(build([c.clauses[0] for c in (until, exactly, both)], types))))
    assert [index.match({"time.now": now}, 7) for now in (noon - 1, noon, two)] == [0b101, 0b110, 0b100]
    assert parse({"time.now": noon - DAY_MS}, types).both(schedule.condition).impossible


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "../etc/passwd", "right/Europe/Berlin", "localtime", "Berlin"]
)
def test_a_zone_that_may_mean_something_else_elsewhere_is_refused(zone: str, tmp_path: Path) -> None:
    problems = Problems()
    read_schedule(_schedule(tmp_path, f"timezone: {zone}\n"), ("s.yaml", "it"), problems)
    with pytest.raises(Exception, match="unknown time zone"):
        problems.raise_errors()

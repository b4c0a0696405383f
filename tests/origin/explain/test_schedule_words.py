"""Schedules in words, on the clock of the place that they were written for."""

from datetime import datetime

import pytest

from compiler.rules.weekly import DAY_MS
from edge.bundle.written import When
from origin.explain.schedule_words import closed, schedule_words


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1000)


SPRING = (at("2026-03-01T00:00:00+01:00"), at("2026-05-01T00:00:00+02:00"))
EVENINGS = When(
    *SPRING,
    "Europe/Vienna",
    (((0, 1, 2, 3, 4), 64_800_000, DAY_MS), ((5, 6), 79_200_000, DAY_MS + 7_200_000)),
)
WINDOWS = "on mon to fri 18:00 to 24:00; sat, sun 22:00 to 02:00 of the next day"


def test_all_of_it_is_told() -> None:
    assert schedule_words(EVENINGS) == (
        f"from sun 2026-03-01 00:00 until fri 2026-05-01 00:00 {WINDOWS} Europe/Vienna"
    )
    assert schedule_words(None) == "always"
    assert schedule_words(When(SPRING[0], None, "")) == "from sat 2026-02-28 23:00 UTC"
    assert schedule_words(When(None, 10**15, "")) == "until the end of the calendar UTC"


@pytest.mark.parametrize(
    ("now", "why"),
    [
        ("2026-02-28T22:59:00Z",
         "starts sun 2026-03-01 00:00 Europe/Vienna, and it is sat 2026-02-28 23:59 there"),
        ("2026-04-30T22:00:00Z",
         "ended fri 2026-05-01 00:00 Europe/Vienna, and it is fri 2026-05-01 00:00 there"),
        # The clocks were put on: 18:00 is an hour earlier in UTC than in February.
        ("2026-04-07T15:59:00Z", f"runs {WINDOWS} Europe/Vienna, and it is tue 2026-04-07 17:59 there"),
        ("2026-04-07T16:00:00Z", ""),
        ("2026-04-11T23:59:00Z", ""),
        ("2026-04-12T00:00:00Z", f"runs {WINDOWS} Europe/Vienna, and it is sun 2026-04-12 02:00 there"),
    ],
)  # fmt: skip
def test_why_it_does_not_run(now: str, why: str) -> None:
    assert closed(EVENINGS, at(now)) == why


def test_a_missing_clock_is_told() -> None:
    assert (
        closed(When(SPRING[0], None, ""), None) == "starts sat 2026-02-28 23:00 UTC, and time.now is missing"
    )
    assert closed(None, None) == ""

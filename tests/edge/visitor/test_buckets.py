"""What is counted in time, against an oracle that keeps every event."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from edge.decide.behaviours import MAX_BEHAVIOURS, MEASURES, Behaviour
from edge.visitor.buckets import (
    BODY_BYTES,
    BUCKETS,
    HEAD_BYTES,
    MAX_COUNT,
    MAX_DISTINCT,
    MAX_SUM,
    NEVER_H,
    bucket_s,
    feed,
    unpack,
    value,
)

NOW_S = 1_750_000_000
WINDOWS_S = (60, 3600, 86_400, 7 * 86_400, 30 * 86_400, 400 * 86_400)


@dataclass(frozen=True)
class Happened:
    """One event: seconds since the one before, what it adds or which thing it was, whether it is its own."""

    after_s: int
    amount: int
    own: bool


EVENTS = st.lists(
    st.builds(
        Happened,
        st.one_of(st.just(0), st.integers(0, 100), st.integers(0, 100_000), st.integers(0, 40_000_000)),
        st.integers(0, 9),
        st.booleans(),
    ),
    max_size=40,
)


def behaviour(measure: str, window_s: int = 7 * 86_400, name: str = "x", tag: int = 7) -> Behaviour:
    return Behaviour(name, tag, "view", measure, window_s)


def replayed(one: Behaviour, events: list[Happened]) -> tuple[bytes, list[tuple[int, Happened]], int]:
    """The state after the events, the events with their times, and the time of the last."""
    data, now_s, raw = b"", NOW_S, []
    for event in events:
        now_s += event.after_s
        if event.own or one.measure == "rate":
            amount = 1 if one.measure == "rate" else event.amount
            data = feed(data, [(one, amount, event.own)], [one], now_s)
            raw.append((now_s, event))
    return data, raw, now_s


def oracle(measure: str, raw: list[tuple[int, Happened]], since_s: int) -> float:
    """What a measure is over all events after an instant."""
    of_window = [event for at, event in raw if at > since_s]
    if measure == "count":
        return len(of_window)
    if measure == "sum":
        return sum(event.amount for event in of_window)
    return len({event.amount for event in of_window})


@settings(deadline=None)
@given(
    EVENTS,
    st.sampled_from(WINDOWS_S),
    st.integers(0, 50_000_000),
    st.sampled_from(["count", "sum", "distinct"]),
)
def test_an_answer_goes_back_the_window_and_at_most_one_bucket_more(
    events: list[Happened], window_s: int, later_s: int, measure: str
) -> None:
    one = behaviour(measure, window_s)
    data, raw, now_s = replayed(one, events)
    now_s += later_s
    found = value(one, unpack(data).get(one.tag, b""), now_s)
    assert bucket_s(one) * 15 < window_s + 15
    assert oracle(measure, raw, now_s - window_s) <= found
    assert found <= oracle(measure, raw, now_s - BUCKETS * bucket_s(one))


@settings(deadline=None)
@given(EVENTS, st.sampled_from(WINDOWS_S), st.integers(0, 50_000_000))
def test_a_recency_is_exact_to_the_second(events: list[Happened], window_s: int, later_s: int) -> None:
    one = behaviour("recency", window_s)
    data, raw, now_s = replayed(one, events)
    now_s += later_s
    ages = [now_s - at for at, _ in raw]
    wanted = min(ages) / 3600 if ages and min(ages) <= window_s else NEVER_H
    assert value(one, unpack(data).get(one.tag, b""), now_s) == wanted


@settings(deadline=None)
@given(EVENTS, st.sampled_from(WINDOWS_S), st.integers(0, 50_000_000))
def test_a_rate_is_the_share_of_some_window_within_the_bound(
    events: list[Happened], window_s: int, later_s: int
) -> None:
    one = behaviour("rate", window_s)
    data, raw, now_s = replayed(one, events)
    now_s += later_s
    found = value(one, unpack(data).get(one.tag, b""), now_s)
    # The oldest bucket begins where all that is counted begins.
    since_s = (now_s // bucket_s(one) - BUCKETS + 1) * bucket_s(one) - 1
    assert now_s - BUCKETS * bucket_s(one) <= since_s + 1 <= now_s - window_s + bucket_s(one)
    counted = [event.own for at, event in raw if at > since_s]
    assert found == (sum(counted) / len(counted) if counted else 0)


def test_three_views_in_seven_days() -> None:
    one = behaviour("count")
    day_s, data = 86_400, b""
    for day in (0, 3, 6):
        data = feed(data, [(one, 1, True)], [one], NOW_S + day * day_s)
    assert value(one, unpack(data)[one.tag], NOW_S + 6 * day_s) == 3
    assert value(one, unpack(data)[one.tag], NOW_S + 8 * day_s) == 2
    assert value(one, unpack(data)[one.tag], NOW_S + 20 * day_s) == 0


def test_cells_are_full_at_their_bound_and_not_before() -> None:
    count, total, rate = (behaviour(measure) for measure in ("count", "sum", "rate"))
    data = sums = shares = b""
    for _ in range(300):
        data = feed(data, [(count, 1, True)], [count], NOW_S)
    assert value(count, unpack(data)[count.tag], NOW_S) == MAX_COUNT
    for _ in range(3):
        sums = feed(sums, [(total, 30_000, True)], [total], NOW_S)
    assert value(total, unpack(sums)[total.tag], NOW_S) == MAX_SUM
    for n in range(300):
        shares = feed(shares, [(rate, 1, n % 5 == 0)], [rate], NOW_S)
    assert value(rate, unpack(shares)[rate.tag], NOW_S) == pytest.approx(0.2)


def test_distinct_things_are_counted_up_to_a_bound() -> None:
    one, data = behaviour("distinct"), b""
    for thing in range(40):
        data = feed(data, [(one, thing, True)], [one], NOW_S)
    assert value(one, unpack(data)[one.tag], NOW_S) == MAX_DISTINCT


def test_an_edge_whose_clock_is_behind_counts_all_the_same() -> None:
    one = behaviour("count", 3600)
    data = feed(b"", [(one, 1, True)], [one], NOW_S)
    data = feed(data, [(one, 1, True)], [one], NOW_S - 1000)
    assert value(one, unpack(data)[one.tag], NOW_S - 1000) == 2


def test_what_no_definition_knows_or_what_is_over_leaves_the_cookie() -> None:
    old, new = behaviour("count", tag=1), behaviour("count", 60, tag=2)
    data = feed(b"", [(old, 1, True), (new, 1, True)], [old, new], NOW_S)
    assert set(unpack(data)) == {1, 2}
    assert set(unpack(feed(data, [], [new], NOW_S))) == {2}
    assert set(unpack(feed(data, [], [old, new], NOW_S + 100))) == {1}
    assert feed(data, [], [old, new], NOW_S + 10**9) == b""


@settings(deadline=None)
@given(EVENTS, st.sampled_from(MEASURES))
def test_no_behaviour_outgrows_its_bytes(events: list[Happened], measure: str) -> None:
    one = behaviour(measure)
    data, _, _ = replayed(one, events)
    assert len(data) <= HEAD_BYTES + BODY_BYTES[measure]


@given(st.binary(max_size=200), st.sampled_from(MEASURES), st.integers(0, 2**33))
@example(b"\0\0\6\0\0\0\0\0\xfd", "rate", 0)
def test_damage_is_never_an_error(data: bytes, measure: str, now_s: int) -> None:
    one = behaviour(measure)
    for tag in [*unpack(data), one.tag]:
        damaged = Behaviour("x", tag, "view", measure, 60)
        fed = feed(data, [(damaged, 3, True)], [damaged], now_s)
        assert np.isfinite(value(damaged, unpack(fed).get(tag, b""), now_s))
        assert np.isfinite(value(damaged, unpack(data).get(tag, b""), now_s))


def test_there_may_be_so_many() -> None:
    assert MAX_BEHAVIOURS * (HEAD_BYTES + BODY_BYTES["count"]) <= 1000

"""Visitor state over page views."""

from hypothesis import given
from hypothesis import strategies as st

from edge.visitor.state import (
    MAX_ASSIGNED,
    MAX_ASSIGNED_CHARS,
    MAX_ITEMS,
    NEW,
    VISIT_GAP_S,
    VisitorState,
    arrive,
    assign,
    view,
)

NOW_S = 1_700_000_000
ID, OTHER = b"a" * 16, b"b" * 16


def test_a_new_visitor_gets_an_id_and_a_first_visit() -> None:
    assert arrive(NEW, NOW_S, ID) == VisitorState(1, ID, NOW_S, NOW_S, 1, ())


def test_a_visit_ends_by_a_pause() -> None:
    state = arrive(NEW, NOW_S, ID)
    assert arrive(state, NOW_S + VISIT_GAP_S, OTHER).visits == 1
    assert arrive(state, NOW_S + VISIT_GAP_S + 1, OTHER).visits == 2


@given(st.lists(st.integers(1_000_000, 2**40), min_size=1))
def test_who_comes_back_keeps_id_and_first_view_whatever_the_clock_does(times: list[int]) -> None:
    state = NEW
    for now_s in times:
        before, state = state, arrive(state, now_s, OTHER if state.visitor else ID)
        assert before.visits <= state.visits <= before.visits + 1
        assert state.last_s >= before.last_s
    assert (state.visitor, state.first_s) == (ID, times[0])


def test_without_an_identifier_there_is_none() -> None:
    assert arrive(arrive(NEW, NOW_S, b""), NOW_S + 1, b"").visitor == b""


@given(st.lists(st.text(max_size=2), max_size=3 * MAX_ITEMS))
def test_items_stand_once_the_latest_first_and_bounded(items: list[str]) -> None:
    state = NEW
    for item in items:
        state = view(state, item)
        assert state.items[0] == item
    latest = list(dict.fromkeys(reversed(items)))[:MAX_ITEMS]
    assert list(state.items) == latest


NAMES = st.text("abcdef-", min_size=1, max_size=64)
ASSIGNED = st.lists(st.tuples(NAMES, st.integers(1, 9), NAMES), max_size=5).map(tuple)


@given(st.lists(ASSIGNED, max_size=12))
def test_assignments_are_bounded_and_the_newest_stay(turns: list[tuple[tuple[str, int, str], ...]]) -> None:
    state = NEW
    for assigned in turns:
        state = assign(state, tuple({one[0]: one for one in assigned}.values()))
        assert len(state.assigned) <= MAX_ASSIGNED
        assert sum(len(name) + len(key) for name, _, key in state.assigned) <= MAX_ASSIGNED_CHARS
        names = [name for name, _, _ in state.assigned]
        assert len(names) == len(set(names))
        if assigned:
            assert state.assigned[-1] == list({one[0]: one for one in assigned}.values())[-1]


def test_the_oldest_assignments_make_room() -> None:
    state = NEW
    for number in range(20):
        state = assign(state, ((f"e{number}", 1, "a"),))
    state = assign(state, (("e10", 2, "b"),))
    assert [name for name, _, _ in state.assigned] == [*(f"e{n}" for n in range(4, 20) if n != 10), "e10"]
    assert state.assigned[-1] == ("e10", 2, "b")
    assert view(arrive(state, NOW_S, ID), "alien").assigned == state.assigned

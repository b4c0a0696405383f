"""Two states of one visitor become one: in either order, once and for all, within the bounds of a state."""

import struct

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from edge.visitor import buckets
from edge.visitor.buckets import MAX_BYTES, pack, unpack
from edge.visitor.cookie import MAX_COOKIE_BYTES, CookieBox
from edge.visitor.merge import merge
from edge.visitor.state import MAX_ASSIGNED, MAX_ITEMS, VERSION, VisitorState, assign, view

NAMES = st.sampled_from([f"item{number}" for number in range(80)])
BODIES = st.builds(
    lambda at, cells: struct.pack("<I", at) + cells, st.integers(0, 99), st.binary(max_size=16)
)
ASSIGNED = st.lists(st.sampled_from("abcdefghijklmnopqrstuvwxyz"), max_size=MAX_ASSIGNED, unique=True)
STATES = st.builds(
    VisitorState,
    version=st.just(VERSION),
    visitor=st.sampled_from([b"", b"v" * 16, b"w" * 16]),
    first_s=st.integers(0, 3),
    last_s=st.integers(3, 6),
    visits=st.integers(0, 3),
    items=st.lists(NAMES, max_size=MAX_ITEMS, unique=True).map(tuple),
    behaviours=st.dictionaries(st.integers(0, 40), BODIES, max_size=20).map(pack),
    assigned=ASSIGNED.map(lambda names: tuple((name, 1, "x") for name in names)),
)
SAME = st.tuples(STATES, STATES).map(lambda pair: (pair[0], replace(pair[1], visitor=pair[0].visitor)))


@given(STATES, STATES)
def test_the_order_does_not_matter(one: VisitorState, other: VisitorState) -> None:
    assert merge(one, other) == merge(other, one)


@given(STATES, STATES)
def test_merging_again_changes_nothing(one: VisitorState, other: VisitorState) -> None:
    assert merge(one, one) == one
    merged = merge(one, other)
    assert merge(merged, merged) == merged


@given(SAME)
def test_it_stays_within_the_bounds_of_a_state(pair: tuple[VisitorState, VisitorState]) -> None:
    merged = merge(*pair)
    assert len(merged.items) <= MAX_ITEMS and len(set(merged.items)) == len(merged.items)
    assert len(merged.assigned) <= MAX_ASSIGNED
    assert len(merged.behaviours) <= max(MAX_BYTES, *(len(state.behaviours) for state in pair))
    assert len(CookieBox("films", [(1, b"k" * 32)]).seal(merged)) <= MAX_COOKIE_BYTES


@given(SAME)
def test_it_loses_nothing_that_there_is_room_for(pair: tuple[VisitorState, VisitorState]) -> None:
    merged = merge(*pair)
    items = {item for state in pair for item in state.items}
    assert set(merged.items) == items or len(merged.items) == MAX_ITEMS
    tags = {tag for state in pair for tag in unpack(state.behaviours)}
    assert unpack(merged.behaviours).keys() <= tags
    if sum(len(state.behaviours) for state in pair) <= MAX_BYTES:
        assert unpack(merged.behaviours).keys() == tags
    assert merged.visits == max(state.visits for state in pair)
    assert merged.last_s == max(state.last_s for state in pair)


@given(st.tuples(STATES, STATES).filter(lambda pair: pair[0].visitor != pair[1].visitor))
def test_two_visitors_are_never_mixed(pair: tuple[VisitorState, VisitorState]) -> None:
    assert merge(*pair) in pair


def test_two_tabs_lose_one_count_and_no_item() -> None:
    behaviour = buckets.Behaviour("views", 7, "view", "count", 86_400)
    start = VisitorState(VERSION, b"v" * 16, 100, 100, 1, ("alien",))
    tabs = []
    for item, experiment in (("dune", "a"), ("heat", "b")):
        counted = buckets.feed(start.behaviours, [(behaviour, 1, True)], [behaviour], 200)
        state = replace(view(start, item), behaviours=counted, last_s=200)
        tabs.append(assign(state, ((experiment, 1, "x"),)))
    merged = merge(*tabs)
    assert set(merged.items) == {"alien", "dune", "heat"} and merged.items[-1] == "alien"
    assert {name for name, _, _ in merged.assigned} == {"a", "b"}
    assert buckets.value(behaviour, unpack(merged.behaviours)[7], 200) == 1

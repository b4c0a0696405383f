"""What pages report, counted, against an oracle that keeps every raw event; and what keeps it small."""

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.draft import Draft
from compiler.rules.behaviours import put_behaviours
from compiler.types import BehaviourConfig, Catalog, Item
from edge.bundle.arrays import unpack as unpack_arrays
from edge.bundle.format import decode
from edge.decide.behaviours import Behaviour, Behaviours
from edge.decide.caps import Cap, Caps
from edge.visitor.buckets import BUCKETS, NEVER_H, bucket_s, cell_events, feed, unpack, value
from edge.visitor.cookie import MAX_COOKIE_BYTES, CookieBox
from edge.visitor.events import (
    MAX_CAPS_BYTES,
    MAX_REPORTED,
    EventState,
    Reported,
    belongs,
    capped,
    feed_caps,
    unpack_caps,
)

NOW_S = 1_750_000_000
DAY_S = 86_400
GENRES = {"alien": "horror", "dune": "sci-fi", "fargo": "crime", "heat": "crime"}
ITEMS = (*GENRES, "")


def config(
    name: str, event: str, measure: str = "count", window_s: int = DAY_S, **more: object
) -> BehaviourConfig:
    said = {"pattern": "", "where": {}, "of": "", "path": "", "line": 0, "lines": {}, "node": None}
    return BehaviourConfig(name, event, measure, window_s, **{**said, **more})  # type: ignore[arg-type]


CRIME = {"item.genre": "crime"}
CONFIGS = (
    config("bought", "purchase"),
    config("carts-since", "cart", until="purchase"),
    config("crime-carts", "cart", where=CRIME),
    config("genres", "click", "distinct", of="item.genre"),
    config("left-cart", "cart", "recency", until="purchase"),
    config("rate-50", "click", "rate", 0, basis="impression", last=50),
    config("rate-7", "click", "rate", 0, basis="impression", last=7, where=CRIME),
    config("rate-of-day", "click", "rate", basis="impression"),
    config("share", "purchase", "rate", where=CRIME),
    config("spent", "purchase", "sum", of="value"),
)


def compiled() -> Behaviours:
    """All of them, as an edge loads them."""
    items = tuple(Item(name, {"id": name, "genre": genre}, 0) for name, genre in GENRES.items())
    catalog, draft = Catalog("films.csv", ("id", "genre"), items), Draft("rules")
    put_behaviours(draft, CONFIGS, catalog, {"items": "x"})
    bodies = {one.kind: draft.bodies[one.sha256] for one in draft.artifacts}
    definitions = decode(bodies["behaviours"], tuple[Behaviour, ...])
    return Behaviours(definitions, unpack_arrays(bodies["feeds"]), len(items))


BEHAVIOURS = compiled()


@dataclass(frozen=True)
class Event:
    """One raw event: seconds since the one before it, and what happened."""

    after_s: int
    kind: str
    item: str
    value: float


EVENTS = st.lists(
    st.builds(
        Event,
        st.just(0) | st.integers(0, 2000) | st.integers(0, DAY_S),
        st.sampled_from(["impression", "impression", "impression", "click", "cart", "purchase"]),
        st.sampled_from(ITEMS),
        st.floats(0, 100),
    ),
    max_size=120,
)
Raw = list[tuple[int, Event]]


def counted(events: list[Event]) -> tuple[bytes, Raw, int]:
    data, now_s, raw = b"", NOW_S, []
    for event in events:
        now_s += event.after_s
        position = list(GENRES).index(event.item) if event.item else -1
        fed = BEHAVIOURS.fed_by_event(event.kind, position, event.item, event.value)
        data = feed(data, fed, BEHAVIOURS.by_name.values(), now_s)
        raw.append((now_s, event))
    return data, raw, now_s


def is_crime(event: Event) -> bool:
    return GENRES.get(event.item) == "crime"


def told(data: bytes, name: str, now_s: int) -> float:
    one = BEHAVIOURS.by_name[name]
    return value(one, unpack(data).get(one.tag, b""), now_s)


def since_purchase(raw: Raw) -> Raw:
    last = max((n for n, (_, event) in enumerate(raw) if event.kind == "purchase"), default=-1)
    return raw[last + 1 :]


def totals(raw: Raw, since_s: int) -> dict[str, float]:
    """What each measure is over all events after an instant."""
    within = [event for at, event in raw if at > since_s]
    since = [event for at, event in since_purchase(raw) if at > since_s]
    return {
        "bought": sum(event.kind == "purchase" for event in within),
        "carts-since": sum(event.kind == "cart" for event in since),
        "crime-carts": sum(event.kind == "cart" and is_crime(event) for event in within),
        "genres": len({GENRES.get(e.item, e.item) for e in within if e.kind == "click"}),
        "spent": sum(round(event.value) for event in within if event.kind == "purchase"),
    }


@settings(deadline=None, max_examples=150)
@given(EVENTS, st.integers(0, 2 * DAY_S))
def test_counts_sums_and_distinct_values_lie_within_a_bucket(events: list[Event], later_s: int) -> None:
    data, raw, now_s = counted(events)
    now_s += later_s
    width = bucket_s(BEHAVIOURS.by_name["bought"])
    least, most = totals(raw, now_s - DAY_S), totals(raw, now_s - BUCKETS * width)
    for name in least:
        assert least[name] <= told(data, name, now_s) <= most[name], name


@settings(deadline=None, max_examples=100)
@given(EVENTS, st.integers(0, 2 * DAY_S))
def test_the_recency_of_a_cart_that_was_not_bought_is_exact(events: list[Event], later_s: int) -> None:
    data, raw, now_s = counted(events)
    now_s += later_s
    ages = [now_s - at for at, event in since_purchase(raw) if event.kind == "cart"]
    wanted = min(ages) / 3600 if ages and min(ages) <= DAY_S else NEVER_H
    assert told(data, "left-cart", now_s) == wanted


@settings(deadline=None, max_examples=100)
@given(EVENTS, st.sampled_from([("rate-50", 50, False), ("rate-7", 7, True)]))
def test_a_rate_of_the_last_things_shown_goes_back_so_many_and_a_cell_more_at_most(
    events: list[Event], of: tuple[str, int, bool]
) -> None:
    name, last, of_crime = of
    data, raw, now_s = counted(events)
    meant = [e.kind for _, e in raw if e.kind in ("impression", "click") and (not of_crime or is_crime(e))]
    shown = [n for n, kind in enumerate(meant) if kind == "impression"]
    possible = set()
    for back in range(last, last + cell_events(last)):
        begin = 0 if back >= len(shown) else shown[-back]
        window = meant[begin:]
        possible.add(min(1.0, window.count("click") / max(1, window.count("impression"))))
    assert told(data, name, now_s) in possible


@settings(deadline=None, max_examples=100)
@given(EVENTS)
def test_a_rate_over_a_window_is_that_of_its_buckets(events: list[Event]) -> None:
    data, raw, now_s = counted(events)
    width = bucket_s(BEHAVIOURS.by_name["share"])
    since_s = (now_s // width - BUCKETS + 1) * width - 1
    within = [event for at, event in raw if at > since_s]
    clicks, shown = (sum(e.kind == kind for e in within) for kind in ("click", "impression"))
    assert told(data, "rate-of-day", now_s) == min(1.0, clicks / max(1, shown))
    bought = [is_crime(event) for event in within if event.kind == "purchase"]
    assert told(data, "share", now_s) == sum(bought) / max(1, len(bought))


def test_an_exact_last_is_exact() -> None:
    assert cell_events(15) == 1
    assert cell_events(50) == 4


@given(st.lists(st.integers(0, MAX_REPORTED - 1), max_size=200))
def test_an_identity_among_the_last_is_known(numbers: list[int]) -> None:
    data, seen = b"", set()
    for number in numbers:
        reported = Reported(data)
        assert reported.is_new("decision", "click", number) == (number not in seen)
        seen.add(number)
        data = reported.pack()
        assert len(data) == 2 * len(seen)


def test_of_more_identities_the_oldest_are_forgotten() -> None:
    data = b""
    for number in range(100):
        reported = Reported(data)
        reported.is_new(number)
        data = reported.pack()
    assert len(data) == 2 * MAX_REPORTED
    reported = Reported(data)
    assert not reported.is_new(99)
    assert reported.is_new(1)


CAPS = [
    Cap(f"cap.c{n}.{measure}", f"c{n}", 10 * n + kind, "impression", measure, window_s, 3)
    for n in range(40)
    for kind, (measure, window_s) in enumerate((("count", 7 * DAY_S), ("visit", 0), ("recency", DAY_S)))
]


@settings(deadline=None, max_examples=80)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2 * DAY_S), st.booleans()), max_size=40))
def test_caps_count_as_the_raw_impressions_say(shown: list[tuple[int, int, bool]]) -> None:
    data, now_s, visits, raw = b"", NOW_S, 1, []
    for campaign, after_s, new_visit in shown:
        now_s, visits = now_s + after_s, visits + new_visit
        data = feed_caps(data, CAPS[3 * campaign : 3 * campaign + 3], now_s, visits)
        raw.append((campaign, now_s, visits))
    found = capped(data, Caps(tuple(CAPS)), now_s, visits)
    for campaign in range(4):
        ages = [now_s - at for one, at, _ in raw if one == campaign]
        of_visit = sum(one == campaign and visit == visits for one, _, visit in raw)
        assert found.get(f"cap.c{campaign}.visit", 0) == of_visit
        last = [age / 3600 for age in ages if age <= DAY_S]
        assert found.get(f"cap.c{campaign}.recency") == (min(last) if last else None)
        count, width = found.get(f"cap.c{campaign}.count", 0), -(-7 * DAY_S // 15)
        assert sum(age < 7 * DAY_S for age in ages) <= count <= sum(age < BUCKETS * width for age in ages)


def test_caps_take_so_many_bytes_and_the_one_longest_not_shown_goes_first() -> None:
    data = b""
    for n in (*range(40), 0):
        data = feed_caps(data, [CAPS[3 * n]], NOW_S + 20 * DAY_S * n, 1)
        assert len(data) <= MAX_CAPS_BYTES
    kept = [tag // 10 for tag in unpack_caps(data)]
    assert kept == [*range(40 - 29, 40), 0]


def test_what_no_bundle_knows_now_stays_while_there_is_room() -> None:
    data = feed_caps(b"", [CAPS[0]], NOW_S, 1)
    assert set(unpack_caps(feed_caps(data, [CAPS[3]], NOW_S, 1))) == {0, 10}
    assert capped(data, Caps(()), NOW_S, 1) == {}


@given(st.binary(max_size=200), st.sampled_from(range(3)))
def test_damaged_caps_are_never_an_error(data: bytes, kind: int) -> None:
    for tag in unpack_caps(data):
        cap = Cap("cap.x", "x", tag, *("impression", CAPS[kind].measure), CAPS[kind].window_s, 3)
        capped(data, Caps((cap,)), NOW_S, 1)
        capped(feed_caps(data, [cap], NOW_S, 1), Caps((cap,)), NOW_S, 1)


def test_the_largest_state_fits_the_cookie() -> None:
    state = EventState(1, b"v" * 4, bytes(700), bytes(MAX_CAPS_BYTES), bytes(2 * MAX_REPORTED))
    box = CookieBox("films", [(1, b"c" * 32)])
    sealed = box.seal_events(state)
    assert len(sealed) <= MAX_COOKIE_BYTES
    assert box.open_events(sealed) == state


@pytest.mark.parametrize(
    ("of", "visitor", "wanted"),
    [
        (b"", b"", True),
        (b"", b"abcdefgh", True),
        (b"abcd", b"abcdefgh", True),
        (b"abcd", b"xbcd", False),
        (b"abcd", b"", False),
    ],
)
def test_a_state_belongs_to_one_visitor(of: bytes, visitor: bytes, wanted: bool) -> None:
    assert belongs(EventState(of=of), visitor) == wanted

"""What was counted of visitors by an instant: as the edge counts it, from the past alone, over any engine."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import duckdb
import narwhals as nw
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.decide.behaviours import Behaviour
from edge.errors import GivenError
from edge.visitor.buckets import NEVER_H, feed, unpack, value
from models.tables.windows import followed, with_behaviour

HOUR_S = 3600
ITEMS = {"a": 3, "b": 500, "c": 3}
"""What each item adds to a sum, and by what they are told apart; ``other`` feeds nothing."""

BEHAVIOURS = [
    Behaviour("count", 1, "view", "count", 5 * HOUR_S),
    Behaviour("sum", 2, "view", "sum", 5 * HOUR_S),
    Behaviour("distinct", 3, "view", "distinct", 5 * HOUR_S),
    Behaviour("recency", 4, "view", "recency", 5 * HOUR_S),
    Behaviour("short", 5, "view", "count", 60),
    Behaviour("bought", 6, "purchase", "count", 5 * HOUR_S),
]


class Happened(NamedTuple):
    """An event, which the visitor's next page is told of."""

    visitor: str
    kind: str
    item: str
    at_s: int
    decision: str = ""

    @property
    def at_ms(self) -> int:
        """As tables have it."""
        return self.at_s * 1000


Engine = Callable[[pa.Table], Any]


def _arrow(table: pa.Table) -> Any:
    return nw.from_native(table)


def _duckdb() -> Engine:
    connection = duckdb.connect()
    connection.execute("SET threads=1")
    names = (f"t{n}" for n in range(1_000))

    def frame(table: pa.Table) -> Any:
        name = next(names)
        connection.register(name, table)
        return nw.from_native(connection.table(name))

    return frame


FEEDS = pa.table({"item": list(ITEMS), "amount": list(ITEMS.values())})
TEXTS = ("decision", "visitor", "kind", "item")
EVENTS = pa.schema({**dict.fromkeys(TEXTS, pa.string()), "at_ms": pa.int64()})


def _events(happened: Sequence[Happened]) -> pa.Table:
    return pa.table([[getattr(one, name) for one in happened] for name in EVENTS.names], schema=EVENTS)


def _rows(asked: Sequence[tuple[str, int]]) -> pa.Table:
    columns = [[str(n) for n in range(len(asked))], [v for v, _ in asked], [at * 1000 for _, at in asked]]
    schema = pa.schema([("id", pa.string()), ("visitor", pa.string()), ("at_ms", pa.int64())])
    return pa.table(columns, schema=schema)


def _told(
    frame: Engine, asked: Sequence[tuple[str, int]], happened: Sequence[Happened], behaviour: Behaviour
) -> list[float | None]:
    rows, events, feeds = frame(_rows(asked)), frame(_events(happened)), frame(FEEDS)
    found = with_behaviour(rows, events, behaviour, feeds)
    if isinstance(found, nw.LazyFrame):
        found = found.collect("pyarrow")
    by_id = dict(zip(found["id"].to_list(), found[f"behaviour.{behaviour.name}"].to_list(), strict=True))
    return [by_id[str(n)] for n in range(len(asked))]


def _counted(asked: tuple[str, int], happened: Sequence[Happened], behaviour: Behaviour) -> float | None:
    """What the edge has in the visitor's cookie at that instant."""
    visitor, now_s = asked
    if not visitor:
        return None
    data = b""
    for one in sorted(happened, key=lambda one: one.at_s):
        if one.visitor == visitor and one.kind == behaviour.event and one.at_s < now_s and one.item in ITEMS:
            amount = ITEMS[one.item] if behaviour.measure in ("sum", "distinct") else 1
            data = feed(data, [(behaviour, amount, True)], [behaviour], one.at_s)
    return value(behaviour, unpack(data).get(behaviour.tag, b""), now_s)


instants = st.integers(1_700_000_000, 1_700_000_000 + 12 * HOUR_S)
happenings = st.lists(
    st.builds(
        Happened,
        st.sampled_from(["v", "w"]),
        st.sampled_from(["view", "view", "purchase"]),
        st.sampled_from([*ITEMS, "other"]),
        instants,
    ),
    max_size=25,
)
asking = st.lists(st.tuples(st.sampled_from(["v", "w", "x", ""]), instants), min_size=1, max_size=6)


@pytest.mark.parametrize("behaviour", BEHAVIOURS[:5], ids=lambda one: one.name)
@settings(deadline=None, max_examples=5)
@given(asked=asking, happened=happenings)
def test_a_table_tells_what_the_edge_counts(
    behaviour: Behaviour, asked: list[tuple[str, int]], happened: list[Happened]
) -> None:
    wanted = [_counted(one, happened, behaviour) for one in asked]
    found = _told(_arrow, asked, happened, behaviour)
    assert found == pytest.approx(wanted, abs=1e-9)
    assert _told(_duckdb(), asked, happened, behaviour) == found


@settings(deadline=None, max_examples=8)
@given(asked=asking, happened=happenings, later=happenings)
def test_nothing_of_the_future_leaks_in(
    asked: list[tuple[str, int]], happened: list[Happened], later: list[Happened]
) -> None:
    last_s = max(at_s for _, at_s in asked)
    future = [one._replace(at_s=one.at_s + 13 * HOUR_S) for one in later]
    assert all(one.at_s > last_s for one in future)
    for behaviour in BEHAVIOURS:
        assert _told(_arrow, asked, happened + future, behaviour) == _told(_arrow, asked, happened, behaviour)


def test_of_the_instant_itself_what_came_of_the_row_counts() -> None:
    views = [("a", 1_000, "1"), ("a", 1_000, "else"), ("b", 1_001, "2"), ("b", 1_002, "1")]
    events = [Happened("v", "view", item, at_s, decision) for item, at_s, decision in views]
    asked = [("v", 999), ("v", 1_000), ("v", 1_001)]
    assert _told(_arrow, asked, events, BEHAVIOURS[0]) == [0, 1, 3]
    assert _told(_arrow, asked, events, BEHAVIOURS[3]) == [NEVER_H, 0, 0]


def test_a_full_bucket_counts_as_the_edge_has_it() -> None:
    events = [Happened("v", "view", "b", 1_000)] * 300
    assert _told(_arrow, [("v", 1_001)], events, BEHAVIOURS[0]) == [255]
    assert _told(_arrow, [("v", 1_001)], events, BEHAVIOURS[1]) == [65_535]
    assert _counted(("v", 1_001), events, BEHAVIOURS[1]) == 65_535


def test_what_pages_report_may_be_of_no_item() -> None:
    events = [
        Happened("v", "purchase", "", 10),
        Happened("v", "purchase", "a", 11),
        Happened("v", "view", "a", 12),
    ]
    assert _told(_arrow, [("v", 20)], events, BEHAVIOURS[5]) == [2]


def test_what_was_logged_stays() -> None:
    rows = _rows([("v", 20), ("v", 20)]).append_column("behaviour.count", pa.array([7.0, None]))
    events = _events([Happened("v", "view", "a", 10)])
    found = with_behaviour(_arrow(rows), _arrow(events), BEHAVIOURS[0], _arrow(FEEDS)).sort("id")
    assert found["behaviour.count"].to_list() == [7.0, 1.0]


@pytest.mark.parametrize(
    "behaviour",
    [
        Behaviour("rate", 1, "view", "rate", 60),
        Behaviour("ended", 1, "view", "count", 60, until="purchase"),
        Behaviour("page", 1, "page", "count", 60),
        Behaviour("spent", 1, "purchase", "sum", 60, by_value=True),
    ],
    ids=lambda one: one.name,
)
def test_what_events_do_not_tell_is_refused(behaviour: Behaviour) -> None:
    with pytest.raises(GivenError, match=f"{behaviour.name!r} can't be told from events"):
        _told(_arrow, [("v", 1)], [], behaviour)


@pytest.mark.parametrize("engine", ["pyarrow", "duckdb"])
def test_a_label_is_what_followed(engine: str) -> None:
    frame = _duckdb() if engine == "duckdb" else _arrow
    events = [Happened("v", "purchase", "", 100), Happened("w", "purchase", "", 500)]
    asked = [("v", 99), ("v", 100), ("v", 89), ("w", 99), ("", 99)]
    found = followed(frame(_rows(asked)), frame(_events(events)), "purchase", 10, "label").sort("id")
    if isinstance(found, nw.LazyFrame):
        found = found.collect("pyarrow")
    # Only after the instant, and only so long; who is not known has no row.
    assert (found["id"].to_list(), found["label"].to_list()) == (["0", "1", "2", "3"], [1, 0, 0, 0])

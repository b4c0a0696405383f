"""The lake's Parquet tables: their columns, and how records become rows."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from edge.decide.types import DecisionRecord, Event, Record, Shadow, Slot

DECISIONS: Final = "decisions"
EVENTS: Final = "events"
SHADOWS: Final = "shadows"

_STRINGS: Final = pa.list_(pa.string())
_TIME: Final = pa.timestamp("ms")  # UTC, without zone

SLOT: Final = pa.struct(
    [
        ("placement", pa.string()),
        ("policy", pa.string()),
        ("content", pa.string()),
        ("items", _STRINGS),
        ("candidates", pa.string()),
        ("card", pa.string()),
        ("propensity", pa.float64()),
        ("experiment", pa.string()),
        ("variation", pa.string()),
    ]
)

SCHEMAS: Final[dict[str, pa.Schema]] = {
    DECISIONS: pa.schema(
        [
            ("id", pa.string()),
            ("decided", _TIME),
            ("pop", pa.string()),
            ("bundle", pa.string()),
            ("revision", pa.int64()),
            ("tier", pa.string()),
            ("visitor", pa.string()),
            ("killed", _STRINGS),
            ("slots", pa.list_(SLOT)),
            ("missed", _STRINGS),
            ("teaches", pa.bool_()),
            ("excluded", _STRINGS),
            ("record", pa.binary()),
        ]
    ),
    EVENTS: pa.schema(
        [
            ("decision", pa.string()),
            ("kind", pa.string()),
            ("item", pa.string()),
            ("n", pa.int64()),
            ("placement", pa.string()),
            ("happened", _TIME),
            ("pop", pa.string()),
            ("visitor", pa.string()),
            ("value", pa.float64()),
            ("record", pa.binary()),
        ]
    ),
    SHADOWS: pa.schema(
        [
            ("decision", pa.string()),
            ("placement", pa.string()),
            ("recommender", pa.string()),
            ("challenger", pa.string()),
            ("items", _STRINGS),
            ("happened", _TIME),
            ("pop", pa.string()),
            ("record", pa.binary()),
        ]
    ),
}
"""`record` holds the record's exact bytes, so that what a column leaves out is not lost."""

MAX_INTEGER: Final = 2**63 - 1

Rows = dict[str, list[dict[str, Any]]]


def to_rows(records: Iterable[tuple[Record, bytes]], pop: str) -> Rows:
    """Rows by table, from records and their exact bytes; `pop` is who shipped them."""
    rows: Rows = {DECISIONS: [], EVENTS: [], SHADOWS: []}
    for record, exact in records:
        if isinstance(record, DecisionRecord):
            rows[DECISIONS].append(_decision(record, exact))
        elif isinstance(record, Shadow):
            rows[SHADOWS].append(_shadow(record, exact, pop))
        else:
            rows[EVENTS].append(_event(record, exact, pop))
    return rows


def write(path: Path, kind: str, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows of a table as one Parquet file."""
    table = pa.Table.from_pylist(list(rows), schema=SCHEMAS[kind])
    pq.write_table(table, path, compression="zstd")


def fits(record: Record) -> bool:
    """Whether the record's whole numbers fit the columns."""
    if isinstance(record, DecisionRecord):
        return abs(record.context.now_ms) <= MAX_INTEGER and abs(record.revision) <= MAX_INTEGER
    n = record.n if isinstance(record, Event) else 0
    return abs(record.now_ms) <= MAX_INTEGER and abs(n) <= MAX_INTEGER


def _decision(record: DecisionRecord, exact: bytes) -> dict[str, Any]:
    return {
        "id": record.id,
        "decided": record.context.now_ms,
        "pop": record.pop,
        "bundle": record.bundle,
        "revision": record.revision,
        "tier": record.context.tier,
        "visitor": record.visitor,
        "killed": record.killed,
        "slots": [_slot(slot) for slot in record.slots],
        "missed": record.missed,
        "teaches": record.teaches,
        "excluded": record.excluded,
        "record": exact,
    }


def _slot(slot: Slot) -> dict[str, Any]:
    return {field: getattr(slot, field) for field in slot.__struct_fields__}


def _shadow(record: Shadow, exact: bytes, pop: str) -> dict[str, Any]:
    return {
        "decision": record.decision,
        "placement": record.placement,
        "recommender": record.recommender,
        "challenger": record.challenger,
        "items": record.items,
        "happened": record.now_ms,
        "pop": pop,
        "record": exact,
    }


def _event(record: Event, exact: bytes, pop: str) -> dict[str, Any]:
    return {
        "decision": record.decision,
        "kind": record.kind,
        "item": record.item,
        "n": record.n,
        "placement": record.placement,
        "happened": record.now_ms,
        "pop": pop,
        "visitor": record.visitor,
        "value": record.value,
        "record": exact,
    }

"""The lake as a table to learn from: what a decision was made with, what was done by then, what followed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import narwhals as nw
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from compiler.features.tastes import make_tastes
from compiler.rules.behaviours import definitions, feeds
from compiler.types import Workspace
from edge.bundle.features import columns_of, needed
from edge.decide.behaviours import Behaviour
from edge.decide.tastes import NONE as NO_TASTES
from edge.decide.tastes import Tastes
from edge.decide.types import DecisionRecord, Event
from edge.errors import ConfigError, GivenError
from edge.worker.attributes.facts import BEHAVIOUR
from models.tables.windows import check_computable, followed, with_behaviour
from origin.lake import reader as lake

TYPES: Final = {"string": pa.string(), "number": pa.float64(), "boolean": pa.bool_()}
EVENTS: Final = pa.schema(
    [
        ("decision", pa.string()),
        ("visitor", pa.string()),
        ("kind", pa.string()),
        ("item", pa.string()),
        ("at_ms", pa.int64()),
    ]
)
LABEL: Final = "label"


@dataclass(frozen=True)
class Outcome:
    """What a row's label is: whether the visitor did `kind` in so many seconds after."""

    kind: str
    within_s: int


def training_table(workspace: Workspace, root: Path, outcome: Outcome | None = None) -> pa.Table:
    """A row for each decision of the lake that may teach.

    Its columns are ``id``, ``visitor``, ``at_ms``, the attributes that features are made from, and ``label``.
    What was counted of a visitor and not logged is told from the events before. With an outcome there are
    rows of known visitors alone.

    Raises
    ------
    ConfigError
        ``data``: the folder is no origin's. ``sample``: it holds no decision.
    """
    site = workspace.site.name
    types = _types(workspace)
    records = (record for record in lake.decisions(root, site) if record.teaches)
    tastes = make_tastes(workspace.site, workspace.catalog)
    rows = nw.from_native(decision_table(records, types, tastes))
    if not len(rows):
        raise ConfigError("sample", f"{root} holds no decision of site {site!r}")
    events = nw.from_native(event_table(lake.events(root, site)))
    for behaviour, table in _behaviours(workspace, types):
        rows = with_behaviour(rows, events, behaviour, table)
    if outcome is not None:
        rows = followed(rows, events, outcome.kind, outcome.within_s, LABEL)
    return rows.sort("at_ms", "id").to_native()


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table as Parquet."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, compression="zstd")


def decision_table(
    records: Iterable[DecisionRecord], types: Mapping[str, str], tastes: Tastes = NO_TASTES
) -> pa.Table:
    """A row for each decision: ``id``, ``visitor``, ``at_ms``, and attributes by name, null where missing.

    Parameters
    ----------
    types
        Of the attributes that are wanted; a value of another type is missing.
    tastes
        What histories amount to, where that was not logged.
    """
    columns: dict[str, list[Any]] = {name: [] for name in ("id", "visitor", "at_ms", *types)}
    for record in records:
        columns["id"].append(record.id)
        columns["visitor"].append(record.visitor)
        columns["at_ms"].append(record.context.now_ms)
        known = {**tastes.of(record.context.history), **record.context.attributes}
        for name, type_ in types.items():
            columns[name].append(_typed(known.get(name), type_))
    schema = {"id": pa.string(), "visitor": pa.string(), "at_ms": pa.int64()}
    schema |= {name: TYPES[type_] for name, type_ in types.items()}
    return pa.table({name: pa.array(columns[name], type_) for name, type_ in schema.items()})


def event_table(events: Iterable[Event]) -> pa.Table:
    """A row for each event, once, however often it reached the lake."""
    found: dict[tuple[str, str, str, int], tuple[str, str, str, str, int]] = {}
    for event in events:
        identity = (event.decision, event.kind, event.item, event.n)
        row = (event.decision, event.visitor, event.kind, event.item, event.now_ms)
        found.setdefault(identity, row)
    rows = list(found.values())
    return pa.table([[row[at] for row in rows] for at in range(len(EVENTS))], schema=EVENTS)


def feed_table(workspace: Workspace, behaviour: Behaviour) -> pa.Table:
    """The items that a behaviour counts, and the amount of each."""
    arrays = feeds(workspace.site.behaviours, workspace.catalog)
    place = [one.name for one in workspace.site.behaviours].index(behaviour.name)
    counted = np.flatnonzero(arrays["masks"] >> place & 1).tolist()
    amounts = arrays.get(f"amounts/{behaviour.name}", np.ones(len(workspace.catalog.items), np.uint16))
    items = [workspace.catalog.items[item].id for item in counted]
    columns = {"item": pa.array(items, pa.string()), "amount": pa.array(amounts[counted].astype(np.int64))}
    return pa.table(columns)


def _types(workspace: Workspace) -> dict[str, str]:
    """The attributes that features are made from, with their types."""
    features = workspace.features.by_name
    known = {attribute.name: attribute.type for attribute in workspace.site.attributes}
    return {c.attribute: known[c.attribute] for c in columns_of(needed(features, features))}


def _behaviours(workspace: Workspace, types: Mapping[str, str]) -> list[tuple[Behaviour, Any]]:
    """The behaviours that features read and that events tell, each with what feeds it."""
    found = []
    for behaviour in definitions(workspace.site.behaviours):
        try:
            check_computable(behaviour)
        except GivenError:
            continue  # it is there where it was logged
        if BEHAVIOUR + behaviour.name in types:
            found.append((behaviour, nw.from_native(feed_table(workspace, behaviour))))
    return found


def _typed(value: Any, type_: str) -> Any:
    kinds: dict[str, Any] = {"string": str, "boolean": bool, "number": (int, float)}
    fits = isinstance(value, kinds[type_]) and (type_ != "number" or not isinstance(value, bool))
    return value if fits else None

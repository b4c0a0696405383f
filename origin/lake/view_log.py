"""Views of the lake as interactions to learn from, each with what was known of its context."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from compiler.types import Workspace
from edge.errors import ConfigError
from edge.worker.attributes.facts import BEHAVIOUR
from models.tables.windows import VIEW
from origin.lake import reader as lake
from origin.lake.feature_log import training_table

OF_HISTORY: Final = frozenset({"visitor.items", "visitor.last_item", "visitor.last_items"})
"""Attributes that a view itself changes, beside behaviours and what histories amount to."""


def view_table(workspace: Workspace, root: Path) -> pa.Table:
    """A row for each view of an item by a known visitor, in time: ``user``, ``item``, ``timestamp``.

    Beside these are the attributes that features are made from, as they were on the page that was viewed. Of
    what goes by the visitor's history, that page already holds the answer, so it is of the page before; of a
    first page it is missing.

    Raises
    ------
    ConfigError
        ``data``: the folder is no origin's. ``sample``: it holds no view of a known visitor.
    """
    rows = training_table(workspace, root)
    kept = rows.to_pydict()
    before = _pages_before(kept)
    late = _late(workspace, rows.column_names)
    names = [name for name in rows.column_names if name not in ("id", "visitor", "at_ms")]
    found: dict[str, list[Any]] = {name: [] for name in ("user", "item", "timestamp", *names)}
    for row, item in _views(workspace, root, {id_: row for row, id_ in enumerate(kept["id"])}):
        if kept["visitor"][row]:
            found["user"].append(kept["visitor"][row])
            found["item"].append(item)
            found["timestamp"].append(kept["at_ms"][row] // 1000)
            for name in names:
                at = before[row] if name in late else row
                found[name].append(kept[name][at] if at >= 0 else None)
    if not found["user"]:
        raise ConfigError(
            "sample", f"{root} holds no view of a known visitor of site {workspace.site.name!r}"
        )
    types = {"user": pa.string(), "item": pa.string(), "timestamp": pa.int64()}
    types |= {name: rows.schema.field(name).type for name in names}
    return pa.table({name: pa.array(values, types[name]) for name, values in found.items()})


def _views(workspace: Workspace, root: Path, places: Mapping[str, int]) -> list[tuple[int, str]]:
    """Each view with the row of its page, in the order of pages; once, however often it reached the lake."""
    events = lake.events(root, workspace.site.name)
    views = {(places.get(event.decision, -1), event.item) for event in events if event.kind == VIEW}
    return sorted((row, item) for row, item in views if row >= 0 and item)


def _pages_before(kept: Mapping[str, list[Any]]) -> list[int]:
    """By row, that of the same visitor's page before; -1 where there is none. Rows are in time."""
    last: dict[str, int] = {}
    found = []
    for row, visitor in enumerate(kept["visitor"]):
        found.append(last.get(visitor, -1))
        last[visitor] = row
    return found


def _late(workspace: Workspace, names: list[str]) -> set[str]:
    """The attributes that go by what the visitor did."""
    sources = {attribute.name: attribute.source for attribute in workspace.site.attributes}
    return {
        name
        for name in names
        if name in OF_HISTORY or name.startswith(BEHAVIOUR) or sources.get(name, "").startswith("history:")
    }

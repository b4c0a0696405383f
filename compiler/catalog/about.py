"""Compiles what the visitor's own page says of items: their titles, and the topics that can be muted."""

import re
from typing import Final

import numpy as np

from compiler.draft import Draft
from compiler.files.fields import Fields
from compiler.problems import Problems, nearest
from compiler.types import Catalog, ItemColumns
from edge.bundle.arrays import Array, pack
from edge.bundle.strings import pack_strings
from edge.decide.about import KIND, MAX_TITLE_BYTES, MAX_TOPIC_BYTES, MAX_TOPICS

BETWEEN: Final = re.compile("[|;,]")
"""Between the topics of one item."""

_KEYS: Final = ("title", "topics")


def read_columns(fields: Fields) -> ItemColumns:
    """Which columns of the catalog are titles and topics, from ``items`` of site.yaml."""
    title, topics = (fields.text(key) or "" for key in _KEYS)
    return ItemColumns(title, topics, {key: fields.line_of(key) for key in _KEYS}, fields.path)


def check_columns(columns: ItemColumns, catalog: Catalog, problems: Problems) -> None:
    """Note columns that the catalog does not have, and topics that can't be."""
    for key, column in (("title", columns.title), ("topics", columns.topics)):
        if column and column not in catalog.columns:
            message = f"items has an unknown column {column!r} as {key!r}"
            hint = nearest(column, catalog.columns)
            problems.error(columns.path, columns.lines[key], "unknown-name", message, hint)
            return
    if not columns.topics:
        return
    names = {name for item in catalog.items for name in _topics(item.values[columns.topics])}
    longest = max(names, key=lambda name: len(name.encode()), default="")
    place = (columns.path, columns.lines["topics"])
    if len(longest.encode()) > MAX_TOPIC_BYTES:
        message = f"items has a topic of {len(longest.encode())} bytes, {longest[:MAX_TOPIC_BYTES]!r}…"
        problems.error(
            *place, "too-large", message, f"at most {MAX_TOPIC_BYTES}; a comma, '|' or ';' is between two"
        )
    elif len(names) > MAX_TOPICS:
        message = f"items has {len(names)} topics"
        problems.error(*place, "too-large", message, f"at most {MAX_TOPICS}: take a coarser column")


def put_about(draft: Draft, columns: ItemColumns, catalog: Catalog) -> None:
    """Add the artifact to the catalog's manifest, where there is anything to say."""
    arrays: dict[str, Array] = {}
    if columns.title:
        arrays |= pack_strings("titles", [_title(item.values[columns.title]) for item in catalog.items])
    if columns.topics:
        arrays |= _by_topic([_topics(item.values[columns.topics]) for item in catalog.items])
    if arrays:
        draft.put(KIND, KIND, pack(arrays))


def _by_topic(topics_of: list[list[str]]) -> dict[str, Array]:
    members: dict[bytes, list[int]] = {}
    for position, names in enumerate(topics_of):
        for name in names:
            members.setdefault(name.encode(), []).append(position)
    ordered = sorted(members)
    starts = np.zeros(len(ordered) + 1, np.uint64)
    np.cumsum([len(members[name]) for name in ordered], out=starts[1:])
    flat = [position for name in ordered for position in members[name]]
    return {**pack_strings("topics", ordered), "members": np.array(flat, np.uint32), "starts": starts}


def _topics(cell: str) -> list[str]:
    """The topics in a cell, each once."""
    return list(dict.fromkeys(filter(None, map(str.strip, BETWEEN.split(cell)))))


def _title(cell: str) -> bytes:
    return cell.strip().encode()[:MAX_TITLE_BYTES].decode(errors="ignore").encode()

"""One visitor state from two that were written side by side."""

from typing import Any

from msgspec.structs import replace

from edge.visitor import buckets
from edge.visitor.state import MAX_ITEMS, VisitorState, assign


def merge(one: VisitorState, other: VisitorState) -> VisitorState:
    """What both say of a visitor, whichever comes first; of two visitors, the one who was seen last.

    Items, variations, and the times of the first and last page are kept of both.
    What both counted of one behaviour is counted once: the one that counted last, or more, stands.
    """
    newer, older = (one, other) if _rank(one) >= _rank(other) else (other, one)
    if newer.visitor != older.visitor:
        return newer
    joined = replace(
        older,
        version=max(newer.version, older.version),
        first_s=min(filter(None, (newer.first_s, older.first_s)), default=0),
        last_s=newer.last_s,
        visits=max(newer.visits, older.visits),
        items=_items(newer.items, older.items),
        behaviours=_behaviours(newer.behaviours, older.behaviours),
    )
    return assign(joined, newer.assigned) if newer.assigned else joined


def _rank(state: VisitorState) -> tuple[Any, ...]:
    """Which state is the newer one; equal for equal states alone."""
    return (
        state.last_s, state.visits, state.visitor, state.items, state.behaviours, state.assigned,
        -state.first_s, state.version,
    )  # fmt: skip


def _items(newer: tuple[str, ...], older: tuple[str, ...]) -> tuple[str, ...]:
    """Each item where the one that has it further in front has it; the newer state's first."""
    places: dict[str, int] = {}
    for held in (newer, older):
        for place, item in enumerate(held):
            places[item] = min(place, places.get(item, place))
    return tuple(sorted(places, key=places.__getitem__)[:MAX_ITEMS])


def _behaviours(newer: bytes, older: bytes) -> bytes:
    """Of each tag the body that goes further; where there are too many, the older state's are dropped."""
    held, more = buckets.unpack(newer), buckets.unpack(older)
    found = {tag: max(body, more.get(tag, b""), key=_reach) for tag, body in held.items()}
    packed = buckets.pack(found)
    for tag, body in more.items():
        if tag not in found:
            added = buckets.pack({tag: body})
            packed += added if len(packed) + len(added) <= buckets.MAX_BYTES else b""
    return packed


def _reach(body: bytes) -> tuple[int, int, bytes]:
    return int.from_bytes(body[:4], "little"), sum(body[4:]), body

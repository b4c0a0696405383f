"""What a visitor did in time, in few bytes: buckets that grow old, by the definition that they count for."""

import struct
from collections.abc import Iterable
from typing import Final

from edge.decide.behaviours import Behaviour, Fed

IN_WINDOW: Final = 15
"""So many buckets make a window, and the one that is filled now comes on top: an answer goes at most one
bucket further back than the window."""

BUCKETS: Final = IN_WINDOW + 1
MAX_COUNT: Final = 255
"""Of one bucket; more are counted as this."""

MAX_SUM: Final = 65_535
MAX_DISTINCT: Final = 16
NEVER_H: Final = 1_000_000.0
"""The recency of what never happened, in hours: longer ago than anything that did."""

BODY_BYTES: Final = {
    "count": 4 + BUCKETS,
    "sum": 4 + 2 * BUCKETS,
    "rate": 4 + 2 * BUCKETS,
    "distinct": 4 + 3 * MAX_DISTINCT,
    "recency": 4,
}
"""The most that one behaviour takes, by its measure; `HEAD_BYTES` come on top."""

HEAD_BYTES: Final = 3
MAX_BYTES: Final = 700
"""Of all behaviours of a visitor, so that the cookie holds some items beside; the compiler sees to it."""

_WIDTH: Final = {"count": 1, "sum": 2, "rate": 2, "distinct": 3, "recency": 1}
_HEAD: Final = struct.Struct("<HB")
_AT: Final = struct.Struct("<I")
_LAST_S: Final = 0xFFFF_FFFF

Bodies = dict[int, bytes]
"""By tag, what was counted."""


def bucket_s(behaviour: Behaviour) -> int:
    """How long one bucket is: a fifteenth of the window, in whole seconds."""
    return -(-behaviour.window_s // IN_WINDOW)


def unpack(data: bytes) -> Bodies:
    """What a visitor's state holds; damage, which only a bug of ours could make, ends it early."""
    found: Bodies = {}
    at = 0
    while at + HEAD_BYTES <= len(data):
        tag, length = _HEAD.unpack_from(data, at)
        at += HEAD_BYTES
        found[tag] = data[at : at + length]
        at += length
    return found


def pack(bodies: Bodies) -> bytes:
    """The bytes of what was counted."""
    return b"".join([_HEAD.pack(tag, len(body)) + body for tag, body in bodies.items()])


def feed(data: bytes, fed: Iterable[Fed], known: Iterable[Behaviour], now_s: int) -> bytes:
    """The state after an event; what belongs to no known definition, or is past its window, is dropped."""
    held = unpack(data)
    bodies = {
        one.tag: body
        for one in known
        if _fits(one.measure, body := held.get(one.tag, b"")) and not _is_over(one, body, now_s)
    }
    for behaviour, amount, own in fed:
        body = _fed(behaviour, bodies.get(behaviour.tag, b""), now_s, amount, own)
        if body:
            bodies[behaviour.tag] = body
    return pack(bodies)


def value(behaviour: Behaviour, body: bytes, now_s: int) -> float:
    """What a behaviour amounts to now.

    A count, sum or number of distinct things; a rate from 0 to 1, 0 where
    nothing is; a recency in hours, `NEVER_H` for never or before the window.
    """
    if len(body) < _AT.size:
        return NEVER_H if behaviour.measure == "recency" else 0
    (at,) = _AT.unpack_from(body)
    if behaviour.measure == "recency":
        age_s = max(0, now_s - at)
        return age_s / 3600 if age_s <= behaviour.window_s else NEVER_H
    left = BUCKETS - max(0, now_s // bucket_s(behaviour) - at)
    if left <= 0:
        return 0
    return _in_window(behaviour.measure, body[_AT.size :], left)


def _in_window(measure: str, cells: bytes, left: int) -> float:
    """The value of cells of which the newest `left` buckets are in the window."""
    if measure == "count":
        return sum(cells[:left])
    if measure == "sum":
        return sum(cells[: 2 * left : 2]) + 256 * sum(cells[1 : 2 * left : 2])
    if measure == "distinct":
        return sum([age < left for age in cells[2::3]])
    total = sum(cells[1 : 2 * left : 2])
    return sum(cells[: 2 * left : 2]) / total if total else 0


def _fits(measure: str, body: bytes) -> bool:
    """Whether the body may be of that measure: tags of two definitions can be the same by chance."""
    cells = len(body) - _AT.size
    return 0 <= cells <= BODY_BYTES[measure] - _AT.size and cells % _WIDTH[measure] == 0


def _is_over(behaviour: Behaviour, body: bytes, now_s: int) -> bool:
    at: int = _AT.unpack_from(body)[0]
    if behaviour.measure == "recency":
        return now_s - at > behaviour.window_s
    return now_s // bucket_s(behaviour) - at >= BUCKETS


def _fed(behaviour: Behaviour, body: bytes, now_s: int, amount: int, own: bool) -> bytes:
    now_s = min(max(0, now_s), _LAST_S)
    if behaviour.measure == "recency":
        last = _AT.unpack_from(body)[0] if body else 0
        return _AT.pack(max(last, now_s)) if own else body
    bucket = now_s // bucket_s(behaviour)
    at = _AT.unpack_from(body)[0] if body else bucket
    # The clock of another edge may be ahead: what it began is still being filled.
    shift = max(0, bucket - at)
    cells = body[_AT.size :]
    if behaviour.measure == "distinct":
        cells = _with_thing(cells, shift, amount)
    else:
        width = _WIDTH[behaviour.measure]
        cells = (bytes(shift * width) + cells)[: BUCKETS * width] or bytes(width)
        cells = _with_event(behaviour.measure, cells, amount, own)
    return _AT.pack(max(at, bucket)) + cells


def _with_event(measure: str, cells: bytes, amount: int, own: bool) -> bytes:
    """One more event in the newest bucket."""
    if measure == "count":
        return bytes((min(MAX_COUNT, cells[0] + 1),)) + cells[1:]
    if measure == "sum":
        total = min(MAX_SUM, cells[0] + 256 * cells[1] + amount)
        return total.to_bytes(2, "little") + cells[2:]
    if cells[1] == MAX_COUNT:  # full: the share stays as it is
        return cells
    return bytes((cells[0] + own, cells[1] + 1)) + cells[2:]


def _with_thing(cells: bytes, shift: int, fingerprint: int) -> bytes:
    """Things by fingerprint, each with the age of its last bucket, the newest first."""
    new = fingerprint.to_bytes(2, "little")
    kept = [new + b"\0"]
    for at in range(0, len(cells) - 2, 3):
        age = cells[at + 2] + shift
        if age < BUCKETS and cells[at : at + 2] != new:
            kept.append(cells[at : at + 2] + bytes((age,)))
    return b"".join(kept[:MAX_DISTINCT])

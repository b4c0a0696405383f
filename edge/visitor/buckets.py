"""What a visitor did in time, in few bytes: buckets that grow old, by the definition that they count for."""

import struct
from collections.abc import Iterable
from typing import Final

from edge.decide.behaviours import ENDS, Behaviour, Fed

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


def feed(data: bytes, happened: Iterable[Fed], known: Iterable[Behaviour], now_s: int) -> bytes:
    """The state after an event; what belongs to no known definition, or is past its window, is dropped."""
    held = unpack(data)
    bodies = {
        one.tag: body
        for one in known
        if fits(one.measure, body := held.get(one.tag, b"")) and not is_over(one, body, now_s)
    }
    for behaviour, amount, own in happened:
        if amount == ENDS:
            bodies.pop(behaviour.tag, None)
            continue
        body = fed(behaviour, bodies.get(behaviour.tag, b""), now_s, amount, own)
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
    if behaviour.last:
        return _of_last(body[_AT.size :], behaviour.last)
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
    return _share(sum(cells[: 2 * left : 2]), sum(cells[1 : 2 * left : 2]))


def _share(own: int, total: int) -> float:
    """Of clicks whose impressions are longer ago there may be more than impressions."""
    return min(1.0, own / max(1, total))


def _of_last(cells: bytes, last: int) -> float:
    """The share in the newest cells that hold so many events together."""
    own = total = 0
    for at in range(0, len(cells) - 1, 2):
        if total >= last:
            break
        own, total = own + cells[at], total + cells[at + 1]
    return _share(own, total)


def fits(measure: str, body: bytes) -> bool:
    """Whether the body may be of that measure: tags of two definitions can be the same by chance."""
    cells = len(body) - _AT.size
    return 0 <= cells <= BODY_BYTES[measure] - _AT.size and cells % _WIDTH[measure] == 0


def is_over(behaviour: Behaviour, body: bytes, now_s: int) -> bool:
    """Whether all that was counted is past the window."""
    if behaviour.last or len(body) < _AT.size:
        return False
    at: int = _AT.unpack_from(body)[0]
    if behaviour.measure == "recency":
        return now_s - at > behaviour.window_s
    return now_s // bucket_s(behaviour) - at >= BUCKETS


def fed(behaviour: Behaviour, body: bytes, now_s: int, amount: int, own: bool) -> bytes:
    """The body after an event."""
    if behaviour.last:
        return _fed_last(behaviour.last, body, amount, own)
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


def cell_events(last: int) -> int:
    """How many of the last events make one cell: a fifteenth, in whole events."""
    return -(-last // IN_WINDOW)


def _fed_last(last: int, body: bytes, amount: int, own: bool) -> bytes:
    """Cells that are full by events, not by time; a click belongs to the newest."""
    size, cells = cell_events(last), body[_AT.size :]
    if not cells or (amount and cells[1] >= size):
        cells = b"\0\0" + cells
    kept = 2 * (-(-last // size) + 1)
    return _AT.pack(0) + _with_event("rate", cells, amount, own)[:kept]


def _with_event(measure: str, cells: bytes, amount: int, own: bool) -> bytes:
    """One more event in the newest bucket."""
    if measure == "count":
        return bytes((min(MAX_COUNT, cells[0] + 1),)) + cells[1:]
    if measure == "sum":
        total = min(MAX_SUM, cells[0] + 256 * cells[1] + amount)
        return total.to_bytes(2, "little") + cells[2:]
    if MAX_COUNT in (cells[0], cells[1]):  # full: the share stays as it is
        return cells
    return bytes((cells[0] + own, min(MAX_COUNT, cells[1] + amount))) + cells[2:]


def _with_thing(cells: bytes, shift: int, fingerprint: int) -> bytes:
    """Things by fingerprint, each with the age of its last bucket, the newest first."""
    new = fingerprint.to_bytes(2, "little")
    kept = [new + b"\0"]
    for at in range(0, len(cells) - 2, 3):
        age = cells[at + 2] + shift
        if age < BUCKETS and cells[at : at + 2] != new:
            kept.append(cells[at : at + 2] + bytes((age,)))
    return b"".join(kept[:MAX_DISTINCT])

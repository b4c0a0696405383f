"""Event state: what the visitor's second cookie carries, which only the answers to reported events write."""

import struct
from collections.abc import Iterable
from typing import Final

import msgspec

from edge.decide.caps import Cap, Caps
from edge.rules.bucketing import fnv1a_32
from edge.visitor import buckets
from edge.visitor.buckets import Bodies

VERSION: Final = 1
OF_BYTES: Final = 4
"""Of the visitor's id: counts end with the id under which they began."""

MAX_REPORTED: Final = 32
"""Identities that are remembered: those of a whole request of events, so that one sent twice counts once."""

MAX_CAPS_BYTES: Final = 300
"""Of all caps of a visitor: 12 campaigns at least, some 30 mostly; the one longest not shown goes first."""

MAX_BOUGHT: Final = 50
MAX_BOUGHT_BYTES: Final = 400
"""Of the ids of what was bought; where the cookie has no room for as much, fewer stay."""

_HEAD: Final = struct.Struct("<IB")
_VISIT: Final = struct.Struct("<HB")
_IDENTITY_BYTES: Final = 2


class EventState(msgspec.Struct, frozen=True, array_like=True):
    """What pages reported of one visitor, counted.

    Attributes
    ----------
    of : bytes
        The first bytes of the visitor's id; empty in the consent tier `session`.
    behaviours : bytes
        In buckets, as in the visitor state.
    caps : bytes
        What was counted of campaigns, the one longest not shown first.
    reported : bytes
        Two bytes of each of the last events' identities, the newest last.
    bought : tuple of str
        Ids of the items bought last, the last one first, each once.
    """

    version: int = VERSION
    of: bytes = b""
    behaviours: bytes = b""
    caps: bytes = b""
    reported: bytes = b""
    bought: tuple[str, ...] = ()


NOTHING: Final = EventState()


def belongs(state: EventState, visitor: bytes) -> bool:
    """Whether the state was counted of this visitor, or before they had an id."""
    return state.of in (b"", visitor[:OF_BYTES])


def with_bought(bought: tuple[str, ...], items: Iterable[str]) -> tuple[str, ...]:
    """What was bought so far with these, the last one last; what was bought longest ago makes room."""
    kept = tuple(dict.fromkeys((*reversed(tuple(items)), *bought)))[:MAX_BOUGHT]
    while sum(len(item.encode()) + 1 for item in kept) > MAX_BOUGHT_BYTES:
        kept = kept[:-1]
    return kept


class Reported:
    """Identities of the events that were counted lately."""

    def __init__(self, held: bytes) -> None:
        self._held = [held[at : at + _IDENTITY_BYTES] for at in range(0, len(held), _IDENTITY_BYTES)]

    def is_new(self, *identity: str | int) -> bool:
        """Whether this one is not among the last; it is from now on."""
        text = "\0".join(map(str, identity))
        short = (fnv1a_32(text) & 0xFFFF).to_bytes(_IDENTITY_BYTES, "little")
        new = short not in self._held
        if not new:
            self._held.remove(short)
        self._held.append(short)
        return new

    def pack(self) -> bytes:
        """The last of them."""
        return b"".join(self._held[-MAX_REPORTED:])


def unpack_caps(data: bytes) -> Bodies:
    """By tag, what was counted of campaigns; damage, which only a bug of ours could make, ends it early."""
    found: Bodies = {}
    at = 0
    while at + _HEAD.size <= len(data):
        tag, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size
        found[tag] = data[at : at + length]
        at += length
    return found


def feed_caps(data: bytes, fed: list[Cap], now_s: int, visits: int) -> bytes:
    """The bytes after an event of what is capped so; where they are too many, the oldest are dropped.

    What belongs to no campaign of the bundle stays while there is room: the next bundle may have it again.
    """
    bodies = unpack_caps(data)
    for cap in fed:
        body = bodies.pop(cap.tag, b"")
        bodies[cap.tag] = _fed(cap, body, now_s, visits)
    parts = [_HEAD.pack(tag, len(body)) + body for tag, body in bodies.items()]
    size = sum(map(len, parts))
    while size > MAX_CAPS_BYTES:
        size -= len(parts.pop(0))
    return b"".join(parts)


def _fed(cap: Cap, body: bytes, now_s: int, visits: int) -> bytes:
    if cap.measure == "visit":
        return _VISIT.pack(visits & 0xFFFF, min(buckets.MAX_COUNT, _in_visit(body, visits) + 1))
    one = cap.behaviour
    kept = body if buckets.fits(one.measure, body) and not buckets.is_over(one, body, now_s) else b""
    return buckets.fed(one, kept, now_s, 1, own=True)


def _in_visit(body: bytes, visits: int) -> int:
    if len(body) != _VISIT.size:
        return 0
    visit, count = _VISIT.unpack(body)
    return int(count) if visit == visits & 0xFFFF else 0


def capped(data: bytes, caps: Caps, now_s: int, visits: int) -> dict[str, float]:
    """What attributes tell of the campaigns that were shown; there is none of the others."""
    found: dict[str, float] = {}
    for tag, body in unpack_caps(data).items():
        known = caps.by_tag.get(tag)
        if known is None:
            continue
        cap, behaviour = known
        if cap.measure == "visit":
            amount: float = _in_visit(body, visits)
        else:
            amount = buckets.value(behaviour, body, now_s)
        if amount != (buckets.NEVER_H if cap.measure == "recency" else 0):
            found[cap.name] = amount
    return found

"""Conditional and range requests, answered from a whole response, and the fields that a 304 changes; pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from edge.proxy.fields import Fields, date_s, entity_tags, same_tag, values

_RANGE: Final = re.compile(rb"bytes=[ \t]*([0-9]{0,15})-([0-9]{0,15})[ \t]*", re.I)
# RFC 9110, 15.4.5: what a 304 says; the rest describes a body that is not there.
_WITH_304: Final = frozenset(
    (b"age", b"cache-control", b"cache-status", b"cdn-cache-control", b"content-location", b"date", b"etag",
     b"expires", b"last-modified", b"vary")
)  # fmt: skip
# RFC 9111, 3.2: these a validation does not change, as they describe the kept body.
_OF_BODY: Final = frozenset((b"content-encoding", b"content-type", b"content-range", b"content-length"))


@dataclass(frozen=True, slots=True)
class Reply:
    """What of a kept response is sent."""

    status: int
    fields: Fields
    body: bytes


def reply(status: int, fields: Fields, body: bytes, asked: Mapping[bytes, bytes]) -> Reply:
    """The answer to a GET or HEAD whose conditions and range are in `asked`.

    `fields` are the response's own, without Content-Length.
    """
    if status == 200 and not_modified(fields, asked):
        return Reply(304, [(name, value) for name, value in fields if name in _WITH_304], b"")
    if status == 200 and b"range" in asked and _if_range(fields, asked.get(b"if-range")):
        part = _part(asked[b"range"], len(body))
        if part is not None:
            return _partial(fields, body, part)
    if status in (204, 304):
        return Reply(status, fields, b"")
    return Reply(status, [*fields, (b"content-length", b"%d" % len(body))], body)


def not_modified(fields: Fields, asked: Mapping[bytes, bytes]) -> bool:
    """Whether the client holds this already; entity tags come before dates (RFC 9110, 13.2.2)."""
    if (wanted := asked.get(b"if-none-match")) is not None:
        ours = values(fields, b"etag")[:1]
        tags = entity_tags([wanted])
        return b"*" in tags or any(same_tag(tag, our) for tag in tags for our in ours)
    if (since := asked.get(b"if-modified-since")) is None:
        return False
    changed = values(fields, b"last-modified") or values(fields, b"date")
    since_s, changed_s = date_s(since), date_s(changed[0]) if changed else None
    return since_s is not None and changed_s is not None and changed_s <= since_s


def _if_range(fields: Fields, condition: bytes | None) -> bool:
    """Whether the range is of this very response: strong comparison, or the exact date."""
    if condition is None:
        return True
    condition = condition.strip()
    if condition.startswith(b'"'):
        return condition in values(fields, b"etag")
    return condition in values(fields, b"last-modified") and date_s(condition) is not None


def _part(wanted: bytes, size: int) -> slice | None:
    """The one part that is asked for; empty where it lies outside; None to send all."""
    match = _RANGE.fullmatch(wanted)
    if match is None or not (match[1] or match[2]):
        return None
    if not match[1]:
        return slice(max(0, size - int(match[2])), size) if int(match[2]) else slice(size, size)
    start, end = int(match[1]), int(match[2]) + 1 if match[2] else size
    if match[2] and end <= start:
        return None
    return slice(start, min(end, size)) if start < size else slice(size, size)


def _partial(fields: Fields, body: bytes, part: slice) -> Reply:
    size = len(body)
    if part.start >= size:
        fields = [(name, value) for name, value in fields if name not in _OF_BODY]
        return Reply(416, [*fields, (b"content-range", b"bytes */%d" % size), (b"content-length", b"0")], b"")
    piece = body[part]
    stated = (b"content-range", b"bytes %d-%d/%d" % (part.start, part.stop - 1, size))
    return Reply(206, [*fields, stated, (b"content-length", b"%d" % len(piece))], piece)


def validation(fields: Fields) -> Fields:
    """The condition that asks whether a kept response still holds; none where it has no validator."""
    asking: Fields = []
    if tag := entity_tags(values(fields, b"etag")[:1]):
        asking.append((b"if-none-match", tag[0]))
    changed = values(fields, b"last-modified")[:1]
    if changed and date_s(changed[0]) is not None:
        asking.append((b"if-modified-since", changed[0]))
    return asking


def freshened(kept: Fields, told: Fields) -> Fields:
    """The kept fields with those that a 304 told anew."""
    anew = [(name, value) for name, value in told if name not in _OF_BODY]
    names = {name for name, _ in anew} | {b"age"}
    return [(name, value) for name, value in kept if name not in names] + anew


def is_same(kept: Fields, told: Fields) -> bool:
    """Whether a 304 can be of this response: what both state of its identity agrees (4.3.4)."""
    ours, theirs = values(kept, b"etag")[:1], values(told, b"etag")[:1]
    if ours and theirs:
        return same_tag(ours[0], theirs[0])
    ours, theirs = values(kept, b"last-modified")[:1], values(told, b"last-modified")[:1]
    return not ours or not theirs or ours == theirs

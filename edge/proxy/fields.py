"""Reads header fields as RFC 9110, 9111 and 8941 write them: directives, dates, ages, entity tags, lists."""

import calendar
import re
import time
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Final

Fields = list[tuple[bytes, bytes]]
"""A message's header fields in their order, names in lower case."""

Directives = Mapping[bytes, bytes | None]
"""By lower-case name; the value as written, without quotes, or None."""

MAX_SECONDS: Final = (1 << 31) - 1
_MAX_REMEMBERED: Final = 1024

# A comma inside a quoted string does not end a member.
_MEMBER: Final = re.compile(rb'(?:[^,"]|"(?:[^"\\]|\\.)*"?)+')
_DIRECTIVE: Final = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+)(.*)", re.S)
_SECONDS: Final = re.compile(rb'=(?:"([0-9]+)"|([0-9]+))')


def values(fields: Iterable[tuple[bytes, bytes]], name: bytes) -> list[bytes]:
    """The values of a field, one for each of its lines."""
    return [value for key, value in fields if key == name]


def members(lines: Iterable[bytes]) -> list[bytes]:
    """The members of a comma-separated list that may stand on several lines."""
    found = [member.strip() for line in lines for member in _MEMBER.findall(line)]
    return [member for member in found if member]


def directives(lines: list[bytes]) -> dict[bytes, bytes | None]:
    """The directives of Cache-Control, by lower-case name.

    One whose value is malformed is still there, as its name may forbid
    something. Of the seconds that one states twice, the fewer count.
    """
    found: dict[bytes, bytes | None] = {}
    if any(line.count(b'"') % 2 for line in lines):
        found[b"private"] = None  # a quote that never ends may hide what it forbids
    for member in members(lines):
        match = _DIRECTIVE.match(member)
        if match is None:
            continue
        name, rest = match[1].lower(), match[2]
        value = rest[1:].strip(b'"') if rest.startswith(b"=") else None
        if _SECONDS.fullmatch(rest) is None and name in _IN_SECONDS:
            value = b""
        if name not in found or (name in _IN_SECONDS and _fewer(value, found[name])):
            found[name] = value
    return found


_IN_SECONDS: Final = frozenset((b"max-age", b"s-maxage", b"stale-while-revalidate", b"stale-if-error"))


def _fewer(one: bytes | None, other: bytes | None) -> bool:
    return (seconds(one) or 0) < (seconds(other) or 0)


def seconds(value: bytes | None) -> int | None:
    """Delta seconds, at most `MAX_SECONDS`; None for what is no number."""
    if value is None or not value.isdigit():
        return None
    return min(int(value), MAX_SECONDS) if len(value) <= 19 else MAX_SECONDS


def age_s(lines: list[bytes]) -> int:
    """The Age that a response came with: its first value, or 0 where that is no number."""
    first = members(lines)[:1]
    return (seconds(first[0]) or 0) if first else 0


# RFC 8941: a dictionary's keys are lower case, and nothing stands around an equals sign.
_ITEM: Final = (
    rb"(?:-?[0-9]{1,15}(?:\.[0-9]{1,3})?"
    rb'|"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"'
    rb"|\?[01]|:[A-Za-z0-9+/=]*:|[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*)"
)
_KEY: Final = rb"[a-z*][a-z0-9_\-.*]*"
_PARAMETERS: Final = rb"(?:;[ ]*" + _KEY + rb"(?:=" + _ITEM + rb")?)*"
_PAIR: Final = re.compile(rb"(" + _KEY + rb")(?:=(" + _ITEM + rb"))?" + _PARAMETERS)
_COMMA: Final = re.compile(rb"[ \t]*,[ \t]*")


def targeted(lines: list[bytes]) -> dict[bytes, bytes | None] | None:
    """The directives of a targeted field such as CDN-Cache-Control (RFC 9213).

    None where there is none, or where it is no dictionary of structured
    fields: then Cache-Control counts.
    """
    text = b", ".join(lines).strip(b" ")
    found: dict[bytes, bytes | None] = {}
    while text:
        match = _PAIR.match(text)
        if match is None:
            return None
        value = match[2]
        found[match[1]] = b"" if value is not None and match[1] in _IN_SECONDS and b"." in value else value
        text = text[match.end() :]
        if text:
            comma = _COMMA.match(text)
            if comma is None or comma.end() == len(text):
                return None
            text = text[comma.end() :]
    return found or None


_MONTHS: Final = b"jan feb mar apr may jun jul aug sep oct nov dec".split()
_GMT: Final = rb" gmt"
_DAY: Final = rb"(?:mon|tue|wed|thu|fri|sat|sun)"
_LONG_DAY: Final = rb"(?:monday|tuesday|wednesday|thursday|friday|saturday|sunday)"
_TIME: Final = rb"(?P<h>[0-9]{2}):(?P<m>[0-9]{2}):(?P<s>[0-9]{2})"
_MONTH: Final = rb"(?P<month>" + b"|".join(_MONTHS) + rb")"
_DATES: Final = (
    re.compile(_DAY + rb", (?P<day>[0-9]{2}) " + _MONTH + rb" (?P<year>[0-9]{4}) " + _TIME + _GMT, re.I),
    re.compile(_LONG_DAY + rb", (?P<day>[0-9]{2})-" + _MONTH + rb"-(?P<year>[0-9]{2}) " + _TIME + _GMT, re.I),
    re.compile(_DAY + rb" " + _MONTH + rb" (?P<day>[ 0-9][0-9]) " + _TIME + rb" (?P<year>[0-9]{4})", re.I),
)  # fmt: skip


@lru_cache(_MAX_REMEMBERED)
def date_s(value: bytes) -> int | None:
    """Seconds since 1970 of an HTTP date in one of its three forms; None for anything else."""
    for form in _DATES:
        if match := form.fullmatch(value.strip()):
            return _seconds_of(match)
    return None


def _seconds_of(match: re.Match[bytes]) -> int | None:
    year = int(match["year"])
    if len(match["year"]) == 2:
        # RFC 9110, 5.6.7: one that seems to be more than 50 years ahead is of the last century.
        now = time.gmtime().tm_year
        year += now - now % 100
        if year > now + 50:
            year -= 100
    day, month = int(match["day"]), _MONTHS.index(match["month"].lower()) + 1
    hour, minute, second = int(match["h"]), int(match["m"]), int(match["s"])
    if year < 1 or not 1 <= day <= 31 or hour > 23 or minute > 59 or second > 60:
        return None
    return calendar.timegm((year, month, day, hour, minute, second))


_TAG: Final = re.compile(rb'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')


def entity_tags(lines: list[bytes]) -> list[bytes]:
    """The entity tags of If-None-Match or If-Match; ``*`` stands for itself."""
    return [tag for tag in members(lines) if tag == b"*" or _TAG.fullmatch(tag)]


def same_tag(one: bytes, other: bytes) -> bool:
    """Weak comparison: do both name an equivalent representation?"""
    return one.removeprefix(b"W/") == other.removeprefix(b"W/")


@lru_cache(_MAX_REMEMBERED)
def normalized(name: bytes, value: bytes) -> bytes:
    """A selecting field's value without the spaces, and in lists of languages the case, that mean nothing."""
    value = b",".join(member.strip() for member in value.split(b","))
    return value.lower() if name in _CASELESS else value


_CASELESS: Final = frozenset((b"accept-language", b"accept-encoding", b"accept-charset"))

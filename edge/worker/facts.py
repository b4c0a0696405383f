"""From a request to the attributes of its context: only those that the bundle reads."""

import math
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl

from edge.bundle.format import Attribute, RulesSchema
from edge.decide.types import CONSENT_TIERS, Value
from edge.errors import BundleError
from edge.visitor.state import VisitorState

MAX_TEXT_CHARS: Final = 512
"""A longer value of an attribute is no value: nobody wrote a rule for it."""

MAX_QUERY_FIELDS: Final = 100
_MAX_REMEMBERED: Final = 4096

Headers = dict[bytes, bytes]


class Request:
    """What of a page request a decision may look at.

    Attributes
    ----------
    headers : dict[bytes, bytes]
        Lower-case names.
    tier : str
        The consent tier in force.
    state : VisitorState
        As it is with this page view counted; empty below the tier `session`.
    """

    __slots__ = ("_query", "headers", "now_ms", "path", "query_string", "state", "tier")

    def __init__(self, path: str, query_string: bytes, headers: Headers) -> None:
        self.path = path
        self.query_string = query_string
        self.headers = headers
        self.now_ms = 0
        self.tier = "none"
        self.state = VisitorState()
        self._query: dict[str, str] | None = None

    @property
    def query(self) -> dict[str, str]:
        """The query's fields, the first of each name; too many are none."""
        if self._query is None:
            self._query = _parse_query(self.query_string)
        return self._query


def _parse_query(query: bytes) -> dict[str, str]:
    if query.count(b"&") >= MAX_QUERY_FIELDS:
        return {}
    try:
        text = query.decode("ascii")
    except UnicodeDecodeError:
        return {}
    if "%" in text or "+" in text:
        return dict(reversed(parse_qsl(text)))
    pairs = [part.partition("=") for part in text.split("&")]
    return {name: value for name, _, value in reversed(pairs) if value}


Reader = Callable[[Request], Value | None]


class AttributeReader:
    """Reads the attributes that a bundle's rules look at.

    Raises
    ------
    BundleError
        ``attribute``: one of a type or source that this edge does not know.
    """

    def __init__(self, schema: RulesSchema, reads: Sequence[str]) -> None:
        declared = {attribute.name: attribute for attribute in schema.attributes}
        self._readers = [(name, _reader(declared[name])) for name in reads if name in declared]
        self._consent_cookie = schema.consent_cookie.encode()
        self._consent_default = schema.consent_default

    def attributes(self, request: Request) -> dict[str, Value]:
        """The attributes that the request has a value for."""
        return {name: value for name, read in self._readers if (value := read(request)) is not None}

    def tier(self, headers: Headers) -> str:
        """The consent tier that the site's cookie states; a value that is no tier grants nothing."""
        header = headers.get(b"cookie", b"")
        if not self._consent_cookie or self._consent_cookie not in header:
            return self._consent_default
        stated = cookie_value(header, self._consent_cookie)
        if stated is None:
            return self._consent_default
        return stated if stated in CONSENT_TIERS else "none"


def cookie_value(header: bytes, name: bytes) -> str | None:
    """The value of a cookie in a Cookie header."""
    for part in header.split(b";"):
        key, _, value = part.strip().partition(b"=")
        if key == name:
            return value.decode("latin-1")
    return None


def _reader(attribute: Attribute) -> Reader:
    try:
        if attribute.source == "builtin":
            return _BUILTIN[attribute.name]
        kind, _, name = attribute.source.partition(":")
        return _reader_of(kind, name, _CONVERT[attribute.type])
    except (KeyError, UnicodeEncodeError) as error:
        what = f"{attribute.name!r}, a {attribute.type} of {attribute.source!r}"
        raise BundleError("attribute", f"this edge can't read {what}") from error


def _reader_of(kind: str, name: str, convert: Callable[[str], Value | None]) -> Reader:
    key = name.encode("latin-1")
    field = key.lower()

    def from_header(request: Request) -> Value | None:
        value = request.headers.get(field)
        return None if value is None else convert(value.decode("latin-1"))

    def from_query(request: Request) -> Value | None:
        value = request.query.get(name) if request.query_string else None
        return None if value is None else convert(value)

    def from_cookie(request: Request) -> Value | None:
        header = request.headers.get(b"cookie")
        value = cookie_value(header, key) if header else None
        return None if value is None else convert(value)

    return {"header": from_header, "query": from_query, "cookie": from_cookie}[kind]


def _text(value: str) -> str | None:
    return value if len(value) <= MAX_TEXT_CHARS else None


def _number(value: str) -> float | None:
    # float() also takes 1_000, and digits of all scripts.
    if len(value) > MAX_TEXT_CHARS or not value.isascii() or "_" in value:
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _boolean(value: str) -> bool | None:
    return {"1": True, "true": True, "0": False, "false": False}.get(value.lower())


_CONVERT: dict[str, Callable[[str], Value | None]] = {
    "string": _text,
    "number": _number,
    "boolean": _boolean,
}

_TABLET = re.compile(rb"iPad|Tablet|PlayBook|Silk|Android(?!.*Mobile)")
_MOBILE = re.compile(rb"Mobi|iPhone|iPod|Android")


def _device_type(request: Request) -> str:
    headers = request.headers
    return _device_of(headers.get(b"sec-ch-ua-mobile"), headers.get(b"user-agent", b"")[:MAX_TEXT_CHARS])


@lru_cache(_MAX_REMEMBERED)
def _device_of(hint: bytes | None, agent: bytes) -> str:
    if _TABLET.search(agent):
        return "tablet"
    return "mobile" if hint == b"?1" or _MOBILE.search(agent) else "desktop"


def _language(request: Request) -> str | None:
    accept = request.headers.get(b"accept-language")
    return None if accept is None else _first_language(accept[:MAX_TEXT_CHARS])


@lru_cache(_MAX_REMEMBERED)
def _first_language(accept: bytes) -> str | None:
    tag = accept.partition(b",")[0].partition(b";")[0].partition(b"-")[0].strip()
    return tag.decode("latin-1").lower() if tag and tag != b"*" else None


def _knows_visitor(request: Request) -> bool:
    return request.tier in ("session", "full")


_BUILTIN: dict[str, Reader] = {
    "device.type": _device_type,
    "language": _language,
    "url.path": lambda request: _text(request.path),
    "visitor.new": lambda request: request.state.visits <= 1 if _knows_visitor(request) else None,
    "visitor.visits": lambda request: request.state.visits if _knows_visitor(request) else None,
    "visitor.items": lambda request: len(request.state.items) if _knows_visitor(request) else None,
    "time.hour": lambda request: request.now_ms // 3_600_000 % 24,
    # 1970-01-01 was a Thursday; Monday is 1.
    "time.weekday": lambda request: (request.now_ms // 86_400_000 + 3) % 7 + 1,
    "time.now": lambda request: request.now_ms,
    "consent.tier": lambda request: request.tier,
}

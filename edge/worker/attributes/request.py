"""What of a page request attributes are read from."""

from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qsl

from edge.visitor.buckets import Bodies, unpack
from edge.visitor.events import NOTHING, EventState
from edge.visitor.facts import NO_FACTS, Facts
from edge.visitor.state import VisitorState
from edge.worker.attributes.shelf import EMPTY

MAX_QUERY_FIELDS: Final = 100

Headers = dict[bytes, bytes]


def headers_of(fields: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Headers by name; where one is repeated all its values count, a second Cookie's too."""
    headers: Headers = {}
    for name, value in fields:
        separator = b"; " if name == b"cookie" else b", "
        headers[name] = headers[name] + separator + value if name in headers else value
    return headers


def is_secure(headers: Headers) -> bool:
    """Whether the visitor came over TLS, as the first of the proxies in front heard."""
    return headers.get(b"x-forwarded-proto", b"").startswith(b"https")


class Request:
    """What of a page request a decision may look at.

    Attributes
    ----------
    headers : dict[bytes, bytes]
        Lower-case names.
    peer : str
        The address at the other end of the connection; empty where there is none.
    tier : str
        The consent tier in force.
    granted : int
        The purposes that the visitor granted, as bits of the policy's.
    state : VisitorState
        As it is with this page view counted; empty below the tier `session`.
    before : VisitorState
        As it was before this page view.
    events : EventState
        What pages reported of the visitor before; empty where the bundle has no use for it.
    shelf : Shelf
        Where facts about visitors are.
    """

    __slots__ = (
        "_counted", "_facts", "_query", "before", "events", "granted", "headers", "now_ms", "path", "peer",
        "query_string", "shelf", "state", "tier",
    )  # fmt: skip

    def __init__(self, path: str, query_string: bytes, headers: Headers, peer: str = "") -> None:
        self.path = path
        self.peer = peer
        self.query_string = query_string
        self.headers = headers
        self.now_ms = 0
        self.tier = "none"
        self.granted = 0
        self.state = self.before = VisitorState()
        self.events: EventState = NOTHING
        self.shelf = EMPTY
        self._facts: Facts | None = None
        self._query: dict[str, str] | None = None
        self._counted: Bodies | None = None

    @property
    def counted(self) -> Bodies:
        """What behaviours counted of the visitor, this page view too; nothing of one who is not known."""
        if self._counted is None:
            self._counted = unpack(self.state.behaviours) | unpack(self.events.behaviours)
        return self._counted

    @property
    def facts(self) -> Facts:
        """What is told about who asks, looked up once; of nobody below the tier ``full``."""
        if self._facts is None:
            known = self.tier == "full" and self.before.visitor
            self._facts = self.shelf.store.get(self.before.visitor) if known else NO_FACTS
        return self._facts

    @property
    def query(self) -> dict[str, str]:
        """The query's fields, the first of each name; too many are none."""
        if self._query is None:
            self._query = _parse_query(self.query_string)
        return self._query

    @property
    def knows_visitor(self) -> bool:
        """Whether the visitor agreed to be known, for this session at least."""
        return self.tier in ("session", "full")


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


def cookie_value(header: bytes, name: bytes) -> str | None:
    """The value of a cookie in a Cookie header."""
    for part in header.split(b";"):
        key, _, value = part.strip().partition(b"=")
        if key == name:
            return value.decode("latin-1")
    return None

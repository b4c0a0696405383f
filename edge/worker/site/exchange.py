"""One request on its way, and where its answer goes."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from edge.proxy.fields import Fields, normalized
from edge.proxy.store import Key
from edge.visitor import cookie
from edge.worker.attributes.request import Headers, Request, headers_of
from edge.worker.site.coding import offered
from edge.worker.turn.view import Ahead

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

Interim = Callable[[int, Fields], None]

INTERIM: Final = "nearside.interim"
"""The name under which the server offers, in the scope's state, to send 1xx responses."""

_OF_ONE: Final = frozenset(
    (b"cookie", b"authorization", b"range", b"if-range", b"if-none-match", b"if-modified-since", b"if-match",
     b"if-unmodified-since", b"cache-control", b"pragma")
)  # fmt: skip
SAFE_METHODS: Final = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))


class Exchange:
    """One request, and where its answer goes.

    Attributes
    ----------
    headers : dict
        By name; repeated ones are joined.
    target : bytes
        Path and query as they were sent.
    key : tuple of bytes
        What names the resource to the site: the target, and what it is told of scheme and host.
    shareable : bool
        Whether it was found that the answer may be another's, too.
    ahead : Ahead or None
        What was decided before the site is asked.
    signals : list
        What the site is told of that; the answer is for this visitor alone then.
    """

    __slots__ = (
        "ahead",
        "headers",
        "key",
        "method",
        "receive",
        "scope",
        "send",
        "shareable",
        "signals",
        "target",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        self.receive = receive
        self.send = send
        self.shareable = False
        self.ahead: Ahead | None = None
        self.signals: Fields = []
        self.method: str = scope["method"]
        fields = scope["headers"]
        headers: Headers = dict(fields)
        if len(headers) != len(fields):
            headers = headers_of(fields)
        self.headers = headers
        path: bytes = scope.get("raw_path") or scope["path"].encode()
        query: bytes = scope["query_string"]
        self.target = path + b"?" + query if query else path
        self.key: Key = (
            self.target,
            headers.get(b"host", b""),
            headers.get(b"x-forwarded-proto", b""),
            headers.get(b"x-forwarded-host", b""),
        )

    @property
    def has_body(self) -> bool:
        """Whether the client said that it sends one."""
        return b"content-length" in self.headers or b"transfer-encoding" in self.headers

    @property
    def wants_page(self) -> bool:
        """Whether it asks as browsers ask for pages."""
        return self.method == "GET" and b"text/html" in self.headers.get(b"accept", b"")

    @property
    def codings(self) -> bytes:
        """The content codings that the site may use."""
        accepted = self.headers.get(b"accept-encoding", b"identity")
        # A page must be decoded to be cut; what is asked for as anything else may come in any coding.
        if self.wants_page or self.headers.get(b"accept", b"*/*") == b"*/*":
            return offered(accepted)
        return accepted

    def page_request(self) -> Request:
        """What of it a decision may look at."""
        scope = self.scope
        peer = scope["client"][0] if scope.get("client") else ""
        return Request(scope["path"], scope["query_string"], self.headers, peer)

    def seen(self, name: bytes) -> bytes | None:
        """A request field as the site sees it, normalized; what a kept response was selected by."""
        if name == b"accept-encoding":
            return normalized(name, self.codings)
        value = self.headers.get(name)
        if name == b"cookie":
            return cookie.without(value or b"") or None
        return None if value is None else normalized(name, value)

    @property
    def interim(self) -> Interim | None:
        """Where a 1xx response of the site may be sent, if the server takes one."""
        found: Interim | None = (self.scope.get("state") or {}).get(INTERIM)
        return found

    def as_nobody(self) -> "Exchange":
        """A plain read of the same by nobody in particular, whose answer is for the cache alone."""
        fields = [(name, value) for name, value in self.scope["headers"] if name not in _OF_ONE]
        scope = {**self.scope, "method": "GET", "headers": fields, "state": {}}
        nobody = Exchange(scope, _says_nothing, _hears_nothing)
        nobody.shareable = True
        return nobody

    async def answer(self, status: int, fields: Fields, body: bytes) -> None:
        """Send a whole response."""
        await self.send({"type": "http.response.start", "status": status, "headers": fields})
        await self.send({"type": "http.response.body", "body": body})

    async def tell(self, status: int, text: bytes, *more: tuple[bytes, bytes]) -> None:
        """Send a response of our own, in words; none of them is kept."""
        fields = [
            (b"content-type", b"text/plain"),
            (b"content-length", b"%d" % len(text)),
            (b"cache-control", b"no-store"),
        ]
        await self.answer(status, [*fields, *more], text)


async def _says_nothing() -> Message:
    return {"type": "http.disconnect"}


async def _hears_nothing(message: Message) -> None:
    raise RuntimeError(f"nobody is there to hear {message['type']}")

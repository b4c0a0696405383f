"""What the site is told of a request, and a client's body on its way there."""

import ipaddress
import re
from collections.abc import AsyncIterator
from typing import Final

from edge.errors import GivenError, UpstreamError
from edge.proxy.fields import Fields, members, values
from edge.visitor import cookie
from edge.worker.site.exchange import Exchange, Receive
from edge.worker.site.upstream import end_to_end
from edge.worker.turn.signals import SIGNALS, SIGNATURE

PSEUDONYM: Final = b"nearside"
MAX_FIELDS: Final = 100
MAX_PASSES: Final = 4
"""How often one request may come through edges before it goes in a circle."""

_HOST: Final = re.compile(rb"(?:[A-Za-z0-9._~!$&'()*+;=%-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{0,5})?")
# What a browser knows of an earlier, plain answer must not stand for a page that is made for it now.
CONDITIONS: Final = frozenset((b"if-none-match", b"if-modified-since", b"if-range", b"range"))
_DROPPED: Final = frozenset(
    (b"host", b"accept-encoding", b"cookie", b"expect", b"forwarded", b"via", b"x-forwarded-for",
     b"x-forwarded-host", b"max-forwards", SIGNALS, SIGNATURE,
     SIGNALS.replace(b"-", b"_"), SIGNATURE.replace(b"-", b"_"))  # CGI takes these for the same
)  # fmt: skip
# Sites make another page of them than the URL names; a kept one would be shown to all who ask for the URL.
_REWRITES: Final = frozenset(
    (b"x-forwarded-server", b"x-forwarded-port", b"x-forwarded-scheme", b"x-forwarded-prefix",
     b"x-forwarded-ssl", b"x-forwarded-path", b"x-forwarded-uri", b"front-end-https", b"x-scheme",
     b"x-host", b"x-real-host", b"x-original-host", b"x-original-url", b"x-original-uri", b"x-rewrite-url",
     b"x-url", b"x-http-method", b"x-http-method-override", b"x-method-override", b"x-middleware-subrequest",
     b"x-middleware-prefetch", b"x-invoke-path", b"x-amz-website-redirect-location")
)  # fmt: skip


def to_site(exchange: Exchange, validation: Fields) -> Fields:
    """The request's headers as the site may see them: without our cookie, with who asked.

    `validation` takes the place of the client's own conditions.
    """
    headers = exchange.headers
    dropped = _DROPPED
    if exchange.method in ("GET", "HEAD"):
        dropped |= _REWRITES
    if exchange.wants_page or validation:
        dropped |= CONDITIONS
    fields = end_to_end(exchange.scope["headers"], dropped)
    fields.append((b"accept-encoding", exchange.codings))
    if theirs := cookie.without(headers.get(b"cookie", b"")):
        fields.append((b"cookie", theirs))
    return fields + validation + exchange.signals + _came_by(exchange)


def _came_by(exchange: Exchange) -> Fields:
    """Who asked, and through whom."""
    headers, scope = exchange.headers, exchange.scope
    before = headers.get(b"via")
    own = (b"1.0 " if scope.get("http_version") == "1.0" else b"1.1 ") + PSEUDONYM
    fields: Fields = [(b"via", before + b", " + own if before else own)]
    host, scheme = headers.get(b"x-forwarded-host", headers.get(b"host")), headers.get(b"x-forwarded-proto")
    parts: list[bytes] = []
    if client := scope.get("client"):
        address = client[0].encode()
        before = headers.get(b"x-forwarded-for")
        fields.append((b"x-forwarded-for", before + b", " + address if before else address))
        parts.append(b"for=" + _node(client[0]))
    if host is not None:
        fields.append((b"x-forwarded-host", host))
        parts.append(b'host="%s"' % host.replace(b"\\", b"").replace(b'"', b""))
    if scheme in (b"http", b"https"):
        parts.append(b"proto=" + scheme)
    if parts:
        fields.append((b"forwarded", b";".join(parts)))
    return fields


def _node(address: str) -> bytes:
    """An address as RFC 7239 writes it."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return b"unknown"
    return b'"[%s]"' % address.encode() if found.version == 6 else address.encode()


def check(exchange: Exchange) -> None:
    """See that a request may be passed on.

    Raises
    ------
    GivenError
        ``host``: it names none, or no host; ``headers``: too many; ``method``: one that shows secrets;
        ``circle``: it came through so many edges that the site must be one of them.
    """
    host = exchange.headers.get(b"host")
    if host is None and exchange.scope.get("http_version") == "1.1":
        raise GivenError("host", "name a host")
    if host is not None and _HOST.fullmatch(host) is None:
        raise GivenError("host", "name one host")
    if len(exchange.scope["headers"]) > MAX_FIELDS:
        raise GivenError("headers", f"more than {MAX_FIELDS} header fields")
    if exchange.method == "TRACE":
        # The answer would show a page's scripts the cookies that they must not read.
        raise GivenError("method", "not this way")
    passed = members(values(exchange.scope["headers"], b"via"))
    if sum(hop.partition(b" ")[2].strip() == PSEUDONYM for hop in passed) >= MAX_PASSES:
        raise GivenError("circle", "this request goes in a circle: does --upstream lead back here?")


class RequestBody:
    """A request's body as it comes; `ended` once it is read to its end."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.ended = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Its chunks.

        Raises
        ------
        UpstreamError
            ``client``: the client left while sending.
        """
        while not self.ended:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise UpstreamError("client", "the client left while sending")
            self.ended = not message.get("more_body")
            if message.get("body"):
                yield message["body"]


async def left(receive: Receive) -> None:
    """Returns when the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass

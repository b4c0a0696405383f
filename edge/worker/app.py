"""The worker's ASGI program: every path of the site, and our own beside them."""

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any, Final

import httpx

from edge.errors import UpstreamError
from edge.visitor import cookie
from edge.worker.coding import DECODABLE, accepts_gzip, decoded, recoded
from edge.worker.facts import Headers, Request
from edge.worker.personalize import PageView
from edge.worker.plain import PlainPage, PlainPages, shared_lifetime_s
from edge.worker.turn import Turn
from edge.worker.upstream import RawHeaders, Upstream, chunks, end_to_end

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

OWN_PATH: Final = "/_nearside/"
# What a browser knows of an earlier, plain answer must not stand for a page that is made for it now.
_CONDITIONS: Final = frozenset((b"if-none-match", b"if-modified-since", b"if-range", b"range"))
_TO_SITE_DROPPED: Final = frozenset((b"host", b"accept-encoding", b"cookie", b"x-forwarded-for", b"expect"))
# Sites make another page of them than the URL names; a kept one would be shown to all who ask for the URL.
_REWRITES: Final = frozenset(
    (b"forwarded", b"x-forwarded-server", b"x-forwarded-port", b"x-forwarded-scheme", b"x-forwarded-prefix",
     b"x-host", b"x-original-host", b"x-original-url", b"x-rewrite-url",
     b"x-http-method", b"x-http-method-override", b"x-method-override")
)  # fmt: skip
# No body, so the length that some sites state is that of another answer.
_WITHOUT_BODY: Final = (204, 304)
_MAX_STATUS: Final = 599


@dataclass(slots=True)
class Exchange:
    """One request, and where its answer goes.

    Attributes
    ----------
    headers : dict
        By name; repeated ones are joined.
    key : bytes
        What a kept page of this request is found by.
    """

    scope: Scope
    receive: Receive
    send: Send
    headers: Headers
    key: bytes
    asked_s: float = 0.0

    @property
    def is_page(self) -> bool:
        """Whether a page may be the answer."""
        return bool(self.scope["method"] == "GET")

    async def answer(self, status: int, fields: RawHeaders, body: bytes) -> None:
        """Send a whole response."""
        await self.send({"type": "http.response.start", "status": status, "headers": fields})
        await self.send({"type": "http.response.body", "body": body})


class PageApp:
    """Pages through the decision, all else through to the site untouched."""

    def __init__(
        self, upstream: Upstream, pages: PlainPages, turn: Turn, beside: App, max_page_bytes: int
    ) -> None:
        self._upstream = upstream
        self._pages = pages
        self._turn = turn
        self._beside = beside
        self._max_page_bytes = max_page_bytes
        self._counters = turn.counters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            raise RuntimeError(f"no {scope['type']} here")
        if scope["path"].startswith(OWN_PATH):
            await self._beside(scope, receive, send)
            return
        headers: Headers = dict(scope["headers"])
        if len(headers) != len(scope["headers"]):
            headers = _joined(scope["headers"])
        exchange = Exchange(scope, receive, send, headers, _key(scope, headers))
        page = None
        if exchange.is_page and b"authorization" not in headers:
            page = self._pages.get(exchange.key)
            if page is not None and page.fresh_until_s > time.monotonic():
                await self._send_page(page, exchange, b"page;desc=kept")
                return
        await self._from_site(exchange, page)

    async def _send_page(self, page: PlainPage, exchange: Exchange, timing: bytes) -> None:
        scope = exchange.scope
        peer = scope["client"][0] if scope.get("client") else ""
        request = Request(scope["path"], scope["query_string"], exchange.headers, peer)
        gzip = page.squeezes and accepts_gzip(exchange.headers.get(b"accept-encoding", b""))
        view = PageView(request, page.plan, page.body, gzip)
        await self._turn.submit(view)
        if gzip and not view.coded:
            view.body, view.coded = page.plan.packing.fill(page.plan, {}), True
        fields = [*page.private_headers] if view.private else page.headers_at(time.monotonic())
        if view.coded:
            fields = fields if view.private else recoded(fields)
            fields.append((b"content-encoding", b"gzip"))
        fields.append((b"content-length", b"%d" % len(view.body)))
        if view.set_cookie:
            fields.append((b"set-cookie", view.set_cookie))
        fields.append((b"server-timing", b"%s, decide;dur=%.2f" % (timing, view.decided_ms)))
        await exchange.answer(200, fields, view.body)

    async def _from_site(self, exchange: Exchange, stale: PlainPage | None) -> None:
        exchange.asked_s = time.perf_counter()
        scope, headers = exchange.scope, exchange.headers
        body = RequestBody(exchange.receive) if _has_body(headers) else None
        try:
            content = aiter(body) if body else None
            response = await self._upstream.send(
                scope["method"], _target(scope), _to_site(scope, headers), content
            )
        except UpstreamError as error:
            await self._without_site(exchange, stale, error)
            return
        try:
            stream = chunks(response)
            parts: list[bytes] = []
            if self._is_page(exchange, response):
                try:
                    parts = await self._read(stream)
                except UpstreamError as error:
                    await self._without_site(exchange, stale, error)
                    return
                page = self._decoded(response, parts)
                if page is not None:
                    await self._answer_page(exchange, response, page)
                    return
            watched = body is None or body.ended
            await self._pass(exchange, response, _chained(parts, stream), watched=watched)
        except UpstreamError as error:
            # Headers are out: ending here makes the server break the connection off, as the site did.
            self._count(exchange, error)
        finally:
            await response.aclose()

    def _count(self, exchange: Exchange, error: UpstreamError) -> None:
        self._counters.add(f'nearside_upstream_errors_total{{code="{error.code}"}}')
        log.warning("%s %s", exchange.scope["path"], error)

    async def _without_site(self, exchange: Exchange, stale: PlainPage | None, error: UpstreamError) -> None:
        self._count(exchange, error)
        if stale is not None and stale.may_be_stale:
            await self._send_page(stale, exchange, b"page;desc=stale")
            return
        status, body = 502, b"The site does not answer.\n"
        if error.code == "target":
            status, body = 400, b"Ask for a path.\n"
        fields = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
        await exchange.answer(status, fields, body)

    async def _read(self, stream: AsyncIterator[bytes]) -> list[bytes]:
        """The body, or its beginning where it is longer than a page may be."""
        parts, size = [], 0
        async for chunk in stream:
            parts.append(chunk)
            size += len(chunk)
            if size > self._max_page_bytes:
                break
        return parts

    def _decoded(self, response: httpx.Response, parts: list[bytes]) -> bytes | None:
        """The page; None if it is longer than a page may be, or its coding is broken."""
        if sum(map(len, parts)) > self._max_page_bytes:
            return None
        return decoded(b"".join(parts), _coding(response), self._max_page_bytes)

    async def _answer_page(self, exchange: Exchange, response: httpx.Response, body: bytes) -> None:
        fields = end_to_end(response.headers.raw, _LENGTH)
        lifetime_s = 0
        if not _NOT_SHARED & exchange.headers.keys():
            lifetime_s = shared_lifetime_s(fields, known=self._is_known(exchange.headers))
        page = self._pages.keep(exchange.key, body, fields, time.monotonic(), lifetime_s)
        timing = b"site;dur=%.1f" % ((time.perf_counter() - exchange.asked_s) * 1000)
        await self._send_page(page, exchange, timing)

    def _is_known(self, headers: Headers) -> bool:
        """Whether the site may know the visitor by cookies of its own."""
        theirs = cookie.without(headers.get(b"cookie", b""))
        return bool(cookie.without(theirs, self._turn.consent_cookie))

    async def _pass(
        self, exchange: Exchange, response: httpx.Response, stream: AsyncIterator[bytes], *, watched: bool
    ) -> None:
        """Pass a response on as it comes, until it ends or (`watched`) the client leaves."""
        self._counters.add('nearside_pages_total{kind="passed"}')
        status, send = response.status_code, exchange.send
        dropped = _LENGTH if status in _WITHOUT_BODY else frozenset()
        fields = end_to_end(response.headers.raw, dropped)
        # No send tells that the client left, and some streams of a site never end.
        gone = asyncio.create_task(_left(exchange.receive)) if watched else None
        try:
            await send({"type": "http.response.start", "status": min(status, _MAX_STATUS), "headers": fields})
            async for chunk in stream:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
                if gone is not None and gone.done():
                    return
            await send({"type": "http.response.body", "body": b""})
        finally:
            if gone is not None:
                gone.cancel()

    def _is_page(self, exchange: Exchange, response: httpx.Response) -> bool:
        headers = response.headers
        length = headers.get("content-length", "0")
        return (
            exchange.is_page
            and response.status_code == 200
            and headers.get("content-type", "").lower().startswith("text/html")
            and _coding(response) in DECODABLE
            and "no-transform" not in headers.get("cache-control", "").lower()
            and re.fullmatch(r"[0-9]{1,12}", length) is not None
            and int(length) <= self._max_page_bytes
        )


# Whatever the site says of an answer to these, it is not for all.
_NOT_SHARED: Final = frozenset((b"authorization", b"range", b"content-length", b"transfer-encoding"))


_LENGTH: Final = frozenset((b"content-length",))


def _coding(response: httpx.Response) -> bytes:
    """The content codings of a response."""
    coding: str = response.headers.get("content-encoding", "")
    return coding.strip().lower().encode("ascii", "replace")


def _has_body(headers: Headers) -> bool:
    return b"content-length" in headers or b"transfer-encoding" in headers


def _joined(fields: RawHeaders) -> Headers:
    """Headers by name where some are repeated: all their values count, a second Cookie's too."""
    headers: Headers = {}
    for name, value in fields:
        separator = b"; " if name == b"cookie" else b", "
        headers[name] = headers[name] + separator + value if name in headers else value
    return headers


def _key(scope: Scope, headers: Headers) -> bytes:
    """The target, and what else sites make a page of, if a front says it; nothing here has a line break."""
    key = _target(scope)
    for name in _KEYED:
        if name in headers:
            key += b"\n%s:%s" % (name, headers[name])
    return key


_KEYED: Final = (b"x-forwarded-proto", b"x-forwarded-host")


def _target(scope: Scope) -> bytes:
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope["query_string"]
    return path + b"?" + query if query else path


def _to_site(scope: Scope, headers: Headers) -> RawHeaders:
    """The request's headers as the site may see them: without our cookie."""
    wants_page = scope["method"] == "GET" and b"text/html" in headers.get(b"accept", b"")
    dropped = _TO_SITE_DROPPED | _CONDITIONS if wants_page else _TO_SITE_DROPPED
    if scope["method"] == "GET":
        dropped |= _REWRITES
    fields = end_to_end(scope["headers"], dropped)
    accepted = headers.get(b"accept-encoding", b"identity")
    # A page must be decoded to be cut; what is asked for as anything else may come in any coding.
    if wants_page or headers.get(b"accept", b"*/*") == b"*/*":
        accepted = b"gzip" if accepts_gzip(accepted) else b"identity"
    fields.append((b"accept-encoding", accepted))
    if theirs := cookie.without(headers.get(b"cookie", b"")):
        fields.append((b"cookie", theirs))
    if scope.get("client"):
        before = headers.get(b"x-forwarded-for", b"")
        client = scope["client"][0].encode()
        fields.append((b"x-forwarded-for", before + b", " + client if before else client))
    return fields


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


async def _left(receive: Receive) -> None:
    """Returns when the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _chained(parts: list[bytes], stream: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    for part in parts:
        yield part
    async for chunk in stream:
        yield chunk

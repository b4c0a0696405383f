"""The worker's ASGI program: every path of the site, and our own beside them."""

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any, Final

import httpx

from edge.errors import UpstreamError
from edge.visitor import cookie
from edge.worker.facts import Headers, Request
from edge.worker.personalize import PageView
from edge.worker.plain import PlainPage, PlainPages
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
        key = _target(scope)
        page = None
        if scope["method"] == "GET" and b"authorization" not in headers:
            page = self._pages.get(key)
            if page is not None and page.fresh_until_s > time.monotonic():
                await self._send_page(page, scope, headers, send, b"page;desc=kept")
                return
        await self._from_site(scope, headers, page, receive, send)

    async def _send_page(
        self, page: PlainPage, scope: Scope, headers: Headers, send: Send, timing: bytes
    ) -> None:
        request = Request(scope["path"], scope["query_string"], headers)
        view = PageView(request, page.plan, page.body)
        await self._turn.submit(view)
        fields = list(page.private_headers if view.private else page.headers)
        if view.private:
            fields.append((b"content-length", b"%d" % len(view.body)))
        if view.set_cookie:
            fields.append((b"set-cookie", view.set_cookie))
        fields.append((b"server-timing", b"%s, decide;dur=%.2f" % (timing, view.decided_ms)))
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await send({"type": "http.response.body", "body": view.body})

    async def _from_site(
        self, scope: Scope, headers: Headers, stale: PlainPage | None, receive: Receive, send: Send
    ) -> None:
        asked_s = time.perf_counter()
        has_body = b"content-length" in headers or b"transfer-encoding" in headers
        body = _request_body(receive) if has_body else None
        try:
            response = await self._upstream.send(
                scope["method"], _target(scope), _to_site(scope, headers), body
            )
        except UpstreamError as error:
            self._counters.add(f'nearside_upstream_errors_total{{code="{error.code}"}}')
            log.warning("%s %s", scope["path"], error)
            await self._without_site(stale, scope, headers, send)
            return
        try:
            await self._answer(response, scope, headers, send, asked_s)
        except UpstreamError as error:
            # Headers are out: ending here makes the server break the connection off, as the site did.
            self._counters.add(f'nearside_upstream_errors_total{{code="{error.code}"}}')
            log.warning("%s %s", scope["path"], error)
        finally:
            await response.aclose()

    async def _without_site(
        self, stale: PlainPage | None, scope: Scope, headers: Headers, send: Send
    ) -> None:
        if stale is not None:
            await self._send_page(stale, scope, headers, send, b"page;desc=stale")
            return
        body = b"The site does not answer.\n"
        fields = [(b"content-type", b"text/plain"), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 502, "headers": fields})
        await send({"type": "http.response.body", "body": body})

    async def _answer(
        self, response: httpx.Response, scope: Scope, headers: Headers, send: Send, asked_s: float
    ) -> None:
        fields = end_to_end(response.headers.raw)
        parts: list[bytes] = []
        stream = chunks(response)
        if self._is_page(scope, response):
            size = 0
            async for chunk in stream:
                parts.append(chunk)
                size += len(chunk)
                if size > self._max_page_bytes:
                    break
            else:
                shared = b"authorization" not in headers and b"range" not in headers
                fields = end_to_end(fields, frozenset((b"content-length",)))
                fields.append((b"content-length", b"%d" % size))
                page = self._pages.keep(
                    _target(scope), b"".join(parts), fields, time.monotonic(), shared=shared
                )
                timing = b"site;dur=%.1f" % ((time.perf_counter() - asked_s) * 1000)
                await self._send_page(page, scope, headers, send, timing)
                return
        self._counters.add('nearside_pages_total{kind="passed"}')
        await send({"type": "http.response.start", "status": response.status_code, "headers": fields})
        for chunk in parts:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        async for chunk in stream:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    def _is_page(self, scope: Scope, response: httpx.Response) -> bool:
        headers = response.headers
        length = headers.get("content-length", "0")
        return (
            scope["method"] == "GET"
            and response.status_code == 200
            and headers.get("content-type", "").lower().startswith("text/html")
            and headers.get("content-encoding", "identity") == "identity"
            and "no-transform" not in headers.get("cache-control", "").lower()
            and length.isdigit()
            and int(length) <= self._max_page_bytes
        )


def _target(scope: Scope) -> bytes:
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    query: bytes = scope["query_string"]
    return path + b"?" + query if query else path


def _to_site(scope: Scope, headers: Headers) -> RawHeaders:
    """The request's headers as the site may see them: without our cookie."""
    wants_page = scope["method"] == "GET" and b"text/html" in headers.get(b"accept", b"")
    dropped = _TO_SITE_DROPPED | _CONDITIONS if wants_page else _TO_SITE_DROPPED
    fields = end_to_end(scope["headers"], dropped)
    # A page is cut as it is; what is asked for as anything else may come compressed.
    plain = wants_page or headers.get(b"accept", b"*/*") == b"*/*"
    fields.append(
        (b"accept-encoding", b"identity" if plain else headers.get(b"accept-encoding", b"identity"))
    )
    cookies = b"; ".join(value for name, value in scope["headers"] if name == b"cookie")
    if cookies and (theirs := cookie.without(cookies)):
        fields.append((b"cookie", theirs))
    if scope.get("client"):
        before = headers.get(b"x-forwarded-for", b"")
        client = scope["client"][0].encode()
        fields.append((b"x-forwarded-for", before + b", " + client if before else client))
    return fields


async def _request_body(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise UpstreamError("client", "the client left while sending")
        if message.get("body"):
            yield message["body"]
        if not message.get("more_body"):
            return

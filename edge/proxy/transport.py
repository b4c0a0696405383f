"""How the site is reached: httpx's transport interface over few, kept connections."""

import asyncio
import re
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final

import httpx

from edge.proxy.connection import SiteConnection

KEEP_ALIVE_S: Final = 5.0
"""Sites close idle connections, most after 5 s or later; a request must not meet that."""
MAX_WAITING: Final = 1024
"""Requests that wait for a connection; more are refused at once."""

_TARGET: Final = re.compile(rb"[\x21-\x7e]+")
_METHOD: Final = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_UNSAFE: Final = re.compile(rb"[\r\n\0]")
# RFC 9110, 9.2.2: to send them twice is to send them once.
_REPEATABLE: Final = frozenset(("GET", "HEAD", "OPTIONS", "TRACE"))
_LENGTHS: Final = frozenset((b"content-length", b"transfer-encoding"))


class SiteTransport(httpx.AsyncBaseTransport):
    """HTTP/1.1 to one site, with or without TLS.

    Redirects are not followed, cookies not kept, nothing is added to a
    request but Host where it has none and the framing of its body, and no
    coding is undone. Request extensions: ``timeout`` and ``target`` as httpx
    has them, and ``interim``, a callable that is handed 1xx responses.

    Parameters
    ----------
    url
        Scheme, host and port of the site.
    """

    def __init__(self, url: httpx.URL, max_connections: int) -> None:
        self._host, self._is_tls = url.host, url.scheme == "https"
        self._port = url.port or (443 if self._is_tls else 80)
        self._context = _tls() if self._is_tls else None
        self._max_connections = max_connections
        self._idle: list[SiteConnection] = []
        self._open = 0
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._is_closed = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The response, its head read and its body to come.

        Raises
        ------
        httpx.TransportError
            As httpx's own transport does.
        """
        may_repeat = request.method in _REPEATABLE and not _has_body(request)
        head = _head(request)
        while True:
            connection = await self._take(request)
            was_used = connection.idle_since_s > 0
            try:
                return await self._exchange(connection, request, head)
            except (httpx.ReadError, httpx.WriteError):
                self._release(connection)
                # The site closed a kept connection while the request was on its way to it.
                if not (was_used and may_repeat and not connection.heard):
                    raise
            except BaseException:
                self._release(connection)
                raise

    async def aclose(self) -> None:
        """Close the connections that nobody uses; those in use close when they are done."""
        self._is_closed = True
        while self._idle:
            self._close(self._idle.pop())
        await asyncio.sleep(0)

    async def _exchange(
        self, connection: SiteConnection, request: httpx.Request, head: bytes
    ) -> httpx.Response:
        read_s = _timeout_s(request, "read")
        connection.begin(request.method, head, request.extensions.get("interim"))
        sender = None
        if _has_body(request):
            sender = asyncio.create_task(_send_body(connection, request))
            await self._sent_or_answered(connection, sender, read_s)
        try:
            await connection.head(read_s)
        except BaseException:
            if sender is not None:
                sender.cancel()
            raise
        stream = _Body(connection, read_s, sender, self._release)
        extensions = {"http_version": b"HTTP/1.1"}
        return httpx.Response(
            connection.status,
            headers=connection.fields,
            stream=stream,
            request=request,
            extensions=extensions,
        )

    async def _sent_or_answered(
        self, connection: SiteConnection, sender: "asyncio.Task[None]", read_s: float
    ) -> None:
        """Return when the body is sent, or the site answers before: it may refuse what is too large."""
        answered = asyncio.ensure_future(connection.head(_FOREVER_S))
        try:
            await asyncio.wait((sender, answered), return_when=asyncio.FIRST_COMPLETED)
            if sender.done() and not connection.has_head and (error := sender.exception()) is not None:
                if isinstance(error, httpx.WriteError):  # it closed: perhaps after a last word
                    await asyncio.wait((answered,), timeout=read_s)
                if not connection.has_head:
                    raise error
        except asyncio.CancelledError:
            sender.cancel()
            raise
        finally:
            answered.cancel()
            await asyncio.gather(answered, return_exceptions=True)

    async def _take(self, request: httpx.Request) -> SiteConnection:
        """A kept connection, or a new one, when there may be one."""
        now_s = asyncio.get_running_loop().time()
        while self._idle:
            connection = self._idle.pop()
            if connection.is_fit and now_s - connection.idle_since_s < KEEP_ALIVE_S:
                return connection
            self._close(connection)
        if self._open >= self._max_connections:
            await self._turn(_timeout_s(request, "pool"))
            return await self._take(request)
        self._open += 1
        try:
            return await self._connect(_timeout_s(request, "connect"))
        except BaseException:
            self._open -= 1
            self._next()
            raise

    async def _turn(self, timeout_s: float) -> None:
        if len(self._waiting) >= MAX_WAITING:
            raise httpx.PoolTimeout("too many wait for the site")
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            async with asyncio.timeout(timeout_s):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self._next()  # it came too late for this one
            else:
                self._waiting.remove(turn)
            if isinstance(error, TimeoutError):
                raise httpx.PoolTimeout("no connection came free") from error
            raise

    def _next(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return

    async def _connect(self, timeout_s: float) -> SiteConnection:
        loop = asyncio.get_running_loop()
        name = self._host if self._is_tls else None
        try:
            async with asyncio.timeout(timeout_s):
                _, connection = await loop.create_connection(
                    SiteConnection, self._host, self._port, ssl=self._context, server_hostname=name
                )
        except TimeoutError as error:
            raise httpx.ConnectTimeout(f"no connection to {self._host}:{self._port}") from error
        except (OSError, ssl.SSLError) as error:
            raise httpx.ConnectError(f"no connection to {self._host}:{self._port}: {error}") from error
        return connection

    def _release(self, connection: SiteConnection) -> None:
        if connection.is_fit and not self._is_closed:
            connection.idle_since_s = asyncio.get_running_loop().time()
            self._idle.append(connection)
        else:
            self._close(connection)
        self._next()

    def _close(self, connection: SiteConnection) -> None:
        connection.close()
        self._open -= 1


_FOREVER_S: Final = 86_400.0


class _Body(httpx.AsyncByteStream):
    """A response's body; closing it gives the connection back, or up."""

    def __init__(
        self,
        connection: SiteConnection,
        read_s: float,
        sender: "asyncio.Task[None] | None",
        release: Callable[[SiteConnection], None],
    ) -> None:
        self._connection = connection
        self._read_s = read_s
        self._sender = sender
        self._release = release
        self._is_closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Its parts as they come."""
        while data := await self._connection.chunk(self._read_s):
            yield data

    async def aclose(self) -> None:
        """Leave the rest."""
        if self._is_closed:
            return
        self._is_closed = True
        if self._sender is not None:
            if not self._sender.done() or self._sender.exception() is not None:
                self._connection.close()
                self._sender.cancel()
            await asyncio.gather(self._sender, return_exceptions=True)
        self._release(self._connection)


async def _send_body(connection: SiteConnection, request: httpx.Request) -> None:
    assert isinstance(request.stream, httpx.AsyncByteStream)
    is_chunked = b"content-length" not in {name.lower() for name, _ in request.headers.raw}
    async for data in request.stream:
        if data:
            connection.write(b"%x\r\n%s\r\n" % (len(data), data) if is_chunked else data)
            await connection.drain()
    if is_chunked:
        connection.write(b"0\r\n\r\n")


def _has_body(request: httpx.Request) -> bool:
    return any(name.lower() in _LENGTHS for name, _ in request.headers.raw)


def _head(request: httpx.Request) -> bytes:
    target: bytes = request.extensions.get("target", request.url.raw_path)
    if _TARGET.fullmatch(target) is None or _METHOD.fullmatch(request.method) is None:
        raise httpx.LocalProtocolError("no target or method of HTTP")
    lines = [b"%s %s HTTP/1.1" % (request.method.encode(), target)]
    lines += [name + b": " + value for name, value in request.headers.raw]
    head = b"\r\n".join(lines)
    if head.count(b"\r\n") != len(lines) - 1 or _UNSAFE.search(head.replace(b"\r\n", b"")):
        raise httpx.LocalProtocolError("a field with a line break")
    return head + b"\r\n\r\n"


def _timeout_s(request: httpx.Request, name: str) -> float:
    found = request.extensions.get("timeout", {}).get(name)
    return _FOREVER_S if found is None else float(found)


def _tls() -> ssl.SSLContext:
    context = httpx.create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    return context

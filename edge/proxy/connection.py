"""One HTTP/1.1 connection to the site: httptools parses what comes, one exchange at a time."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Final, cast

import httptools
import httpx

from edge.proxy.fields import Fields

MAX_HEAD_BYTES: Final = 64 << 10
"""Of a response's status line and fields together; more is no response that anybody means."""
HIGH_WATER_BYTES: Final = 256 << 10
"""Of a body that waits for a slow client; then the site is read from no more until it is taken."""
MAX_INTERIM: Final = 16
"""1xx responses before the final one."""

Interim = Callable[[int, Fields], None]


class SiteConnection(asyncio.Protocol):
    """A connection and the exchange on it.

    Trailers are dropped, 1xx responses handed over, and all that comes beside
    one whole response for one request makes the connection unfit for another.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self._lost = False
        self._fit = True
        self.idle_since_s = 0.0
        self._reset("GET", None)
        self.is_complete = True

    def _reset(self, method: str, interim: Interim | None) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._method, self._interim, self._interims = method, interim, 0
        self._error: httpx.TransportError | None = None
        self._chunks: deque[bytes] = deque()
        self._head_bytes = self._waiting_bytes = 0
        self._is_framed = self._is_paused = False
        self.status = 0
        self.fields: Fields = []
        self.has_head = self.is_complete = self.heard = False

    @property
    def is_fit(self) -> bool:
        """Whether another request may use it."""
        return self.is_complete and self._fit and not self._lost and self._error is None

    def begin(self, method: str, head: bytes, interim: Interim | None) -> None:
        """Start an exchange with the request's head."""
        self._reset(method, interim)
        self.write(head)

    def write(self, data: bytes) -> None:
        """Send a part of the request."""
        if self._transport is None or self._lost:
            raise httpx.WriteError("the site closed the connection")
        self._transport.write(data)

    async def drain(self) -> None:
        """Wait until more may be written."""
        if self._writable is not None:
            await self._writable

    async def head(self, timeout_s: float) -> None:
        """Wait until `status` and `fields` are there."""
        while not self.has_head:
            await self._wait(timeout_s)

    async def chunk(self, timeout_s: float) -> bytes:
        """The next part of the body; empty at its end."""
        while not self._chunks:
            if self.is_complete:
                return b""
            await self._wait(timeout_s)
        data = b"".join(self._chunks) if len(self._chunks) > 1 else self._chunks[0]
        self._chunks.clear()
        self._waiting_bytes = 0
        if self._is_paused and self._transport is not None:
            self._is_paused = False
            self._transport.resume_reading()
        return data

    async def _wait(self, timeout_s: float) -> None:
        if self._error is not None:
            raise self._error
        waiter = self._waiter = self._loop.create_future()
        timer = self._loop.call_later(timeout_s, self._fail, httpx.ReadTimeout("the site says nothing"))
        try:
            await waiter
        finally:
            timer.cancel()
            self._waiter = None

    def close(self) -> None:
        """Close at once."""
        self._fit = False
        if self._transport is not None:
            self._transport.abort()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _fail(self, error: httpx.TransportError) -> None:
        self._fit = False
        if self._error is None and not self.is_complete:
            self._error = error
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(error)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Connected."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own is one without saying so

    def data_received(self, data: bytes) -> None:
        """Parse it; what nobody asked for ends the connection."""
        if self.is_complete:
            self.close()
            return
        self.heard = True
        if not self.has_head:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._fail(httpx.RemoteProtocolError("the site upgrades unasked"))
        except httptools.HttpParserError as error:
            # After a whole response it is what follows that makes no sense.
            self._fail(httpx.RemoteProtocolError(f"no HTTP: {error}"))
        if not self.has_head and self._head_bytes > MAX_HEAD_BYTES:
            self._fail(httpx.RemoteProtocolError(f"a head of more than {MAX_HEAD_BYTES} bytes"))

    def connection_lost(self, exc: Exception | None) -> None:
        """The end of a body that has no other end, or of a broken one."""
        self._lost = True
        if self.has_head and not self._is_framed and exc is None:
            self.is_complete = True
            self._wake()
        elif not self.is_complete:
            self._fail(httpx.ReadError("the site broke off"))
        if self._writable is not None and not self._writable.done():
            self._writable.set_exception(httpx.WriteError("the site closed the connection"))

    def pause_writing(self) -> None:
        """The site takes no more for now."""
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        """The site takes more."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    # httptools

    def on_message_begin(self) -> None:
        """A response; a second final one nobody asked for."""
        if self.is_complete:
            self._fit = False

    def on_header(self, name: bytes, value: bytes) -> None:
        """A field, or after the body a trailer, which ends here."""
        if not self.has_head:
            self.fields.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """The head is whole."""
        if self.is_complete:
            return
        status = self._parser.get_status_code()
        if status < 200:
            self._take_interim(status)
            return
        if sum(len(name) + len(value) for name, value in self.fields) > MAX_HEAD_BYTES:
            raise ValueError("too long a head")
        self.status, self.has_head = status, True
        self._is_framed = any(name in _FRAMES for name, _ in self.fields)
        if self._method == "HEAD":
            self._end()
        self._wake()

    def _take_interim(self, status: int) -> None:
        self._interims += 1
        if status == 101 or self._interims > MAX_INTERIM:
            raise ValueError("a response that nobody asked for")
        fields, self.fields = self.fields, []
        if self._interim is not None and status != 100:
            self._interim(status, fields)

    def on_body(self, data: bytes) -> None:
        """A part of the body; none belongs to the answer to a HEAD."""
        if self.is_complete:
            self._fit = False
            return
        self._chunks.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes > HIGH_WATER_BYTES and not self._is_paused and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()
        self._wake()

    def on_message_complete(self) -> None:
        """The response is whole; a 1xx one is none yet."""
        if self.has_head and not self.is_complete:
            self._end()
            self._wake()

    def _end(self) -> None:
        self.is_complete = True
        self._fit = self._fit and self._parser.should_keep_alive()


_FRAMES: Final = frozenset((b"content-length", b"transfer-encoding"))

"""The HTTP server of a worker: uvicorn, one system call a response, signals left to the owner."""

import asyncio
import contextlib
import re
import socket
import time
from http import HTTPStatus
from typing import Any, Final

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from edge.worker.counters import Counters
from edge.worker.site.exchange import INTERIM
from edge.worker.site.upstream import end_to_end

LAST_S: Final = 1.0
"""For how long a connection may ask once more when the worker ends: so its client hears that it closes."""
DRAIN_S: Final = 8
"""For how long what is in flight may then take; with the above less than the supervisor waits."""
MAX_HEAD_BYTES: Final = 32 << 10
"""Of a request's target and fields together; cookies take at most 4 kB each."""
TICK_S: Final = 1.0
HEAD_S: Final = 10.0
"""For how long a request's head may take, and a new connection may say nothing."""
BODY_S: Final = 30.0
"""For how long nothing of a request's body may come."""
STALL_S: Final = 60.0
"""For how long a client may take nothing of its answer."""

_NO_FIELD: Final = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_CODES: Final = {400: "malformed", 408: "slow", 431: "too-large"}
_INTERIM_PHRASES: Final = {102: b"Processing", 103: b"Early Hints"}


class Cork:
    """A transport that holds what is written until the turn of the event loop is over.

    uvloop hands every write to the kernel at once, so headers and body cost
    two system calls, and each may wake a sleeping peer.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._held: list[bytes] = []
        self._call_soon = asyncio.get_running_loop().call_soon

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Hold the bytes; all held ones leave together."""
        if not self._held:
            self._call_soon(self.flush)
        self._held.append(data)

    def flush(self) -> None:
        """Hand over what is held."""
        if self._held:
            data, self._held = self._held, []
            if not self._transport.is_closing():
                self._transport.writelines(data)

    def close(self) -> None:
        """Flush, then close."""
        self.flush()
        self._transport.close()


class CorkedProtocol(HttpToolsProtocol):
    """uvicorn's protocol over a `Cork`, with bounds on heads and on how slowly one may come.

    uvicorn has none: it took 200 MB of headers, and waits for the rest of a
    head for as long as the connection stands.
    """

    _head_bytes = 0  # since a head was whole or a body went on: also of trailers and chunks' extensions
    _slow_ticks = 0
    _is_over = False
    _is_last = False

    def __init__(self, counters: Counters, **uvicorns: Any) -> None:
        super().__init__(**uvicorns)
        self._counters = counters

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Put the cork between."""
        super().connection_made(Cork(transport))  # type: ignore[arg-type]
        # uvicorn gives each request a copy of it.
        self.app_state = {INTERIM: self._send_interim}

    def data_received(self, data: bytes) -> None:
        """Parse it, unless a head grows without end."""
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._receive_much(data)
            return
        cycle = self.cycle
        super().data_received(data)
        if self.cycle is not cycle:  # a head was whole
            self._head_bytes = self._slow_ticks = 0
            if self._is_last:
                self.end_soon()

    def end_soon(self) -> None:
        """Let the answer that is under way, or else the next one, say that the connection closes."""
        self._is_last = True
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def _receive_much(self, data: bytes) -> None:
        """Parse what may end the head within its bound; then, if it did, the rest."""
        while data and not self._is_over:
            cycle, room = self.cycle, MAX_HEAD_BYTES - (self._head_bytes - len(data))
            super().data_received(data[:room])
            if self.cycle is cycle and self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(431, "Too many headers.")
                return
            data = data[room:]
            self._head_bytes = len(data)
        if not self._is_over:
            self._head_bytes = self._slow_ticks = 0

    def _unsupported_upgrade_warning(self) -> None:
        # The parser is at its end after an upgrade, so the connection is: the answer says so.
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no request."""
        self._refuse(400, msg)

    def _refuse(self, status: int, text: str) -> None:
        """Say why, and close; after a whole request, once that has its answer."""
        if self._is_over or self.transport.is_closing():
            return
        self._count(_CODES[status])
        self._is_over, cycle = True, self.cycle
        if cycle is not None and not (cycle.response_complete or cycle.more_body):
            cycle.keep_alive = False
            return
        if cycle is None or cycle.response_complete or not cycle.response_started:
            self.transport.write(_answer(status, text.encode("ascii")))
        self.transport.close()

    def _count(self, code: str) -> None:
        self._counters.add(f'nearside_refused_requests_total{{route="socket",code="{code}"}}')

    def _send_interim(self, status: int, fields: list[tuple[bytes, bytes]]) -> None:
        """A 1xx response, for clients that know of such."""
        if self.cycle.response_started or self.cycle.disconnected or self.scope["http_version"] == "1.0":
            return
        lines = [b"%s: %s\r\n" % field for field in end_to_end(fields) if _NO_FIELD.search(field[1]) is None]
        phrase = _INTERIM_PHRASES.get(status, b"")
        self.transport.write(b"HTTP/1.1 %d %s\r\n%s\r\n" % (status, phrase, b"".join(lines)))

    def on_body(self, body: bytes) -> None:
        """The client goes on."""
        self._head_bytes = self._slow_ticks = 0
        super().on_body(body)

    def resume_writing(self) -> None:
        """The client goes on."""
        self._slow_ticks = 0
        super().resume_writing()

    def tick(self) -> None:
        """Count against who is slow; called every `TICK_S`."""
        cycle, slow_s = self.cycle, self._slow_ticks * TICK_S
        self._slow_ticks += 1
        if self.flow.write_paused:
            if slow_s > STALL_S:
                self._count("slow")
                self.transport.abort()
        elif cycle is None or cycle.response_complete:
            if slow_s > HEAD_S:
                self._refuse(
                    408, "The request took too long."
                ) if self._head_bytes else self.transport.close()
        elif cycle.more_body and not self.flow.read_paused:
            if slow_s > BODY_S:
                self._refuse(408, "The request took too long.")
        else:
            self._slow_ticks = 0  # it is we who work


def _answer(status: int, body: bytes) -> bytes:
    phrase = HTTPStatus(status).phrase.encode()
    fields = b"content-type: text/plain\r\ncontent-length: %d\r\nconnection: close\r\n" % len(body)
    return b"HTTP/1.1 %d %s\r\n%s\r\n%s" % (status, phrase, fields, body)


class Server(uvicorn.Server):
    """Leaves signals to its owner: uvicorn would die of them before the spool is closed."""

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        """Capture none."""
        return contextlib.nullcontext()

    def drain(self) -> None:
        """Take no more connections, finish what is in flight, and return from `serve`."""
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Leave new connections to other workers, and close those that there are as their clients expect it.

        One that is closed while its client does not use it may be used at that
        very moment: that request would fail.
        """
        for server in self.servers:
            server.close()
        for connection in self.server_state.connections:
            if isinstance(connection, CorkedProtocol):
                connection.end_soon()
        ends_s = time.monotonic() + LAST_S
        while self.server_state.connections and time.monotonic() < ends_s:  # noqa: ASYNC110 - nobody tells of the last
            await asyncio.sleep(0.05)
        await super().shutdown(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Look after slow connections, beside what uvicorn does ten times a second."""
        if counter % round(TICK_S * 10) == 0:
            for connection in list(self.server_state.connections):
                if isinstance(connection, CorkedProtocol):
                    connection.tick()
        return await super().on_tick(counter)

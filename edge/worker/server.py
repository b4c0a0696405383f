"""The HTTP server of a worker: uvicorn, one system call a response, signals left to the owner."""

import asyncio
import contextlib
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

DRAIN_S = 10


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
    """uvicorn's protocol over a `Cork`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Put the cork between."""
        super().connection_made(Cork(transport))  # type: ignore[arg-type]


class Server(uvicorn.Server):
    """Leaves signals to its owner: uvicorn would die of them before the spool is closed."""

    def capture_signals(self) -> contextlib.AbstractContextManager[None]:  # type: ignore[override]
        """Capture none."""
        return contextlib.nullcontext()

    def drain(self) -> None:
        """Take no more connections, finish what is in flight, and return from `serve`."""
        self.should_exit = True

"""A worker in a process of its own before a careless site, and all bytes that cross its sockets."""

import asyncio
import contextlib
import gzip
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import brotli
import zstandard

from edge.bundle.active import control_path
from loadtest.bench_page import lay_down

LOOPBACK = "127.0.0.1"
# The same program with less patience: it reports its counts at once, and lets slow clients go.
IMPATIENT = """
import runpy
from edge.worker import control, server
control.REPORT_S = 0.02
server.TICK_S, server.HEAD_S, server.BODY_S = 0.1, 0.5, 0.5
runpy.run_module("edge.worker", run_name="__main__", alter_sys=True)
"""
PAGE = (
    b'<!doctype html><title>Films</title><main><div data-placement="hero">the default</div>'
    b'<section data-placement="recommended"><i>nothing yet</i></section>%s</main>'
)
UNDER_WAY_S = 20.0
LATE_S = 2.0


class CarelessSite:
    """Tells in each page, which anybody may keep, what it was told; and knows its visitors by `sid` alone.

    Of a body it reads nothing: the head is what it goes by. ``/wait`` never has one, ``/late`` has it late.
    """

    def __init__(self) -> None:
        self.heard: list[bytes] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request on one connection."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            head = await reader.readuntil(b"\r\n\r\n")
            self.heard.append(head)
            path = head.split(b" ")[1].partition(b"?")[0]
            if path == b"/wait":
                await reader.read()
                raise ConnectionError
            if path == b"/late":
                await asyncio.sleep(LATE_S)
            if path == b"/bombs-later":
                await _bomb_later(writer)
                raise ConnectionError
            answer = _broken(path)
            if answer is None:
                status, fields, body = _answer(path, head)
                answer = b"HTTP/1.1 %s\r\n%scontent-length: %d\r\nconnection: close\r\n\r\n" % (
                    status,
                    b"".join(b"%s: %s\r\n" % field for field in fields),
                    len(body),
                )
                answer += b"" if head.startswith(b"HEAD") else body
            writer.write(answer)
            await writer.drain()
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def _answer(path: bytes, head: bytes) -> tuple[bytes, list[tuple[bytes, bytes]], bytes]:
    kept = (b"cache-control", b"public, max-age=60")
    if path.startswith(b"/account"):
        _, _, sid = head.lower().partition(b"sid=")
        name = sid.split(b"\r")[0].split(b";")[0]
        return b"200 OK", [(b"content-type", b"text/html"), (b"cache-control", b"max-age=60")], b"of " + name
    if path.startswith(b"/bomb-"):
        coding = path.removeprefix(b"/bomb-")
        fields = [(b"content-type", b"text/html"), (b"content-encoding", coding), kept]
        return b"200 OK", fields, _BOMBS[coding](bytes(64 << 20))
    if path.startswith(b"/asset"):
        return b"200 OK", [(b"content-type", b"text/css"), kept], b"body {}" + b" " * 1000
    told = b" ".join(line for line in head.split(b"\r\n")[1:] if not line.lower().startswith(b"cookie"))
    return b"200 OK", [(b"content-type", b"text/html"), kept], PAGE % (b"<!-- %s -->" % told)


def _brotli(body: bytes) -> bytes:
    return bytes(brotli.compress(body, quality=1))


_BOMBS = {b"gzip": gzip.compress, b"zstd": zstandard.compress, b"br": _brotli}


async def _bomb_later(writer: asyncio.StreamWriter) -> None:
    """A page that is no longer than its connection."""
    frame = zstandard.ZstdCompressor().compressobj()
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-encoding: zstd\r\n\r\n")
    writer.write(frame.compress(PAGE % b"") + frame.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK))
    await asyncio.sleep(0.2)
    writer.write(frame.compress(bytes(64 << 20)) + frame.flush())
    await writer.drain()


def _broken(path: bytes) -> bytes | None:
    """What a site says that attackers have a hand in, or that is ill."""
    good, two = b"HTTP/1.1 200 OK\r\n", b"content-length: 2\r\n"
    answers = {
        b"/split": good + two + b"\r\nok" + good + b"content-length: 4\r\n\r\nevil",
        b"/two": good + two + b"content-length: 9\r\n\r\nokevil",
        b"/both": good + two + b"transfer-encoding: chunked\r\n\r\n4\r\nevil\r\n0\r\n\r\n",
        b"/none": b"evil\r\n\r\n",
        b"/long": good + b"x-y: %s\r\n" % (b"z" * 8000) * 12 + b"\r\n",
    }
    return answers.get(path)


class LiveWorker:
    """The worker's process; what it counts comes over the control socket, as to an agent."""

    def __init__(self, folder: Path, bundle: Path, **options: str) -> None:
        self.folder, self.site = folder, CarelessSite()
        self._counts: dict[str, float] = {}
        self._reports = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        state, self.keys = lay_down(folder, bundle)
        site = self._wait(asyncio.start_server(self.site.serve, LOOPBACK, 0))
        self._servers = [self._wait(asyncio.start_unix_server(self._hear, str(control_path(state)))), site]
        site_port = site.sockets[0].getsockname()[1]
        self.log = folder / "worker.log"
        with socket.create_server((LOOPBACK, 0), backlog=512) as listener, self.log.open("wb") as log:
            self.port = listener.getsockname()[1]
            told = {"origin": "http://127.0.0.1:1", "upstream": f"http://localhost:{site_port}"}
            told |= {"keys": str(self.keys), "state-dir": str(state), "workers": "1", **options}
            command = [
                sys.executable,
                "-c",
                IMPATIENT,
                *[f"--{name}={value}" for name, value in told.items()],
            ]
            command.append(f"--fd={listener.fileno()}")
            self.process = subprocess.Popen(command, pass_fds=[listener.fileno()], stderr=log)
        self.wait_for(lambda: self._reports > 1)

    def _wait(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(UNDER_WAY_S)

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            if (counts := json.loads(line).get("metrics")) is not None:
                self._counts, self._reports = counts, self._reports + 1
        writer.close()
        await writer.wait_closed()

    def wait_for(self, condition: Callable[[], bool]) -> None:
        """Wait until it holds."""
        deadline = time.monotonic() + UNDER_WAY_S
        while not condition():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def counts(self) -> dict[str, float]:
        """All counts as they are now."""
        seen = self._reports
        self.wait_for(lambda: self._reports > seen + 1)
        return dict(self._counts)

    def close(self) -> int:
        """Tell it to stop; its exit status."""
        self.process.terminate()
        status = self.process.wait(UNDER_WAY_S)
        self._wait(self._let_go())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        return status

    async def _let_go(self) -> None:
        for server in self._servers:
            server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.wait(others, timeout=1) if others else None
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def talk(self, *parts: bytes, pause_s: float = 0.0, timeout_s: float = 10.0) -> bytes:
        """Send the parts on one connection; all that comes back until it is closed."""
        answer = b""
        with socket.create_connection((LOOPBACK, self.port), timeout_s) as connection:
            with contextlib.suppress(ConnectionError):
                for part in parts:
                    connection.sendall(part)
                    time.sleep(pause_s)
            with contextlib.suppress(ConnectionError):
                while more := connection.recv(65536):
                    answer += more
        return answer

    def get(self, target: bytes = b"/", fields: bytes = b"", method: bytes = b"GET") -> bytes:
        """One whole request as browsers send it, `fields` in it; the whole answer."""
        return self.talk(request(target, fields, method))

    def post(self, target: bytes, body: bytes, fields: bytes = b"") -> bytes:
        """One request with a body."""
        length = b"content-length: %d\r\n" % len(body)
        return self.talk(request(target, fields + length, b"POST") + body)


def request(target: bytes = b"/", fields: bytes = b"", method: bytes = b"GET") -> bytes:
    """A request that ends its connection."""
    return b"%s %s HTTP/1.1\r\nhost: films.example\r\naccept: text/html\r\n%sconnection: close\r\n\r\n" % (
        method,
        target,
        fields,
    )


@contextlib.contextmanager
def live(folder: Path, bundle: Path, **options: str) -> Iterator[LiveWorker]:
    """A worker that is up."""
    worker = LiveWorker(folder, bundle, **options)
    try:
        yield worker
    finally:
        if worker.process.poll() is None:
            worker.close()

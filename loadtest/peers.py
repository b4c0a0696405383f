"""The peers of the page benchmark: programs that serve the same bytes, under the same server."""

import asyncio
import json
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import aiohttp
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.worker.counters import Counters
from edge.worker.main import make_server, new_loop
from edge.worker.site.exchange import App, Receive, Scope, Send

GZIP_MAGIC = b"\x1f\x8b"
MAKING_S = 0.05


def bare(body: bytes) -> App:
    """The least that ASGI allows."""
    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"cache-control", b"private, no-store"),
        (b"content-length", b"%d" % len(body)),
    ]
    if body.startswith(GZIP_MAGIC):
        headers.append((b"content-encoding", b"gzip"))
    return _always(headers, body)


def _always(headers: list[tuple[bytes, bytes]], body: bytes) -> App:
    start = {"type": "http.response.start", "status": 200, "headers": headers}
    end = {"type": "http.response.body", "body": body}

    async def program(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send(start)
        await send(end)

    return program


def site(body: bytes) -> App:
    """The site behind the edge: a page that a shared cache may keep."""
    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"cache-control", b"max-age=3600"),
        (b"content-length", b"%d" % len(body)),
    ]
    return _always(headers, body)


def changing(body: bytes) -> App:
    """A site whose page nobody may keep."""
    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"cache-control", b"no-store"),
        (b"content-length", b"%d" % len(body)),
    ]
    return _always(headers, body)


def making(body: bytes) -> App:
    """A site whose page nobody may keep, and that takes `MAKING_S` for all but the beginning of it."""
    headers = [(b"content-type", b"text/html; charset=utf-8"), (b"cache-control", b"no-store")]
    begun, rest = body[: len(body) // 8], body[len(body) // 8 :]

    async def program(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": begun, "more_body": True})
        await asyncio.sleep(MAKING_S)
        await send({"type": "http.response.body", "body": rest})

    return program


def fragments(body: bytes) -> App:
    """A service of ready fragments, one to a line of JSON strings: what ESI includes."""
    bodies = [text.encode() for text in json.loads(body)]
    programs = {f"/fragment/{number}": bare(text) for number, text in enumerate(bodies)}

    async def program(scope: Scope, receive: Receive, send: Send) -> None:
        await programs[scope["path"]](scope, receive, send)

    return program


class Proxy:
    """The least that a proxy over aiohttp can be: the page of a site, passed on whole."""

    def __init__(self, site: bytes) -> None:
        self._site = site.decode().strip()
        self._session: aiohttp.ClientSession | None = None

    async def __call__(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Serve one request."""
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        target = f"{self._site}{scope['path']}?{scope['query_string'].decode()}"
        async with self._session.get(target, headers={"accept-encoding": "identity"}) as response:
            body = await response.read()
            kind = response.headers["content-type"].encode()
        headers = [(b"content-type", kind), (b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def close(self) -> None:
        """Let go of the site."""
        if self._session is not None:
            await self._session.close()


def starlette(body: bytes) -> Any:
    """A plain Starlette route."""
    headers = {"cache-control": "private, no-store"}
    if body.startswith(GZIP_MAGIC):
        headers["content-encoding"] = "gzip"

    async def page(_request: Request) -> Response:
        return Response(body, media_type="text/html", headers=headers)

    return Starlette(routes=[Route("/{path:path}", page)])


KINDS: Final[dict[str, Callable[[bytes], Any]]] = {
    "bare": bare,
    "changing": changing,
    "fragments": fragments,
    "making": making,
    "proxy": Proxy,
    "site": site,
    "starlette": starlette,
}


def main() -> None:
    """`python -m loadtest.peers KIND FILE FD`: FILE is the page, or what that kind says."""
    kind, page, descriptor = sys.argv[1:]
    program = KINDS[kind](Path(page).read_bytes())
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(_serve(program, int(descriptor)))


async def _serve(program: App, descriptor: int) -> None:
    server = make_server(program, Counters())
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.drain)
    await server.serve(sockets=[socket.socket(fileno=descriptor)])
    if isinstance(program, Proxy):
        await program.close()


if __name__ == "__main__":
    main()

"""The peers of the page benchmark: programs that serve the same bytes, under the same server."""

import asyncio
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.worker.app import App, Receive, Scope, Send
from edge.worker.main import make_server, new_loop


def bare(body: bytes) -> App:
    """The least that ASGI allows."""
    headers = [
        (b"content-type", b"text/html; charset=utf-8"),
        (b"cache-control", b"private, no-store"),
        (b"content-length", b"%d" % len(body)),
    ]
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


def starlette(body: bytes) -> Any:
    """A plain Starlette route."""

    async def page(_request: Request) -> Response:
        return Response(body, media_type="text/html", headers={"cache-control": "private, no-store"})

    return Starlette(routes=[Route("/{path:path}", page)])


def main() -> None:
    """`python -m loadtest.peers bare|site|starlette PAGE FD`."""
    kind, page, descriptor = sys.argv[1:]
    program = {"bare": bare, "site": site, "starlette": starlette}[kind](Path(page).read_bytes())
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(_serve(program, int(descriptor)))


async def _serve(program: App, descriptor: int) -> None:
    server = make_server(program)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, server.drain)
    await server.serve(sockets=[socket.socket(fileno=descriptor)])


if __name__ == "__main__":
    main()

"""A worker that listens on a port in this process, for real browsers before it."""

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from edge.worker.app import PageApp
from edge.worker.beside.routes import make_beside
from edge.worker.main import make_server
from edge.worker.site.upstream import Upstream
from edge.worker.turn.turn import Turn
from tests.edge.worker.chromium import TIMEOUT_S, command
from tests.edge.worker.conftest import Worker
from tests.edge.worker.raw_site import RawSite

LOADING_S = 2.0


class SlowSite(RawSite):
    """Keeps the browser waiting for one picture, `/slow`, as it leaves once all is loaded."""

    loading_s = LOADING_S

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.heard.append(head)
        path = head.split(b" ")[1]
        await asyncio.sleep(self.loading_s if path == b"/slow" else 0)
        writer.write(self.answers.get(path, b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"))
        writer.close()


@asynccontextmanager
async def listening(worker: Worker, site_url: str, origins: Sequence[str] = ()) -> AsyncIterator[str]:
    """The worker before that site; yields its own address."""
    upstream = Upstream(site_url, 10)
    beside = make_beside(worker.holder, worker.desk, (), origins)
    turn = Turn(worker.holder, worker.desk)
    server = make_server(PageApp(upstream, worker.cache, turn, beside, 1 << 20), worker.counters)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.drain()
            await task
            await upstream.close()


async def source_of(url: str, folder: Path) -> str:
    """The page's source as a browser has it once all is loaded."""
    process = await asyncio.create_subprocess_exec(
        *command(folder), url, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    source, _ = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
    return source.decode()

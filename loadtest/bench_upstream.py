"""`make bench-upstream`: CPU time of one request to the site, by transport and number of connections."""

import argparse
import asyncio
import json
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final, cast

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from edge.proxy.transport import SiteTransport
from edge.worker.main import new_loop

BODY_BYTES: Final = 20_000
CONNECTIONS: Final = (1, 16, 64)
MOST: Final = 256
HEADERS: Final = {
    "accept": "text/html",
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64)",
    "accept-language": "en",
    "accept-encoding": "gzip",
    "cookie": "a=b",
    "via": "1.1 nearside",
    "x-forwarded-for": "192.0.2.1",
    "x-forwarded-host": "films.test",
}
Ask = Callable[[], Awaitable[int]]
Way = Callable[[httpx.URL], AsyncIterator[Ask]]


class _Site(asyncio.Protocol):
    """The least that answers."""

    answer = b"HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-length: %d\r\n\r\n" % BODY_BYTES

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport, self._rest = cast(asyncio.WriteTransport, transport), b""

    def data_received(self, data: bytes) -> None:
        *heads, self._rest = (self._rest + data).split(b"\r\n\r\n")
        self._transport.write((self.answer + b"x" * BODY_BYTES) * len(heads))


async def _serve(descriptor: int) -> None:
    server = await asyncio.get_running_loop().create_server(_Site, sock=socket.socket(fileno=descriptor))
    await server.serve_forever()


def _over(transport: Callable[[httpx.URL], httpx.AsyncBaseTransport]) -> Way:
    async def way(url: httpx.URL) -> AsyncIterator[Ask]:
        async with transport(url) as client:

            async def ask() -> int:
                extensions = {"timeout": httpx.Timeout(10).as_dict()}
                request = httpx.Request("GET", url, headers=HEADERS, extensions=extensions)
                response = await client.handle_async_request(request)
                size = sum([len(part) async for part in response.aiter_raw()])
                await response.aclose()
                return size

            yield ask

    return way


async def _aiohttp(url: httpx.URL) -> AsyncIterator[Ask]:
    async with _session() as session:

        async def ask() -> int:
            async with session.get(str(url), headers=HEADERS, allow_redirects=False) as response:
                return len(await response.read())

        yield ask


def _session() -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=MOST)
    return aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
    )


_LIMITS: Final = httpx.Limits(max_connections=MOST, max_keepalive_connections=MOST)
WAYS: Final[dict[str, tuple[Way, int]]] = {
    "ours": (_over(lambda url: SiteTransport(url, MOST)), 2000),
    "aiohttp": (_aiohttp, 2000),
    "httpx over aiohttp": (_over(lambda _: AiohttpTransport(client=_session)), 1000),
    "httpx": (_over(lambda _: httpx.AsyncHTTPTransport(limits=_LIMITS)), 200),
}


async def _spent_us(way: Way, url: httpx.URL, connections: int, requests: int) -> float:
    async with asynccontextmanager(way)(url) as ask:

        async def run(count: int) -> None:
            left = iter(range(count))

            async def work() -> None:
                for _ in left:
                    assert await ask() == BODY_BYTES

            await asyncio.gather(*[work() for _ in range(connections)])

        await run(2 * connections)
        before = time.process_time()
        await run(requests)
        return (time.process_time() - before) / requests * 1e6


def main() -> None:
    """Measure all ways in turns, print medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slices", type=int, default=5)
    parser.add_argument("--site", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.site is not None:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            runner.run(_serve(options.site))
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    command = [sys.executable, "-m", "loadtest.bench_upstream", f"--site={listener.fileno()}"]
    site = subprocess.Popen(command, pass_fds=[listener.fileno()])
    url = httpx.URL(f"http://127.0.0.1:{listener.getsockname()[1]}/page")
    try:
        figures = _measure(url, options.slices)
    finally:
        site.terminate()
        site.wait()
    print(json.dumps({"bench": "upstream", "figures": figures}))


def _measure(url: httpx.URL, slices: int) -> dict[str, float]:
    figures: dict[str, float] = {}
    for connections in CONNECTIONS:
        spent: dict[str, list[float]] = {name: [] for name in WAYS}
        for _ in range(slices):
            for name, (way, requests) in WAYS.items():
                with asyncio.Runner(loop_factory=new_loop) as runner:
                    spent[name].append(runner.run(_spent_us(way, url, connections, requests)))
        print(f"\nCPU µs per request at {connections} connections: median (min–max)")
        for name, found in spent.items():
            figures[f"{name.replace(' ', '_')}_us_c{connections}"] = round(statistics.median(found), 1)
            print(
                f"  {name:19} {statistics.median(found):7.0f}  ({min(found):.0f}–{max(found):.0f})",
                flush=True,
            )
    return figures


if __name__ == "__main__":
    main()

"""A light HTTP/1.1 client: many visitors on open connections, their cookies adopted."""

import asyncio
import random
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

AGENTS = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
    "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 15; Pixel 9) AppleWebKit/537.36 Chrome/142.0.0.0 Mobile Safari/537.36",
)
COUNTRIES = ("DE", "AT", "CH", "FR", "US", "GB", "IT", "ES", "NL", "BE", "PL", "SE")
LANGUAGES = ("de-DE,de;q=0.9,en;q=0.8", "en-US,en;q=0.9", "fr-FR,fr;q=0.9", "it")

_LENGTH = re.compile(rb"content-length: (\d+)", re.I)
_COOKIE = re.compile(rb"set-cookie: (nearside=[^;\r]+)", re.I)
_DECIDED = re.compile(rb"decide;dur=([\d.]+)")


@dataclass
class Tally:
    """What a run saw; `decided_ms` is what the edge says of itself in Server-Timing."""

    done: int = 0
    failed: int = 0
    personalized: int = 0
    latencies_s: list[float] = field(default_factory=list)
    first_byte_s: list[float] = field(default_factory=list)
    decided_ms: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


class Visitor:
    """One browser after the other on one connection, each with headers, a cookie and a way of its own.

    A visit is 1 to 39 pages long; every eighth visitor stays for 200. Three
    pages of ten are a film's, the others the home page.
    """

    def __init__(self, seed: int, films: int) -> None:
        self._random = random.Random(seed)
        self._films = films
        self._arrive()

    def _arrive(self) -> None:
        self._cookie = b"consent=full"
        self._left = 200 if self._random.random() < 1 / 8 else self._random.randint(1, 39)
        lines = (
            f"user-agent: {self._random.choice(AGENTS)}",
            "accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            f"accept-language: {self._random.choice(LANGUAGES)}",
            "accept-encoding: gzip, deflate, br",
            f"x-geo-country: {self._random.choice(COUNTRIES)}",
            "connection: keep-alive",
        )
        self._fixed = "\r\n".join(lines).encode()

    def request(self) -> bytes:
        """The next page view; a visitor who is done is followed by a new one."""
        if not self._left:
            self._arrive()
        self._left -= 1
        if self._random.random() < 0.3:
            path = f"/film/{self._random.randint(1, self._films)}"
        else:
            path = f"/?utm_campaign=c{self._random.randint(0, 20)}"
        head = f"GET {path} HTTP/1.1\r\nhost: films.test\r\n".encode()
        return head + self._fixed + b"\r\ncookie: " + self._cookie + b"\r\n\r\n"

    def adopt(self, head: bytes) -> None:
        """Keep the cookie that a response sets."""
        if found := _COOKIE.search(head):
            self._cookie = b"consent=full; " + found[1]


class Newcomer(Visitor):
    """One for whom every page is another address: nothing that is kept answers them."""

    def __init__(self, seed: int, films: int) -> None:
        super().__init__(seed, films)
        self._asked = seed * 1_000_000

    def request(self) -> bytes:
        """The next page view, of a page that nobody asked for before."""
        self._asked += 1
        line, end, rest = super().request().partition(b" HTTP/1.1\r\n")
        return line + (b"&" if b"?" in line else b"?") + b"n=%d" % self._asked + end + rest


async def browse(port: int, visitors: Sequence[Visitor], requests: int, tally: Tally) -> None:
    """All visitors at once, each on a connection of its own, until `requests` are done.

    The client never sleeps: on loopback, waking a sleeping peer is charged to
    the server that writes, 10 µs and more on a virtual machine, and only to a
    server that is slower than the client.
    """
    left = [requests]
    awake = asyncio.create_task(_stay_awake())
    await asyncio.gather(*(_visit(port, visitor, left, tally) for visitor in visitors))
    awake.cancel()


async def browse_calmly(
    port: int, visitors: Sequence[Visitor], duration_s: float, pause_s: float, tally: Tally
) -> None:
    """All visitors at once for so long, each pausing between its pages: for latencies, not for CPU time."""
    left = [sys.maxsize]
    visits = [asyncio.create_task(_visit(port, visitor, left, tally, pause_s)) for visitor in visitors]
    await asyncio.sleep(duration_s)
    left[0] = 0
    await asyncio.gather(*visits)


async def _stay_awake() -> None:
    while True:  # noqa: ASYNC110 - it is the point not to wait
        await asyncio.sleep(0)


async def _visit(
    port: int, visitor: Visitor, left: list[int], tally: Tally, pause_s: float | None = None
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while left[0] > 0:
            left[0] -= 1
            start = time.perf_counter()
            try:
                writer.write(visitor.request())
                head = await reader.readuntil(b"\r\n")
                tally.first_byte_s.append(time.perf_counter() - start)
                head += await reader.readuntil(b"\r\n\r\n")
                body = await _body(reader, head)
            except (OSError, asyncio.IncompleteReadError) as error:
                tally.failed += 1
                tally.errors.append(repr(error))
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                continue
            tally.latencies_s.append(time.perf_counter() - start)
            if head.startswith(b"HTTP/1.1 200"):
                tally.done += 1
                tally.personalized += b"data-nearside=" in body  # never squeezed, so it can be read
            else:
                tally.failed += 1
                tally.errors.append(head[:40].decode("latin-1"))
            if decided := _DECIDED.search(head):
                tally.decided_ms.append(float(decided[1]))
            visitor.adopt(head)
            if pause_s is not None:
                await asyncio.sleep(pause_s)
    finally:
        writer.close()


async def _body(reader: asyncio.StreamReader, head: bytes) -> bytes:
    if length := _LENGTH.search(head):
        return await reader.readexactly(int(length[1]))
    if b"chunked" not in head.lower():
        return b""
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\r\n")
    return body

"""Browsers that keep books: what a worker acknowledged, what failed, and on which connection."""

import asyncio
import json
import re
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from edge.events.token import Shown, TokenBox
from origin.lake import reader as lake
from tests.e2e.stack import LOOPBACK, SITE, Stack, until

ITEMS = ("alien", "brazil", "casablanca", "dune", "eva", "fargo", "gilda", "heat")
CLICK_EVERY = 3
PAUSE_S = 0.002
MARK = re.compile(rb'data-nearside="([^"]+)"')
LENGTH = re.compile(rb"content-length: (\d+)", re.I)
COOKIE = re.compile(rb"set-cookie: (nearside=[^;\r]+)", re.I)

EventId = tuple[str, str, str, int]


@dataclass
class Books:
    """All that browsers saw of one PoP.

    Attributes
    ----------
    decisions : list of str
        Ids of the decisions whose pages came whole: acknowledged.
    events : list of (decision, kind, item, n)
        What was acknowledged: beacons that were answered, views of items' pages.
    plain : list of str
        Paths that came without a decision.
    refused : list of str
        Status lines that are no success.
    failed : list of (local port, error)
        Requests whose connection broke.
    failed_again : int
        Of those, the ones that broke on the new connection as well.
    """

    decisions: list[str] = field(default_factory=list)
    events: list[EventId] = field(default_factory=list)
    plain: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    failed: list[tuple[int, str]] = field(default_factory=list)
    failed_again: int = 0
    latencies_s: list[float] = field(default_factory=list)


class Browser:
    """One visitor on one connection at a time, request after request."""

    def __init__(self, stack: Stack, books: Books, number: int) -> None:
        keys = stack.edge_keys
        self._tokens = TokenBox(keys.site, [(key.id, key.raw()) for key in keys.event])
        self._port, self._books, self._number = stack.port, books, number
        self._cookie = b"consent=full"
        self._turn = number
        self._is_closed = False

    async def browse(self, stop: threading.Event) -> None:
        """Request until told to stop; what broke is asked once more, on a new connection."""
        again = False
        while not stop.is_set():
            try:
                reader, writer = await asyncio.open_connection(LOOPBACK, self._port)
            except OSError as error:
                self._fail(0, error, again)
                return
            port = writer.get_extra_info("sockname")[1]
            self._is_closed = False
            try:
                while not (stop.is_set() or self._is_closed):
                    await self._request(reader, writer)
                    again = False
                    await asyncio.sleep(PAUSE_S)
            except (OSError, asyncio.IncompleteReadError) as error:
                self._fail(port, error, again)
                again = True
            finally:
                writer.close()

    def _fail(self, port: int, error: Exception, again: bool) -> None:
        self._books.failed.append((port, repr(error)))
        self._books.failed_again += again

    async def _request(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._turn += 1
        item = ITEMS[self._turn % len(ITEMS)] if self._turn % 2 else ""
        path = f"/film/{item}" if item else "/"
        head = f"GET {path} HTTP/1.1\r\nhost: films.test\r\n".encode()
        status, fields, body = await self._exchange(reader, writer, head + self._cookies() + b"\r\n")
        if status != 200:
            self._books.refused.append(f"{path}: {status}")
            return
        if found := COOKIE.search(fields):
            self._cookie = b"consent=full; " + found[1]
        mark = MARK.search(body)
        if mark is None:
            self._books.plain.append(path)
            return
        shown = self._tokens.open(mark[1], 0)
        self._books.decisions.append(shown.decision)
        if item:
            self._books.events.append((shown.decision, "view", item, 0))
        if self._turn % CLICK_EVERY == 0 and not self._is_closed:
            await self._report(reader, writer, mark[1].decode(), shown)

    async def _report(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, token: str, shown: Shown
    ) -> None:
        placement, items = shown.slots[-1]
        events = [
            {"kind": kind, "item": items[0], "placement": placement, "n": 0}
            for kind in ("impression", "click")
        ]
        body = json.dumps({"token": token, "events": events}).encode()
        head = b"POST /_nearside/events HTTP/1.1\r\nhost: films.test\r\ncontent-length: %d\r\n" % len(body)
        status, _, _ = await self._exchange(reader, writer, head + self._cookies() + b"\r\n" + body)
        if status != 204:
            self._books.refused.append(f"events: {status}")
            return
        self._books.events += [(shown.decision, kind, items[0], 0) for kind in ("impression", "click")]

    async def _exchange(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes
    ) -> tuple[int, bytes, bytes]:
        began = time.perf_counter()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        self._is_closed = b"\r\nconnection: close\r\n" in head
        length = LENGTH.search(head)
        body = await reader.readexactly(int(length[1])) if length else b""
        self._books.latencies_s.append(time.perf_counter() - began)
        return int(head[9:12]), head, body

    def _cookies(self) -> bytes:
        return b"cookie: " + self._cookie + b"\r\n"


class Load(threading.Thread):
    """Several browsers at once, in a thread of their own, for as long as the block lasts."""

    def __init__(self, stack: Stack, books: Books, browsers: int = 8) -> None:
        super().__init__()
        self._stack, self._books, self._browsers = stack, books, browsers
        self._stop_asked = threading.Event()
        self._error: BaseException | None = None

    def run(self) -> None:
        """Browse until the block ends."""
        try:
            asyncio.run(self._browse())
        except BaseException as error:
            # Raised again where the block ends.
            self._error = error

    async def _browse(self) -> None:
        browsers = [Browser(self._stack, self._books, number) for number in range(self._browsers)]
        await asyncio.gather(*(browser.browse(self._stop_asked) for browser in browsers))

    def __enter__(self) -> "Load":
        self.start()
        self.more(self._browsers * 4)
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._stop_asked.set()
        self.join()
        if self._error is not None:
            raise self._error

    def more(self, pages: int) -> None:
        """Wait until so many more pages were served."""
        wanted = len(self._books.decisions) + len(self._books.plain) + pages
        until(
            f"{pages} more pages",
            lambda: not self.is_alive() or len(self._books.decisions) + len(self._books.plain) >= wanted,
        )
        assert self.is_alive(), f"the browsers ended: {self._error!r} {self._books.failed[-3:]}"


def shown_on(stack: Stack, page: str) -> Shown:
    """What the page's own token says of it."""
    keys = stack.edge_keys
    tokens = TokenBox(keys.site, [(key.id, key.raw()) for key in keys.event])
    mark = MARK.search(page.encode())
    assert mark, f"a plain page: {page}"
    return tokens.open(mark[1], 0)


def connections_of(pid: int, server_port: int) -> set[int]:
    """The clients' ports of the connections to `server_port` that a process has accepted."""
    held = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        try:
            held.add(link.readlink().name)
        except FileNotFoundError:
            continue  # closed since it was listed
    ports = set()
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, remote, state, *_, inode = line.split()[:10]
        is_ours = int(local.rpartition(":")[2], 16) == server_port and state == "01"
        if is_ours and f"socket:[{inode}]" in held:
            ports.add(int(remote.rpartition(":")[2], 16))
    return ports


def check_exactly_once(stack: Stack, books: Books) -> None:
    """Assert that all that was acknowledged is in the lake once, and nothing is there twice."""
    wanted_decisions, wanted_events = set(books.decisions), set(books.events)
    assert len(wanted_decisions) == len(books.decisions)

    def found() -> tuple[Counter[str], Counter[EventId]]:
        events = lake.events(stack.data, SITE)
        return (
            Counter(record.id for record in lake.decisions(stack.data, SITE)),
            Counter((e.decision, e.kind, e.item, e.n) for e in events),
        )

    def arrived() -> bool:
        decisions, events = found()
        return wanted_decisions <= decisions.keys() and wanted_events <= events.keys()

    until("all of the spools is with the origin", stack.all_committed)
    until("all that was acknowledged is in the lake", arrived)
    decisions, events = found()
    assert [key for key, count in decisions.items() if count > 1] == []
    assert [key for key, count in events.items() if count > 1] == []
    # What was written but never answered may be there as well: at most what was on its way.
    on_their_way = len(books.failed)
    assert len(decisions.keys() - wanted_decisions) <= on_their_way
    assert len({event[0] for event in events.keys() - wanted_events}) <= on_their_way

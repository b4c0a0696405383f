"""One worker in this process: a compiled bundle, a site that answers from a table, an ASGI client."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field, replace
from ipaddress import ip_network
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest
from starlette.routing import Route

from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from edge.decide.types import DecisionRecord, Event, Record
from edge.errors import UpstreamError
from edge.events.forced import ForcedBox
from edge.events.spool import SpoolWriter, records
from edge.events.token import TokenBox
from edge.proxy.store import Store
from edge.visitor.cookie import CookieBox
from edge.visitor.form import FormBox
from edge.visitor.state import VisitorState
from edge.worker.active import Active, Holder
from edge.worker.app import PageApp
from edge.worker.attributes.locator import Locator
from edge.worker.beside.ofrep import ofrep_routes
from edge.worker.beside.routes import make_beside
from edge.worker.counters import Counters
from edge.worker.me.routes import me_routes
from edge.worker.site.cache import SharedCache
from edge.worker.site.exchange import INTERIM
from edge.worker.turn.turn import Turn
from edge.worker.turn.view import Desk
from tests.workspaces.make import SITE, make_bundle

PAGE = (
    b"<!doctype html><title>Films</title>\xff\n"
    b'<main><div data-placement="hero">the default</div>\n'
    b'<section data-placement="recommended"><i>nothing yet</i></section><p>after</p></main>'
)
HTML = ("content-type", "text/html; charset=utf-8")
MAX_PAGE_BYTES = 20_000
MAX_KEPT_BYTES = 100_000


class Stream(httpx.AsyncByteStream):
    """A body in chunks; an error breaks it off, what can be called is waited for."""

    def __init__(self, chunks: list[Any], site: "FakeSite") -> None:
        self.chunks, self.site = list(chunks), site

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while self.chunks:
            await asyncio.sleep(0)
            if callable(self.chunks[0]):
                await self.chunks[0]()
                self.chunks.pop(0)
                continue
            chunk = self.chunks.pop(0)
            if isinstance(chunk, Exception):
                raise chunk
            self.site.streamed += 1
            yield chunk

    async def aclose(self) -> None:
        self.site.closed += 1


@dataclass
class Said:
    """What the site answers on one path."""

    body: Any = PAGE
    headers: tuple[tuple[str, str], ...] = (HTML,)
    status: int = 200


@dataclass
class Heard:
    """What the site was asked."""

    method: str
    target: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.headers if key == name]


class Clock:
    """Seconds since 1970; they go on when a test says so."""

    def __init__(self) -> None:
        self.now_s = time.time()

    def __call__(self) -> float:
        return self.now_s


class FakeSite:
    """Stands for `Upstream`."""

    def __init__(self) -> None:
        self.says: dict[bytes, Said] = {}
        self.heard: list[Heard] = []
        self.down = False
        self.streamed = self.closed = 0

    async def send(
        self, method: str, target: bytes, headers: Any, body: Any, interim: Any = None
    ) -> httpx.Response:
        sent = b"".join([chunk async for chunk in body]) if body is not None else b""
        if self.down:
            raise UpstreamError("upstream", "it is down")
        self.heard.append(Heard(method, target, headers, sent))
        said = self.says.get(target, Said())
        chunks = said.body if isinstance(said.body, list) else [said.body]
        return httpx.Response(said.status, headers=list(said.headers), stream=Stream(chunks, self))


@dataclass
class Answer:
    """What a client got."""

    status: int = 0
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    ended: bool = False
    interim: list[tuple[int, Any]] = field(default_factory=list)

    def values(self, name: str) -> list[str]:
        return [value.decode() for key, value in self.headers if key.lower() == name.encode()]

    def value(self, name: str) -> str:
        values = self.values(name)
        return values[0] if values else ""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Worker:
    """A worker and its site."""

    def __init__(self, folder: Path, engine: Engine | None) -> None:
        self.folder = folder
        self.holder = Holder()
        if engine is not None:
            self.holder.active = Active(engine, 7, locator=Locator((ip_network("192.0.2.0/24"),)))
        self.counters = Counters()
        self.spool = SpoolWriter(folder)
        cookies, tokens = CookieBox(SITE, [(1, b"c" * 32)]), TokenBox(SITE, [(1, b"t" * 32)])
        forced = ForcedBox(SITE, [(1, b"t" * 32)])
        self.desk = Desk(SITE, "test", cookies, tokens, self.spool, self.counters, forced, 3600, 86400)
        self.site = FakeSite()
        self.clock = Clock()
        self.cache = SharedCache(Store(1 << 20), self.clock, ["sid-of-session"], MAX_KEPT_BYTES)
        self.records_at_start: list[int] = []
        self.answer = Answer()  # as far as it came

    def routes(self) -> list[Route]:
        forms = FormBox(SITE, [(1, b"t" * 32)])
        return [*ofrep_routes(self.holder, self.desk), *me_routes(self.holder, self.desk, forms)]

    def app(self) -> PageApp:
        turn = Turn(self.holder, self.desk)
        beside = make_beside(self.holder, self.desk, self.routes())
        return PageApp(self.site, self.cache, turn, beside, MAX_PAGE_BYTES)  # type: ignore[arg-type]

    def run(self, asks: Callable[[PageApp], Any]) -> Any:
        async def main() -> Any:
            return await asks(self.app())

        return asyncio.run(main())

    def get(
        self, target: str = "/", headers: dict[str, str] | list[tuple[str, str]] = (), **more: Any
    ) -> Answer:  # type: ignore[assignment]
        return self.run(lambda app: self.ask(app, target, headers, **more))  # type: ignore[no-any-return]

    def post(self, target: str, document: Any, headers: dict[str, str] | None = None) -> Answer:
        body = document if isinstance(document, bytes) else json.dumps(document).encode()
        sent = {"content-length": str(len(body)), **(headers or {})}
        return self.get(target, sent, method="POST", body=[body])

    def together(self, *asks: tuple[str, dict[str, str]]) -> list[Answer]:
        """Requests of one turn."""

        async def all_of(app: PageApp) -> list[Answer]:
            return await asyncio.gather(*[self.ask(app, *ask) for ask in asks])

        return self.run(all_of)  # type: ignore[no-any-return]

    async def ask(
        self,
        app: PageApp,
        target: str = "/",
        headers: Any = (),
        *,
        method: str = "GET",
        body: list[bytes] = [],  # noqa: B006 - never changed
        leaves_after: int | None = None,
    ) -> Answer:
        raw, _, query = target.encode("latin-1").partition(b"?")
        pairs = headers.items() if isinstance(headers, dict) else headers
        path = raw.decode("latin-1")
        scope = {
            "type": "http",
            "method": method,
            "path": unquote(path),
            "raw_path": raw,
            "query_string": query,
            "headers": [(name.encode(), value.encode("latin-1")) for name, value in pairs],
            "client": ("192.0.2.1", 4711),
        }
        answer, left = Answer(), asyncio.Event()
        self.answer = answer
        scope["state"] = {INTERIM: lambda status, fields: answer.interim.append((status, fields))}
        messages = [{"type": "http.request", "body": part, "more_body": True} for part in body]
        if leaves_after != 0 or not body:
            messages.append({"type": "http.request", "body": b"", "more_body": False})

        async def receive() -> Any:
            if messages:
                return messages.pop(0)
            if leaves_after != 0:
                await left.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            if message["type"] == "http.response.start":
                assert not answer.status
                answer.status, answer.headers = message["status"], list(message["headers"])
                self.records_at_start.append(len(self.records()))
            elif not left.is_set():
                answer.body += message["body"]
                answer.ended = not message.get("more_body")
                if leaves_after is not None and len(answer.body) >= leaves_after:
                    left.set()

        await app(scope, receive, send)
        return answer

    def records(self) -> list[Record]:
        files = sorted(self.folder.glob("*/*.seg"))
        return [record for path in files for record in records(path.read_bytes())]

    def decisions(self) -> list[DecisionRecord]:
        return [record for record in self.records() if isinstance(record, DecisionRecord)]

    def events(self) -> list[Event]:
        return [record for record in self.records() if isinstance(record, Event)]

    def count(self, name: str) -> float:
        return sum(value for key, value in self.counters.snapshot().items() if key.startswith(name))

    def cookie(self, *items: str, visitor: bytes = b"v" * 16, visits: int = 3) -> str:
        state = VisitorState(1, visitor, 1_700_000_000, 1_700_000_000, visits, items)
        return "nearside=" + self.desk.cookies.seal(state).decode()

    def state(self, answer: Answer) -> VisitorState:
        (ours,) = [value for value in answer.values("set-cookie") if value.startswith("nearside=")]
        return self.desk.cookies.open(ours.partition("=")[2].partition(";")[0].encode())

    def kill(self, *campaigns: str) -> None:
        self.holder.active = replace(self.holder.active, killed=campaigns)


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine, too, a test's page is there at once unless its site is made to take long."""
    monkeypatch.setattr("edge.worker.site.streaming.PATIENCE_S", 2.0)


@pytest.fixture(scope="session")
def bundle_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small workspace, compiled."""
    return make_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="session")
def engine(bundle_folder: Path) -> Engine:
    """The small workspace, loaded."""
    return Engine.load(open_bundle(bundle_folder, SITE))


@pytest.fixture
def worker(tmp_path: Path, engine: Engine) -> Iterator[Worker]:
    """A worker with the bundle."""
    worker = Worker(tmp_path, engine)
    yield worker
    worker.spool.close()


@pytest.fixture
def empty_worker(tmp_path: Path) -> Iterator[Worker]:
    """A worker that never had a bundle."""
    worker = Worker(tmp_path, None)
    yield worker
    worker.spool.close()

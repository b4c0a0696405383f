"""The socket between the agent and the workers of its machine: lines of JSON both ways."""

import asyncio
import logging
import math
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

import msgspec

from edge.agent.metrics import Metrics

log = logging.getLogger(__name__)

MAX_LINE_BYTES: Final = 1 << 20
HELLO_TIMEOUT_S: Final = 5.0
GAUGE: Final = "gauge:"
MAX_GONE: Final = 64


class _Hello(msgspec.Struct, frozen=True):
    pid: int
    worker: int
    spool: str


class _Activated(msgspec.Struct, frozen=True):
    bundle: str
    revision: int
    ms: float = 0.0


class _Refused(msgspec.Struct, frozen=True):
    bundle: str
    code: str


class _Stock(msgspec.Struct, frozen=True):
    """What a worker leaves out of lists; `refused` says why it did not take the list that lies there."""

    serial: int
    out: int
    unknown: int = 0
    refused: str = ""


class _Line(msgspec.Struct, frozen=True):
    """What a worker may say; one of these at a time, and how it stands with stock beside an activation."""

    hello: _Hello | None = None
    metrics: dict[str, float] | None = None
    activated: _Activated | None = None
    refused: _Refused | None = None
    stock: _Stock | None = None


class Worker:
    """A connected worker, as it told of itself."""

    def __init__(self, hello: _Hello, writer: asyncio.StreamWriter) -> None:
        self.hello = hello
        self.writer = writer
        self.since = time.time()
        self.activated: _Activated | None = None
        self.refused: _Refused | None = None
        self.stock: _Stock | None = None

    def status(self) -> dict[str, Any]:
        """What the status page says of it."""
        return {
            **msgspec.to_builtins(self.hello),
            "connected_s": round(time.time() - self.since, 1),
            "rss_bytes": rss_bytes(self.hello.pid),
            "activated": msgspec.to_builtins(self.activated),
            "refused": msgspec.to_builtins(self.refused),
            "stock": msgspec.to_builtins(self.stock),
        }


class Control:
    """Listens for workers, tells them what to do, and sums what they count."""

    def __init__(self, path: Path, metrics: Metrics) -> None:
        self._path, self._metrics = path, metrics
        self._server: asyncio.Server | None = None
        self._serving: set[asyncio.Task[None]] = set()
        self._workers: dict[str, Worker] = {}
        self._counters: dict[str, dict[str, float]] = {}
        self._gauges: dict[str, dict[str, float]] = {}
        self._folded: dict[str, float] = defaultdict(float)

    async def start(self) -> None:
        """Listen; a socket that an agent before us left is replaced."""
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._accept, self._path, limit=MAX_LINE_BYTES)
        self._path.chmod(0o600)

    async def stop(self) -> None:
        """Listen no more, and let the workers look for the next agent."""
        if self._server is not None:
            self._server.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    def workers(self) -> list[Worker]:
        """The connected workers, by their number."""
        return sorted(self._workers.values(), key=lambda worker: worker.hello.worker)

    def activate(self) -> None:
        """Have all workers read again what is active."""
        self.tell({"activate": True})

    def tell(self, message: dict[str, Any]) -> int:
        """Send a message to all workers; to how many."""
        line = msgspec.json.encode(message) + b"\n"
        for worker in self._workers.values():
            worker.writer.write(line)
        return len(self._workers)

    def counters(self) -> dict[str, float]:
        """The sums over all workers that ever were; they never go down."""
        sums = defaultdict(float, self._folded)
        for counters in self._counters.values():
            for name, value in counters.items():
                sums[name] += value
        return sums

    def gauges(self) -> dict[str, float]:
        """The sums over the workers that are connected."""
        sums: dict[str, float] = defaultdict(float)
        for gauges in self._gauges.values():
            for name, value in gauges.items():
                sums[name] += value
        return sums

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A task of our own: asyncio logs the one that it makes as failed when it is cancelled.
        task = asyncio.create_task(self._serve(reader, writer))
        self._serving.add(task)
        task.add_done_callback(self._serving.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        worker = None
        try:
            first = await asyncio.wait_for(reader.readline(), HELLO_TIMEOUT_S)
            hello = msgspec.json.decode(first, type=_Line).hello if first else None
            if hello is not None:
                worker = self._connect(hello, writer)
                await self._listen(worker, reader)
        except (OSError, ValueError, TimeoutError, msgspec.DecodeError) as error:
            log.warning("a worker's connection ends: %s: %s", type(error).__name__, error)
        finally:
            if worker is not None:
                self._disconnect(worker)
            writer.close()

    async def _listen(self, worker: Worker, reader: asyncio.StreamReader) -> None:
        async for raw in reader:
            line = msgspec.json.decode(raw, type=_Line)
            if line.stock is not None:
                self._take_stock(worker, line.stock)
            if line.metrics is not None:
                self._take_metrics(worker.hello.spool, line.metrics)
            elif line.activated is not None:
                worker.activated, worker.refused = line.activated, None
            elif line.refused is not None:
                worker.refused = line.refused
                self._metrics.count("nearside_worker_refused_total", code=line.refused.code)
                log.warning("worker %d refused bundle %s: %s", worker.hello.worker, *_told(line.refused))

    def _take_stock(self, worker: Worker, stock: _Stock) -> None:
        if stock.refused and (worker.stock is None or worker.stock.refused != stock.refused):
            log.warning("worker %d refused a stock list: %s", worker.hello.worker, stock.refused[:40])
        if stock.refused:
            self._metrics.count("nearside_worker_refused_total", code=stock.refused)
        worker.stock = stock

    def _connect(self, hello: _Hello, writer: asyncio.StreamWriter) -> Worker:
        worker = Worker(hello, writer)
        self._workers[hello.spool] = worker
        self._metrics.gauge("nearside_workers_connected", len(self._workers))
        # It may have started before the last change: let it look.
        writer.write(b'{"activate":true}\n')
        return worker

    def _disconnect(self, worker: Worker) -> None:
        spool = worker.hello.spool
        if self._workers.get(spool) is worker:
            del self._workers[spool]
            self._gauges.pop(spool, None)
            self._metrics.count("nearside_worker_deaths_total")
            self._fold()
        self._metrics.gauge("nearside_workers_connected", len(self._workers))

    def _take_metrics(self, spool: str, metrics: dict[str, float]) -> None:
        finite = {name: value for name, value in metrics.items() if math.isfinite(value)}
        self._counters[spool] = {k: v for k, v in finite.items() if not k.startswith(GAUGE)}
        self._gauges[spool] = {k.removeprefix(GAUGE): v for k, v in finite.items() if k.startswith(GAUGE)}

    def _fold(self) -> None:
        """Keep the totals of the many that are gone in one sum; a recent one may come back."""
        gone = [spool for spool in self._counters if spool not in self._workers]
        for spool in gone[:-MAX_GONE]:
            for name, value in self._counters.pop(spool).items():
                self._folded[name] += value


def rss_bytes(pid: int) -> int | None:
    """The memory that a process holds; None where the system does not tell."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return None


def _told(refused: _Refused) -> tuple[str, str]:
    return refused.bundle[:40], refused.code[:40]

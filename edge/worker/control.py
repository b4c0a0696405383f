"""The worker's end of the control socket: hears what to do, tells what it counted."""

import asyncio
import contextlib
import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from edge.bundle.active import Active as Wanted
from edge.bundle.active import bundle_folder, control_path, read_active
from edge.bundle.reader import open_bundle
from edge.decide.bandit import OWN
from edge.decide.engine import Engine
from edge.decide.stock import ALL
from edge.errors import BundleError
from edge.worker.active import Active, Holder
from edge.worker.attributes.locator import Locator
from edge.worker.attributes.shelf import EMPTY, Shelf
from edge.worker.counters import Counters
from edge.worker.site.cache import SharedCache
from edge.worker.stock_file import StockFile

log = logging.getLogger(__name__)

RECONNECT_S: Final = 0.5
REPORT_S: Final = 1.0
MAX_LINE_BYTES: Final = 64 << 10


class Activator:
    """Brings the worker to what `active.json` and the stock list say."""

    def __init__(
        self, state_dir: Path, site: str, holder: Holder, locator: Locator, shelf: Shelf = EMPTY
    ) -> None:
        self._state_dir = state_dir
        self._locator, self._shelf = locator, shelf
        self._site = site
        self._holder = holder
        self._stock = StockFile(state_dir, site)

    async def activate(self) -> dict[str, Any] | None:
        """Load what is active beside what serves, and swap; what to tell the agent, if anything.

        A bundle that can't be loaded leaves the old one in force, whatever is wrong with it, under the newest
        stock list; a stock list that can't be used leaves the old list.
        """
        bundle, active = "", self._holder.active
        try:
            wanted = read_active(self._state_dir)
            if wanted is None:
                return None
            bundle = wanted.bundle
            active, told = await self._loaded(wanted)
        except BundleError as error:
            log.error("bundle %s is refused: %s", bundle, error)
            told = {"refused": {"bundle": bundle, "code": error.code}}
        except Exception:
            log.exception("bundle %s can't be loaded", bundle)
            told = {"refused": {"bundle": bundle, "code": "internal"}}
        self._holder.active = await self._stocked(active)
        return {**told, **self._stock.told()}

    async def _loaded(self, wanted: Wanted) -> tuple[Active, dict[str, Any]]:
        """What is wanted, ready to serve, and what the agent is told."""
        started = time.perf_counter()
        before = self._holder.active
        engine = before.engine
        if engine.id != wanted.bundle:
            previous = engine if isinstance(engine, Engine) else None
            # In a thread: mapping and opening a session must not stall the pages.
            engine = await asyncio.to_thread(self._load, wanted.bundle, previous)
        stock = before.stock if engine is before.engine else ALL
        active = Active(engine, wanted.revision, wanted.kill, OWN, self._locator, self._shelf, stock)
        spent_ms = (time.perf_counter() - started) * 1000
        log.info("serving revision %d, bundle %s, after %.1f ms", wanted.revision, engine.id, spent_ms)
        told = {"bundle": engine.id, "revision": wanted.revision, "ms": round(spent_ms, 2)}
        return active, {"activated": told}

    async def _stocked(self, active: Active) -> Active:
        """The same without what is sold out now."""
        try:
            stock = await asyncio.to_thread(self._stock.of, active.engine)
        except Exception:  # of ours alone: what could be read and believed was checked
            log.exception("the stock list can't be used")
            return active
        if stock is active.stock:
            return active
        log.info("leaving out %d items of stock list %d", len(stock.out), stock.serial)
        return replace(active, stock=stock)

    def _load(self, bundle: str, previous: Engine | None) -> Engine:
        folder = bundle_folder(self._state_dir, bundle)
        # The agent hashed every artifact and laid the files down read-only.
        return Engine.load(open_bundle(folder, self._site, verify=False), previous)


class ControlLink:
    """Keeps a connection to the agent; without one, the worker goes on serving.

    `renew` is called where files that an operator replaces may be new.
    """

    def __init__(
        self,
        state_dir: Path,
        hello: dict[str, Any],
        activator: Activator,
        cache: SharedCache,
        counters: Counters,
    ) -> None:
        self._path = control_path(state_dir)
        self._hello = {"pid": os.getpid(), **hello}
        self._activator = activator
        self._cache = cache
        self._counters = counters
        self.renew: Callable[[], None] = lambda: None

    async def run(self) -> None:
        """Connect, and connect again, until cancelled."""
        was_lost = False
        while True:
            try:
                reader, writer = await asyncio.open_unix_connection(str(self._path), limit=MAX_LINE_BYTES)
            except OSError:
                await asyncio.sleep(RECONNECT_S)
                continue
            log.info("connected to the agent")
            if was_lost:
                # Nobody knows what was purged meanwhile.
                self._cache.purge_all()
            was_lost = True
            try:
                await self._serve(reader, writer)
            except (OSError, ValueError) as error:
                log.warning("lost the agent: %s", error)
            except asyncio.CancelledError:
                # The last word before the process ends: what was counted since the last report.
                _tell(writer, {"metrics": self._counters.snapshot()})
                with contextlib.suppress(OSError):
                    await writer.drain()
                raise
            finally:
                writer.close()
            await asyncio.sleep(RECONNECT_S)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _tell(writer, {"hello": self._hello})
        self.renew()
        # What was missed while there was no agent.
        if told := await self._activator.activate():
            _tell(writer, told)
        report = asyncio.create_task(self._report(writer))
        try:
            while line := await reader.readline():
                await self._obey(json.loads(line), writer)
        finally:
            report.cancel()

    async def _obey(self, command: Any, writer: asyncio.StreamWriter) -> None:
        if not isinstance(command, dict):
            raise ValueError(f"a command must be an object, not {command!r}")
        if command.get("activate"):
            if told := await self._activator.activate():
                _tell(writer, told)
        elif command.get("renew"):
            self.renew()
        elif isinstance(purge := command.get("purge"), dict):
            log.info("purged %d responses", self._purge(purge))
        else:
            log.warning("an unknown command: %s", command)

    def _purge(self, purge: dict[str, Any]) -> int:
        if purge.get("all"):
            return self._cache.purge_all()
        if key := purge.get("key"):
            return self._cache.purge_tag(str(key).encode())
        if url := purge.get("url"):
            return self._cache.purge_target(target_of(str(url)))
        return 0

    async def _report(self, writer: asyncio.StreamWriter) -> None:
        while True:
            _tell(writer, {"metrics": self._counters.snapshot()})
            await writer.drain()
            await asyncio.sleep(REPORT_S)


def target_of(url: str) -> bytes:
    """The path and query of a URL, whatever host it names."""
    parts = urlsplit(url)
    target = parts.path or "/"
    return (target + "?" + parts.query if parts.query else target).encode()


def _tell(writer: asyncio.StreamWriter, message: dict[str, Any]) -> None:
    writer.write(json.dumps(message).encode() + b"\n")

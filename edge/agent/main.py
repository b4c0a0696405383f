"""The agent's process: puts its parts together and runs them until it is told to go."""

import asyncio
import fcntl
import logging
import os
import signal
import socket
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Final

from edge import lifeline, log
from edge.agent.admin import AdminServer, Agent
from edge.agent.check import run_check
from edge.agent.control import Control
from edge.agent.metrics import Metrics
from edge.agent.news import News
from edge.agent.origin import Origin
from edge.agent.refusals import Refusals
from edge.agent.renewal import Watch
from edge.agent.ship import Shipper
from edge.agent.stock import StockUpdater
from edge.agent.store import Store
from edge.agent.sync import Updater
from edge.agent.trust import Trust
from edge.agent.trusted import TrustedSet
from edge.bundle.active import control_path, spool_root
from edge.errors import ConfigError, OriginError
from edge.keys import EdgeKeys, load_credential, load_keys
from edge.lifeline import Inherited, read_inherited
from edge.settings import Settings, address, read_settings
from edge.visitor.facts import is_remote

logger = logging.getLogger(__name__)

LOCK_TIMEOUT_S: Final = 15.0
LAST_SHIP_S: Final = 3.0


def main(arguments: Sequence[str]) -> int:
    """Run the agent; its exit status."""
    inherited, rest = read_inherited(arguments)
    settings = read_settings(rest)
    log.configure(settings.log_level, "agent", settings.log_format)
    Path(settings.state_dir).mkdir(parents=True, exist_ok=True)
    try:
        asyncio.run(run(settings, load_keys(Path(settings.keys)), inherited))
    except ConfigError as error:
        logger.error("%s", error)
        return 2
    except Exception:
        # The boundary: written down here, and started afresh by the supervisor.
        logger.exception("the agent failed")
        return 1
    return 0


async def run(settings: Settings, keys: EdgeKeys, inherited: Inherited) -> None:
    """Run the agent until a signal comes or the supervisor is gone.

    Raises
    ------
    ConfigError
        ``setting``: the admin listener's address can't be had, or another
        agent runs on this state folder.
    """
    lock = await _lock(Path(settings.state_dir) / "agent.lock")
    origin = Origin(settings.origin, keys.site, token_of(settings, keys))
    agent = build(settings, keys, origin)
    server = AdminServer(agent, _listener(settings, inherited))
    stop = asyncio.Event()
    _stop_on_signals(stop, inherited)
    await agent.control.start()
    agent.updater.resume()
    agent.stock.resume()
    files = [Path(name) for name in (settings.keys, settings.facts) if name and not is_remote(name)]
    watch = Watch(files, lambda: agent.control.tell({"renew": True}))
    news = News(origin, settings.pop, agent.refusals, agent.updater.offer, agent.stock.hear)
    try:
        await _until_stopped(
            stop,
            news.run(),
            agent.updater.run(),
            agent.stock.run(),
            agent.shipper.run(),
            watch.run(),
            server.run_on_socket(),
        )
        await _ship_last(agent.shipper)
    finally:
        await agent.control.stop()
        await origin.close()
        os.close(lock)


def token_of(settings: Settings, keys: EdgeKeys) -> Callable[[], str]:
    """Reads what this PoP shows the origin, each time anew: a credential may be replaced at any time."""
    if not settings.credential:
        return lambda: keys.ingest_token
    return lambda: load_credential(Path(settings.credential), keys.site, settings.pop)


def build(settings: Settings, keys: EdgeKeys, origin: Origin) -> Agent:
    """The agent's parts, put together, at rest."""
    state_dir = Path(settings.state_dir)
    metrics = Metrics()
    refusals = Refusals(metrics)
    store = Store(state_dir)
    active = store.active()
    trust = Trust(keys)
    trusted = TrustedSet(trust, settings.pop, active.serial if active else 0)
    control = Control(control_path(state_dir), metrics)
    updater = Updater(trusted, origin, store, refusals, run_check)
    updater.tell = control.activate
    stock = StockUpdater(trust, origin, state_dir, refusals)
    stock.tell = control.activate
    shipper = Shipper(spool_root(state_dir), origin, settings.pop, metrics)
    return Agent(settings.pop, trusted, updater, stock, shipper, control, refusals, metrics, origin.reach)


async def _until_stopped(stop: asyncio.Event, *parts: Coroutine[None, None, object]) -> None:
    """Run all parts until `stop`; the failure of one ends all: the supervisor starts afresh."""
    tasks = [asyncio.create_task(part) for part in (*parts, stop.wait())]
    done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        task.result()


async def _ship_last(shipper: Shipper) -> None:
    """Ship what the workers leave when they go with us; the rest waits for the next start."""
    try:
        async with asyncio.timeout(LAST_SHIP_S):
            while await shipper.ship_once():
                pass
    except (OriginError, TimeoutError) as error:
        logger.info("events wait for the next start: %s", error)


def _stop_on_signals(stop: asyncio.Event, inherited: Inherited) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    lifeline.watch(inherited.alive_fd, stop.set)


def _listener(settings: Settings, inherited: Inherited) -> socket.socket:
    if inherited.fd >= 0:
        return socket.socket(fileno=inherited.fd)
    host, port = address(settings.admin)
    try:
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise ConfigError("setting", f"--admin {settings.admin}: {error.strerror}") from error


async def _lock(path: Path) -> int:
    """Wait until an agent before us is gone."""
    descriptor = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    deadline = asyncio.get_running_loop().time() + LOCK_TIMEOUT_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if asyncio.get_running_loop().time() > deadline:
                raise ConfigError("setting", f"{path}: another agent runs on this folder") from None
            await asyncio.sleep(0.1)
        else:
            return descriptor

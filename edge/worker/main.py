"""One worker process: puts its parts together, serves, and drains when told to stop."""

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import uvicorn

from edge.bundle.active import spool_root
from edge.events.forced import ForcedBox
from edge.events.spool import SpoolWriter
from edge.events.token import TokenBox
from edge.keys import EdgeKeys, load_keys
from edge.lifeline import Inherited, watch
from edge.proxy.store import Store
from edge.settings import Settings, read_networks, read_origins
from edge.visitor.cookie import CookieBox
from edge.visitor.facts import is_remote
from edge.visitor.form import FormBox
from edge.worker.active import Holder
from edge.worker.app import App, PageApp
from edge.worker.attributes.geofile import GeoFile
from edge.worker.attributes.locator import Locator
from edge.worker.attributes.remote_facts import Naming, RedisClient, RemoteFacts
from edge.worker.attributes.shelf import Shelf
from edge.worker.beside.ofrep import ofrep_routes
from edge.worker.beside.routes import make_beside
from edge.worker.control import Activator, ControlLink
from edge.worker.counters import Counters
from edge.worker.me.routes import me_routes
from edge.worker.renewal import Renewal, raw
from edge.worker.server import DRAIN_S, CorkedProtocol, Server
from edge.worker.site.cache import SharedCache
from edge.worker.site.upstream import Upstream
from edge.worker.turn.budget import Budget
from edge.worker.turn.shadow import ShadowWork
from edge.worker.turn.signals import Signals
from edge.worker.turn.turn import Turn
from edge.worker.turn.view import Desk


def main(settings: Settings, inherited: Inherited) -> None:
    """Serve on the inherited socket until SIGTERM, or until the supervisor is gone."""
    keys = load_keys(Path(settings.keys))
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(_serve(settings, keys, inherited))


def new_loop() -> asyncio.AbstractEventLoop:
    """An event loop of uvloop."""
    import uvloop  # noqa: PLC0415 - absent where it is not built for the platform

    return uvloop.new_event_loop()


async def _serve(settings: Settings, keys: EdgeKeys, inherited: Inherited) -> None:
    state_dir = Path(settings.state_dir)
    holder, counters = Holder(), Counters()
    spool = SpoolWriter(spool_root(state_dir), settings.spool_bytes)
    desk = make_desk(settings, keys, spool, counters)
    forms = FormBox(keys.site, raw(keys.event))
    upstream = Upstream(
        settings.upstream, settings.upstream_timeout_s, settings.upstream_host, settings.upstream_connections
    )
    cache = make_cache(settings)
    locator, signals = make_locator(settings, keys, counters), make_signals(settings, keys)
    remote = make_remote_facts(settings, keys, counters)
    shelf = Shelf(remote=remote)

    def take(new: EdgeKeys) -> None:
        _take_keys(new, desk, forms, locator, signals)
        if remote is not None:
            remote.renew(raw(new.event))

    renewal = Renewal(settings, keys, shelf, take, counters)
    renewal.renew()
    activator = Activator(state_dir, keys.site, holder, locator, shelf)
    await activator.activate()
    routes = [*ofrep_routes(holder, desk), *me_routes(holder, desk, forms)]
    beside = make_beside(holder, desk, routes, read_origins(settings.allow_origins))
    budget = Budget(settings.decision_budget_ms / 1000)
    turn = Turn(holder, desk, signals, budget)
    app = PageApp(upstream, cache, turn, beside, settings.max_page_bytes)
    server = make_server(app, counters)
    watch(inherited.alive_fd, server.drain)
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, server.drain)
    hello = {"worker": inherited.index, "spool": spool.id}
    control = ControlLink(state_dir, hello, activator, cache, counters)
    control.renew = renewal.renew
    link = asyncio.create_task(control.run())
    try:
        await server.serve(sockets=[socket.socket(fileno=inherited.fd)])
    finally:
        link.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await link
        await upstream.close()
        if remote is not None:
            await remote.close()
        spool.close()


def _take_keys(keys: EdgeKeys, desk: Desk, forms: FormBox, locator: Locator, signals: Signals) -> None:
    """Give all who seal, sign or check the keys of a file that was replaced."""
    desk.cookies.renew(raw(keys.cookie))
    for box in (desk.tokens, desk.forced, forms):
        box.renew(raw(keys.event))
    locator.renew(raw(keys.front))
    signals.renew(raw(keys.signal)[0] if keys.signal else None)


def steady_clock() -> Callable[[], float]:
    """Seconds since 1970 that never go back while the process lives."""
    ahead_s = time.time() - time.monotonic()
    return lambda: time.monotonic() + ahead_s


def make_cache(settings: Settings) -> SharedCache:
    """This worker's share of the machine's cache."""
    share_bytes = settings.cache_bytes // settings.workers
    sessions = [name for name in settings.session_cookies.split(",") if name]
    largest_bytes = min(settings.cache_object_bytes, share_bytes)
    return SharedCache(Store(share_bytes), steady_clock(), sessions, largest_bytes)


def make_locator(settings: Settings, keys: EdgeKeys, counters: Counters) -> Locator:
    """Whom to believe about where a visitor is.

    Raises
    ------
    ConfigError
        ``setting`` or ``geo``: what was given is no network, or no such file.
    """
    file = GeoFile(Path(settings.geo), counters) if settings.geo else None
    return Locator(read_networks(settings.fronts), keys.site, raw(keys.front), file)


def make_remote_facts(settings: Settings, keys: EdgeKeys, counters: Counters) -> RemoteFacts | None:
    """The Redis that tells of visitors, if there is one.

    Raises
    ------
    ConfigError
        ``facts``: no such URL, or its library is not installed.
    """
    if not is_remote(settings.facts):
        return None
    names = Naming(keys.site, raw(keys.event))
    return RemoteFacts(RedisClient(settings.facts), names, counters, settings.facts_budget_ms / 1000)


def make_signals(settings: Settings, keys: EdgeKeys) -> Signals:
    """What the site is told, where it renders placements itself."""
    placements = settings.signals.replace(",", " ").split()
    return Signals(placements, keys.site, raw(keys.signal)[0] if keys.signal else None)


def make_desk(settings: Settings, keys: EdgeKeys, spool: SpoolWriter, counters: Counters) -> Desk:
    """What personalizing needs of settings and keys."""
    return Desk(
        keys.site,
        settings.pop,
        CookieBox(keys.site, raw(keys.cookie)),
        TokenBox(keys.site, raw(keys.event)),
        spool,
        counters,
        ForcedBox(keys.site, raw(keys.event)),
        settings.token_lifetime_s,
        settings.cookie_lifetime_s,
        shadow=ShadowWork(asyncio.get_running_loop().call_later, counters),
    )


def make_server(app: App, counters: Counters) -> Server:
    """The HTTP server, bare: no lifespan, no headers of its own, no access log."""
    config = uvicorn.Config(
        app,
        http=partial(CorkedProtocol, counters),  # type: ignore[arg-type]  # makes one as the class does
        loop="none",
        ws="none",
        lifespan="off",
        interface="asgi3",
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=False,
        log_config=None,
        timeout_graceful_shutdown=DRAIN_S,
    )
    return Server(config)

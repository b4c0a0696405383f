"""The admin listener: live, ready, metrics, status, purge."""

import importlib.metadata
import os
import platform
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from edge.agent.control import Control, rss_bytes
from edge.agent.metrics import Metrics, render
from edge.agent.origin import Reachability
from edge.agent.refusals import Refusals
from edge.agent.ship import Shipper
from edge.agent.stock import StockUpdater
from edge.agent.sync import Updater
from edge.agent.trusted import TrustedSet
from edge.bundle import format as fmt

MAX_PURGE_BYTES: Final = 64 << 10
METRICS_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True)
class Agent:
    """All of an agent that can be looked at."""

    pop: str
    trusted: TrustedSet
    updater: Updater
    stock: StockUpdater
    shipper: Shipper
    control: Control
    refusals: Refusals
    metrics: Metrics
    reach: Reachability


class _Purge(msgspec.Struct, forbid_unknown_fields=True):
    url: str = ""
    key: str = ""
    all: bool = False


def application(agent: Agent) -> Starlette:
    """The admin listener's ASGI application."""
    started = time.time()

    async def live(_: Request) -> Response:
        return PlainTextResponse("live\n")

    async def ready(_: Request) -> Response:
        reasons = not_ready(agent)
        return JSONResponse({"ready": not reasons, "reasons": reasons}, 503 if reasons else 200)

    async def metrics(_: Request) -> Response:
        return Response(metrics_text(agent), media_type=METRICS_TYPE)

    async def status(_: Request) -> Response:
        return JSONResponse({**status_of(agent), "uptime_s": round(time.time() - started, 1)})

    async def purge(request: Request) -> Response:
        return await _purge(agent, request)

    return Starlette(
        routes=[
            Route("/live", live),
            Route("/ready", ready),
            Route("/metrics", metrics),
            Route("/status", status),
            Route("/purge", purge, methods=["POST"]),
        ]
    )


def not_ready(agent: Agent) -> list[str]:
    """Why pages are not personalized here; empty when they are."""
    reasons = []
    if not agent.control.workers():
        reasons.append("no worker is connected")
    if agent.updater.active is None:
        reasons.append("no bundle is active: the plain pages are served")
    return reasons


def metrics_text(agent: Agent) -> str:
    """The PoP's metrics: the agent's own and the workers' sums."""
    agent.metrics.gauge("nearside_origin_reachable", 1 if agent.reach.reachable else 0)
    return render(
        {**agent.control.counters(), **agent.metrics.counters},
        {**agent.control.gauges(), **agent.metrics.gauges},
    )


def status_of(agent: Agent) -> dict[str, Any]:
    """The PoP in one document, for people and for the origin's console."""
    active = agent.updater.active
    return {
        "pop": agent.pop,
        "site": agent.trusted.site,
        "active": msgspec.to_builtins(active),
        "wanted_revision": agent.trusted.wanted,
        "rollout_serial": agent.trusted.serial,
        "stock": agent.stock.status(),
        "origin": {"reachable": agent.reach.reachable, "failing": agent.reach.failing},
        "workers": [worker.status() for worker in agent.control.workers()],
        "agent": {"pid": os.getpid(), "rss_bytes": rss_bytes(os.getpid())},
        "spool": {
            "waiting_bytes": agent.shipper.waiting_bytes,
            "set_aside_segments": len(agent.shipper.set_aside()),
        },
        "refusals": list(agent.refusals.last),
        "versions": {
            "nearside": importlib.metadata.version("nearside"),
            "format": fmt.FORMAT,
            "python": platform.python_version(),
        },
    }


async def _purge(agent: Agent, request: Request) -> Response:
    # A page of another origin can't send this type without asking first.
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        return _refuse(415, "content-type", "send JSON as application/json")
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_PURGE_BYTES:
            return _refuse(413, "too-large", f"over {MAX_PURGE_BYTES} bytes")
    try:
        purge = msgspec.json.decode(body, type=_Purge)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return _refuse(422, "malformed", str(error))
    message: dict[str, Any] = {name: value for name, value in msgspec.structs.asdict(purge).items() if value}
    if len(message) != 1:
        return _refuse(422, "malformed", 'send {"url": "…"}, {"key": "…"} or {"all": true}')
    return JSONResponse({"workers": agent.control.tell({"purge": message})}, 202)


def _refuse(status: int, code: str, message: str) -> Response:
    return JSONResponse({"error": {"code": code, "message": message, "hint": "see docs: admin"}}, status)


class AdminServer(uvicorn.Server):
    """The application on a socket that is already bound; signals are the agent's affair."""

    def __init__(self, agent: Agent, listener: socket.socket) -> None:
        super().__init__(
            uvicorn.Config(
                application(agent), log_config=None, access_log=False, lifespan="off", server_header=False
            )
        )
        self._listener = listener

    async def run_on_socket(self) -> None:
        """Answer until `should_exit` is set."""
        await self.serve(sockets=[self._listener])

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield

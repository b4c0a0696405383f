"""The origin's HTTP application: its routes from their table, and what its errors answer."""

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from edge.errors import BundleError, ConfigError, GivenError
from origin.keys import OriginKeys
from origin.refusal import RefusedError
from origin.server.accept import refused
from origin.server.routes import make_routes
from origin.server.service import open_origin
from origin.server.settings import Settings

logger = logging.getLogger("nearside.origin")


def make_app(settings: Settings, keys: Sequence[OriginKeys]) -> Starlette:
    """The origin's application; its data folder is opened when it starts (lifespan).

    Raises
    ------
    ConfigError
        ``keys``: none, or two key files of the same site.
    """
    names = [held.site for held in keys]
    if not names or len(set(names)) != len(names):
        raise ConfigError("keys", f"need key files of different sites, have {names}")

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        async with open_origin(settings, keys) as origin:
            app.state.origin = origin
            yield

    return Starlette(
        routes=make_routes(),
        lifespan=lifespan,
        exception_handlers={
            RefusedError: _on_refusal,
            GivenError: _on_given,
            HTTPException: _on_http,
            ClientDisconnect: _on_gone,
            Exception: _on_bug,
        },
    )


async def _on_refusal(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)
    return error.response()


async def _on_given(_request: Request, error: Exception) -> Response:
    assert isinstance(error, GivenError)
    if isinstance(error, BundleError):
        return refused(error).response()
    return RefusedError(422, error.code, str(error).removeprefix(f"{error.code}: ")).response()


async def _on_http(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code = {404: "no-route", 405: "method"}.get(error.status_code, "http")
    response = RefusedError(
        error.status_code, code, error.detail, "see docs/origin.md for the routes"
    ).response()
    response.headers.update(error.headers or {})
    return response


async def _on_gone(_request: Request, _error: Exception) -> Response:
    return RefusedError(400, "gone", "the client went away before its body was whole").response()


async def _on_bug(request: Request, error: Exception) -> Response:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return RefusedError(500, "internal", "the origin failed", "its log says why").response()

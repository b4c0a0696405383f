"""Runs the origin's application on a socket until it is told to stop."""

import logging
import socket
from pathlib import Path

import uvicorn
from starlette.applications import Starlette

from edge.errors import ConfigError
from edge.settings import address
from origin.keys import load_origin
from origin.server.api import make_app
from origin.server.service import check_folder
from origin.server.settings import Settings


class OriginServer(uvicorn.Server):
    """A server that ends its news streams before it waits for open requests."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop: streams first, they would never end by themselves."""
        app = self.config.app
        assert isinstance(app, Starlette)
        app.state.origin.news.close()
        await super().shutdown(sockets)


def make_server(settings: Settings) -> OriginServer:
    """The server of an origin, not yet running.

    Raises
    ------
    ConfigError
        A key file or the address can't be used.
    """
    app = make_app(settings, [load_origin(path) for path in settings.key_files()])
    host, port = address(settings.listen)
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=5,
    )
    return OriginServer(config)


def run(settings: Settings) -> None:
    """Serve until a signal says stop.

    Raises
    ------
    ConfigError
        The address or the data folder is in use, or something else of the
        settings can't be used.
    """
    logging.basicConfig(level=settings.log_level.upper(), format="%(levelname)s: %(message)s")
    server = make_server(settings)
    check_folder(Path(settings.data))
    try:
        listener = server.config.bind_socket()
    except SystemExit as error:  # uvicorn logs why and exits; our callers want one kind of error
        raise ConfigError("listen", f"{settings.listen} can't be listened on") from error
    with listener:
        server.run(sockets=[listener])
    if not server.started:
        raise ConfigError("origin", "the origin did not start; its log says why")

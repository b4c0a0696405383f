"""The command `nearside-edge`: checks the settings, owns the sockets, runs the supervisor."""

import fcntl
import os
import re
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from edge import log
from edge.bundle.active import control_path, replace_file
from edge.errors import ConfigError
from edge.keys import EdgeKeys, load_credential, load_keys
from edge.settings import Settings, address, read_settings, to_arguments
from edge.supervisor import Command, Supervisor

BACKLOG: Final = 2048
POP_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
# What the system takes as the path of a Unix socket, less its end mark.
MAX_SOCKET_PATH_BYTES: Final = 103


def main(arguments: Sequence[str] | None = None) -> int:
    """Run an edge; the exit status, 2 when the settings are wrong."""
    try:
        settings = read_settings(sys.argv[1:] if arguments is None else arguments)
        log.configure(settings.log_level, "supervisor", settings.log_format)
        keys = load_keys(Path(settings.keys))
        check_names(settings)
        check_geo(settings)
        check_signals(settings, keys)
        if settings.credential:
            load_credential(Path(settings.credential), keys.site, settings.pop)
        lock = claim(Path(settings.state_dir), keys.site)
        pages, admin = listen(settings.listen, "listen"), listen(settings.admin, "admin")
    except ConfigError as error:
        sys.stderr.write(f"nearside-edge: {error}\n")
        return 2
    try:
        return Supervisor(commands(settings, pages.fileno(), admin.fileno())).run()
    finally:
        os.close(lock)


def commands(settings: Settings, pages_fd: int, admin_fd: int) -> list[Command]:
    """The processes of an edge: one agent and the workers."""
    options = to_arguments(settings)
    python = (sys.executable, "-m")
    agent = Command(
        "agent", (*python, "edge.agent", *options, f"--fd={admin_fd}"), (admin_fd,), stops_last=True
    )
    return [agent] + [
        Command(
            f"worker-{index}",
            (*python, "edge.worker", *options, f"--fd={pages_fd}", f"--index={index}"),
            (pages_fd,),
        )
        for index in range(settings.workers)
    ]


def check_geo(settings: Settings) -> None:
    """Refuse a file of places that no worker could start with.

    Raises
    ------
    ConfigError
        ``geo``: what is wrong with it.
    """
    if settings.geo:
        from edge.worker.attributes.geofile import GeoFile  # noqa: PLC0415
        from edge.worker.counters import Counters  # noqa: PLC0415 - the supervisor stays small

        GeoFile(Path(settings.geo), Counters())


def check_signals(settings: Settings, keys: EdgeKeys) -> None:
    """Refuse to tell a site what it could not believe.

    Raises
    ------
    ConfigError
        ``keys``: there is no key that would sign it.
    """
    if settings.signals and not keys.signal:
        hint = f"`nearside keys rotate {settings.keys} --kind signal` makes one"
        raise ConfigError("keys", f"{settings.keys}: --signals needs a signal key, and there is none; {hint}")


def check_names(settings: Settings) -> None:
    """Refuse a URL that no request can be made to, and a PoP's name that no URL can hold.

    Raises
    ------
    ConfigError
        ``setting``: which one, and what it should be.
    """
    if not POP_NAME.fullmatch(settings.pop):
        raise ConfigError("setting", f"--pop {settings.pop!r}: use up to 64 letters, digits and . _ -")
    for option in ("origin", "upstream"):
        text = getattr(settings, option)
        try:
            parts = urlsplit(text)
            named = bool(parts.hostname) and parts.port != 0
        except ValueError:
            named = False
        if not named:
            raise ConfigError("setting", f"--{option} {text!r} names no host; use http://HOST:PORT")


def claim(state_dir: Path, site: str) -> int:
    """Take the state folder for this process and this site; the lock's descriptor.

    Raises
    ------
    ConfigError
        ``state``: it can't be written, another edge runs on it, or it holds
        another site.
    """
    if len(os.fsencode(control_path(state_dir))) > MAX_SOCKET_PATH_BYTES:
        raise ConfigError("state", f"{state_dir}: too long a path for a socket; choose another --state-dir")
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        lock = os.open(state_dir / "edge.lock", os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise ConfigError("state", f"{state_dir}: {error.strerror}; choose another --state-dir") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _belong_to(state_dir, site)
    except BaseException as error:
        os.close(lock)
        if isinstance(error, BlockingIOError):
            raise ConfigError("state", f"{state_dir}: another nearside-edge runs on this folder") from error
        raise
    return lock


def _belong_to(state_dir: Path, site: str) -> None:
    name = state_dir / "site"
    if not name.exists():
        replace_file(name, site.encode())
    held = name.read_text()
    if held != site:
        raise ConfigError(
            "state", f"{state_dir} holds site {held!r}, not {site!r}; choose another --state-dir"
        )


def listen(text: str, option: str) -> socket.socket:
    """A listening socket at HOST:PORT.

    Raises
    ------
    ConfigError
        ``setting``: no such form, or the address can't be had.
    """
    host, port = address(text)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise ConfigError("setting", f"--{option} {text}: {error.strerror}") from error


if __name__ == "__main__":
    sys.exit(main())

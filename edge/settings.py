"""The edge's settings: built once from the command line and NEARSIDE_EDGE_*, passed as an argument."""

import argparse
import difflib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from importlib.metadata import version
from typing import Any, Final

from edge.errors import ConfigError
from edge.log import FORMATS
from edge.rules.network import Network, network

PREFIX: Final = "NEARSIDE_EDGE_"
MAX_PORT: Final = 65_535
NEEDED: Final = ("origin", "upstream")

_ORIGIN: Final = re.compile(r"https?://[a-z0-9.-]+(:[0-9]{1,5})?")


def _setting(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class Settings:
    """One edge: a PoP's machine in front of one site. Each field is an option and a variable."""

    origin: str = _setting("", "URL of the origin service")
    upstream: str = _setting("", "URL of the site that is personalized")
    pop: str = _setting("local", "name of this point of presence")
    keys: str = _setting("edge.json", "keys file, from `nearside keys new`")
    credential: str = _setting("", "file of this PoP's own credential, from `nearside pops add`")
    state_dir: str = _setting("nearside-edge", "folder for bundles and spools")
    listen: str = _setting("127.0.0.1:8080", "address that serves pages, HOST:PORT")
    admin: str = _setting("127.0.0.1:8081", "address of the admin listener, HOST:PORT")
    workers: int = _setting(2, "worker processes, about one per core")
    fronts: str = _setting("127.0.0.0/8 ::1", "networks of the fronts: who may say where a visitor is")
    geo: str = _setting("", "MaxMind file that tells where addresses are, for what no front says")
    facts: str = _setting("", "file of facts about visitors, from `nearside facts`, or URL of a Redis")
    facts_budget_ms: int = _setting(5, "how long a page may wait for facts of a Redis, in milliseconds")
    upstream_timeout_s: float = _setting(10.0, "how long the site may take to answer, in seconds")
    upstream_host: str = _setting("", "Host that the site is told: a name, or `visitor` for what was asked")
    upstream_connections: int = _setting(256, "connections to the site by each worker at most")
    cache_bytes: int = _setting(128 << 20, "the site's responses kept in memory by all workers, in bytes")
    cache_object_bytes: int = _setting(4 << 20, "a larger response is not kept, in bytes")
    session_cookies: str = _setting("", "the site's cookies of known visitors, NAME,NAME: past the cache")
    max_page_bytes: int = _setting(2 << 20, "a larger page passes through as it is, in bytes")
    decision_budget_ms: int = _setting(200, "how long a page may wait for its decision, in milliseconds")
    spool_bytes: int = _setting(512 << 20, "events kept on disk by each worker at most, in bytes")
    allow_origins: str = _setting("", "other sites whose pages may ask for decisions, https://NAME ...")
    signals: str = _setting("", "placements that the site renders itself, NAME,NAME: it is told what to show")
    token_lifetime_s: int = _setting(7200, "how long a page may report events, in seconds")
    cookie_lifetime_s: int = _setting(180 * 86400, "how long the visitor cookie lives, in seconds")
    log_level: str = _setting("info", "least severe message to log: debug, info, warning, error")
    log_format: str = _setting("text", "how each line of the log is written: text (key=value) or json")


def read_settings(arguments: Sequence[str], environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from options, else variables, else defaults.

    Raises
    ------
    ConfigError
        ``setting``: an unknown variable of ours (with the nearest name), or a
        value of the wrong type, or a needed one that is missing.
    """
    known = {PREFIX + f.name.upper(): f for f in fields(Settings)}
    for name in environment:
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError("setting", f"unknown variable {name}{hint}")
    parser = argparse.ArgumentParser("nearside-edge", description="Serve one site's personalized pages.")
    parser.add_argument("--version", action="version", version=f"nearside {version('nearside')}")
    for variable, item in known.items():
        default = environment.get(variable)
        shown = f"{item.metadata['help']} [{variable}; default: {item.default or 'none'}]"
        parser.add_argument(
            "--" + item.name.replace("_", "-"), default=default, help=shown, metavar=item.name.upper()
        )
    values = {k: v for k, v in vars(parser.parse_args(arguments)).items() if v is not None}
    try:
        typed = {name: type(getattr(Settings, name))(value) for name, value in values.items()}
    except ValueError as error:
        raise ConfigError("setting", str(error)) from error
    settings = Settings(**typed)
    missing = [name for name in NEEDED if not getattr(settings, name)]
    if missing:
        raise ConfigError("setting", _missing(missing))
    for name in NEEDED:
        if not getattr(settings, name).startswith(("http://", "https://")):
            raise ConfigError("setting", f"--{name} must be an http:// or https:// URL")
    read_networks(settings.fronts)
    read_origins(settings.allow_origins)
    if settings.log_format not in FORMATS:
        raise ConfigError("setting", f"--log-format {settings.log_format!r} is none of {', '.join(FORMATS)}")
    if settings.decision_budget_ms < 1:
        raise ConfigError("setting", "--decision-budget-ms must be at least 1")
    if settings.facts_budget_ms < 1:
        raise ConfigError("setting", "--facts-budget-ms must be at least 1")
    if settings.workers < 1:
        raise ConfigError("setting", "--workers must be at least 1")
    return settings


def read_origins(text: str) -> tuple[str, ...]:
    """Origins as browsers write them, with commas or spaces between them.

    Raises
    ------
    ConfigError
        ``setting``: which one is none; all of the web is none, either.
    """
    found = tuple(text.replace(",", " ").split())
    for origin in found:
        if not _ORIGIN.fullmatch(origin):
            raise ConfigError("setting", f"--allow-origins: {origin!r} is not like https://www.example")
    return found


def _missing(names: Sequence[str]) -> str:
    """Everything that is needed, at once."""
    helps = {f.name: f.metadata["help"] for f in fields(Settings)}
    lines = [f"  {f'--{name} URL':<15} {helps[name]}; or {PREFIX}{name.upper()}" for name in names]
    keys = f"  {'--keys FILE':<15} {helps['keys']}; {Settings.keys} when left out"
    return "\n".join(["an edge needs", *lines, keys, "see nearside-edge --help for everything else"])


def to_arguments(settings: Settings) -> list[str]:
    """Command line options that `read_settings` reads back as the same settings."""
    return [f"--{f.name.replace('_', '-')}={getattr(settings, f.name)}" for f in fields(settings)]


def address(text: str) -> tuple[str, int]:
    """HOST:PORT as a pair.

    Raises
    ------
    ConfigError
        ``setting``: no such form.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise ConfigError("setting", f"{text!r} is not HOST:PORT")
    if int(port) > MAX_PORT:
        raise ConfigError("setting", f"{text!r}: the port is above {MAX_PORT}")
    return host.strip("[]"), int(port)


def read_networks(text: str) -> tuple[Network, ...]:
    """Networks and addresses, with commas or spaces between them.

    Raises
    ------
    ConfigError
        ``setting``: which one is none.
    """
    found = []
    for part in text.replace(",", " ").split():
        try:
            found.append(network(part))
        except ValueError as error:
            raise ConfigError("setting", f"--fronts: {error}") from error
    return tuple(found)

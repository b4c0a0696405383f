"""The origin's settings: built once from the command line and NEARSIDE_ORIGIN_*, passed as an argument."""

import difflib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final

from edge.errors import ConfigError
from edge.settings import address

PREFIX: Final = "NEARSIDE_ORIGIN_"
LOG_LEVELS: Final = ("debug", "info", "warning", "error")


def _setting(default: Any, text: str) -> Any:
    return field(default=default, metadata={"help": text})


@dataclass(frozen=True)
class Settings:
    """One origin service. Each field is a variable, and the first three are options too."""

    keys: str = _setting("origin.json", "key files of its sites, separated by commas")
    data: str = _setting("nearside-origin", "folder of the database, the artifacts and the lake")
    listen: str = _setting("127.0.0.1:8090", "address that it serves, HOST:PORT")
    max_artifact_bytes: int = _setting(1 << 30, "the largest artifact that may be published, in bytes")
    heartbeat_s: float = _setting(5.0, "how often a quiet news stream says that it lives, in seconds")
    log_level: str = _setting("info", "least severe message to log: debug, info, warning, error")

    def key_files(self) -> list[Path]:
        """The key files, one per site."""
        return [Path(name.strip()) for name in self.keys.split(",") if name.strip()]


def read_settings(given: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> Settings:
    """Settings from what was `given` (None: not given), else variables, else defaults.

    Raises
    ------
    ConfigError
        ``setting``: an unknown variable of ours (with the nearest name), or a
        value of the wrong type or form.
    """
    known = {PREFIX + item.name.upper(): item for item in fields(Settings)}
    for name in environment:
        if name.startswith(PREFIX) and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigError("setting", f"unknown variable {name}{hint}")
    values: dict[str, Any] = {known[name].name: value for name, value in environment.items() if name in known}
    values |= {name: value for name, value in given.items() if value is not None}
    try:
        typed = {name: type(getattr(Settings, name))(value) for name, value in values.items()}
    except ValueError as error:
        raise ConfigError("setting", str(error)) from error
    settings = Settings(**typed)
    address(settings.listen)
    if settings.log_level not in LOG_LEVELS:
        raise ConfigError("setting", f"log_level is one of {', '.join(LOG_LEVELS)}")
    if settings.heartbeat_s <= 0 or settings.max_artifact_bytes <= 0:
        raise ConfigError("setting", "heartbeat_s and max_artifact_bytes must be positive")
    return settings

"""Where an address is, by a MaxMind file that the operator keeps."""

import logging
import struct
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from edge.errors import ConfigError
from edge.rules.network import is_address
from edge.worker.counters import Counters

log = logging.getLogger(__name__)

_MAX_REMEMBERED: Final = 4096
# What readers of a damaged file are seen to raise, beside an error of their own, which is a RuntimeError.
_DAMAGE: Final = (RuntimeError, ValueError, TypeError, KeyError, IndexError, struct.error, RecursionError)


class GeoFile:
    """A city or country database, mapped; all workers share its pages.

    Raises
    ------
    ConfigError
        ``geo``: the file can't be read, is no such database, or the package that reads it is missing.
    """

    def __init__(self, path: Path, counters: Counters) -> None:
        try:
            import maxminddb  # noqa: PLC0415 - an extra: most PoPs have a front that tells
        except ImportError as error:
            raise ConfigError("geo", "--geo needs the package maxminddb: install the extra `geo`") from error
        try:
            self._database = maxminddb.open_database(path, maxminddb.MODE_AUTO)
            kind = self._database.metadata().database_type
        except OSError as error:
            raise ConfigError("geo", f"{path}: {error.strerror or error}") from error
        except _DAMAGE as error:
            raise ConfigError("geo", f"{path} is no MaxMind database: {error}") from error
        if not any(word in kind for word in ("City", "Country", "Enterprise")):
            raise ConfigError("geo", f"{path} is a {kind}: give a City or Country database")
        self._counters = counters
        self.place = lru_cache(_MAX_REMEMBERED)(self._place)
        """The ``geo.*`` attributes of an address, as texts; empty where the file has none."""

    def _place(self, address: str) -> Mapping[str, str]:
        try:
            record: Any = self._database.get(address)
            found = _attributes(record) if isinstance(record, dict) else {}
        except _DAMAGE as error:
            if is_address(address):
                self._counters.add("nearside_geo_errors_total")
                log.warning("the MaxMind file can't tell where an address is: %s", error)
            return {}
        return {name: text for name, text in found.items() if isinstance(text, str) and text}


def _attributes(record: dict[str, Any]) -> dict[str, Any]:
    regions = record.get("subdivisions") or [{}]
    return {
        "geo.country": (record.get("country") or {}).get("iso_code"),
        "geo.region": regions[0].get("iso_code"),
        "geo.city": ((record.get("city") or {}).get("names") or {}).get("en"),
        "geo.timezone": (record.get("location") or {}).get("time_zone"),
    }

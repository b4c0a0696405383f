"""Reads again what an operator replaces while a worker serves: its keys file and its file of facts."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from edge.errors import ConfigError
from edge.keys import EdgeKeys, Key, load_keys
from edge.settings import Settings
from edge.visitor.fact_file import FactFile
from edge.visitor.facts import is_remote
from edge.worker.attributes.shelf import Shelf
from edge.worker.counters import Counters

log = logging.getLogger(__name__)

Raw = list[tuple[int, bytes]]
Stamp = tuple[int, int, int]
_NONE: Final[Stamp] = (0, 0, 0)


def raw(held: tuple[Key, ...]) -> Raw:
    """Keys by id, as boxes take them."""
    return [(key.id, key.raw()) for key in held]


class Renewal:
    """Brings new keys to all who hold some, and new facts to the shelf; what can't be read leaves the old.

    Parameters
    ----------
    takes
        Who is given the keys when they change.
    """

    def __init__(
        self,
        settings: Settings,
        keys: EdgeKeys,
        shelf: Shelf,
        takes: Callable[[EdgeKeys], None],
        counters: Counters,
    ) -> None:
        keys_file = Path(settings.keys)
        self._keys_file, self._keys, self._takes = keys_file, keys, takes
        self._facts = Path(settings.facts) if settings.facts and not is_remote(settings.facts) else None
        self._shelf, self._counters = shelf, counters
        self._keys_stamp, self._facts_stamp = stamp(keys_file), _NONE

    def renew(self) -> None:
        """Look, and take what is new."""
        found = stamp(self._keys_file)
        renewed = found not in (self._keys_stamp, _NONE) and self._try("keys", self._new_keys)
        self._keys_stamp = found
        if self._facts is None:
            return
        found = stamp(self._facts)
        if found == _NONE:
            log.warning("%s is not there; the facts that were known stay", self._facts)
        if renewed or found != self._facts_stamp:
            self._try("facts", self._new_facts)
        self._facts_stamp = found

    def _new_keys(self) -> None:
        keys = load_keys(self._keys_file)
        if keys.site != self._keys.site:
            raise ConfigError(
                "keys", f"{self._keys_file} is of site {keys.site!r}, not of {self._keys.site!r}"
            )
        self._takes(keys)
        self._keys = keys

    def _new_facts(self) -> None:
        assert self._facts is not None
        store = FactFile(self._facts, self._keys.site, raw(self._keys.event))
        self._shelf.store = store
        log.info("facts about %d visitors", len(store))

    def _try(self, what: str, work: Callable[[], None]) -> bool:
        try:
            work()
        except ConfigError as error:
            log.error("the old %s stay: %s", what, error)
            self._counters.add(f'nearside_renewals_total{{what="{what}",outcome="refused"}}')
            return False
        self._counters.add(f'nearside_renewals_total{{what="{what}",outcome="taken"}}')
        return True


def stamp(path: Path) -> Stamp:
    """What changes when a file is replaced; all zero where there is none."""
    try:
        found = path.stat()
    except OSError:
        return _NONE
    return found.st_ino, found.st_mtime_ns, found.st_size

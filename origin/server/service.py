"""What all requests of an origin share, open from the application's start to its end."""

import fcntl
import logging
import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from edge.bundle import format as fmt
from edge.errors import ConfigError
from origin import signing
from origin.keys import OriginKeys
from origin.server.history import Sizes
from origin.server.ingest import Ingest
from origin.server.news import News
from origin.server.presence import Presence
from origin.server.settings import Settings
from origin.store.artifacts import ArtifactFolder
from origin.store.sqlite import SqliteStore, open_store

logger = logging.getLogger("nearside.origin")


@dataclass(frozen=True)
class Site:
    """One site of the origin: its keys, its artifacts, and how large they are by manifest."""

    keys: OriginKeys
    artifacts: ArtifactFolder
    sizes: Sizes = field(default_factory=Sizes)

    def sign(self, payload: bytes) -> bytes:
        """The encoded `Signed` of the online key."""
        key = self.keys.sign["online"]
        return fmt.encode(signing.sign(payload, "online", key.id, key.raw()))


class Origin:
    """What all requests share; open from the application's start to its end."""

    def __init__(self, settings: Settings, keys: Sequence[OriginKeys], store: SqliteStore) -> None:
        self.settings = settings
        self.store = store
        self.news = News()
        self.presence = Presence()
        self.ingest = Ingest(Path(settings.data), store)
        root = Path(settings.data) / "sites"
        self.sites = {
            held.site: Site(held, ArtifactFolder(root / held.site / "artifacts", settings.max_artifact_bytes))
            for held in keys
        }


@asynccontextmanager
async def open_origin(settings: Settings, keys: Sequence[OriginKeys]) -> AsyncIterator[Origin]:
    """Open the data folder, which one process may do at a time, and tidy it up.

    Raises
    ------
    ConfigError
        ``data``: the folder can't be made, or another process has it open.
    """
    folder = Path(settings.data)
    with _only_process(folder):
        async with open_store(folder) as store:
            origin = Origin(settings, keys, store)
            removed = await origin.ingest.sweep()
            if removed:
                logger.warning("removed %d files of batches that a crash cut short", removed)
            yield origin
            origin.news.close()


def check_folder(folder: Path) -> None:
    """Refuse a data folder that `open_origin` would refuse, while there is somebody to hear why."""
    with _only_process(folder):
        pass


@contextmanager
def _only_process(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    except OSError as error:
        raise ConfigError("data", f"{folder}: {error.strerror}") from error
    try:
        _lock(handle, folder)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, folder: Path) -> None:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ConfigError("data", f"{folder} is in use by another origin; stop it or take another") from error

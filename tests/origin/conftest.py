"""Fixtures of the origin's tests."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from origin.settings import Settings
from tests.origin.world import Keys, OriginThread, Parts, make_keys, make_parts, running


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return make_keys(tmp_path / "keys")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=str(tmp_path / "data"), heartbeat_s=0.2)


@pytest.fixture
async def client(settings: Settings, keys: Keys) -> AsyncIterator[httpx.AsyncClient]:
    async with running(settings, keys) as opened:
        yield opened


@pytest.fixture
def parts() -> Parts:
    return make_parts()


@pytest.fixture
def served(settings: Settings, keys: Keys) -> Iterator[str]:
    """The URL of a real server."""
    server = OriginThread(settings, keys).start()
    yield server.url
    server.stop()

"""Fixtures of the origin's tests."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from origin.server.settings import Settings
from tests.origin.world import Keys, OriginThread, Parts, make_keys, make_parts, running
from tests.workspaces.make import FILES, make_bundle


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


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real bundle of the site `films`; only to be read."""
    return make_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="session")
def other_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The next bundle: on telephones, the hero is another one."""
    rules = FILES["rules/campaigns.yaml"].replace("{content: app}", "{content: welcome}")
    return make_bundle(tmp_path_factory.mktemp("other"), {"rules/campaigns.yaml": rules})

"""The edge's own client against a real origin: a PoP with its credential, shut out, and let in again."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from edge.agent.main import token_of
from edge.agent.origin import Origin
from edge.decide.types import Event
from edge.errors import OriginError
from edge.events import spool
from edge.settings import Settings
from origin.publishing.client import OriginClient
from origin.publishing.pop_file import add_pop
from tests.origin.world import Keys

pytestmark = pytest.mark.anyio

WHO = {"author": "ann", "reason": "test"}
ADD = {"name": "lab", "replace": False, **WHO}
FRAME = spool.frame(Event("d" * 32, "click", "f1", 0, "hero", "v1", 1_700_000_000_500))


@asynccontextmanager
async def edge(url: str, keys: Keys, file: Path) -> AsyncIterator[Origin]:
    settings = Settings(origin=url, pop="lab", credential=str(file))
    origin = Origin(url, keys.edge.site, token_of(settings, keys.edge))
    try:
        yield origin
    finally:
        await origin.close()


async def test_a_pop_is_shut_out_and_let_in_again(served: str, keys: Keys, tmp_path: Path) -> None:
    file = tmp_path / "lab.json"
    with OriginClient(served, keys.publisher) as client:
        add_pop(client, ADD, file)
        async with edge(served, keys, file) as lab:
            assert await lab.ship("lab/0123456789abcdef/1", 0, FRAME) == len(FRAME)
            client.revoke_pop("lab", WHO)
            with pytest.raises(OriginError, match="revoked"):
                await lab.ship("lab/0123456789abcdef/1", len(FRAME), FRAME)
            file.unlink()
            with pytest.raises(OriginError, match="credential"):
                await lab.committed("lab/0123456789abcdef/1")
            add_pop(client, ADD, file)
            assert await lab.committed("lab/0123456789abcdef/1") == len(FRAME)
            add_pop(client, {**ADD, "name": "vienna"}, tmp_path / "vienna.json")
            with pytest.raises(OriginError, match="wrong-token"):
                await lab.committed("vienna/0123456789abcdef/1")


async def test_a_listening_edge_is_listed(served: str, keys: Keys, tmp_path: Path) -> None:
    file = tmp_path / "lab.json"
    with OriginClient(served, keys.publisher) as client:
        add_pop(client, ADD, file)
        async with edge(served, keys, file) as lab:
            lines = lab.news("lab")
            assert await anext(lines) == b'{"alive":true}'
            (entry,) = client.pops()
            assert (entry.name, entry.connected, entry.credential) == ("lab", True, "own")
            file.unlink()
            assert await anext(lab.news("lab")) == b'{"alive":true}'  # news are for everybody

"""A PoP's own credential: checked at the start, read at each use, and what a refusal is called."""

import json
from pathlib import Path

import httpx
import pytest

from edge.agent.main import token_of
from edge.agent.origin import Origin
from edge.errors import ConfigError, OriginError
from edge.keys import load_credential
from edge.settings import Settings
from tests.edge.agent.conftest import POP
from tests.edge.origin_sim import SITE, TOKEN, OriginSim


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def write(path: Path, **changed: str) -> Path:
    path.write_text(json.dumps({"site": SITE, "pop": POP, "token": "own", **changed}))
    return path


@pytest.mark.parametrize(
    ("changed", "message"),
    [({"pop": "other"}, "is of PoP 'other'"), ({"site": "songs"}, "'songs'"), ({"token": "a\nb"}, "header")],
)
def test_a_file_of_something_else_is_refused(tmp_path: Path, changed: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_credential(write(tmp_path / "c.json", **changed), SITE, POP)


def test_a_file_that_is_not_there_or_not_json_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nearside pops add"):
        load_credential(tmp_path / "c.json", SITE, POP)
    (tmp_path / "c.json").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"c\.json"):
        load_credential(tmp_path / "c.json", SITE, POP)


def test_it_is_read_at_each_use(tmp_path: Path, sim: OriginSim) -> None:
    path = tmp_path / "c.json"
    token = token_of(Settings(pop=POP, credential=str(path)), sim.keys())
    assert token_of(Settings(pop=POP), sim.keys())() == sim.keys().ingest_token
    with pytest.raises(ConfigError):
        token()
    write(path)
    assert token() == "own"
    write(path, token="newer")
    assert token() == "newer"


@pytest.mark.anyio
async def test_a_refusal_has_the_origins_name(sim: OriginSim) -> None:
    fault = {"error": {"code": "revoked", "message": "it was revoked", "hint": ""}}
    body = json.dumps(fault).encode()
    refusing = httpx.MockTransport(lambda _: httpx.Response(403, stream=httpx.ByteStream(body)))
    origin = Origin("http://origin", SITE, lambda: TOKEN, refusing)
    with pytest.raises(OriginError, match="revoked: it was revoked"):
        await origin.ship("lab/0/1", 0, b"")
    with pytest.raises(OriginError, match="revoked"):
        await origin.committed("lab/0/1")


@pytest.mark.anyio
async def test_a_file_that_went_away_keeps_events_waiting(tmp_path: Path, sim: OriginSim) -> None:
    token = token_of(Settings(pop=POP, credential=str(tmp_path / "c.json")), sim.keys())
    origin = Origin("http://origin", SITE, token, sim)
    with pytest.raises(OriginError, match=r"^credential: "):
        await origin.ship("lab/0/1", 0, b"")
    await origin.close()

"""The news stream of a real server: at once, on change, a sign of life, and an end when it stops."""

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from edge.bundle import format as fmt
from edge.bundle.format import Rollout, Signed
from origin import signing
from origin.settings import Settings
from tests.origin.world import Keys, OriginThread, Parts


def publish(url: str, keys: Keys, parts: Parts) -> None:
    with httpx.Client(base_url=f"{url}/v1/sites/films", headers=keys.publish) as client:
        for sha256, body in parts.artifacts.items():
            client.put(f"artifacts/{sha256}", content=body).raise_for_status()
        for role, payload in parts.manifests.items():
            key = keys.publisher.sign[role]
            body = fmt.encode(signing.sign(payload, role, key.id, key.raw()))
            client.put(f"manifests/{fmt.digest(payload)}", content=body).raise_for_status()
        order = {"manifests": parts.hashes, "author": "ann"}
        client.post("revisions", json=order).raise_for_status()


def test_news_come_at_once_on_change_and_between_a_sign_of_life(
    served: str, keys: Keys, parts: Parts
) -> None:
    news = f"{served}/v1/sites/films/news?pop=a"
    with httpx.Client(timeout=5) as client, client.stream("GET", news) as stream:
        lines = stream.iter_lines()
        assert json.loads(next(lines)) == {"alive": True}  # nothing is rolled out yet
        began = time.monotonic()
        publish(served, keys, parts)
        published = time.monotonic()
        line = next(line for line in lines if "rollout" in line)
        assert time.monotonic() - published < 0.15  # pushed: sooner than the next sign of life would be
        signed = fmt.decode(base64.b64decode(json.loads(line)["rollout"]), Signed)
        payload = signing.verify(signed, "online", keys.edge.trust["online"])
        assert fmt.decode(payload, Rollout).serial == 1
        assert json.loads(next(lines)) == {"alive": True}
        assert time.monotonic() - began < 3
        with client.stream("GET", news) as second:
            assert "rollout" in next(second.iter_lines())


def test_streams_end_when_the_origin_stops(settings: Settings, keys: Keys) -> None:
    server = OriginThread(settings, keys).start()
    with (
        httpx.Client(timeout=5) as client,
        client.stream("GET", f"{server.url}/v1/sites/films/news") as stream,
    ):
        lines = stream.iter_lines()
        next(lines)
        began = time.monotonic()
        server.stop()
        assert all(json.loads(line) == {"alive": True} for line in lines)
        assert time.monotonic() - began < 2


def test_an_upload_that_breaks_off_leaves_nothing(
    served: str, keys: Keys, parts: Parts, tmp_path: Path
) -> None:
    def torn() -> Iterator[bytes]:
        yield bytes(3 << 20)
        raise ConnectionAbortedError

    with httpx.Client(headers=keys.publish) as client, pytest.raises(ConnectionAbortedError):
        client.put(f"{served}/v1/sites/films/artifacts/{'0' * 64}", content=torn())
    folder = tmp_path / "data/sites/films/artifacts"
    deadline = time.monotonic() + 5
    while list(folder.iterdir()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert list(folder.iterdir()) == []

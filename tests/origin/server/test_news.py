"""The news stream of a real server: at once, on change, a sign of life, and an end when it stops."""

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from edge.bundle import format as fmt
from edge.bundle.format import Rollout, Signed
from origin import signing
from origin.server.settings import Settings
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


def test_news_are_pushed_on_change(settings: Settings, keys: Keys, parts: Parts) -> None:
    quiet = OriginThread(replace(settings, heartbeat_s=60.0), keys).start()
    news = f"{quiet.url}/v1/sites/films/news?pop=a"
    try:
        with httpx.Client(timeout=10) as client, client.stream("GET", news) as stream:
            lines = stream.iter_lines()
            assert json.loads(next(lines)) == {"alive": True}  # nothing is rolled out yet
            publish(quiet.url, keys, parts)
            assert opened(next(lines), keys).serial == 1
            with client.stream("GET", news) as second:
                assert opened(next(second.iter_lines()), keys).serial == 1  # at once
    finally:
        quiet.stop()


def test_a_quiet_stream_shows_that_it_lives(served: str, keys: Keys) -> None:
    news = f"{served}/v1/sites/films/news"
    with httpx.Client(timeout=10) as client, client.stream("GET", news) as stream:
        lines = stream.iter_lines()
        assert [json.loads(next(lines)) for _ in range(3)] == [{"alive": True}] * 3


def opened(line: str, keys: Keys) -> Rollout:
    signed = fmt.decode(base64.b64decode(json.loads(line)["rollout"]), Signed)
    return fmt.decode(signing.verify(signed, "online", keys.edge.trust["online"]), Rollout)


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


def test_who_listens_is_known_by_credential(served: str, keys: Keys) -> None:
    base = f"{served}/v1/sites/films"

    def connected(client: httpx.Client) -> dict[str, bool]:
        entries = client.get(f"{base}/pops", headers=keys.publish).json()
        return {entry["name"]: entry["connected"] for entry in entries}

    with httpx.Client(timeout=10) as client:
        body = {"name": "lab", "author": "ann"}
        token = client.post(f"{base}/pops", json=body, headers=keys.publish).json()["token"]
        with client.stream("GET", f"{base}/news?pop=lab") as stranger:
            assert json.loads(next(stranger.iter_lines())) == {"alive": True}
            assert connected(client) == {"lab": False}
        own = {"authorization": f"Bearer {token}"}
        with (
            client.stream("GET", f"{base}/news?pop=lab", headers=own) as lab,
            client.stream("GET", f"{base}/news?pop=paris", headers=keys.ingest) as paris,
        ):
            lines = lab.iter_lines(), paris.iter_lines()  # a reader that is dropped closes its stream
            assert all(next(each) for each in lines)
            assert connected(client) == {"lab": True, "paris": True}
        deadline = time.monotonic() + 5
        while any(connected(client).values()) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert connected(client) == {"lab": False, "paris": False}
        entries = client.get(f"{base}/pops", headers=keys.publish).json()
        assert all(entry["seen_ms"] > 1_600_000_000_000 and not entry["shipped_ms"] for entry in entries)

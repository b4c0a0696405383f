"""What the origin's tests are made of: keys, an origin in this process, a bundle's parts."""

import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from edge.bundle import format as fmt
from edge.bundle.format import Artifact, Manifest
from edge.keys import EdgeKeys, load_keys
from origin.keys import OriginKeys, PublisherKeys, load_origin, load_publisher, new_keys
from origin.server.api import make_app
from origin.server.serve import make_server
from origin.server.settings import Settings
from tests.origin.conforming import conforms

SITE = "films"
KINDS = {"rules": "index", "models": "graph", "catalog": "items"}


@dataclass(frozen=True)
class Keys:
    folder: Path
    publisher: PublisherKeys
    origin: OriginKeys
    edge: EdgeKeys

    @property
    def publish(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.publisher.publish_token}"}

    @property
    def ingest(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.edge.ingest_token}"}


def make_keys(folder: Path, site: str = SITE, *, shared_token: bool = True) -> Keys:
    publisher, origin, edge = new_keys(folder, site, shared_token=shared_token)
    return Keys(folder, load_publisher(publisher), load_origin(origin), load_keys(edge))


@asynccontextmanager
async def running(settings: Settings, *keys: Keys) -> AsyncIterator[httpx.AsyncClient]:
    """A client of an origin that runs in this process; each answer is held against the OpenAPI document."""
    app = make_app(settings, [held.origin for held in keys])
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        base = f"http://origin/v1/sites/{keys[0].origin.site}"
        hooks = {"response": [conforms]}
        async with httpx.AsyncClient(transport=transport, base_url=base, event_hooks=hooks) as client:
            yield client


@dataclass(frozen=True)
class Parts:
    """A bundle that no edge could decide with, but that an origin can carry."""

    manifests: dict[str, bytes]
    artifacts: dict[str, bytes]

    @property
    def hashes(self) -> dict[str, str]:
        return {role: fmt.digest(data) for role, data in self.manifests.items()}

    def write(self, folder: Path) -> Path:
        (folder / "artifacts").mkdir(parents=True)
        for role, data in self.manifests.items():
            (folder / f"{role}.manifest").write_bytes(data)
        for sha256, body in self.artifacts.items():
            (folder / "artifacts" / sha256).write_bytes(body)
        return folder


def make_parts(text: str = "one", site: str = SITE, requires: str = "0" * 64) -> Parts:
    manifests, artifacts = {}, {}
    for role, kind in KINDS.items():
        body = f"{role} {text}".encode()
        artifact = Artifact(kind, kind, fmt.digest(body), len(body))
        provided = {"items": "0" * 64} if role == "catalog" else {}
        needed = {"items": requires} if role == "models" else {}
        manifests[role] = fmt.encode(Manifest(fmt.FORMAT, role, site, provided, needed, (artifact,)))
        artifacts[artifact.sha256] = body
    return Parts(manifests, artifacts)


class OriginThread:
    """A real server of an origin in a thread, on a free port."""

    def __init__(self, settings: Settings, keys: Keys) -> None:
        self.server = make_server(
            replace(settings, keys=str(keys.folder / "origin.json"), listen="127.0.0.1:0")
        )
        self.listener = self.server.config.bind_socket()
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.thread = threading.Thread(target=self.server.run, args=([self.listener],))

    def start(self) -> "OriginThread":
        self.thread.start()
        deadline = time.monotonic() + 10
        while not self.server.started and time.monotonic() < deadline:
            time.sleep(0.01)
        assert self.server.started
        return self

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(10)
        self.listener.close()
        assert not self.thread.is_alive()

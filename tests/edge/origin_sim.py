"""An origin in memory, behind httpx: it signs and stores as the real one does, and tests bend it."""

import asyncio
import base64
import re
from collections import defaultdict
from collections.abc import AsyncIterator

import httpx
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.agent.trust import signed_bytes
from edge.bundle import format as fmt
from edge.bundle.format import Artifact, Manifest, ManifestRef, Revision, Rollout, Signature, Signed
from edge.bundle.stock import StockList
from edge.keys import SIGNING_ROLES, EdgeKeys, Key, PublicKey

SITE = "films"
TOKEN = "ingest-token"
ARTIFACTS = {
    "rules": {"schema": b"the schema", "golden": b"r"},
    "models": {"plan": b"the plan", "graph": b"the graph" * 40_000},
    "catalog": {"items": b"the items"},
}


def public(private: Ed25519PrivateKey) -> str:
    """The public half in base64."""
    return base64.b64encode(private.public_key().public_bytes_raw()).decode()


class _Lines(httpx.AsyncByteStream):
    """A stream that tells of each rollout and stock list, until the origin goes down."""

    def __init__(self, sim: "OriginSim") -> None:
        self._sim = sim

    async def __aiter__(self) -> AsyncIterator[bytes]:
        told, told_stock = b"", 0
        while not self._sim.down:
            data = self._sim.files.get("rollout", b"")
            if data != told:
                told = data
                yield msgspec.json.encode({"rollout": base64.b64encode(data).decode()}) + b"\n"
            if self._sim.stock_serial != told_stock:
                told_stock = self._sim.stock_serial
                yield msgspec.json.encode({"stock": told_stock}) + b"\n"
            await asyncio.sleep(0.005)
        raise httpx.ReadError("the stream broke")


class OriginSim(httpx.AsyncBaseTransport):
    """The origin of one site.

    Attributes
    ----------
    files : dict[str, bytes]
        What GET answers, by path below the site: overwrite to tamper.
    requests : list[str]
        ``METHOD path`` of all requests so far.
    down : bool
        While True, no connection is made.
    answers : dict[str, tuple[int, httpx.AsyncByteStream]]
        Status and body to give instead, by path.
    lost_answers : int
        So many of the next POSTs are committed, and their answers lost.
    lake : dict[str, bytearray]
        Committed bytes by ``POP/SPOOL/SEGMENT``.
    """

    def __init__(self) -> None:
        self.private = {role: Ed25519PrivateKey.generate() for role in SIGNING_ROLES}
        self.files: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.answers: dict[str, tuple[int, httpx.AsyncByteStream]] = {}
        self.down = False
        self.lost_answers = 0
        self.lake: dict[str, bytearray] = defaultdict(bytearray)
        self.serial = self.stock_serial = 0
        self.number = 0

    def keys(self) -> EdgeKeys:
        """What an edge of this site holds."""
        secret = (Key(1, base64.b64encode(bytes(32)).decode()),)
        trust = {role: (PublicKey(f"{role}-1", public(key)),) for role, key in self.private.items()}
        return EdgeKeys(SITE, secret, secret, TOKEN, trust)

    def sign(self, payload: bytes, role: str, key_id: str = "") -> bytes:
        """The payload, signed as `role`."""
        value = self.private[role].sign(signed_bytes(role, payload))
        return fmt.encode(Signed(payload, (Signature(key_id or f"{role}-1", value),)))

    def manifest(self, role: str, contents: dict[str, bytes], site: str = SITE) -> Manifest:
        """A manifest of these artifacts, which are there to fetch from now on."""
        for data in contents.values():
            self.files[f"artifacts/{fmt.digest(data)}"] = data
        artifacts = tuple(
            Artifact(kind, kind, fmt.digest(data), len(data)) for kind, data in sorted(contents.items())
        )
        return Manifest(fmt.FORMAT, role, site, {}, {}, artifacts)

    def publish(self, changes: dict[str, dict[str, bytes]] | None = None) -> int:
        """Publish the sample bundle with the artifacts in `changes`, and roll it out."""
        contents = {role: {**ARTIFACTS[role], **(changes or {}).get(role, {})} for role in fmt.ROLES}
        return self.pin({role: fmt.encode(self.manifest(role, contents[role])) for role in fmt.ROLES})

    def pin(self, manifests: dict[str, bytes]) -> int:
        """Publish these manifests' bytes, each signed by its role, and roll them out."""
        self.number += 1
        refs = {}
        for role, payload in manifests.items():
            sha256 = fmt.digest(payload)
            self.files[f"manifests/{sha256}"] = self.sign(payload, role)
            refs[role] = ManifestRef(sha256, len(payload))
        self.put_revision(Revision(fmt.FORMAT, SITE, self.number, refs))
        self.roll_out({"*": self.number})
        return self.number

    def put_revision(self, revision: Revision) -> None:
        """Offer a revision under the newest number."""
        self.files[f"revisions/{self.number}"] = self.sign(fmt.encode(revision), "online")

    def roll_out(self, pops: dict[str, int], kill: tuple[str, ...] = ()) -> None:
        """Make a new rollout."""
        self.serial += 1
        self.put_rollout(Rollout(fmt.FORMAT, SITE, self.serial, pops, kill))

    def put_rollout(self, rollout: Rollout) -> None:
        """Offer this rollout, signed."""
        self.files["rollout"] = self.sign(fmt.encode(rollout), "online")

    def put_stock(self, *out: str, serial: int = 0, site: str = SITE) -> StockList:
        """Make a stock list, by default the next one."""
        self.stock_serial = serial or self.stock_serial + 1
        listed = StockList(fmt.FORMAT, site, self.stock_serial, out)
        self.files["stock"] = self.sign(fmt.encode(listed), "online")
        return listed

    def path_of(self, role: str, kind: str) -> str:
        """The path of the sample bundle's artifact."""
        return f"artifacts/{fmt.digest(ARTIFACTS[role][kind])}"

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix(f"/v1/sites/{SITE}/")
        self.requests.append(f"{request.method} {path}")
        if self.down:
            raise httpx.ConnectError("the origin is down")
        if path in self.answers:
            status, body = self.answers[path]
            return httpx.Response(status, stream=body)
        if path.startswith("events/"):
            return await self._events(request, path.removeprefix("events/"))
        if path == "news":
            return httpx.Response(200, stream=_Lines(self))
        if path in self.files:
            return httpx.Response(200, stream=httpx.ByteStream(self.files[path]))
        return httpx.Response(404, json={"error": {"code": "none", "message": path, "hint": ""}})

    async def _events(self, request: httpx.Request, place: str) -> httpx.Response:
        assert re.fullmatch(r"[^/]+/[0-9a-f]{16}/\d+", place)
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        held = self.lake[place]
        if request.method == "POST":
            offset = int(request.url.params["offset"])
            if offset > len(held):
                return _watermark(409, len(held))
            held += (await request.aread())[len(held) - offset :]
            if self.lost_answers:
                self.lost_answers -= 1
                raise httpx.ReadError("the answer was lost")
        return _watermark(200, len(held))


def _watermark(status: int, committed: int) -> httpx.Response:
    return httpx.Response(status, stream=httpx.ByteStream(b'{"committed": %d}' % committed))

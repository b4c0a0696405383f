"""What an origin, or whoever stands in its place, may send: refused by name, and the old bundle serves on."""

import base64
import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import msgspec
import pytest

from edge.bundle import format as fmt
from edge.bundle.format import Manifest, ManifestRef, Revision, Signed
from origin import signing
from origin.keys import SigningKey, load_origin
from tests.e2e.lying_origin import Bend, LyingOrigin, honest
from tests.e2e.stack import Stack, until
from tests.workspaces.make import make_bundle

GREETING = "Welcome to <em>our</em> films"


@dataclass
class World:
    """A PoP that hears a liar; `first` is honest, `second` is what the lies are about."""

    stack: Stack
    lying: LyingOrigin
    first: Path
    second: Path

    def online(self) -> SigningKey:
        return load_origin(self.stack.folder / "keys/origin.json").sign["online"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("lying")
    changes = {"content/welcome.html": "<p>Films for tonight</p>\n"}
    first, second = make_bundle(folder / "one"), make_bundle(folder / "two", changes)
    stack = Stack(folder / "pop")
    lying = LyingOrigin(stack.origin_url)
    with contextlib.ExitStack() as last:
        last.callback(lying.close)
        last.callback(stack.close)
        try:
            stack.start_origin()
            stack.start_site()
            stack.start_edge(lying.url)
            stack.wait_origin()
            stack.wait_connected()
            yield World(stack, lying, first, second)
        finally:
            print(stack.tail())


def flip(data: bytes) -> bytes:
    """The same, one bit aside."""
    middle = len(data) // 2
    return data[:middle] + bytes((data[middle] ^ 1,)) + data[middle + 1 :]


def forged_rollout(_world: World, _number: int) -> Bend:
    def forge(data: bytes) -> bytes:
        signed = fmt.decode(data, Signed)
        return fmt.encode(msgspec.structs.replace(signed, payload=flip(signed.payload)))

    def bend(path: str, body: bytes) -> bytes:
        if path == "rollout":
            return forge(body)
        if path == "news" and b"rollout" in body:
            data = base64.b64decode(json.loads(body)["rollout"])
            return json.dumps({"rollout": base64.b64encode(forge(data)).decode()}).encode() + b"\n"
        return body

    return bend


def bent(kind: str, change: Callable[[bytes], bytes]) -> Callable[[World, int], Bend]:
    """All documents of a kind, changed."""
    return lambda _world, _number: lambda path, body: change(body) if path.startswith(kind) else body


def foreign_site(world: World, number: int) -> Bend:
    """A manifest for another site, signed by the right key: keys may be shared by mistake."""
    key = world.stack.publisher.sign["rules"]
    manifest = msgspec.structs.replace(manifest_of(world.second, "rules"), site="books")
    return pinned(world, number, "rules", signing.sign(fmt.encode(manifest), "rules", key.id, key.raw()))


def marketers_models(world: World, number: int) -> Bend:
    """Models that whoever signs rules would like to ship."""
    key = world.stack.publisher.sign["rules"]
    payload = (world.second / "models.manifest").read_bytes()
    return pinned(world, number, "models", signing.sign(payload, "models", key.id, key.raw()))


def marketers_artifact(world: World, number: int) -> Bend:
    """A model among the artifacts of the rules, all well signed."""
    key = world.stack.publisher.sign["rules"]
    manifest = manifest_of(world.second, "rules")
    graphs = tuple(a for a in manifest_of(world.second, "models").artifacts if a.kind == "graph")
    manifest = msgspec.structs.replace(manifest, artifacts=manifest.artifacts + graphs)
    return pinned(world, number, "rules", signing.sign(fmt.encode(manifest), "rules", key.id, key.raw()))


def manifest_of(bundle: Path, role: str) -> Manifest:
    return fmt.decode((bundle / f"{role}.manifest").read_bytes(), Manifest)


def pinned(world: World, number: int, role: str, manifest: Signed) -> Bend:
    """A revision, well signed by the origin's own key, that pins this manifest; and the manifest."""
    sha256, online = fmt.digest(manifest.payload), world.online()

    def bend(path: str, body: bytes) -> bytes:
        if path != f"revisions/{number}":
            return body
        revision = fmt.decode(fmt.decode(body, Signed).payload, Revision)
        refs = {**revision.manifests, role: ManifestRef(sha256, len(manifest.payload))}
        payload = fmt.encode(msgspec.structs.replace(revision, manifests=refs))
        return fmt.encode(signing.sign(payload, "online", online.id, online.raw()))

    return lambda path, body: fmt.encode(manifest) if path == f"manifests/{sha256}" else bend(path, body)


LIES = [
    pytest.param(forged_rollout, "signature", id="a rollout with a bit flipped"),
    pytest.param(bent("revisions/", lambda body: body[:-9]), "malformed", id="a truncated revision"),
    pytest.param(bent("manifests/", lambda body: body[:99]), "malformed", id="a truncated manifest"),
    pytest.param(bent("artifacts/", flip), "artifact-hash", id="an artifact with a bit flipped"),
    pytest.param(bent("artifacts/", lambda body: body[:-1]), "artifact-size", id="a truncated artifact"),
    pytest.param(bent("artifacts/", lambda body: body + b"!"), "artifact-size", id="an artifact with more"),
    pytest.param(foreign_site, "foreign-site", id="a manifest of another site"),
    pytest.param(marketers_models, "wrong-role", id="models signed by the key for rules"),
    pytest.param(marketers_artifact, "wrong-role", id="a model among the rules"),
]


def tell_and_see_refused(world: World, bundle: Path, lie: Callable[[World, int], Bend], code: str) -> int:
    """Publish the bundle through the liar, wait for the refusal; the revision's number."""
    stack, key = world.stack, f'nearside_refused_total{{code="{code}"}}'
    before = stack.metric(key)
    number = stack.publish(bundle, activate=False).number
    world.lying.bend = lie(world, number)
    stack.roll_to(number)
    until(f"refused as {code}", lambda: stack.metric(key) > before)
    assert stack.status()["refusals"][-1]["code"] == code
    return number


@pytest.mark.parametrize(("lie", "code"), LIES[:1] + LIES[3:4])
def test_with_no_bundle_ever_the_page_is_the_sites_own(
    world: World, lie: Callable[[World, int], Bend], code: str
) -> None:
    tell_and_see_refused(world, world.first, lie, code)
    for page in world.stack.on_both_workers(requests=4):
        assert page.content == world.stack.page
    assert world.stack.status()["active"] is None
    assert httpx.get(world.stack.admin_url + "/ready").status_code == 503


def test_once_the_origin_is_honest_its_bundle_serves(world: World) -> None:
    world.lying.bend = honest
    world.stack.wait_revision(world.stack.publish(world.first).number)
    assert all(GREETING in page.text for page in world.stack.on_both_workers(requests=4))


@pytest.mark.parametrize(("lie", "code"), LIES)
def test_a_lie_is_refused_by_name_and_the_old_bundle_serves(
    world: World, lie: Callable[[World, int], Bend], code: str
) -> None:
    active = world.stack.status()["active"]
    number = tell_and_see_refused(world, world.second, lie, code)
    status = world.stack.status()
    assert status["active"]["revision"] == active["revision"] != number
    assert status["active"]["bundle"] == active["bundle"]
    assert all(GREETING in page.text for page in world.stack.on_both_workers(requests=4))


def test_after_all_lies_the_truth_is_taken(world: World) -> None:
    world.lying.bend = honest
    world.stack.wait_revision(world.stack.publish(world.second).number)
    assert all("Films for tonight" in page.text for page in world.stack.on_both_workers(requests=4))

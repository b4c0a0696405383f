"""A bundle arrives whole and verified, or the old one stays."""

import asyncio
import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from edge.agent import sync, tries
from edge.bundle import format as fmt
from edge.bundle.active import bundle_folder, bundles_folder, read_active
from edge.bundle.format import Manifest, ManifestRef, Revision, Rollout, Signature, Signed
from edge.bundle.reader import open_bundle
from edge.errors import BundleError
from tests.edge.agent.conftest import POP, World
from tests.edge.origin_sim import ARTIFACTS, SITE, OriginSim

NEW_SCHEMA = {"rules": {"schema": b"another schema"}}


def test_a_published_revision_is_laid_down_and_in_force(world: World) -> None:
    number = world.sim.publish()
    world.run(lambda: world.in_force() == number)
    active = read_active(world.state_dir)
    assert active is not None
    folder = bundle_folder(world.state_dir, active.bundle)
    assert open_bundle(folder, SITE, verify=True).id == active.bundle
    assert (active.revision, active.serial, active.kill, world.told) == (1, 1, (), 1)
    for path in folder.rglob("*"):
        assert path.is_dir() or stat.S_IMODE(path.stat().st_mode) == 0o444


def test_only_what_is_missing_is_fetched(world: World) -> None:
    world.sim.publish()
    world.run(lambda: world.in_force() == 1)
    world.sim.requests.clear()
    world.sim.publish(NEW_SCHEMA)
    world.run(lambda: world.in_force() == 2)
    fetched = [r for r in world.sim.requests if "artifacts/" in r]
    assert fetched == [f"GET artifacts/{fmt.digest(b'another schema')}"]
    active = read_active(world.state_dir)
    assert active is not None
    linked = bundle_folder(world.state_dir, active.bundle) / world.sim.path_of("models", "graph")
    assert linked.stat().st_nlink == 2


def test_a_damaged_artifact_is_not_linked_but_fetched(world: World) -> None:
    world.sim.publish()
    world.run(lambda: world.in_force() == 1)
    path = next(bundles_folder(world.state_dir).glob("*/" + world.sim.path_of("models", "plan")))
    path.chmod(0o644)
    path.write_bytes(b"the plaN")
    world.sim.publish(NEW_SCHEMA)
    world.run(lambda: world.in_force() == 2)
    active = read_active(world.state_dir)
    assert active is not None
    assert open_bundle(bundle_folder(world.state_dir, active.bundle), SITE, verify=True)


def test_a_rollback_fetches_no_artifact(world: World) -> None:
    world.sim.publish()
    world.run(lambda: world.in_force() == 1)
    world.sim.publish(NEW_SCHEMA)
    world.run(lambda: world.in_force() == 2)
    world.sim.requests.clear()
    world.sim.roll_out({"*": 1})
    world.run(lambda: world.in_force() == 1)
    assert not [r for r in world.sim.requests if "artifacts/" in r]


def test_this_pops_own_revision_goes_before_that_of_all(world: World) -> None:
    first, second = world.sim.publish(), world.sim.publish(NEW_SCHEMA)
    world.sim.roll_out({"*": second, POP: first})
    world.run(lambda: world.in_force() == first)
    assert world.updater.in_line


def test_a_kill_list_acts_without_a_fetch(world: World) -> None:
    world.sim.publish()
    world.run(lambda: world.in_force() == 1)
    world.sim.requests.clear()
    world.sim.roll_out({"*": 1}, ("hero",))
    world.run(lambda: "hero" in (world.updater.active.kill if world.updater.active else ()))
    active = read_active(world.state_dir)
    assert active is not None
    assert (active.revision, active.serial, active.kill, world.told) == (1, 2, ("hero",), 2)
    assert not [r for r in world.sim.requests if "revisions" in r or "artifacts" in r]


def test_a_kill_acts_though_the_revision_beside_it_is_refused(world: World) -> None:
    world.sim.publish()
    world.sim.roll_out({"*": 1}, ("first",))
    world.run(lambda: world.in_force() == 1)
    world.sim.publish(NEW_SCHEMA)
    world.sim.files[f"artifacts/{fmt.digest(b'another schema')}"] = b"another schemA"
    world.sim.roll_out({"*": 2}, ("second",))
    world.run(lambda: world.refused("artifact-hash") > 0)
    active = read_active(world.state_dir)
    assert active is not None
    # What was killed stays killed: only the new revision may have mended it.
    assert (active.revision, active.kill) == (1, ("first", "second"))


def bent_artifact(data: bytes) -> Callable[[OriginSim], None]:
    def bend(sim: OriginSim) -> None:
        sim.files[sim.path_of("models", "graph")] = data

    return bend


def republish(change: Callable[[Manifest], Manifest], role: str = "rules") -> Callable[[OriginSim], None]:
    """The sample bundle with one manifest changed before it is signed."""

    def bend(sim: OriginSim) -> None:
        manifests = {r: sim.manifest(r, ARTIFACTS[r]) for r in fmt.ROLES}
        manifests[role] = change(manifests[role])
        sim.pin({r: fmt.encode(manifest) for r, manifest in manifests.items()})

    return bend


def change_manifest(**changes: object) -> Callable[[OriginSim], None]:
    return republish(lambda manifest: Manifest(**{**fields_of(manifest), **changes}))  # type: ignore[arg-type]


def fields_of(struct: Manifest) -> dict[str, object]:
    return {name: getattr(struct, name) for name in struct.__struct_fields__}


def signed_manifest(change: Callable[[OriginSim, Signed], bytes]) -> Callable[[OriginSim], None]:
    """What the origin serves in the place of the signed rules manifest."""

    def bend(sim: OriginSim) -> None:
        payload = fmt.encode(sim.manifest("rules", ARTIFACTS["rules"]))
        path = f"manifests/{fmt.digest(payload)}"
        sim.files[path] = change(sim, fmt.decode(sim.files[path], Signed))

    return bend


def revision(**changes: object) -> Callable[[OriginSim], None]:
    def bend(sim: OriginSim) -> None:
        refs = {role: ManifestRef("0" * 64, 1) for role in fmt.ROLES}
        whole = {"format": fmt.FORMAT, "site": SITE, "number": sim.number, "manifests": refs, **changes}
        sim.put_revision(Revision(**whole))  # type: ignore[arg-type]

    return bend


def rollout(**changes: object) -> Callable[[OriginSim], None]:
    def bend(sim: OriginSim) -> None:
        whole = {"format": fmt.FORMAT, "site": SITE, "serial": sim.serial, "pops": {"*": sim.number}}
        sim.put_rollout(Rollout(**{**whole, **changes}))  # type: ignore[arg-type]

    return bend


def signed_rollout(change: Callable[[OriginSim, Signed], bytes]) -> Callable[[OriginSim], None]:
    def bend(sim: OriginSim) -> None:
        sim.files["rollout"] = change(sim, fmt.decode(sim.files["rollout"], Signed))

    return bend


GRAPH = ARTIFACTS["models"]["graph"]
BENT: list[tuple[str, str, Callable[[OriginSim], None]]] = [
    ("a tampered artifact", "artifact-hash", bent_artifact(b"T" + GRAPH[1:])),
    ("a truncated artifact", "artifact-size", bent_artifact(GRAPH[:-1])),
    ("an empty artifact", "artifact-size", bent_artifact(b"")),
    ("an oversize artifact", "artifact-size", bent_artifact(GRAPH + b"more")),
    ("a manifest for another site", "foreign-site", change_manifest(site="books")),
    ("a manifest of another format", "format", change_manifest(format=2)),
    ("a manifest of another role", "wrong-role", change_manifest(role="models", artifacts=())),
    (
        "a marketer's model",
        "wrong-role",
        change_manifest(artifacts=(fmt.Artifact("graph", "graph", "0" * 64, 1),)),
    ),
    ("an artifact without a hash", "artifact-list", change_manifest(
        artifacts=(fmt.Artifact("schema", "schema", "../../evil", 1),))),
    ("a negative size", "artifact-list", change_manifest(
        artifacts=(fmt.Artifact("schema", "schema", "0" * 64, -1),))),
    ("a tampered manifest", "manifest-hash", signed_manifest(
        lambda _, s: fmt.encode(Signed(s.payload[:-1] + b"~", s.signatures)))),
    ("a truncated manifest", "manifest-size", signed_manifest(
        lambda _, s: fmt.encode(Signed(s.payload[:-1], s.signatures)))),
    ("a cut answer", "malformed", signed_manifest(lambda _, s: fmt.encode(s)[:-1])),
    ("an oversize manifest", "too-large", signed_manifest(lambda _, s: bytes(fmt.MAX_MANIFEST_BYTES * 2))),
    ("a manifest signed by another role", "wrong-role", signed_manifest(
        lambda sim, s: sim.sign(s.payload, "catalog"))),
    ("a manifest signed by a stranger", "unknown-key", signed_manifest(
        lambda sim, s: sim.sign(s.payload, "rules", "stranger"))),
    ("a manifest with a wrong signature", "signature", signed_manifest(
        lambda sim, s: sim.sign(s.payload, "catalog", "rules-1"))),
    ("a manifest without signature", "signature", signed_manifest(
        lambda _, s: fmt.encode(Signed(s.payload, ())))),
    ("a revision of another number", "wrong-revision", revision(number=99)),
    ("a revision for another site", "foreign-site", revision(site="books")),
    ("a revision without models", "manifest-list", revision(manifests={"rules": ManifestRef("0" * 64, 1)})),
    ("a revision that names a path", "manifest-list", revision(
        manifests={role: ManifestRef("../rollout", 1) for role in fmt.ROLES})),
    ("a rollout for another site", "foreign-site", rollout(site="books")),
    ("a rollout of another format", "format", rollout(format=2)),
    ("an old rollout", "rollback", rollout(serial=0)),
    ("another rollout of the same serial", "rollout-conflict", rollout(serial=1, kill=("all",))),
    ("a rollout that kills too much", "too-large", rollout(kill=("x",) * (fmt.MAX_KILLED + 1))),
    ("a rollout signed by a stranger", "unknown-key", signed_rollout(
        lambda sim, s: sim.sign(s.payload, "online", "stranger"))),
    ("a rollout signed by a publisher", "wrong-role", signed_rollout(
        lambda sim, s: sim.sign(s.payload, "rules"))),
    ("a rollout with a wrong signature", "signature", signed_rollout(
        lambda _, s: fmt.encode(Signed(s.payload, (Signature("online-1", bytes(64)),))))),
    ("a revision in the place of a rollout", "malformed", signed_rollout(
        lambda sim, _: sim.files[f"revisions/{sim.number}"])),
]  # fmt: skip


@pytest.mark.parametrize(("code", "bend"), [b[1:] for b in BENT], ids=[b[0] for b in BENT])
def test_what_is_bent_is_refused_by_name_and_the_old_one_stays(
    world: World, code: str, bend: Callable[[OriginSim], None]
) -> None:
    world.sim.publish({"models": {"graph": b"the first graph"}, "rules": {"schema": b"the first"}})
    world.run(lambda: world.in_force() == 1)
    before = read_active(world.state_dir)
    world.sim.publish()
    bend(world.sim)
    world.run(lambda: world.refused(code) > 0)
    after = read_active(world.state_dir)
    assert before is not None
    assert after is not None
    assert (after.revision, after.bundle) == (before.revision, before.bundle)
    assert world.refusals.last[-1]["code"] == code
    assert open_bundle(bundle_folder(world.state_dir, after.bundle), SITE, verify=True)


def test_what_was_refused_is_taken_once_it_is_mended(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "FETCHES_AT_ONCE", 1)  # in their order: what is bent comes after the rules
    world.sim.publish()
    path = world.sim.path_of("catalog", "items")
    good = world.sim.files[path]
    world.sim.files[path] = b"the itemS"
    world.run(lambda: world.refused("artifact-hash") > 0)
    world.sim.files[path] = good
    world.sim.requests.clear()
    world.restart()
    world.run(lambda: world.in_force() == 1)
    # What had come before was kept.
    fetched = {r for r in world.sim.requests if "artifacts/" in r}
    assert f"GET {path}" in fetched
    assert f"GET {world.sim.path_of('rules', 'schema')}" not in fetched


def test_what_is_refused_is_not_asked_for_in_a_tight_loop(world: World) -> None:
    async def refuse(folder: Path, site: str) -> None:
        raise BundleError("golden", "another answer")

    world.updater._check = refuse
    world.sim.publish()
    world.run(lambda: world.refused("golden") > 0)
    later = time.monotonic() + 0.3
    world.run(lambda: time.monotonic() > later)
    assert world.refused("golden") == 1
    assert world.sim.requests.count("GET revisions/1") == 1
    assert not list(bundles_folder(world.state_dir).iterdir())


def test_a_newer_rollout_is_not_kept_waiting_by_a_refused_one(world: World) -> None:
    world.sim.publish()
    world.sim.files[world.sim.path_of("catalog", "items")] = b"the itemS"

    def mend() -> bool:
        if world.refused("artifact-hash"):
            world.sim.publish({"catalog": {"items": b"good items"}})
        return world.refused("artifact-hash") > 0

    world.run(mend, lambda: world.in_force() == 2)
    assert world.updater.in_line


def test_an_origin_that_fails_is_tried_again(world: World) -> None:
    world.sim.publish()
    path = world.sim.path_of("models", "graph")
    world.sim.answers[path] = (503, httpx.ByteStream(b""))

    def recover() -> bool:
        if failing := "bundles" in world.origin.reach.failing:
            world.sim.answers.clear()
        return failing

    world.run(recover, lambda: world.in_force() == 1)
    assert world.origin.reach.reachable
    assert not world.refusals.last


def test_a_restart_goes_on_without_an_origin(world: World) -> None:
    world.sim.publish()
    world.sim.roll_out({"*": 1}, ("hero",))
    world.run(lambda: world.in_force() == 1 and world.updater.in_line)
    world.sim.down = True
    world.restart()
    world.run(lambda: "news" in world.origin.reach.failing)
    assert world.in_force() == 1
    assert world.updater.in_line
    assert not world.origin.reach.reachable


def test_a_restart_refuses_a_rollout_older_than_the_last(world: World) -> None:
    world.sim.publish()
    old = world.sim.files["rollout"]
    world.sim.publish(NEW_SCHEMA)
    world.run(lambda: world.in_force() == 2)
    world.sim.files["rollout"] = old
    world.restart()
    world.run(lambda: world.refused("rollback") > 0)
    assert world.in_force() == 2


def test_the_floor_holds_though_the_stored_rollout_is_gone(world: World) -> None:
    world.sim.publish()
    old = world.sim.files["rollout"]
    world.sim.publish(NEW_SCHEMA)
    world.run(lambda: world.in_force() == 2)
    (world.state_dir / "rollout.signed").unlink()
    world.sim.files["rollout"] = old
    world.restart()
    world.run(lambda: world.refused("rollback") > 0)
    assert world.in_force() == 2


def test_old_bundles_go_and_the_active_one_never(world: World) -> None:
    def folders() -> set[str]:
        return {path.name for path in bundles_folder(world.state_dir).iterdir()}

    for number in range(1, 6):
        world.sim.publish({"rules": {"schema": b"schema %d" % number}})
        world.run(lambda number=number: world.in_force() == number and len(folders()) <= 3)  # type: ignore[misc]
    active = read_active(world.state_dir)
    assert active is not None
    assert len(folders()) == 3
    assert active.bundle in folders()


def test_a_full_disk_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.sim.publish()
    fsync, failures = os.fsync, []

    def full(descriptor: int) -> None:
        if len(failures) < 3:
            failures.append(descriptor)
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    world.run(lambda: world.in_force() == 1)
    assert len(failures) == 3


def test_a_newer_rollout_ends_the_fetch_of_an_older(world: World) -> None:
    class Endless(httpx.AsyncByteStream):
        async def __aiter__(self):  # type: ignore[no-untyped-def]
            while True:
                yield b""
                await asyncio.sleep(0.01)

    world.sim.publish()
    path = world.sim.path_of("models", "graph")
    world.sim.answers[path] = (200, Endless())

    def roll_on() -> bool:
        if asked := f"GET {path}" in world.sim.requests:
            world.sim.publish({"models": {"graph": b"small"}})
        return asked

    world.run(roll_on, lambda: world.in_force() == 2)
    assert tries.REFUSED_FIRST_S > 1
    assert world.updater.in_line

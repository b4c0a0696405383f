"""What was published and how it differs, as people read it: values from stored rows and manifests."""

from collections.abc import Iterable, Mapping
from typing import Final

from edge.bundle import format as fmt
from edge.bundle.format import Artifact, Manifest, Signed
from origin.store.values import Row, StoredRollout
from origin.wire import (
    ChangedArtifact,
    ManifestDetail,
    RevisionDetail,
    RevisionDiff,
    RevisionEntry,
    RoleDiff,
    RolloutEntry,
)

MAX_REMEMBERED: Final = 20_000


class Sizes:
    """The bytes of each manifest's artifacts; remembered, for a manifest never changes."""

    def __init__(self) -> None:
        self._bytes: dict[str, int] = {}

    def unknown(self, hashes: Iterable[str]) -> set[str]:
        """Those whose size is not known yet."""
        return set(hashes) - self._bytes.keys()

    def learn(self, signed: Mapping[str, bytes]) -> None:
        """Remember the sizes of signed manifests, by hash."""
        if len(self._bytes) > MAX_REMEMBERED:
            self._bytes.clear()
        for sha256, data in signed.items():
            self._bytes[sha256] = _total(_opened(data)[1].artifacts)

    def total(self, hashes: Iterable[str]) -> int:
        """The bytes of all artifacts of these manifests."""
        return sum(self._bytes.get(sha256, 0) for sha256 in hashes)


def revision_entry(row: Row, rollout: StoredRollout, sizes: Sizes) -> RevisionEntry:
    """A revision in the list."""
    return RevisionEntry(
        **row, pops=named(rollout, row["number"]), bytes=sizes.total(row["manifests"].values())
    )


def revision_detail(row: Row, rollout: StoredRollout, signed: Mapping[str, bytes]) -> RevisionDetail:
    """A revision with what its manifests say; `signed` holds them by hash."""
    manifests = {role: _detail(sha256, signed[sha256]) for role, sha256 in row["manifests"].items()}
    total = _total(artifact for manifest in manifests.values() for artifact in manifest.artifacts)
    values = {**row, "manifests": manifests}
    return RevisionDetail(**values, pops=named(rollout, row["number"]), bytes=total)


def rollout_entry(row: Row) -> RolloutEntry:
    """A rollout in the history."""
    return RolloutEntry(**{**row, "kill": tuple(row["kill"])})


def named(rollout: StoredRollout, number: int) -> tuple[str, ...]:
    """The names for which a rollout names this revision."""
    return tuple(sorted(pop for pop, named_number in rollout.pops.items() if named_number == number))


def compare(a: tuple[int, Mapping[str, bytes]], b: tuple[int, Mapping[str, bytes]]) -> RevisionDiff:
    """How two revisions differ; each is its number and its signed manifests by role."""
    before = {role: _opened(signed)[1] for role, signed in a[1].items()}
    after = {role: _opened(signed)[1] for role, signed in b[1].items()}
    held = {artifact.sha256 for manifest in before.values() for artifact in manifest.artifacts}
    lacking = {x.sha256: x for manifest in after.values() for x in manifest.artifacts if x.sha256 not in held}
    roles = {role: _role_diff(before[role], after[role]) for role in fmt.ROLES}
    return RevisionDiff(a[0], b[0], roles, _total(lacking.values()))


def _role_diff(before: Manifest, after: Manifest) -> RoleDiff:
    old = {artifact.name: artifact for artifact in before.artifacts}
    new = {artifact.name: artifact for artifact in after.artifacts}
    return RoleDiff(
        same=before == after,
        added=tuple(new[name] for name in new if name not in old),
        removed=tuple(old[name] for name in old if name not in new),
        changed=tuple(
            ChangedArtifact(old[name], new[name]) for name in old if name in new and old[name] != new[name]
        ),
    )


def _detail(sha256: str, data: bytes) -> ManifestDetail:
    signed, manifest = _opened(data)
    signers = tuple(signature.key for signature in signed.signatures)
    size = len(signed.payload)
    return ManifestDetail(sha256, size, signers, manifest.provides, manifest.requires, manifest.artifacts)


def _opened(data: bytes) -> tuple[Signed, Manifest]:
    signed = fmt.decode(data, Signed)
    return signed, fmt.decode(signed.payload, Manifest, fmt.MAX_MANIFEST_BYTES)


def _total(artifacts: Iterable[Artifact]) -> int:
    return sum(artifact.size for artifact in artifacts)

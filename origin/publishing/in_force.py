"""Says which campaigns and items the revisions in force have: a misspelt name shall not pass for one."""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from compiler.problems import nearest
from edge.bundle import format as fmt
from edge.bundle.arrays import unpack
from edge.bundle.reader import check_artifact
from edge.bundle.strings import Strings
from edge.errors import BundleError
from origin.publishing.client import OriginClient

MAX_HINTED: Final = 10


def unknown_campaigns(client: OriginClient, campaigns: Iterable[str]) -> dict[str, str]:
    """Those that no revision in force has, each with a hint.

    Raises
    ------
    OriginError
        The origin did not answer.
    BundleError
        What it sent is no manifest, or not what the manifest names.
    """
    return _unknown(client, campaigns, "rules", "campaigns")


def unknown_items(client: OriginClient, items: Iterable[str]) -> dict[str, str]:
    """Those that no catalog in force has, the first ones with a hint; raises as `unknown_campaigns`."""
    return _unknown(client, items, "catalog", "items")


def _unknown(client: OriginClient, names: Iterable[str], role: str, kind: str) -> dict[str, str]:
    rollout = client.rollout()
    served = {client.revision(number).manifests[role].sha256 for number in _numbers(rollout)}
    known = {name for sha256 in served for name in _ids(client, sha256, role, kind)}
    unknown = [name for name in names if name not in known]
    return {name: nearest(name, known) if at < MAX_HINTED else "" for at, name in enumerate(unknown)}


def _numbers(rollout: fmt.Rollout | None) -> set[int]:
    return set(rollout.pops.values()) if rollout else set()


def _ids(client: OriginClient, sha256: str, role: str, kind: str) -> tuple[str, ...]:
    """The ids in an artifact of a manifest."""
    manifest = fmt.decode_manifest(client.manifest(sha256), role, client.site)
    artifact = next((one for one in manifest.artifacts if one.kind == kind), None)
    if artifact is None:
        raise BundleError("artifact-list", f"manifest {sha256[:12]}… has no {kind}")
    with TemporaryDirectory() as folder:
        path = Path(folder) / artifact.sha256
        client.get_artifact(artifact.sha256, path)
        check_artifact(path, artifact, verify=True)
        ids = Strings(unpack(path.read_bytes()), "ids")
        return tuple(ids.text(position) for position in range(len(ids)))

"""Says which campaigns the revisions in force have, so that a misspelt name does not pass for one."""

from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory

from compiler.problems import nearest
from edge.bundle import format as fmt
from edge.bundle.arrays import unpack
from edge.bundle.reader import check_artifact
from edge.bundle.strings import Strings
from edge.errors import BundleError
from origin.publishing.client import OriginClient


def unknown_campaigns(client: OriginClient, campaigns: Iterable[str]) -> dict[str, str]:
    """Those that no revision in force has, each with a hint.

    Raises
    ------
    OriginError
        The origin did not answer.
    BundleError
        What it sent is no manifest, or not what the manifest names.
    """
    rollout = client.rollout()
    served = set(rollout.pops.values()) if rollout else set()
    known = {name for number in served for name in _campaigns(client, number)}
    return {name: nearest(name, known) for name in campaigns if name not in known}


def _campaigns(client: OriginClient, number: int) -> tuple[str, ...]:
    payload = client.manifest(client.revision(number).manifests["rules"].sha256)
    manifest = fmt.decode_manifest(payload, "rules", client.site)
    artifact = next((one for one in manifest.artifacts if one.kind == "campaigns"), None)
    if artifact is None:
        raise BundleError("artifact-list", f"revision {number} has no campaigns")
    with TemporaryDirectory() as folder:
        path = Path(folder) / artifact.sha256
        client.get_artifact(artifact.sha256, path)
        check_artifact(path, artifact, verify=True)
        ids = Strings(unpack(path.read_bytes()), "ids")
        return tuple(ids.text(position) for position in range(len(ids)))

"""Makes a bundle folder of a revision that an origin holds; what is here already does not travel."""

import os
from pathlib import Path

from edge.bundle import format as fmt
from edge.bundle.format import Artifact
from edge.bundle.reader import Bundle, artifact_path, check_artifact
from origin.explain.rules_view import HEAVY
from origin.publishing.client import OriginClient


def download(
    client: OriginClient, number: int, folder: Path, *, near: Path | None = None, whole: bool = True
) -> Bundle:
    """Lay a revision's bundle down in a new folder.

    Parameters
    ----------
    near
        Another bundle folder on the same disk; artifacts that it holds are linked.
    whole
        With the models' graphs and arrays, which only decisions need.

    Raises
    ------
    OriginError
        There is no such revision, or the origin did not answer.
    BundleError
        What came is not what the revision names.
    """
    hashes = {role: manifest.sha256 for role, manifest in client.revision(number).manifests.items()}
    manifests = {}
    (folder / "artifacts").mkdir(parents=True)
    for role in fmt.ROLES:
        payload = client.manifest(hashes[role])
        (folder / f"{role}.manifest").write_bytes(payload)
        manifests[role] = fmt.decode_manifest(payload, role, client.site)
        for artifact in manifests[role].artifacts:
            if whole or artifact.kind not in HEAVY:
                _fetch(client, artifact, folder, near)
    return Bundle(folder, manifests, fmt.bundle_id(hashes))


def _fetch(client: OriginClient, artifact: Artifact, folder: Path, near: Path | None) -> None:
    path = artifact_path(folder, artifact.sha256)
    if path.exists():
        return
    source = artifact_path(near, artifact.sha256) if near else None
    if source and source.is_file():
        try:
            os.link(source, path)
        except OSError:  # another disk
            path.symlink_to(source.resolve())
    else:
        client.get_artifact(artifact.sha256, path)
    check_artifact(path, artifact, verify=True)

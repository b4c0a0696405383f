"""Publishes compiled bundles and changes what edges serve: what a person orders, as calls to the origin."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from edge.bundle import format as fmt
from edge.bundle.format import Artifact, Manifest
from edge.bundle.reader import Bundle, artifact_path, open_bundle
from edge.errors import ConfigError
from origin import signing
from origin.keys import PublisherKeys
from origin.publishing import rollout
from origin.publishing.client import OriginClient
from origin.publishing.rollout import Orderer
from origin.wire import RevisionEntry


@dataclass(frozen=True)
class Published:
    """A new revision: its number, the rollout's serial, and the artifacts' bytes on the wire and not."""

    number: int
    serial: int
    uploaded_bytes: int
    skipped_bytes: int


def publish(  # noqa: PLR0913 - each is a noun of its own
    bundle: Path, url: str, keys: PublisherKeys, author: str, reason: str, *, activate: bool = True
) -> Published:
    """Sign a bundle folder's manifests, upload what the origin lacks, and make a revision of it.

    Raises
    ------
    BundleError
        The folder is no whole bundle of the keys' site.
    ConfigError
        ``keys``: a manifest is new to the origin and there is no key for its role.
    OriginError
        The origin did not answer, or refused.
    """
    opened = open_bundle(bundle, keys.site)
    with OriginClient(url, keys) as client:
        uploaded, skipped = _upload(client, opened)
        hashes = {role: _sign(client, opened, role, keys) for role in fmt.ROLES}
        order = {"manifests": hashes, "author": author, "reason": reason, "activate": activate}
        numbers = client.post_revision(order)
    return Published(numbers.number, numbers.serial, uploaded, skipped)


def roll_back(url: str, keys: PublisherKeys, to: int, author: str, reason: str) -> int:
    """Let all PoPs serve revision `to`; returns the rollout's serial. Killed campaigns stay killed."""
    return rollout.to(Orderer(url, keys, author, reason), to).serial


def kill(url: str, keys: PublisherKeys, campaigns: Iterable[str], author: str, reason: str) -> int:
    """Switch campaigns off at all PoPs, now; returns the rollout's serial."""
    return rollout.kill(Orderer(url, keys, author, reason), campaigns)


def revive(url: str, keys: PublisherKeys, campaigns: Iterable[str], author: str, reason: str) -> int:
    """Take campaigns off the kill list; returns the rollout's serial."""
    return rollout.revive(Orderer(url, keys, author, reason), campaigns)


def list_revisions(url: str, keys: PublisherKeys) -> list[RevisionEntry]:
    """The newest revisions, newest first."""
    with OriginClient(url, keys) as client:
        return client.revisions()


def _upload(client: OriginClient, bundle: Bundle) -> tuple[int, int]:
    uploaded = skipped = 0
    for artifact in _artifacts(bundle.manifests.values()):
        if client.holds_artifact(artifact.sha256, artifact.size):
            skipped += artifact.size
        else:
            client.put_artifact(artifact.sha256, artifact_path(bundle.folder, artifact.sha256))
            uploaded += artifact.size
    return uploaded, skipped


def _artifacts(manifests: Iterable[Manifest]) -> list[Artifact]:
    """Each content once, whatever names it has."""
    return list({a.sha256: a for manifest in manifests for a in manifest.artifacts}.values())


def _sign(client: OriginClient, bundle: Bundle, role: str, keys: PublisherKeys) -> str:
    payload = (bundle.folder / f"{role}.manifest").read_bytes()
    sha256 = fmt.digest(payload)
    key = keys.sign.get(role)
    if key is not None:
        client.put_manifest(sha256, signing.sign(payload, role, key.id, key.raw()))
    elif not client.holds_manifest(sha256):
        raise ConfigError("keys", f"the {role} manifest is new, and these keys can't sign for {role!r}")
    return sha256

"""What the origin takes from a publisher: manifests of the right key, revisions that fit together."""

from edge.bundle import format as fmt
from edge.bundle.format import Manifest, ManifestRef, Signed
from edge.bundle.reader import check_interfaces
from edge.errors import BundleError
from origin import signing
from origin.keys import OriginKeys
from origin.refusal import RefusedError
from origin.store.artifacts import ArtifactFolder
from origin.store.values import StoredManifest


def accept_manifest(keys: OriginKeys, sha256: str, body: bytes) -> StoredManifest:
    """Check an encoded `Signed` manifest that somebody wants to publish.

    Raises
    ------
    RefusedError
        ``manifest-hash``: the payload is not what the address says.
        ``wrong-role``: signed by another role's key, or of artifacts that its
        role may not ship. ``signature``, and the codes of `decode_manifest`.
    """
    try:
        signed = fmt.decode(body, Signed, fmt.MAX_MANIFEST_BYTES + 4096)
        found = fmt.digest(signed.payload)
        if found != sha256:
            raise RefusedError(
                422, "manifest-hash", f"the payload's SHA-256 is {found[:12]}…, not {sha256[:12]}…"
            )
        role = fmt.decode(signed.payload, Manifest, fmt.MAX_MANIFEST_BYTES).role
        check_signature(keys, role, signed)
        fmt.decode_manifest(signed.payload, role, keys.site)
    except BundleError as error:
        raise refused(error) from error
    return StoredManifest(role, len(signed.payload), body)


def check_signature(keys: OriginKeys, role: str, signed: Signed) -> None:
    """Refuse what no key that is trusted for `role` has signed; say so when another role's key did."""
    if role not in fmt.ROLES:
        raise BundleError("wrong-role", f"there is no role {role!r}; roles are {', '.join(fmt.ROLES)}")
    try:
        signing.verify(signed, role, keys.trust[role])
    except BundleError:
        used = {signature.key for signature in signed.signatures}
        for other in fmt.ROLES:
            if other != role and used & {key.id for key in keys.trust[other]}:
                raise BundleError(
                    "wrong-role", f"a {role} manifest, signed with a key of the role {other!r}"
                ) from None
        raise


def accept_revision(
    keys: OriginKeys, stored: dict[str, tuple[str, StoredManifest]], artifacts: ArtifactFolder
) -> dict[str, ManifestRef]:
    """Check that three stored manifests, ``(hash, manifest)`` by role, make a bundle that an edge will take.

    Raises
    ------
    RefusedError
        ``wrong-role``, ``interface``, ``missing-artifacts``, ``signature`` (the
        key is trusted no more).
    """
    manifests = {}
    try:
        for role, (_, manifest) in stored.items():
            signed = fmt.decode(manifest.signed, Signed)
            check_signature(keys, role, signed)
            manifests[role] = fmt.decode_manifest(signed.payload, role, keys.site)
        check_interfaces(manifests)
    except BundleError as error:
        raise refused(error) from error
    missing = [a for m in manifests.values() for a in artifacts.missing(m.artifacts)]
    if missing:
        names = ", ".join(repr(a.name) for a in missing[:5])
        raise RefusedError(
            422,
            "missing-artifacts",
            f"{len(missing)} artifacts are not here: {names}",
            "upload them with PUT artifacts/{sha256}, then post the revision again",
            {"missing": [a.sha256 for a in missing]},
        )
    return {role: ManifestRef(sha256, manifest.size) for role, (sha256, manifest) in stored.items()}


_HINTS = {
    "wrong-role": "sign each manifest with the key of its own role",
    "foreign-site": "compile the workspace of this site, or publish to that site's origin",
    "signature": "sign with a key that origin.json trusts",
    "interface": "publish the manifests that were compiled together",
    "format": "compile with the version of Nearside that the origin runs",
}


def refused(error: BundleError) -> RefusedError:
    """A bundle's error as the answer to the one who published it."""
    message = str(error).removeprefix(f"{error.code}: ")
    return RefusedError(422, error.code, message, _HINTS.get(error.code, ""))

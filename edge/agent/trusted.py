"""What a rollout leads to, verified step by step; bytes in, documents out, no I/O."""

from dataclasses import dataclass
from typing import Final

from edge.agent.trust import Trust
from edge.bundle import format as fmt
from edge.bundle.format import Manifest, ManifestRef, Revision, Rollout, Signature
from edge.errors import BundleError

MAX_SIGNED_MANIFEST_BYTES: Final = fmt.MAX_MANIFEST_BYTES + (64 << 10)
MAX_ROLLOUT_BYTES: Final = 2 << 20
MAX_REVISION_BYTES: Final = 64 << 10


@dataclass(frozen=True)
class SignedManifest:
    """A verified manifest with the exact bytes that were signed."""

    manifest: Manifest
    payload: bytes
    signatures: tuple[Signature, ...]


class TrustedSet:
    """The verified documents of one site; a later one is judged by those before it.

    Attributes
    ----------
    rollout : Rollout or None
        The newest rollout taken.
    serial : int
        Rollouts below this serial are refused.
    """

    def __init__(self, trust: Trust, pop: str, serial: int = 0) -> None:
        self._trust = trust
        self._pop = pop
        self._payload = b""
        self.rollout: Rollout | None = None
        self.serial = serial

    @property
    def site(self) -> str:
        """The site whose documents are taken."""
        return self._trust.site

    @property
    def wanted(self) -> int:
        """The revision that the rollout names for this PoP; 0 for none."""
        return self.rollout.revision_for(self._pop) if self.rollout else 0

    def take_rollout(self, data: bytes) -> bool:
        """Verify a rollout; whether it is newer than the one held.

        Raises
        ------
        BundleError
            As `Trust.open`, or ``format``, ``foreign-site``, ``rollback``,
            ``rollout-conflict``, ``too-large``.
        """
        payload = self._trust.open(data, "online", MAX_ROLLOUT_BYTES).payload
        rollout = fmt.decode(payload, Rollout, MAX_ROLLOUT_BYTES)
        self._check_site("rollout", rollout)
        if len(rollout.kill) > fmt.MAX_KILLED:
            raise BundleError("too-large", f"rollout {rollout.serial} kills {len(rollout.kill)} campaigns")
        if rollout.serial < self.serial:
            raise BundleError("rollback", f"rollout {rollout.serial} after {self.serial} was taken")
        if self.rollout is not None and rollout.serial == self.serial:
            if payload != self._payload:
                raise BundleError("rollout-conflict", f"another rollout with serial {self.serial}")
            return False
        self.rollout, self.serial, self._payload = rollout, rollout.serial, payload
        return True

    def open_revision(self, data: bytes, number: int) -> Revision:
        """Verify the revision of this number.

        Raises
        ------
        BundleError
            As `Trust.open`, or ``format``, ``foreign-site``,
            ``wrong-revision``, ``manifest-list``.
        """
        payload = self._trust.open(data, "online", MAX_REVISION_BYTES).payload
        revision = fmt.decode(payload, Revision, MAX_REVISION_BYTES)
        self._check_site("revision", revision)
        if revision.number != number:
            raise BundleError("wrong-revision", f"revision {revision.number} in the place of {number}")
        if set(revision.manifests) != set(fmt.ROLES):
            raise BundleError("manifest-list", f"revision {number} does not name three manifests")
        if not all(fmt.is_digest(ref.sha256) for ref in revision.manifests.values()):
            raise BundleError("manifest-list", f"revision {number} names a manifest without a hash")
        return revision

    def open_manifest(self, data: bytes, role: str, ref: ManifestRef) -> SignedManifest:
        """Verify the manifest that a revision pins.

        Raises
        ------
        BundleError
            As `Trust.open` and `decode_manifest`, or ``manifest-size``,
            ``manifest-hash``.
        """
        signed = fmt.decode(data, fmt.Signed, MAX_SIGNED_MANIFEST_BYTES)
        if len(signed.payload) != ref.size:
            raise BundleError("manifest-size", f"{role}: {len(signed.payload)} bytes, not {ref.size}")
        if fmt.digest(signed.payload) != ref.sha256:
            raise BundleError("manifest-hash", f"{role}: not the manifest {ref.sha256[:12]}…")
        self._trust.verify(signed, role)
        manifest = fmt.decode_manifest(signed.payload, role, self._trust.site)
        return SignedManifest(manifest, signed.payload, signed.signatures)

    def _check_site(self, what: str, document: Rollout | Revision) -> None:
        if document.format != fmt.FORMAT:
            raise BundleError("format", f"{what} of format {document.format}; this edge reads {fmt.FORMAT}")
        if document.site != self._trust.site:
            raise BundleError("foreign-site", f"{what} for site {document.site!r}, not {self._trust.site!r}")

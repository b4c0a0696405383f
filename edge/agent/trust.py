"""Who may sign what: Ed25519 signatures by role, failing closed."""

from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from edge.bundle import format as fmt
from edge.bundle.format import Signed
from edge.errors import BundleError
from edge.keys import EdgeKeys, PublicKey

MAX_SIGNATURES: Final = 16


def signed_bytes(role: str, payload: bytes) -> bytes:
    """What a signature covers: a payload signed for one role is nothing in another."""
    return b"nearside:" + role.encode() + b"\0" + payload


class Trust:
    """The public keys of a site by role.

    Attributes
    ----------
    site : str
        The one site whose documents are taken.
    """

    def __init__(self, keys: EdgeKeys) -> None:
        self.site = keys.site
        self._keys = {role: _by_id(listed) for role, listed in keys.trust.items()}

    def open(self, data: bytes, role: str, limit: int = fmt.MAX_DOCUMENT_BYTES) -> Signed:
        """Read a signed document and verify it for the role.

        Raises
        ------
        BundleError
            ``too-large``, ``malformed``, or as `verify`.
        """
        signed = fmt.decode(data, Signed, limit)
        self.verify(signed, role)
        return signed

    def verify(self, signed: Signed, role: str) -> None:
        """Return when one trusted key of the role signed these bytes.

        Raises
        ------
        BundleError
            ``signature``: a trusted key's signature does not fit the bytes, or
            there is none; ``wrong-role``: only keys of other roles signed;
            ``unknown-key``: only keys signed that nobody trusts.
        """
        if not 0 < len(signed.signatures) <= MAX_SIGNATURES:
            raise BundleError("signature", f"{role}: {len(signed.signatures)} signatures")
        trusted = self._keys.get(role, {})
        ours = [s for s in signed.signatures if s.key in trusted]
        if not ours:
            self._refuse_keys([s.key for s in signed.signatures], role)
        message = signed_bytes(role, signed.payload)
        if not any(_fits(trusted[s.key], s.value, message) for s in ours):
            raise BundleError("signature", f"{role}: the signature of {ours[0].key!r} does not fit")

    def _refuse_keys(self, ids: list[str], role: str) -> None:
        for other, keys in self._keys.items():
            if any(key in keys for key in ids):
                raise BundleError("wrong-role", f"signed by a key for {other} in the place of {role}")
        raise BundleError("unknown-key", f"{role}: nobody trusts {', '.join(i[:40] for i in ids)}")


def _by_id(keys: tuple[PublicKey, ...]) -> Mapping[str, Ed25519PublicKey]:
    return {key.id: Ed25519PublicKey.from_public_bytes(key.raw()) for key in keys}


def _fits(key: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True

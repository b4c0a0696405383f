"""Ed25519 signatures by role; the one place where the origin signs and checks them."""

import base64
from collections.abc import Sequence

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from edge.agent.trust import MAX_SIGNATURES, signed_bytes
from edge.bundle import format as fmt
from edge.bundle.format import Signature, Signed
from edge.errors import BundleError
from edge.keys import PublicKey


def new_pair(role: str) -> tuple[str, bytes, PublicKey]:
    """A fresh key: its id, its private 32 bytes, and its public half."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    key_id = f"{role}-{fmt.digest(public)[:12]}"
    return key_id, private.private_bytes_raw(), PublicKey(key_id, base64.b64encode(public).decode())


def sign(payload: bytes, role: str, key_id: str, private: bytes) -> Signed:
    """The payload, signed for `role` with a private key of 32 bytes."""
    value = Ed25519PrivateKey.from_private_bytes(private).sign(signed_bytes(role, payload))
    return Signed(payload, (Signature(key_id, value),))


def is_valid(public: bytes, value: bytes, signed: bytes) -> bool:
    """Whether `value` is the signature of exactly these bytes by the owner of `public`."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(value, signed)
    except (InvalidSignature, ValueError):
        return False
    return True


def verify(signed: Signed, role: str, trusted: Sequence[PublicKey]) -> bytes:
    """The payload, once a trusted key is seen to have signed it for `role`.

    Raises
    ------
    BundleError
        ``signature``: no valid signature of a trusted key.
    """
    if len(signed.signatures) > MAX_SIGNATURES:
        raise BundleError("signature", f"more than {MAX_SIGNATURES} signatures")
    keys = {key.id: key for key in trusted}
    wanted = signed_bytes(role, signed.payload)
    for signature in signed.signatures:
        key = keys.get(signature.key)
        if key is not None and is_valid(key.raw(), signature.value, wanted):
            return signed.payload
    named = ", ".join(repr(s.key) for s in signed.signatures) or "nobody"
    raise BundleError("signature", f"signed by {named}; no valid signature of a key trusted for {role!r}")

"""The parameter by which a tester demands a variation: signed, so that no visitor can choose."""

import base64
import binascii
import hmac
from collections.abc import Sequence
from typing import Final

import msgspec

from edge.errors import TokenError

PARAMETER: Final = "nearside-force"
MAC_BYTES: Final = 16
MAX_FORCED_CHARS: Final = 512


class Forced(msgspec.Struct, frozen=True, array_like=True):
    """One experiment and the variation that is demanded of it, until a time."""

    experiment: str
    variation: str
    expires_s: int


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Forced)


class ForcedBox:
    """Signs and checks demands of a site's testers: HMAC-SHA-256 with the event key, cut to 128 bits.

    Parameters
    ----------
    keys
        ``(id, 32 bytes)``; the first signs, all are accepted.
    """

    def __init__(self, site: str, keys: Sequence[tuple[int, bytes]]) -> None:
        self._prefix = b"nearside:force\0" + site.encode() + b"\0"
        self.renew(keys)

    def renew(self, keys: Sequence[tuple[int, bytes]]) -> None:
        """Take other keys from now on."""
        self._keys = dict(keys)
        self._first = keys[0][0]

    def sign(self, forced: Forced) -> str:
        """The parameter's value, safe in a URL."""
        payload = bytes((self._first,)) + _encoder.encode(forced)
        mac = self._mac(self._keys[self._first], payload)
        return base64.urlsafe_b64encode(mac + payload).rstrip(b"=").decode()

    def open(self, value: str, now_s: int) -> Forced:
        """What is demanded.

        Raises
        ------
        TokenError
            ``force``: malformed, forged, or of another site; ``force-expired``.
        """
        if len(value) > MAX_FORCED_CHARS:
            raise TokenError("force", "too long")
        try:
            raw = base64.b64decode(value + "=" * (-len(value) % 4), b"-_", validate=True)
            mac, payload = raw[:MAC_BYTES], raw[MAC_BYTES:]
            key = self._keys[payload[0]]
        except (binascii.Error, ValueError, IndexError, KeyError) as error:
            raise TokenError("force", "malformed or of an unknown key") from error
        if not hmac.compare_digest(mac, self._mac(key, payload)):
            raise TokenError("force", "forged, or of another site")
        try:
            forced = _decoder.decode(payload[1:])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise TokenError("force", "of a form that this edge does not know") from error
        if forced.expires_s < now_s:
            raise TokenError("force-expired", "make a new one with `nearside force`")
        return forced

    def _mac(self, key: bytes, payload: bytes) -> bytes:
        return hmac.digest(key, self._prefix + payload, "sha256")[:MAC_BYTES]

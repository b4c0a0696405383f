"""The token of a form on the visitor's own page: who posts it was given the page that it is on."""

import base64
import binascii
import hmac
import struct
from collections.abc import Sequence
from typing import Final

from edge.errors import TokenError

MAC_BYTES: Final = 16
LIFETIME_S: Final = 4 * 3600
MAX_TOKEN_CHARS: Final = 64
_HEAD: Final = struct.Struct("<BI")


class FormBox:
    """Signs and checks: HMAC-SHA-256, cut to 128 bits, over the site, whose form it is, and its end.

    Parameters
    ----------
    keys
        ``(id, 32 bytes)``; the first signs, all are accepted.
    """

    def __init__(self, site: str, keys: Sequence[tuple[int, bytes]]) -> None:
        self._prefix = b"nearside:form\0" + site.encode() + b"\0"
        self.renew(keys)

    def renew(self, keys: Sequence[tuple[int, bytes]]) -> None:
        """Take other keys from now on."""
        self._keys = dict(keys)
        self._first = keys[0][0]

    def sign(self, whose: bytes, now_s: int) -> str:
        """The token of a form for that visitor, good for `LIFETIME_S`."""
        head = _HEAD.pack(self._first, now_s + LIFETIME_S)
        mac = self._mac(self._keys[self._first], head, whose)
        return base64.urlsafe_b64encode(head + mac).rstrip(b"=").decode()

    def check(self, token: str, whose: bytes, now_s: int) -> None:
        """See that the form is that visitor's.

        Raises
        ------
        TokenError
            ``form``: malformed, forged, or another visitor's; ``form-expired``.
        """
        if len(token) > MAX_TOKEN_CHARS:
            raise TokenError("form", "too long")
        try:
            raw = base64.b64decode(token.encode() + b"=" * (-len(token) % 4), b"-_", validate=True)
            number, expires_s = _HEAD.unpack_from(raw)
            key = self._keys[number]
        except (binascii.Error, ValueError, struct.error, KeyError) as error:
            raise TokenError("form", "malformed or of an unknown key") from error
        if not hmac.compare_digest(raw[_HEAD.size :], self._mac(key, raw[: _HEAD.size], whose)):
            raise TokenError("form", "forged, or of another visitor")
        if expires_s < now_s:
            raise TokenError("form-expired", "the page is too old")

    def _mac(self, key: bytes, head: bytes, whose: bytes) -> bytes:
        return hmac.digest(key, self._prefix + head + whose, "sha256")[:MAC_BYTES]

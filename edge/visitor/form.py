"""The token of a form on the visitor's own page: who posts it was given the page that it is on."""

import base64
import binascii
import struct
from collections.abc import Sequence
from typing import Final

from edge.errors import TokenError
from edge.macs import Macs

LIFETIME_S: Final = 4 * 3600
MAX_TOKEN_CHARS: Final = 64
_HEAD: Final = struct.Struct("<BI")


class FormBox:
    """Signs and checks whose form it is, and when that ends, with keys as `Macs` takes them."""

    def __init__(self, site: str, keys: Sequence[tuple[int, bytes]]) -> None:
        self._macs = Macs(b"form", site, keys)
        self.renew = self._macs.renew

    def sign(self, whose: bytes, now_s: int) -> str:
        """The token of a form for that visitor, good for `LIFETIME_S`."""
        head = _HEAD.pack(self._macs.first, now_s + LIFETIME_S)
        return base64.urlsafe_b64encode(head + self._macs.sign(head + whose)).rstrip(b"=").decode()

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
        except (binascii.Error, ValueError, struct.error) as error:
            raise TokenError("form", "malformed") from error
        if not self._macs.holds(raw[_HEAD.size :], raw[: _HEAD.size] + whose, number):
            raise TokenError("form", "forged, of an unknown key, or of another visitor")
        if expires_s < now_s:
            raise TokenError("form-expired", "the page is too old")

"""The parameter by which a tester demands a variation: signed, so that no visitor can choose."""

import base64
import binascii
from collections.abc import Sequence
from typing import Final

import msgspec

from edge.errors import TokenError
from edge.macs import MAC_BYTES, Macs

PARAMETER: Final = "nearside-force"
MAX_FORCED_CHARS: Final = 512


class Forced(msgspec.Struct, frozen=True, array_like=True):
    """One experiment and the variation that is demanded of it, until a time."""

    experiment: str
    variation: str
    expires_s: int


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Forced)


class ForcedBox:
    """Signs and checks demands of a site's testers by the event key, with keys as `Macs` takes them."""

    def __init__(self, site: str, keys: Sequence[tuple[int, bytes]]) -> None:
        self._macs = Macs(b"force", site, keys)
        self.renew = self._macs.renew

    def sign(self, forced: Forced) -> str:
        """The parameter's value, safe in a URL."""
        payload = bytes((self._macs.first,)) + _encoder.encode(forced)
        return base64.urlsafe_b64encode(self._macs.sign(payload) + payload).rstrip(b"=").decode()

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
            number = payload[0]
        except (binascii.Error, ValueError, IndexError) as error:
            raise TokenError("force", "malformed") from error
        if not self._macs.holds(mac, payload, number):
            raise TokenError("force", "forged, of an unknown key, or of another site")
        try:
            forced = _decoder.decode(payload[1:])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise TokenError("force", "of a form that this edge does not know") from error
        if forced.expires_s < now_s:
            raise TokenError("force-expired", "make a new one with `nearside force`")
        return forced

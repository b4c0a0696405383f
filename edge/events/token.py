"""The page token: what a page may report, so that nobody can make up events."""

import base64
import binascii
from collections.abc import Container, Sequence
from typing import Final

import msgspec

from edge.decide.types import Slot
from edge.errors import TokenError
from edge.macs import MAC_BYTES, Macs

MAX_TOKEN_BYTES: Final = 4096


class Shown(msgspec.Struct, frozen=True, array_like=True):
    """What one page showed: enough to check an event, nothing to learn from.

    `slots` lists, by placement, the item ids that it showed; for a content,
    the content's id. `capped` has the campaign of each placement whose
    campaign is counted. `tier` is the consent under which a page was made;
    empty where an app asked, which answers for that itself.
    """

    decision: str
    expires_s: int
    slots: tuple[tuple[str, tuple[str, ...]], ...]
    capped: tuple[tuple[str, str], ...] = ()
    tier: str = ""

    def allows(self, placement: str, item: str) -> bool:
        """Whether the page showed this item in this placement."""
        return item in self.items(placement)

    def items(self, placement: str) -> tuple[str, ...]:
        """What the page showed there; nothing where the site's default stayed."""
        return next((items for name, items in self.slots if name == placement), ())

    def campaign(self, placement: str) -> str:
        """The campaign there, if it is counted, or empty."""
        return next((campaign for name, campaign in self.capped if name == placement), "")


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Shown)


class TokenBox:
    """Signs and checks page tokens of a site, with keys as `Macs` takes them."""

    def __init__(self, site: str, keys: Sequence[tuple[int, bytes]]) -> None:
        self._macs = Macs(b"token", site, keys)
        self.renew = self._macs.renew

    def sign(
        self,
        decision: str,
        expires_s: int,
        slots: Sequence[Slot],
        counted: Container[str] = (),
        *,
        tier: str = "",
    ) -> bytes:
        """The token of a page, safe inside an attribute; `counted` are the campaigns that have a cap."""
        shown = tuple(
            [(slot.placement, slot.items or (slot.content,)) for slot in slots if slot.content or slot.items]
        )
        capped = tuple([(s.placement, s.policy) for s in slots if s.policy in counted]) if counted else ()
        payload = bytes((self._macs.first,)) + _encoder.encode(
            Shown(decision, expires_s, shown, capped, tier)
        )
        return base64.urlsafe_b64encode(self._macs.sign(payload) + payload)

    def open(self, token: bytes, now_s: int) -> Shown:
        """What the page of this token showed.

        Raises
        ------
        TokenError
            ``token``: malformed, forged, or of another site; ``token-expired``.
        """
        if len(token) > MAX_TOKEN_BYTES:
            raise TokenError("token", "too long")
        try:
            raw = base64.b64decode(token, b"-_", validate=True)
            mac, payload = raw[:MAC_BYTES], raw[MAC_BYTES:]
            number = payload[0]
        except (binascii.Error, IndexError) as error:
            raise TokenError("token", "malformed") from error
        if not self._macs.holds(mac, payload, number):
            raise TokenError("token", "forged, of an unknown key, or of another site")
        try:
            shown = _decoder.decode(payload[1:])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            # Ours, but of another version.
            raise TokenError("token", "of a form that this edge does not know") from error
        if shown.expires_s < now_s:
            raise TokenError("token-expired", "the page is too old to report")
        return shown

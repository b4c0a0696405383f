"""Whom to believe about where a visitor is: trusted fronts, else a file of addresses."""

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Final

from edge.macs import Macs
from edge.rules.network import Network, is_within
from edge.worker.attributes.geofile import GeoFile
from edge.worker.attributes.request import Request

SIGNATURE: Final = b"x-nearside-front"
SIGNED: Final = (
    b"x-nearside-address",
    b"x-nearside-city",
    b"x-nearside-country",
    b"x-nearside-region",
    b"x-nearside-timezone",
)
"""What a front's signature vouches for: where the visitor is, and nothing else of the request."""

SIGNATURE_LIFETIME_S: Final = 300
MAX_SIGNATURE_BYTES: Final = 64
MAX_ADDRESS_BYTES: Final = 64
_MAX_REMEMBERED: Final = 4096

ADDRESSES: Final[Mapping[str, bytes]] = {
    "akamai": b"true-client-ip",
    "cloudflare": b"cf-connecting-ip",
    "cloudfront": b"cloudfront-viewer-address",
    "fastly": b"fastly-client-ip",
    "nearside": b"x-nearside-address",
    "vercel": b"x-vercel-forwarded-for",
}
"""The header by which each front names the visitor's address."""

_NOWHERE: Final[Mapping[str, str]] = {}


class Locator:
    """What a request says of a place counts if its peer is in a trusted network, or if a front signed it.

    Parameters
    ----------
    networks
        Of the fronts.
    keys
        Of those who may sign, as `Macs` takes them.
    file
        Where addresses are, for requests whose front says nothing.
    """

    def __init__(
        self,
        networks: Iterable[Network] = (),
        site: str = "",
        keys: Sequence[tuple[int, bytes]] = (),
        file: GeoFile | None = None,
    ) -> None:
        self._networks = tuple(networks)
        self._macs = Macs(b"front", site, keys)
        self.renew = self._macs.renew
        self.file = file
        self._is_front = lru_cache(_MAX_REMEMBERED)(self._in_networks)

    def trusts(self, request: Request) -> bool:
        """Whether a front of ours stands behind what the request says of the visitor's place."""
        return self._is_front(request.peer) or (SIGNATURE in request.headers and self._is_signed(request))

    def place(self, request: Request, front: str) -> Mapping[str, str]:
        """What the file says of the visitor's address; nothing where there is none."""
        if self.file is None:
            return _NOWHERE
        return self.file.place(self.address(request, front))

    def address(self, request: Request, front: str) -> str:
        """The visitor's address: the front's word for it where it is trusted, else that of the peer."""
        if not self.trusts(request):
            return request.peer
        if stated := request.headers.get(ADDRESSES.get(front, b"")):
            return _bare(stated[:MAX_ADDRESS_BYTES].decode("latin-1"))
        # Each hop appends whom it heard; what stands before the last of ours may be invented.
        hops = request.headers.get(b"x-forwarded-for", b"").decode("latin-1").split(",")
        for hop in reversed([_bare(hop) for hop in hops if hop.strip()]):
            if not self._is_front(hop):
                return hop
        return request.peer

    def _in_networks(self, peer: str) -> bool:
        return is_within(peer, self._networks)

    def _is_signed(self, request: Request) -> bool:
        signature = request.headers[SIGNATURE]
        if len(signature) > MAX_SIGNATURE_BYTES or not self._macs:
            return False
        number, _, rest = signature.partition(b".")
        stated, _, mac = rest.partition(b".")
        if not (number.isdigit() and stated.isdigit()):
            return False
        if abs(request.now_ms // 1000 - int(stated)) > SIGNATURE_LIFETIME_S:
            return False
        try:
            given = base64.b64decode(mac + b"=" * (-len(mac) % 4), b"-_", validate=True)
        except (binascii.Error, ValueError):
            return False
        return self._macs.holds(given, _signed(int(stated), request.headers), int(number))

    def sign(self, headers: Mapping[bytes, bytes], now_s: int) -> bytes:
        """The signature of a front, by the first key, over those of `SIGNED` that it sends."""
        mac = base64.urlsafe_b64encode(self._macs.sign(_signed(now_s, headers))).rstrip(b"=")
        return b"%d.%d.%s" % (self._macs.first, now_s, mac)


def _signed(now_s: int, headers: Mapping[bytes, bytes]) -> bytes:
    """What a front signs."""
    return b"\0".join([b"%d" % now_s, *[headers.get(name, b"") for name in SIGNED]])


def _bare(address: str) -> str:
    """An address without its port: ``192.0.2.1:4711``, ``[2001:db8::1]:4711``."""
    address = address.strip()
    if address.startswith("["):
        return address[1:].partition("]")[0]
    if address.count(":") == 1:
        return address.partition(":")[0]
    # CloudFront writes all eight groups before the port.
    shorter = address.rpartition(":")[0]
    return shorter if address.count(":") == 8 and "::" not in address else address


NOBODY: Final = Locator()
"""Believes no header, and has no file."""

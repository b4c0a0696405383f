"""Where a visitor is, as a trusted front says it in headers of its own, or a file by their address."""

from typing import Final
from urllib.parse import unquote_to_bytes

from edge.errors import BundleError
from edge.worker.attributes.locator import Locator
from edge.worker.attributes.request import Request

MAX_PLACE_BYTES: Final = 256

EDGESCAPE: Final = b"x-akamai-edgescape"
_EDGESCAPE_KEYS: Final = {
    "geo.country": b"country_code",
    "geo.region": b"region_code",
    "geo.city": b"city",
    "geo.timezone": b"timezone",
}
MAX_EDGESCAPE_BYTES: Final = 1024

FRONTS: Final[dict[str, dict[str, bytes]]] = {
    "akamai": dict.fromkeys(_EDGESCAPE_KEYS, EDGESCAPE),
    "cloudflare": {
        "geo.country": b"cf-ipcountry",
        "geo.region": b"cf-region-code",
        "geo.city": b"cf-ipcity",
        "geo.timezone": b"cf-timezone",
    },
    "cloudfront": {
        "geo.country": b"cloudfront-viewer-country",
        "geo.region": b"cloudfront-viewer-country-region",
        "geo.city": b"cloudfront-viewer-city",
        "geo.timezone": b"cloudfront-viewer-time-zone",
    },
    "vercel": {
        "geo.country": b"x-vercel-ip-country",
        "geo.region": b"x-vercel-ip-country-region",
        "geo.city": b"x-vercel-ip-city",
        "geo.timezone": b"x-vercel-ip-timezone",
    },
    # Fastly has no headers of its own: these are set in VCL, from client.geo.country_code and so on.
    "fastly": {
        "geo.country": b"fastly-geo-country",
        "geo.region": b"fastly-geo-region",
        "geo.city": b"fastly-geo-city",
        "geo.timezone": b"fastly-geo-timezone",
    },
    "nearside": {
        "geo.country": b"x-nearside-country",
        "geo.region": b"x-nearside-region",
        "geo.city": b"x-nearside-city",
        "geo.timezone": b"x-nearside-timezone",
    },
}
"""The headers of each front by attribute; Akamai has one header for all."""

BY_ADDRESS: Final = "address"
"""In the place of a front's name: none says where visitors are, a file of the edge's does."""

NO_FRONT: Final = "none"
"""In the place of a front's name: the site did not say which one it has."""

# Unknown, and the Tor network: no countries.
_NO_COUNTRIES: Final = frozenset(("XX", "T1", "ZZ"))


class Place:
    """Reads one ``geo.*`` attribute: what a trusted front says, else what a file says of the address."""

    def __init__(self, front: str, attribute: str, locator: Locator) -> None:
        self._front, self._attribute, self._locator = front, attribute, locator
        self._header = b""
        if front not in (NO_FRONT, BY_ADDRESS):
            try:
                self._header = FRONTS[front][attribute]
            except KeyError as error:
                what = f"this edge can't read {attribute!r} from the front {front!r}"
                raise BundleError("attribute", what) from error
        self._is_silent = front == NO_FRONT

    def __call__(self, request: Request) -> str | None:
        """The value for a request."""
        if self._is_silent:
            return None
        locator = self._locator
        if self._header in request.headers and locator.trusts(request):
            return self._stated(request.headers[self._header])
        if locator.file is None:
            return None
        found = locator.place(request, self._front).get(self._attribute)
        return found if found is None or len(found) <= MAX_PLACE_BYTES else None

    def _stated(self, value: bytes) -> str | None:
        if self._header == EDGESCAPE:
            value = _of_edgescape(value, _EDGESCAPE_KEYS[self._attribute])
        if not value or len(value) > MAX_PLACE_BYTES:
            return None
        if self._attribute == "geo.country":
            country = value.decode("latin-1").upper()
            return country if len(country) == 2 and country not in _NO_COUNTRIES else None
        return place_name(value)


def _of_edgescape(header: bytes, key: bytes) -> bytes:
    """One value of Akamai's header: ``georegion=246,country_code=US,region_code=CA,city=LOSANGELES``."""
    if len(header) > MAX_EDGESCAPE_BYTES:
        return b""
    for part in header.split(b","):
        name, _, value = part.strip().partition(b"=")
        if name == key:
            return value
    return b""


def place_name(value: bytes) -> str:
    """A name as fronts write it: UTF-8, percent-encoded or not; Latin-1 where it is neither."""
    if b"%" in value:
        value = unquote_to_bytes(value)
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")

"""Where a visitor is, as the front says it in headers of its own."""

from typing import Final
from urllib.parse import unquote_to_bytes

from edge.errors import BundleError
from edge.worker.request import Request

MAX_PLACE_BYTES: Final = 256

FRONTS: Final[dict[str, dict[str, bytes]]] = {
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
"""The headers of each front by attribute. Whoever reaches the edge past the front can write them too."""

NO_FRONT: Final = "none"
"""In the place of a front's name: the site did not say which one it has."""

# Unknown, and the Tor network: no countries.
_NO_COUNTRIES: Final = frozenset(("XX", "T1", "ZZ"))


class Place:
    """Reads one ``geo.*`` attribute from what a front says; missing where it says nothing."""

    def __init__(self, front: str, attribute: str) -> None:
        if front == NO_FRONT:
            self._header = b""
        else:
            try:
                self._header = FRONTS[front][attribute]
            except KeyError as error:
                what = f"this edge can't read {attribute!r} from the front {front!r}"
                raise BundleError("attribute", what) from error
        self._is_country = attribute == "geo.country"

    def __call__(self, request: Request) -> str | None:
        """The value in a request."""
        value = request.headers.get(self._header)
        if not value or len(value) > MAX_PLACE_BYTES:
            return None
        if self._is_country:
            country = value.decode("latin-1").upper()
            return country if len(country) == 2 and country not in _NO_COUNTRIES else None
        return place_name(value)


def place_name(value: bytes) -> str:
    """A name as fronts write it: UTF-8, percent-encoded or not; Latin-1 where it is neither."""
    if b"%" in value:
        value = unquote_to_bytes(value)
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")

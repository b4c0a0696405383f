"""Who is believed about where a visitor is: fronts by network or signature, else a file of addresses."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from edge.errors import ConfigError
from edge.worker.attributes.geofile import GeoFile
from edge.worker.attributes.locator import SIGNATURE, SIGNATURE_LIFETIME_S, Locator
from edge.worker.attributes.place import BY_ADDRESS, FRONTS, NO_FRONT, Place
from edge.worker.attributes.request import Request
from edge.worker.counters import Counters

NOW_S = 1_780_000_000
KEY, OTHER_KEY = b"k" * 32, b"o" * 32
INSIDE = Locator((ip_network("10.0.0.0/8"), ip_network("2001:db8::/32")))
BERLIN = {b"x-nearside-country": b"DE", b"x-nearside-city": b"Berlin", b"x-nearside-address": b"192.0.2.9"}


def _asked(headers: dict[bytes, bytes], peer: str = "203.0.113.5", now_s: int = NOW_S) -> Request:
    request = Request("/", b"", headers, peer)
    request.now_ms = now_s * 1000
    return request


def _country(locator: Locator, request: Request, front: str = "nearside") -> str | None:
    return Place(front, "geo.country", locator)(request)


@pytest.mark.parametrize(
    ("peer", "country"),
    [
        ("10.1.2.3", "DE"),
        ("::ffff:10.1.2.3", "DE"),
        ("2001:db8::7", "DE"),
        ("11.1.2.3", None),
        ("2001:db9::7", None),
        ("", None),
        ("no address", None),
    ],
)
def test_a_front_is_known_by_its_network(peer: str, country: str | None) -> None:
    assert _country(INSIDE, _asked(BERLIN, peer)) == country


def _signed(headers: dict[bytes, bytes], at_s: int = NOW_S, key: bytes = KEY, site: str = "films") -> Request:
    return _asked({**headers, SIGNATURE: Locator((), site, [(3, key)]).sign(headers, at_s)})


def test_a_front_is_known_by_its_signature() -> None:
    locator = Locator((), "films", [(4, OTHER_KEY), (3, KEY)])
    assert _country(locator, _signed(BERLIN)) == "DE"
    assert locator.address(_signed(BERLIN), "nearside") == "192.0.2.9"


@pytest.mark.parametrize(
    "request_",
    [
        _signed(BERLIN, key=OTHER_KEY),
        _signed(BERLIN, site="books"),
        _signed(BERLIN, NOW_S - SIGNATURE_LIFETIME_S - 1),
        _signed(BERLIN, NOW_S + SIGNATURE_LIFETIME_S + 1),
        _asked({**_signed(BERLIN).headers, b"x-nearside-country": b"US"}),
        _asked({**BERLIN, SIGNATURE: b""}),
        _asked({**BERLIN, SIGNATURE: b"3"}),
        _asked({**BERLIN, SIGNATURE: b"x.y.z"}),
        _asked({**BERLIN, SIGNATURE: b"3.%d." % NOW_S}),
        _asked({**BERLIN, SIGNATURE: b"3.%d.!!" % NOW_S}),
        _asked({**BERLIN, SIGNATURE: b"3." + b"9" * 40 + b".AA"}),
        _asked({**BERLIN, SIGNATURE: b"3." + b"9" * 10_000}),
        _asked({**BERLIN, SIGNATURE: "²".encode("latin-1") + b".%d.AA" % NOW_S}),
    ],
)
def test_a_wrong_signature_is_worth_nothing(request_: Request) -> None:
    locator = Locator((), "films", [(3, KEY)])
    assert _country(locator, request_) is None
    assert locator.address(request_, "nearside") == "203.0.113.5"


@pytest.mark.parametrize("front", FRONTS)
def test_every_front_is_believed_from_its_network_alone(front: str) -> None:
    header = FRONTS[front]["geo.country"]
    said = {header: b"georegion=246,country_code=AT,city=WIEN" if front == "akamai" else b"AT"}
    assert _country(INSIDE, _asked(said, "10.0.0.1"), front) == "AT"
    assert _country(INSIDE, _asked(said), front) is None


def test_what_akamai_says_in_one_header() -> None:
    said = b"georegion=288,country_code=US, region_code=CA,city=LOSANGELES,timezone=PST,long=-118.24"
    request = _asked({b"x-akamai-edgescape": said}, "10.0.0.1")
    found = {name: Place("akamai", name, INSIDE)(request) for name in FRONTS["akamai"]}
    assert found == {
        "geo.country": "US",
        "geo.region": "CA",
        "geo.city": "LOSANGELES",
        "geo.timezone": "PST",
    }
    request.headers[b"x-akamai-edgescape"] = said * 100
    assert Place("akamai", "geo.country", INSIDE)(request) is None


@pytest.mark.parametrize(
    ("front", "headers", "address"),
    [
        ("cloudflare", {b"cf-connecting-ip": b"192.0.2.1"}, "192.0.2.1"),
        ("cloudfront", {b"cloudfront-viewer-address": b"192.0.2.1:4711"}, "192.0.2.1"),
        ("cloudfront", {b"cloudfront-viewer-address": b"2001:db8:1:2:3:4:5:6:4711"}, "2001:db8:1:2:3:4:5:6"),
        ("akamai", {b"true-client-ip": b"2001:db8::1"}, "2001:db8::1"),
        ("nearside", {b"x-nearside-address": b"[2001:db8::1]:80"}, "2001:db8::1"),
        (BY_ADDRESS, {b"x-forwarded-for": b"9.9.9.9, 192.0.2.1, 10.0.0.2"}, "192.0.2.1"),
        (BY_ADDRESS, {b"x-forwarded-for": b" , "}, "10.0.0.1"),
        ("cloudflare", {}, "10.0.0.1"),
    ],
)
def test_the_visitors_address(front: str, headers: dict[bytes, bytes], address: str) -> None:
    assert INSIDE.address(_asked(headers, "10.0.0.1"), front) == address
    assert INSIDE.address(_asked(headers), front) == "203.0.113.5"


@pytest.fixture(scope="module")
def maxmind(data_dir: Path) -> Path:
    return data_dir / "maxmind"


def _file(path: Path) -> GeoFile:
    return GeoFile(path, Counters())


def test_a_file_tells_where_an_address_is(maxmind: Path) -> None:
    locator = Locator((), file=_file(maxmind / "test-data/GeoIP2-City-Test.mmdb"))
    request = _asked(BERLIN, "2.125.160.216")  # the header is a visitor's own, and worth nothing
    found = {name: Place("nearside", name, locator)(request) for name in FRONTS["nearside"]}
    assert found == {
        "geo.country": "GB",
        "geo.region": "ENG",
        "geo.city": "Boxford",
        "geo.timezone": "Europe/London",
    }
    assert Place(BY_ADDRESS, "geo.city", locator)(_asked({}, "89.160.20.112")) == "Linköping"
    assert Place(NO_FRONT, "geo.city", locator)(request) is None
    for nowhere in ("127.0.0.1", "", "no address", "1" * 200, "::"):
        assert Place(BY_ADDRESS, "geo.country", locator)(_asked({}, nowhere)) is None


def test_a_trusted_front_is_believed_before_the_file(maxmind: Path) -> None:
    file = _file(maxmind / "test-data/GeoIP2-Country-Test.mmdb")
    locator = Locator((ip_network("2.125.160.0/24"),), file=file)
    assert _country(locator, _asked(BERLIN, "2.125.160.216")) == "DE"
    assert _country(locator, _asked({}, "2.125.160.216")) == "GB"
    stated = {b"x-nearside-address": b"81.2.69.160"}
    assert Place("nearside", "geo.country", locator)(_asked(stated, "2.125.160.216")) == "GB"


def test_broken_files_are_refused_or_tell_nothing(maxmind: Path) -> None:
    files = [*(maxmind / "bad-data").rglob("*.mmdb"), *(maxmind / "test-data").glob("*[Bb]roken*.mmdb")]
    assert len(files) >= 20
    refused = 0
    for path in files:
        try:
            file = _file(path)
        except ConfigError as error:
            assert error.code == "geo"
            assert path.name in str(error)
            refused += 1
            continue
        for address in ("1.1.1.1", "2.125.160.216", "81.2.69.160", "2001:218::", "::1"):
            assert all(isinstance(value, str) for value in file.place(address).values())
    assert refused >= len(files) // 2


def test_a_damaged_record_is_counted(maxmind: Path) -> None:
    counters = Counters()
    file = GeoFile(maxmind / "test-data/GeoIP2-City-Test-Broken-Double-Format.mmdb", counters)
    assert file.place("2001:220::") == {}
    assert counters.snapshot()["nearside_geo_errors_total"] == 1


def test_other_databases_and_files_are_refused(maxmind: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a GeoLite2-ASN: give a City or Country database"):
        _file(maxmind / "test-data/GeoLite2-ASN-Test.mmdb")
    with pytest.raises(ConfigError, match=r"nowhere\.mmdb"):
        _file(tmp_path / "nowhere.mmdb")
    (tmp_path / "text.mmdb").write_text("no database")
    with pytest.raises(ConfigError, match="is no MaxMind database"):
        _file(tmp_path / "text.mmdb")

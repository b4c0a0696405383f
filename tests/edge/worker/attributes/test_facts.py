"""Attributes: each from where it is declared, of its type, or missing; never an error of a request."""

import math
from datetime import datetime
from ipaddress import ip_network
from typing import Any
from urllib.parse import parse_qsl, quote_plus
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bundle.format import Attribute, RulesSchema
from edge.decide.types import CONSENT_TIERS
from edge.errors import BundleError
from edge.visitor.state import VisitorState
from edge.worker.attributes.builtin import BUILTIN, clock_readers
from edge.worker.attributes.clock import local_time
from edge.worker.attributes.facts import MAX_QUERY_FIELDS, MAX_TEXT_CHARS, AttributeReader, Request
from edge.worker.attributes.locator import Locator

IPHONE = b"Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605 Mobile/15E Safari"
PIXEL = b"Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36"
TAB = b"Mozilla/5.0 (Linux; Android 13; SM-X900) AppleWebKit/537.36 Chrome/120.0 Safari/537.36"
IPAD = b"Mozilla/5.0 (iPad; CPU OS 16_0 like Mac OS X) AppleWebKit/605 Version/16.0 Mobile/15E Safari"
FIREFOX = b"Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0"


HEADERS = (
    b"user-agent", b"accept-language", b"sec-ch-ua", b"sec-ch-ua-mobile", b"sec-ch-ua-platform", b"referer",
    b"host", b"downlink", b"ect", b"save-data",
)  # fmt: skip


def read(source: str, type_: str = "string", name: str = "x", **request: Any) -> Any:
    """The one attribute of a request; None where it is missing."""
    asked = Request(
        request.get("path", "/"), request.get("query", b""), request.get("headers", {}), "192.0.2.1"
    )
    asked.now_ms, asked.tier = request.get("now_ms", 0), request.get("tier", "contextual")
    asked.state = asked.before = request.get("state", VisitorState())
    schema = RulesSchema((Attribute(name, type_, source),), (), ())
    believing = Locator((ip_network("192.0.2.0/24"),))
    return AttributeReader(schema, (name,), locator=believing).attributes(asked).get(name)


def builtin(name: str, **request: Any) -> Any:
    return read("builtin", name=name, **request)


@pytest.mark.parametrize(
    ("headers", "device"),
    [
        ({}, "desktop"),
        ({b"user-agent": FIREFOX}, "desktop"),
        ({b"user-agent": IPHONE}, "mobile"),
        ({b"user-agent": PIXEL}, "mobile"),
        ({b"user-agent": TAB}, "tablet"),
        ({b"user-agent": IPAD}, "tablet"),
        ({b"user-agent": FIREFOX, b"sec-ch-ua-mobile": b"?1"}, "mobile"),
        ({b"user-agent": FIREFOX, b"sec-ch-ua-mobile": b"?0"}, "desktop"),
        ({b"user-agent": b"\xff" * 100_000 + b"iPhone"}, "desktop"),
        ({b"user-agent": b""}, "desktop"),
    ],
)
def test_the_device(headers: dict[bytes, bytes], device: str) -> None:
    assert builtin("device.type", headers=headers) == device


@pytest.mark.parametrize(
    ("accept", "language"),
    [
        (b"de-AT,de;q=0.9,en", "de"),
        (b"EN", "en"),
        (b"fr;q=0.5", "fr"),
        (b"zh-Hant-TW", "zh"),
        (b"*", None),
        (b"", None),
        (b",de", None),
        (b" pt-BR", "pt"),
    ],
)
def test_the_language(accept: bytes, language: str | None) -> None:
    assert builtin("language", headers={b"accept-language": accept}) == language
    assert builtin("language") is None


def test_time_is_utc() -> None:
    monday = 1_760_313_600_000  # 2025-10-13T00:00:00Z
    assert builtin("time.weekday", now_ms=monday) == 1
    assert builtin("time.weekday", now_ms=monday - 1) == 7
    assert builtin("time.hour", now_ms=monday) == 0
    assert builtin("time.hour", now_ms=monday - 1) == 23
    assert builtin("time.now", now_ms=monday) == monday


def test_what_is_known_of_the_visitor_needs_consent() -> None:
    state = VisitorState(visits=3, items=("a", "b"))
    for tier in CONSENT_TIERS:
        known = tier in ("session", "full")
        found = [builtin(f"visitor.{name}", tier=tier, state=state) for name in ("visits", "items", "new")]
        assert found == ([3, 2, False] if known else [None, None, None])
        assert builtin("consent.tier", tier=tier) == tier
    assert builtin("visitor.new", tier="full", state=VisitorState(visits=1)) is True


def test_the_path() -> None:
    assert builtin("url.path", path="/film/ä") == "/film/ä"
    assert builtin("url.path", path="/" * (MAX_TEXT_CHARS + 1)) is None


def test_every_builtin_attribute_has_a_test_of_hostile_requests() -> None:
    for hostile in (b"", b"\x00\xff", b"http://[", b"%", b"\xff" * 100_000, b"1" * 100_000, b"nan", b"[::1"):
        headers = dict.fromkeys(HEADERS, hostile)
        for name in {**BUILTIN, **clock_readers(None)}:
            value = builtin(name, headers=headers, path="\x00\ufffd", tier="full", now_ms=2**60)
            assert not isinstance(value, str) or len(value) <= MAX_TEXT_CHARS, name
            assert not isinstance(value, float) or math.isfinite(value), name


@pytest.mark.parametrize(
    "name", [None, "", "Nowhere/Nothing", "Europe", "../etc/passwd", "/etc/passwd", "a" * 999, "\x00"]
)
def test_where_the_time_zone_is_unknown_time_is_utc(name: str | None) -> None:
    assert local_time(1_782_945_000_000, name) == (22, 3, "2026-07-01")
    assert local_time(2**60, name) == local_time(2**61, name)


@given(
    st.integers(0, 4_000_000_000_000),
    st.sampled_from(["Asia/Kathmandu", "America/St_Johns", "Europe/Vienna", "Pacific/Apia"]),
)
def test_local_time_is_the_library_s(now_ms: int, name: str) -> None:
    moment = datetime.fromtimestamp(now_ms / 1000, ZoneInfo(name))
    if moment.year >= 1987:  # before that, some offsets were no whole quarters of an hour
        assert local_time(now_ms, name) == (moment.hour, moment.isoweekday(), moment.date().isoformat())


def test_a_country_that_is_none_is_missing() -> None:
    for value in (b"XX", b"T1", b"", b"AUT", b"\xff", b"A" * 999):
        assert read("front:cloudflare", name="geo.country", headers={b"cf-ipcountry": value}) is None
    assert read("front:cloudflare", name="geo.country", headers={b"cf-ipcountry": b"at"}) == "AT"
    assert read("front:none", name="geo.country", headers={b"cf-ipcountry": b"at", b"": b"x"}) is None


@pytest.mark.parametrize(
    ("value", "city"),
    [
        (b"S%C3%A3o%20Paulo", "São Paulo"),
        ("Zürich".encode(), "Zürich"),
        (b"Z\xfcrich", "Zürich"),
        (b"100%", "100%"),
    ],
)
def test_a_city_however_it_is_written(value: bytes, city: str) -> None:
    assert read("front:vercel", name="geo.city", headers={b"x-vercel-ip-city": value}) == city


@pytest.mark.parametrize(
    ("referrer", "kind"),
    [
        (None, "direct"),
        (b"", "direct"),
        (b"android-app://com.example", "direct"),
        (b"https://FILMS.example:443/x", "internal"),
        (b"https://www.google.co.uk/", "search"),
        (b"https://google.de/", "search"),
        (b"https://mail.google.com/", "link"),
        (b"https://google.evil.example/", "link"),
        (b"https://t.co/abc", "social"),
        (b"https://m.facebook.com/", "social"),
        (b"https://old.reddit.com/r/films", "social"),
        (b"https://blog.example/", "link"),
    ],
)
def test_the_type_of_a_referrer(referrer: bytes | None, kind: str) -> None:
    headers = {b"host": b"films.example:8080"} | ({b"referer": referrer} if referrer is not None else {})
    assert builtin("referrer.type", headers=headers) == kind


@pytest.mark.parametrize("source", ["header:X-Thing", "query:Thing", "cookie:Thing"])
def test_sources(source: str) -> None:
    request = {
        "headers": {b"x-thing": b"v", b"cookie": b"a=1; Thing=v; Thing=w"},
        "query": b"a=1&Thing=v&Thing=w",
    }
    assert read(source, **request) == "v"
    assert read(source) is None
    assert read(source, headers={b"cookie": b"thing=v"}, query=b"thing=v") is None


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1.0),
        ("-2.5e3", -2500.0),
        (" 7 ", 7.0),
        ("0x10", None),
        ("", None),
        ("nan", None),
        ("inf", None),
        ("-Infinity", None),
        ("1e999", None),
        ("1_000", None),
        ("²", None),
        ("9" * 5000, None),
        ("1,5", None),
    ],
)
def test_numbers_are_finite_or_missing(text: str, number: float | None) -> None:
    found = read("header:x", "number", headers={b"x": text.encode("latin-1")})
    assert found == number
    assert found is None or math.isfinite(found)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1", True), ("true", True), ("TRUE", True), ("0", False), ("false", False), ("yes", None)],
)
def test_booleans(text: str, value: bool | None) -> None:
    assert read("cookie:x", "boolean", headers={b"cookie": b"x=" + text.encode()}) is value


def test_a_text_too_long_is_none() -> None:
    assert read("header:x", headers={b"x": b"a" * MAX_TEXT_CHARS}) == "a" * MAX_TEXT_CHARS
    assert read("header:x", headers={b"x": b"a" * (MAX_TEXT_CHARS + 1)}) is None
    assert read("header:x", headers={b"x": b"\xff"}) == "\xff"


@settings(deadline=None)
@given(st.lists(st.tuples(st.text(max_size=4), st.text(max_size=4)), max_size=5))
def test_a_query_reads_as_the_library_reads_it(fields: list[tuple[str, str]]) -> None:
    query = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in fields)
    wanted = dict(reversed(parse_qsl(query)))
    assert Request("/", query.encode(), {}).query == wanted


@given(st.binary(max_size=40))
def test_any_query_is_read(query: bytes) -> None:
    found = Request("/", query, {}).query
    assert all(isinstance(value, str) for value in found.values())


def test_too_many_fields_are_none() -> None:
    assert Request("/", b"&".join([b"a=1"] * (MAX_QUERY_FIELDS + 1)), {}).query == {}


@pytest.mark.parametrize(
    ("cookie", "tier"),
    [
        (b"", "contextual"),
        (b"other=full", "contextual"),
        (b"myconsent=none", "contextual"),
        (b"consent=none", "none"),
        (b"a=b; consent=session", "session"),
        (b"consent=full;a=b", "full"),
        (b"consent=FULL", "none"),
        (b"consent=", "none"),
        (b"consent", "none"),
        (b'consent="full"', "none"),
        (b"consent=\xff", "none"),
        (b"consent=none; consent=full", "none"),
    ],
)
def test_consent_is_what_the_cookie_says_and_nothing_more(cookie: bytes, tier: str) -> None:
    reader = AttributeReader(RulesSchema((), (), (), "", "consent", "contextual"), ())
    assert reader.tier({b"cookie": cookie} if cookie else {}) == tier


def test_without_a_consent_cookie_the_default_holds() -> None:
    assert (
        AttributeReader(RulesSchema((), (), (), "", "", "session"), ()).tier({b"cookie": b"=full"})
        == "session"
    )


@pytest.mark.parametrize(
    "attribute",
    [
        Attribute("weather.now", "string", "builtin"),
        Attribute("x", "vector", "header:x"),
        Attribute("x", "string", "star:x"),
        Attribute("x", "string", ""),
        Attribute("x", "string", "header:☃"),
    ],
)
def test_an_attribute_that_this_edge_can_not_read_is_refused_by_name(attribute: Attribute) -> None:
    with pytest.raises(BundleError) as caught:
        AttributeReader(RulesSchema((attribute,), (), ()), (attribute.name,))
    assert caught.value.code == "attribute"
    AttributeReader(RulesSchema((attribute,), (), ()), ())  # what no rule reads is no matter

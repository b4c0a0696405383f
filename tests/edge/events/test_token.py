"""A page token: what one page may report, until when, and nothing that was made up."""

import base64
import hmac

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.decide.types import Slot
from edge.errors import TokenError
from edge.events.token import MAC_BYTES, MAX_TOKEN_BYTES, TokenBox

KEY, OTHER = b"k" * 32, b"o" * 32
BOX = TokenBox("films", [(1, KEY)])
SLOTS = (
    Slot("hero", "welcome", content="greeting"),
    Slot("trending", "popular", items=("alien", "dune"), candidates="popularity", card="film"),
)
NOW_S = 1_700_000_000


def refused(box: TokenBox, token: bytes, now_s: int = NOW_S) -> str:
    with pytest.raises(TokenError) as caught:
        box.open(token, now_s)
    return caught.value.code


def signed(payload: bytes, site: bytes = b"films") -> bytes:
    """Any payload under our key."""
    payload = b"\x01" + payload
    mac = hmac.digest(KEY, b"nearside:token\0" + site + b"\0" + payload, "sha256")[:MAC_BYTES]
    return base64.urlsafe_b64encode(mac + payload)


def test_a_page_may_report_what_it_showed() -> None:
    shown = BOX.open(BOX.sign("d" * 32, NOW_S + 10, SLOTS), NOW_S)
    assert shown.decision == "d" * 32
    allowed = [("hero", "greeting"), ("trending", "alien"), ("trending", "dune")]
    assert all(shown.allows(*pair) for pair in allowed)
    for pair in [("hero", "alien"), ("hero", ""), ("", ""), ("trending", "greeting"), ("other", "alien")]:
        assert not shown.allows(*pair)


def test_a_page_without_slots_may_report_nothing() -> None:
    assert not BOX.open(BOX.sign("d", NOW_S, ()), NOW_S).allows("", "")


def test_a_page_too_old_may_not_report() -> None:
    token = BOX.sign("d", NOW_S, SLOTS)
    assert BOX.open(token, NOW_S).expires_s == NOW_S
    assert refused(BOX, token, NOW_S + 1) == "token-expired"


def test_every_changed_byte_is_refused() -> None:
    raw = base64.urlsafe_b64decode(BOX.sign("d", NOW_S + 10, SLOTS))
    for at in range(len(raw)):
        changed = bytearray(raw)
        changed[at] ^= 1
        assert refused(BOX, base64.urlsafe_b64encode(changed)) == "token", at
        assert refused(BOX, base64.urlsafe_b64encode(raw[:at])) == "token", at


def test_tokens_of_another_site_or_key_are_refused() -> None:
    token = BOX.sign("d", NOW_S + 10, SLOTS)
    assert refused(TokenBox("books", [(1, KEY)]), token) == "token"
    assert refused(TokenBox("films", [(1, OTHER)]), token) == "token"
    assert refused(TokenBox("films", [(2, KEY)]), token) == "token"
    assert TokenBox("films", [(2, OTHER), (1, KEY)]).open(token, NOW_S).decision == "d"


def test_too_long_is_refused_before_it_is_read() -> None:
    assert refused(BOX, b"A" * (MAX_TOKEN_BYTES + 4)) == "token"


@settings(deadline=None)
@given(st.binary(max_size=120) | st.text(max_size=60).map(str.encode))
def test_anything_else_is_refused_and_nothing_else_raised(token: bytes) -> None:
    assert refused(BOX, token) == "token"


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"\xc1",
        msgspec.msgpack.encode(["d", "soon", []]),
        msgspec.msgpack.encode(["d"]),
        b"\x93\xa1\xff\x01\x90",
    ],
)
def test_a_token_of_another_version_is_refused(payload: bytes) -> None:
    """Signed by our key, so by an edge of ours, but not of this form."""
    assert refused(BOX, signed(payload)) == "token"


def test_a_token_needs_no_escaping_in_an_attribute() -> None:
    token = BOX.sign("d" * 32, NOW_S, (Slot("a", '"><script>', items=('"><b>', "&amp;", "ü")),))
    assert not set(token) & set(b"\"'<>& ")


def test_only_campaigns_that_are_counted_are_named() -> None:
    token = BOX.sign("d", NOW_S, SLOTS, {"popular"})
    shown = BOX.open(token, NOW_S)
    assert (shown.campaign("trending"), shown.campaign("hero"), shown.campaign("other")) == (
        "popular",
        "",
        "",
    )
    assert len(BOX.sign("d", NOW_S, SLOTS)) < len(token)


def test_a_token_of_before_campaigns_were_counted_is_taken() -> None:
    shown = BOX.open(signed(msgspec.msgpack.encode(["d", NOW_S, [["hero", ["greeting"]]]])), NOW_S)
    assert (shown.items("hero"), shown.campaign("hero")) == (("greeting",), "")

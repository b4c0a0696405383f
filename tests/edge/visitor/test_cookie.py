"""The visitor cookie: read by nobody, made up by nobody, never longer than its bound."""

import base64
import os

import msgspec
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import TokenError
from edge.visitor.cookie import EVENTS_NAME, MAX_COOKIE_BYTES, CookieBox, find, without
from edge.visitor.events import EventState
from edge.visitor.state import MAX_ITEMS, VERSION, VisitorState

ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
KEY, OTHER = b"k" * 32, b"o" * 32
BOX = CookieBox("films", [(1, KEY)])
STATE = VisitorState(VERSION, b"v" * 16, 1_700_000_000, 1_700_000_100, 3, ("alien", "dune"))


def sealed(plain: bytes, key: bytes = KEY, number: int = 1, site: str = "films") -> bytes:
    """Any plain text in a cookie of ours."""
    nonce = os.urandom(12)
    raw = bytes((number,)) + nonce + AESGCM(key).encrypt(nonce, plain, site.encode())
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def refused(box: CookieBox, value: bytes) -> str:
    with pytest.raises(TokenError) as caught:
        box.open(value)
    return caught.value.code


STATES = st.builds(
    VisitorState,
    st.just(VERSION),
    st.sampled_from([b"", b"v" * 16]),
    st.integers(0, 2**40),
    st.integers(0, 2**40),
    st.integers(0, 2**31),
    st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=400), max_size=MAX_ITEMS).map(tuple),
)


@settings(deadline=None)
@given(STATES)
def test_what_is_sealed_is_opened_within_its_bound(state: VisitorState) -> None:
    value = BOX.seal(state)
    assert len(value) <= MAX_COOKIE_BYTES
    opened = BOX.open(value)
    assert opened.items == state.items[: len(opened.items)]
    assert msgspec.structs.replace(opened, items=()) == msgspec.structs.replace(state, items=())


def test_an_item_too_long_for_a_cookie_is_dropped_with_the_older_ones() -> None:
    state = msgspec.structs.replace(STATE, items=("x" * 100_000,))
    assert BOX.open(BOX.seal(state)).items == ()


def test_every_changed_byte_is_refused() -> None:
    value = BOX.seal(STATE)
    for at in range(len(value)):
        changed = bytearray(value)
        # The first of the 6 bits changes: the last ones may be no bits of any byte.
        changed[at] = ALPHABET[ALPHABET.index(changed[at]) ^ 32]
        assert refused(BOX, bytes(changed)) == "cookie", at


@settings(deadline=None)
@given(st.binary(max_size=200) | st.text("AZaz09-_=", max_size=80).map(str.encode))
def test_anything_else_is_refused_and_nothing_else_raised(value: bytes) -> None:
    assert refused(BOX, value) == "cookie"


def test_cookies_of_another_site_or_key_are_refused() -> None:
    assert refused(CookieBox("books", [(1, KEY)]), BOX.seal(STATE)) == "cookie"
    assert refused(CookieBox("films", [(1, OTHER)]), BOX.seal(STATE)) == "cookie"
    assert refused(CookieBox("films", [(2, KEY)]), BOX.seal(STATE)) == "cookie"
    assert refused(BOX, b"A" * (MAX_COOKIE_BYTES + 1)) == "cookie"


def test_keys_rotate() -> None:
    rotated = CookieBox("films", [(2, OTHER), (1, KEY)])
    assert rotated.open(BOX.seal(STATE)) == STATE
    assert refused(BOX, rotated.seal(STATE)) == "cookie"
    assert CookieBox("films", [(2, OTHER)]).open(rotated.seal(STATE)) == STATE


@pytest.mark.parametrize(
    "newer",
    [
        [VERSION + 1, b"v" * 16, 1, 2, 3, ["alien"], "a field more"],
        [VERSION + 1, {"all": "is different"}],
        [VERSION + 1],
        [VERSION + 1, "v", "packed", 7],
    ],
)
def test_a_newer_version_is_told_apart_whatever_it_holds(newer: list[object]) -> None:
    """It must not be written over, so it must not look like damage."""
    assert refused(BOX, sealed(msgspec.msgpack.encode(newer))) == "cookie-newer"


@pytest.mark.parametrize("plain", [b"", b"\xc1", msgspec.msgpack.encode([1, "no bytes"]), b"\xa1\xff"])
def test_a_sealed_thing_that_is_no_state_is_refused(plain: bytes) -> None:
    assert refused(BOX, sealed(plain)) == "cookie"


@pytest.mark.parametrize(
    ("header", "value"),
    [
        (b"", b""),
        (b"nearside", b""),
        (b"nearside=", b""),
        (b"nearside=a", b"a"),
        (b"x=1; nearside=a; y=2", b"a"),
        (b"x=1;nearside=a;y=2", b"a"),
        (b"nearside=a; nearside=b", b"a"),
        (b"xnearside=b; nearside=a", b"a"),
        (b"x=nearside=b; nearside=a", b"a"),
        (b"nearside2=b", b""),
        (b"x=nearside=b", b""),
        (b"x=1 nearside=b", b""),
        (b"; ;nearside=a", b"a"),
    ],
)
def test_our_cookie_is_found(header: bytes, value: bytes) -> None:
    assert find(header) == value


@pytest.mark.parametrize(
    ("header", "left"),
    [
        (b"", b""),
        (b"nearside=a", b""),
        (b"nearside", b""),
        (b"nearside =a", b""),
        (b"x=1; nearside=a; y=2", b"x=1; y=2"),
        (b"nearside=a;nearside=b;x=1", b"x=1"),
        (b"xnearside=b; nearside=a", b"xnearside=b"),
        (b"x=nearside=b", b"x=nearside=b"),
        (b"a=1;b=2", b"a=1;b=2"),
    ],
)
def test_the_site_sees_the_other_cookies(header: bytes, left: bytes) -> None:
    assert without(header) == left


PARTS = (b"nearside=", b"nearside", b"x=1", b"; ", b";", b" ", b"=", b"a")


@given(st.lists(st.sampled_from(PARTS), max_size=12))
def test_what_is_found_never_reaches_the_site(parts: list[bytes]) -> None:
    header = b"".join(parts)
    assert find(without(header)) == b""


def test_a_cookie_of_before_experiments_is_read() -> None:
    plain = msgspec.msgpack.encode([1, b"v" * 16, 1_700_000_000, 1_700_000_100, 3, ["alien", "dune"]])
    assert BOX.open(sealed(plain)) == STATE


def test_the_longest_assignments_fit_with_items_dropped() -> None:
    assigned = tuple((f"{number:064d}", 10**6, f"{number:064d}") for number in range(16))
    state = msgspec.structs.replace(STATE, items=("x" * 64,) * MAX_ITEMS, assigned=assigned)
    value = BOX.seal(state)
    assert len(value) <= MAX_COOKIE_BYTES
    kept = BOX.open(value)
    assert kept.assigned == assigned[-len(kept.assigned) :] != ()
    assert kept.visitor == STATE.visitor


def test_the_two_cookies_are_found_apart_and_neither_goes_to_the_site() -> None:
    header = b"a=1; nearside-e=events; nearside=state; nearside-ex=2"
    assert (find(header), find(header, EVENTS_NAME)) == (b"state", b"events")
    assert find(b"nearside-e=events") == b""
    assert find(b"nearside=state", EVENTS_NAME) == b""
    assert without(header) == b"a=1; nearside-ex=2"


def test_an_event_cookie_of_a_newer_version_or_of_none_is_refused() -> None:
    assert BOX.open_events(BOX.seal_events(EventState(of=b"abcd"))) == EventState(of=b"abcd")
    for state, code in ((EventState(version=2), "cookie-newer"), (EventState(of="no bytes"), "cookie")):  # type: ignore[arg-type]
        with pytest.raises(TokenError) as caught:
            BOX.open_events(BOX.seal_events(state))
        assert caught.value.code == code


def test_no_cookie_stands_for_the_other() -> None:
    with pytest.raises(TokenError):
        BOX.open_events(BOX.seal(STATE))
    assert refused(BOX, BOX.seal_events(EventState())) == "cookie"

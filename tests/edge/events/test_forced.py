"""A tester's parameter opens where it was made for, while it holds, and nowhere else."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import TokenError
from edge.events.forced import MAX_FORCED_CHARS, Forced, ForcedBox
from edge.events.token import TokenBox

KEYS = [(1, b"k" * 32), (0, b"o" * 32)]
BOX = ForcedBox("films", KEYS)
FORCED = Forced("hero-words", "warm", 1_700_000_000)


def refused(value: str, box: ForcedBox = BOX, now_s: int = 0) -> str:
    with pytest.raises(TokenError) as caught:
        box.open(value, now_s)
    return caught.value.code


def test_what_is_signed_opens_until_its_time() -> None:
    value = BOX.sign(FORCED)
    assert BOX.open(value, FORCED.expires_s) == FORCED
    assert refused(value, now_s=FORCED.expires_s + 1) == "force-expired"
    older = ForcedBox("films", KEYS[::-1]).sign(FORCED)
    assert BOX.open(older, 0) == FORCED
    longest = BOX.sign(Forced("e" * 64, "v" * 64, 2**40))
    assert len(longest) <= MAX_FORCED_CHARS
    assert BOX.open(longest, 0).experiment == "e" * 64


def test_another_site_and_another_key_are_refused() -> None:
    value = BOX.sign(FORCED)
    assert refused(value, ForcedBox("shop", KEYS)) == "force"
    assert refused(value, ForcedBox("films", [(1, b"x" * 32)])) == "force"
    assert refused(value, ForcedBox("films", [(2, b"k" * 32)])) == "force"


def test_a_page_token_is_no_demand() -> None:
    token = TokenBox("films", KEYS).sign("d" * 32, 2**40, ()).decode()
    assert refused(token) == "force"


@given(st.text(max_size=80) | st.binary(max_size=60).map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_anything_else_is_refused(value: str) -> None:
    assert refused(value) == "force"


@given(st.integers(0, 40), st.integers(1, 255))
def test_a_changed_byte_is_refused(position: int, change: int) -> None:
    value = BOX.sign(FORCED)
    raw = bytearray(base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)))
    raw[position % len(raw)] ^= change
    assert refused(base64.urlsafe_b64encode(raw).decode()) == "force"

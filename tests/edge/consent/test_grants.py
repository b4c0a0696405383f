"""What a TC string grants a vendor, or the site."""

from typing import Any

import pytest

from edge.consent.bits import ids_of
from edge.consent.grants import NAMES, granted_purposes, ids
from edge.consent.tcf import NOT_ALLOWED, PURPOSES, REQUIRE_CONSENT, REQUIRE_INTEREST, decode
from tests.edge.consent.make import tc_string

VENDOR = 28


BOTH: dict[str, Any] = {"vendor_consents": [VENDOR], "vendor_interests": [VENDOR]}


def granted(text: str, vendor: int = VENDOR, interests: tuple[int, ...] = ()) -> tuple[int, ...]:
    return ids_of(granted_purposes(decode(text), vendor, ids(interests)))


def test_consent_counts_for_a_vendor_that_has_it() -> None:
    text = tc_string((1, 5), vendor_consents=[VENDOR])

    assert granted(text) == (1, 5)
    assert granted(text, 29) == ()


def test_a_legitimate_interest_counts_where_the_site_relies_on_it_and_the_framework_accepts_it() -> None:
    text = tc_string((1,), range(1, 12), **BOTH)

    assert granted(text) == (1,)
    assert granted(text, interests=(7, 8)) == (1, 7, 8)
    assert granted(text, interests=tuple(range(1, 12))) == (1, 2, 7, 8, 9, 10, 11)
    assert granted(tc_string((1,), (7,), vendor_consents=[VENDOR]), interests=(7,)) == (1,)


def test_a_legitimate_interest_needs_a_vendor_whom_the_person_was_shown() -> None:
    shown, hidden = (
        tc_string((), (7,), vendor_interests=[VENDOR], disclosed=disclosed)
        for disclosed in ([VENDOR], [VENDOR + 1])
    )

    assert granted(shown, interests=(7,)) == (7,)
    assert granted(hidden, interests=(7,)) == ()


@pytest.mark.parametrize(
    ("kind", "left"),
    [(NOT_ALLOWED, (1,)), (REQUIRE_CONSENT, (1, 7)), (REQUIRE_INTEREST, (1, 7))],
)
def test_the_site_s_restrictions_hold(kind: int, left: tuple[int, ...]) -> None:
    text = tc_string((1, 7), (7,), restrictions=[(7, kind, VENDOR)], **BOTH)

    assert granted(text, interests=(7,)) == left


def test_restrictions_take_the_basis_that_they_forbid() -> None:
    consent_needed = tc_string((1,), (7,), restrictions=[(7, REQUIRE_CONSENT, VENDOR)], **BOTH)
    interest_needed = tc_string((1, 7), (), restrictions=[(7, REQUIRE_INTEREST, VENDOR)], **BOTH)

    assert granted(consent_needed, interests=(7,)) == (1,)
    assert granted(interest_needed, interests=(7,)) == (1,)


def test_restrictions_of_other_vendors_do_not_matter() -> None:
    text = tc_string((1, 7), vendor_consents=[VENDOR], restrictions=[(7, NOT_ALLOWED, VENDOR + 1)])

    assert granted(text) == (1, 7)


def test_the_site_itself_goes_by_the_publisher_s_segment() -> None:
    text = tc_string((1, 2, 3), vendor_consents=[VENDOR], publisher=((1, 5), (8,)))

    assert granted(text, 0) == (1, 5)
    assert granted(text, 0, interests=(8,)) == (1, 5, 8)
    assert granted(tc_string((1, 2, 3)), 0) == ()


def test_every_purpose_of_the_framework_has_a_word() -> None:
    assert len(NAMES) == len(set(NAMES)) == PURPOSES

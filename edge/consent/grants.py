"""Which TCF purposes a TC string grants to one vendor, or to the site itself."""

from collections.abc import Iterable
from typing import Final

from edge.consent.bits import Ids
from edge.consent.tcf import NOT_ALLOWED, REQUIRE_CONSENT, REQUIRE_INTEREST, Publisher, TcString

NAMES: Final = (
    "store",
    "limited_ads",
    "ads_profile",
    "personalised_ads",
    "content_profile",
    "personalised_content",
    "measure_ads",
    "measure_content",
    "statistics",
    "improve",
    "limited_content",
)
"""The purposes of TCF 2.2 in a word, from number 1 on."""

NEVER_BY_INTEREST: Final = (1, 3, 4, 5, 6)
"""Purposes for which the framework accepts consent alone."""


def ids(numbers: Iterable[int]) -> Ids:
    """The numbers as a set."""
    found = 0
    for number in numbers:
        found |= 1 << number
    return found


_BY_INTEREST: Final = ~ids(NEVER_BY_INTEREST)


def granted_purposes(tc: TcString, vendor: int, interests: Ids) -> Ids:
    """What a TC string grants.

    Parameters
    ----------
    vendor : int
        Its id in the framework's list; 0 is the site, as its own publisher.
    interests : Ids
        The purposes for which a legitimate interest, not objected to, is as good as consent.
    """
    if vendor == 0:
        publisher = tc.publisher or Publisher()
        return publisher.consents | publisher.interests & interests & _BY_INTEREST
    bit = 1 << vendor
    consented = tc.purpose_consents if tc.vendor_consents & bit else 0
    told = tc.disclosed is None or bool(tc.disclosed & bit)
    claimed = tc.purpose_interests & interests & _BY_INTEREST if tc.vendor_interests & bit and told else 0
    for purpose, kind, vendors in tc.restrictions:
        if vendors & bit:
            if kind in (NOT_ALLOWED, REQUIRE_INTEREST):
                consented &= ~(1 << purpose)
            if kind in (NOT_ALLOWED, REQUIRE_CONSENT):
                claimed &= ~(1 << purpose)
    return consented | claimed

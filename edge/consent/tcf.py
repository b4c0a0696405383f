"""TC strings, as the Transparency and Consent Framework of IAB Europe has them: version 2, and the old 1."""

from dataclasses import dataclass, replace
from typing import Final

from edge.consent.bits import Bits, Ids
from edge.errors import ConsentError

PURPOSES: Final = 11
"""The purposes that policy version 4 and later (TCF 2.2) has; strings have room for 24."""

NOT_ALLOWED: Final = 0
REQUIRE_CONSENT: Final = 1
REQUIRE_INTEREST: Final = 2

DISCLOSED: Final = 1
ALLOWED: Final = 2
PUBLISHER: Final = 3
_MAX_SEGMENTS: Final = 4
# Version 1 does not say them; these are what official libraries assume.
_POLICY_OF_VERSION_1: Final = 5

Restriction = tuple[int, int, Ids]
"""A purpose, one of `NOT_ALLOWED`, `REQUIRE_CONSENT` and `REQUIRE_INTEREST`, and for which vendors."""


@dataclass(frozen=True, slots=True)
class Publisher:
    """What the site itself may do: the segment ``publisher TC``."""

    consents: Ids = 0
    interests: Ids = 0
    custom_purposes: int = 0
    custom_consents: Ids = 0
    custom_interests: Ids = 0


@dataclass(frozen=True, slots=True)
class TcString:
    """What a person agreed to, and what they were told.

    Purposes, features and vendors are sets of their ids: see `edge.consent.bits.ids_of`. ``interests``
    are those that a legitimate interest is claimed for and not objected to.

    Attributes
    ----------
    created_ms, updated_ms : int
        UTC milliseconds.
    disclosed : Ids or None
        The vendors that the person was shown; None where the string does not say it.
    publisher : Publisher or None
        None where the string does not say it.
    """

    version: int
    created_ms: int
    updated_ms: int
    cmp_id: int
    cmp_version: int
    screen: int
    language: str
    vendor_list_version: int
    policy_version: int = _POLICY_OF_VERSION_1
    is_service_specific: bool = True
    non_standard_texts: bool = False
    special_features: Ids = 0
    purpose_consents: Ids = 0
    purpose_interests: Ids = 0
    purpose_one_treatment: bool = False
    country: str = "AA"
    vendor_consents: Ids = 0
    vendor_interests: Ids = 0
    restrictions: tuple[Restriction, ...] = ()
    disclosed: Ids | None = None
    allowed: Ids | None = None
    publisher: Publisher | None = None


def decode(text: str) -> TcString:
    """What a TC string says.

    Raises
    ------
    ConsentError
        The official library refuses it too: ``base64``, ``short``, ``version``, ``segment``, ``range``,
        ``too-long``, ``vendor``, ``restriction``, ``country``, or ``cmp`` (of no consent platform).
    """
    found = read(text)
    if found.cmp_id < 2:
        raise ConsentError("cmp", f"of the consent platform {found.cmp_id}, which there is not")
    if not found.country.isascii() or not found.country.isalpha():
        raise ConsentError("country", f"of the country {found.country!r}")
    if (found.vendor_consents | found.vendor_interests | (found.disclosed or 0) | (found.allowed or 0)) & 1:
        raise ConsentError("vendor", "names a vendor 0")
    for purpose, kind, vendors in found.restrictions:
        if vendors and (purpose == 0 or kind > REQUIRE_INTEREST):
            raise ConsentError("restriction", f"restricts purpose {purpose} by {kind}")
    return replace(found, country=found.country.upper())


def read(text: str) -> TcString:
    """What a TC string says, whoever wrote it: inside of GPP strings no id of a platform is asked for.

    Raises
    ------
    ConsentError
        It has not the form of a TC string.
    """
    core, *others = text.split(".", _MAX_SEGMENTS)
    found = _core(Bits(core))
    if others and found.version == 1:
        raise ConsentError("segment", "version 1 has no other segments")
    seen = set()
    for other in others:
        bits = Bits(other)
        kind = bits.integer(3)
        if kind in seen:
            raise ConsentError("segment", f"has segment {kind} twice")
        seen.add(kind)
        found = _with_segment(found, kind, bits)
    return found


def _core(bits: Bits) -> TcString:
    version = bits.integer(6)
    if version not in (1, 2):
        raise ConsentError("version", f"a TC string of version {version}")
    head = (
        version,
        100 * bits.integer(36),
        100 * bits.integer(36),
        bits.integer(12),
        bits.integer(12),
        bits.integer(6),
        bits.letters(),
        bits.integer(12),
    )
    if version == 1:
        return TcString(*head, purpose_consents=bits.field(24), vendor_consents=_vendors_of_version_1(bits))
    return TcString(
        *head,
        policy_version=bits.integer(6),
        is_service_specific=bits.flag(),
        non_standard_texts=bits.flag(),
        special_features=bits.field(12),
        purpose_consents=bits.field(24),
        purpose_interests=bits.field(24),
        purpose_one_treatment=bits.flag(),
        country=bits.letters(),
        vendor_consents=bits.vendors(),
        vendor_interests=bits.vendors(),
        restrictions=_restrictions(bits),
    )


def _vendors_of_version_1(bits: Bits) -> Ids:
    greatest = bits.integer(16)
    if not bits.flag():
        return bits.field(greatest)
    if bits.flag():
        raise ConsentError("vendor", "consents to all vendors but some")
    return bits.ranges()


def _restrictions(bits: Bits) -> tuple[Restriction, ...]:
    """What the site forbids vendors, or asks of them."""
    return tuple([(bits.integer(6), bits.integer(2), bits.ranges()) for _ in range(bits.integer(12))])


def _with_segment(found: TcString, kind: int, bits: Bits) -> TcString:
    if kind == DISCLOSED:
        return replace(found, disclosed=bits.vendors())
    if kind == ALLOWED:
        return replace(found, allowed=bits.vendors())
    if kind == PUBLISHER:
        return replace(found, publisher=read_publisher(bits))
    raise ConsentError("segment", f"has a segment {kind}, which there is not")


def read_publisher(bits: Bits) -> Publisher:
    """The segment ``publisher TC``, after its number."""
    consents, interests, custom = bits.field(24), bits.field(24), bits.integer(6)
    return Publisher(consents, interests, custom, bits.field(custom), bits.field(custom))

"""Strings of TCF Canada, version 1, read as TC strings: express consent as such, implied as interest."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final, TypeVar

from edge.consent.bits import Bits, Ids
from edge.consent.tcf import DISCLOSED, PUBLISHER, Restriction, TcString, read_publisher
from edge.errors import ConsentError

_MAX_SEGMENTS: Final = 3

T = TypeVar("T")


def read(text: str) -> TcString:
    """What a Canadian string says.

    Raises
    ------
    ConsentError
        It has not the form of one.
    """
    core, *others = text.split(".", _MAX_SEGMENTS)
    found = _either(partial(_core, core))
    for other in others:
        bits = Bits(other)
        kind = bits.integer(3)
        if kind == DISCLOSED and found.disclosed is None:
            found = replace(found, disclosed=_either(partial(_disclosed, other)))
        elif kind == PUBLISHER and found.publisher is None:
            found = replace(found, publisher=read_publisher(bits))
        else:
            raise ConsentError("segment", f"has a segment {kind} too much")
    return found


def _either(read_by: Callable[[bool], T]) -> T:
    """By Fibonacci ranges, as the specification has it, or by those of Europe, as the first encoders did."""
    try:
        return read_by(True)
    except ConsentError:
        return read_by(False)


def _core(text: str, fibonacci: bool) -> TcString:
    bits = Bits(text)
    version = bits.integer(6)
    if version != 1:
        raise ConsentError("version", f"a Canadian string of version {version}")
    return TcString(
        version,
        created_ms=100 * bits.integer(36),
        updated_ms=100 * bits.integer(36),
        cmp_id=bits.integer(12),
        cmp_version=bits.integer(12),
        screen=bits.integer(6),
        language=bits.letters(),
        vendor_list_version=bits.integer(12),
        policy_version=bits.integer(6),
        non_standard_texts=bits.flag(),
        special_features=bits.field(12),
        purpose_consents=bits.field(24),
        purpose_interests=bits.field(24),
        country="CA",
        vendor_consents=bits.vendors_checked(fibonacci=fibonacci),
        vendor_interests=bits.vendors_checked(fibonacci=fibonacci),
        restrictions=_restrictions(bits, fibonacci),
    )


def _disclosed(segment: str, fibonacci: bool) -> Ids:
    bits = Bits(segment)
    bits.integer(3)
    return bits.vendors_checked(fibonacci=fibonacci)


def _restrictions(bits: Bits, fibonacci: bool) -> tuple[Restriction, ...]:
    found = []
    for _ in range(bits.integer(12)):
        purpose, kind = bits.integer(6), bits.integer(2)
        found.append((purpose, kind, bits.vendors_checked(fibonacci=fibonacci)))
    return tuple(found)

"""Privacy strings of the United States: the sections of GPP by state, and the older US Privacy string."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from edge.consent.bits import Bits
from edge.errors import ConsentError

Value = int | bool | str | tuple[int, ...]
Fields = Mapping[str, Value]
"""By the specification's names; of two bits: 0 does not apply, 1 yes (or no consent), 2 no."""

USP: Final = re.compile(r"1([YN-])([YN-])([YN-])", re.IGNORECASE)
_VERSION_BITS: Final = 6
_GPC: Final[Fields] = {"GpcSegmentType": 1, "Gpc": False}
_OLD_USNAT_BITS: Final = (60, 66)


@dataclass(frozen=True)
class Section:
    """How one section is written.

    Attributes
    ----------
    core : tuple[tuple[str, int], ...]
        After the version: names, and how many numbers of two bits; 0 for one that is no list.
    second : str
        What a second segment says: ``gpc``, ``sensitive`` or nothing.
    """

    name: str
    version: str
    core: tuple[tuple[str, int], ...]
    second: str


def _section(name: str, core: str, second: str = "gpc", version: str = "Version") -> Section:
    parts = [part.partition("*") for part in core.split()]
    return Section(name, version, tuple((field, int(count or 0)) for field, _, count in parts), second)


_SALE: Final = "SaleOptOutNotice TargetedAdvertisingOptOutNotice"
_OUT: Final = "SaleOptOut TargetedAdvertisingOptOut"
_MSPA: Final = "MspaCoveredTransaction MspaOptOutOptionMode MspaServiceProviderMode"
_SHARING: Final = f"SharingNotice {_SALE} {_OUT}"
_PROCESSING: Final = f"ProcessingNotice {_SALE} {_OUT}"
_MORE: Final = f"AdditionalDataProcessingConsent {_MSPA}"
_CHILD: Final = "KnownChildSensitiveDataConsents"
_SENSITIVE: Final = "SensitiveDataProcessing"
_NATIONAL: Final = (
    f"SharingNotice SaleOptOutNotice SharingOptOutNotice TargetedAdvertisingOptOutNotice "
    f"{_SENSITIVE}OptOutNotice SensitiveDataLimitUseNotice "
    f"SaleOptOut SharingOptOut TargetedAdvertisingOptOut"
)
_NEWER: Final = f"MspaCoveredTransaction MspaMode {_PROCESSING}"

_USNAT_OLD: Final = _section("usnat", f"{_NATIONAL} {_SENSITIVE}*12 {_CHILD}*2 PersonalDataConsents {_MSPA}")

SECTIONS: Final[Mapping[int, Section]] = {
    7: _section("usnat", f"{_NATIONAL} {_SENSITIVE}*16 {_CHILD}*3 PersonalDataConsents {_MSPA}"),
    8: _section(
        "usca",
        f"SaleOptOutNotice SharingOptOutNotice SensitiveDataLimitUseNotice SaleOptOut SharingOptOut "
        f"{_SENSITIVE}*9 {_CHILD}*2 PersonalDataConsents {_MSPA}",
    ),
    9: _section("usva", f"{_SHARING} {_SENSITIVE}*8 {_CHILD} {_MSPA}", ""),
    10: _section("usco", f"{_SHARING} {_SENSITIVE}*7 {_CHILD} {_MSPA}"),
    11: _section(
        "usut",
        f"SharingNotice {_SALE} {_SENSITIVE}OptOutNotice {_OUT} {_SENSITIVE}*8 {_CHILD} {_MSPA}",
        "",
    ),
    12: _section("usct", f"{_SHARING} {_SENSITIVE}*8 {_CHILD}*3 {_MSPA}"),
    13: _section("usfl", f"{_PROCESSING} {_SENSITIVE}*8 {_CHILD}*3 {_MORE}", ""),
    14: _section("usmt", f"{_SHARING} {_SENSITIVE}*8 {_CHILD}*3 {_MORE}"),
    15: _section("usor", f"{_PROCESSING} {_SENSITIVE}*11 {_CHILD}*3 {_MORE}"),
    16: _section("ustx", f"{_PROCESSING} {_SENSITIVE}*8 {_CHILD} {_MORE}"),
    17: _section("usde", f"{_PROCESSING} {_SENSITIVE}*9 {_CHILD}*5 {_MORE}"),
    18: _section(
        "usia",
        f"ProcessingNotice {_SALE} SensitiveDataOptOutNotice {_OUT} {_SENSITIVE}*8 {_CHILD} {_MSPA}",
    ),
    19: _section("usne", f"{_PROCESSING} {_SENSITIVE}*8 {_CHILD} {_MORE}"),
    20: _section("usnh", f"{_PROCESSING} {_SENSITIVE}*8 {_CHILD}*3 {_MORE}"),
    21: _section("usnj", f"{_PROCESSING} {_SENSITIVE}*10 {_CHILD}*5 {_MORE}"),
    22: _section("ustn", f"{_PROCESSING} {_SENSITIVE}*8 {_CHILD} {_MORE}"),
    23: _section("usmn", f"{_PROCESSING} {_SENSITIVE}*8 {_CHILD} {_MORE}"),
    24: _section("usmd", f"{_NEWER} AdditionalDataProcessingConsent", version="MspaVersion"),
    25: _section("usin", f"{_NEWER} {_CHILD} AdditionalDataProcessingConsent", "sensitive", "MspaVersion"),
    26: _section("usky", f"{_NEWER} {_CHILD} AdditionalDataProcessingConsent", "sensitive", "MspaVersion"),
    27: _section("usri", f"{_NEWER} {_CHILD} AdditionalDataProcessingConsent", "sensitive", "MspaVersion"),
}
"""The sections by their ids in a GPP string."""


def read(number: int, text: str) -> Fields:
    """What the section of this number says.

    Raises
    ------
    ConsentError
        It has not that section's form.
    """
    section = SECTIONS[number]
    core, dot, second = text.partition(".")
    bits = Bits(core)
    if section.name == "usnat" and len(bits) in _OLD_USNAT_BITS:
        section = _USNAT_OLD
    found: dict[str, Value] = {section.version: bits.integer(_VERSION_BITS)}
    for name, count in section.core:
        found[name] = bits.integers(count, 2) if count else bits.integer(2)
    if section.name == "usnat":
        # Either version is written in either length.
        sensitive, child = (12, 2) if found["Version"] == 1 else (16, 3)
        found |= {_SENSITIVE: _sized(found[_SENSITIVE], sensitive), _CHILD: _sized(found[_CHILD], child)}
    more = Bits(second.partition(".")[0]) if dot else None
    if section.second == "gpc":
        found |= _GPC if more is None else {"GpcSegmentType": more.integer(2), "Gpc": more.flag()}
    elif section.second:
        found[_SENSITIVE] = (0,) * 8 if more is None else more.integers(8, 2)
    return found


def _sized(value: Value, count: int) -> tuple[int, ...]:
    assert isinstance(value, tuple)
    return (value + (0,) * count)[:count]


def read_usp(text: str) -> Fields:
    """What a US Privacy string such as ``1YNN`` says.

    Raises
    ------
    ConsentError
        ``usp``: it is none of version 1.
    """
    match = USP.fullmatch(text)
    if match is None:
        raise ConsentError("usp", "no US Privacy string of version 1")
    notice, sale, covered = (letter.upper() for letter in match.groups())
    return {"Version": 1, "Notice": notice, "OptOutSale": sale, "LspaCovered": covered}


_OPT_OUTS: Final = ("SaleOptOut", "SharingOptOut", "TargetedAdvertisingOptOut")
_NO: Final = 1


def opted_out(fields: Fields) -> bool:
    """Whether the person objected: to sale, sharing or targeted advertising, by a signal, or for a child."""
    if fields.get("Gpc") or fields.get("OptOutSale") == "Y":
        return True
    for name in (*_OPT_OUTS, _CHILD):
        value = fields.get(name, 0)
        if value == _NO or (isinstance(value, tuple) and _NO in value):
            return True
    return False

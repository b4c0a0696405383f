"""GPP strings (IAB Tech Lab's Global Privacy Platform): a header, and a section for each law that applies."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from edge.consent import canada, tcf, us
from edge.consent.bits import MAX_CHARS, Bits, ids_of
from edge.consent.tcf import TcString
from edge.errors import ConsentError

EUROPE: Final = 2
CANADA: Final = 5
USP: Final = 6
_TYPE: Final = 3
_VERSION: Final = 1


@dataclass(frozen=True)
class GppString:
    """What a GPP string says.

    Attributes
    ----------
    section_ids : tuple[int, ...]
        Of all sections, those that this version does not know too.
    tc : Mapping[int, TcString]
        The sections of `EUROPE` and `CANADA`.
    states : Mapping[str, us.Fields]
        The sections of the United States, by name.
    """

    section_ids: tuple[int, ...]
    tc: Mapping[int, TcString] = field(default_factory=dict)
    states: Mapping[str, us.Fields] = field(default_factory=dict)


def decode(text: str) -> GppString:
    """What a GPP string says; a bare TC string of version 2 is one of Europe alone.

    Raises
    ------
    ConsentError
        The official library refuses it too, or one of its sections.
    """
    if len(text) > MAX_CHARS:
        raise ConsentError("too-long", f"{len(text)} characters, more than {MAX_CHARS}")
    if text.startswith("C"):
        return GppString((EUROPE,), {EUROPE: tcf.read(text)})
    header, *sections = text.split("~")
    numbers = _header(header)
    if len(numbers) != len(sections):
        raise ConsentError("sections", f"{len(sections)} sections, not {len(numbers)} as the header says")
    tc: dict[int, TcString] = {}
    fields: dict[str, us.Fields] = {}
    for number, section in zip(numbers, sections, strict=True):
        if number == EUROPE:
            tc[number] = tcf.read(section)
        elif number == CANADA:
            tc[number] = canada.read(section)
        elif number == USP:
            fields["uspv1"] = us.read_usp(section)
        elif number in us.SECTIONS:
            fields[us.SECTIONS[number].name] = us.read(number, section)
        elif not section.strip():
            raise ConsentError("sections", f"section {number} is blank")
    return GppString(numbers, tc, fields)


def _header(text: str) -> tuple[int, ...]:
    bits = Bits(text)
    if (bits.integer(6), bits.integer(6)) != (_TYPE, _VERSION):
        raise ConsentError("header", "no GPP string of version 1")
    return ids_of(bits.ranges(fibonacci=True))

"""Puts what was decided into a page: fragments, the token, and our script where the site asked for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from edge.decide.engine import Engine
from edge.decide.types import Slot, Value
from edge.pages.charset import UTF_8, in_codec
from edge.pages.flow import Hole
from edge.pages.marks import SCRIPT
from edge.pages.packing import QUICK, Fragments
from edge.pages.plan import PagePlan
from edge.pages.stitch import Part, deflated, stitched, stored

# A <template> may stand wherever content may, shows nothing, and runs nothing.
_TOKEN: Final = b'<template data-nearside="%s"></template>'
# No element says where a loose placement begins and ends; these do, for the script that reports events.
_BEGIN: Final = b'<template data-nearside-placement="%s"></template>'
_END: Final = b"<template data-nearside-end></template>"


@dataclass(frozen=True, slots=True)
class Composition:
    """What goes into one page.

    Attributes
    ----------
    carrier : str
        The placement that carries the token; empty if none does.
    """

    plan: PagePlan
    slots: Sequence[Slot]
    carrier: str
    token: bytes
    attributes: Mapping[str, Value]

    def page(self, engine: Engine) -> bytes:
        """The page."""
        fragments = {slot.placement: b"".join(self._pieces(slot, engine)) for slot in self.slots}
        for name, (ahead, behind) in self._around(fragments).items():
            inside = fragments.get(name)
            fragments[name] = ahead + (self._default if inside is None else inside) + behind
        if self._script:
            fragments[SCRIPT] = self._script
        return self.plan.fill(fragments)

    def packed(self, engine: Engine, fragments: Fragments) -> bytes:
        """The page as a gzip stream."""
        return stitched(self.parts(engine, fragments))

    def parts(self, engine: Engine, fragments: Fragments) -> list[Part]:
        """The page in deflated parts."""
        filled = self._filled(engine, fragments)
        if self._script:
            filled[SCRIPT] = Part(self._script, stored(self._script))
        return self.plan.packing.parts(self.plan, filled)

    def filling(self, engine: Engine, fragments: Fragments) -> "Filling":
        """What goes into a page of which only the outline is known."""
        shown = {slot.placement for slot in self.slots}
        bare = self.carrier if self.carrier not in shown else ""
        return Filling(self._filled(engine, fragments), bare, self.plan.codec, bool(self.carrier))

    def _filled(self, engine: Engine, fragments: Fragments) -> dict[str, Part]:
        """What placements hold; what is this visitor's alone is not squeezed."""
        parts = {slot.placement: self._part(slot, engine, fragments) for slot in self.slots}
        for name, (ahead, behind) in self._around(parts).items():
            part = parts[name] if name in parts else fragments.part([self._default])
            squeezed = stored(ahead) + part.deflated + stored(behind)
            parts[name] = Part(ahead + part.raw + behind, squeezed)
        return parts

    def _part(self, slot: Slot, engine: Engine, fragments: Fragments) -> Part:
        pieces = self._pieces(slot, engine)
        if not engine.tells(slot):
            return fragments.part(pieces)
        raw = b"".join(pieces)
        return Part(raw, stored(raw))

    def _pieces(self, slot: Slot, engine: Engine) -> list[bytes]:
        pieces, codec = engine.pieces(slot, self.attributes), self.plan.codec
        return pieces if codec == UTF_8 else [in_codec(piece, codec) for piece in pieces]

    def _around(self, filled: Mapping[str, object]) -> dict[str, tuple[bytes, bytes]]:
        """What stands before and behind the inside of placements, by name."""
        found = {name: (_BEGIN % name.encode(), _END) for name in self.plan.loose if name in filled}
        if self.carrier:
            ahead, behind = found.get(self.carrier, (b"", b""))
            found[self.carrier] = (_TOKEN % self.token + ahead, behind)
        return found

    @property
    def _default(self) -> bytes:
        """What the site has in the placement that carries the token, where nothing is decided for it."""
        return self.plan.defaults[self.plan.placements.index(self.carrier)]

    @property
    def _script(self) -> bytes:
        return self.plan.script if self.carrier else b""


@dataclass(frozen=True, slots=True)
class Filling:
    """What goes into a page as its placements come.

    Attributes
    ----------
    parts : mapping of str to Part
        What placements hold, by name.
    bare : str
        The placement that carries the token before what the site has in it; or empty.
    codec : str
        The encoding that the parts are in.
    carries : bool
        Whether any placement carries the token, so that the script has its use.
    """

    parts: Mapping[str, Part]
    bare: str
    codec: str
    carries: bool

    def part(self, hole: Hole, script: bytes) -> Part | bytes:
        """What stands there; bytes are the site's own."""
        name, default = hole.mark.name, hole.mark.default(hole.inside)
        if name == SCRIPT:
            return Part(script, stored(script)) if self.carries else default
        if name not in self.parts:
            return default
        found = self.parts[name]
        if name == self.bare:
            return Part(found.raw + default, found.deflated + deflated(default, QUICK))
        return found

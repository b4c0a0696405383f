"""Splits a page in which all marks are marked: chunks, what stands in placements, and where blocks are."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from edge.pages.marks import Mark, Marker
from edge.pages.region import VOID

_Edge = tuple[bytes, int, int]
"""Of a block: on which side, its number, and where in the plain page."""

_END_TAG: Final = rb"</%b[\s/]*>\Z"


class Block(NamedTuple):
    """What a layout may move: the bytes of an element with its tags, from `start` to `end`."""

    name: str
    start: int
    end: int


class Cut:
    """A marked page, split at the outermost closed marks; all other markers are dropped.

    Attributes
    ----------
    marks : list[Mark]
        In the order of the page.
    chunks, insides : list[bytes]
        What is around them, one more than there are marks; and what they hold.
    left : list[str]
        As the marker's, and marks that are never closed or reach beyond themselves.
    """

    def __init__(self, marked: bytes, marker: Marker) -> None:
        self._marker = marker
        self._pieces = re.split(marker.nonce.encode() + rb"([<>\[\]])(\d+);", marked)
        sides = zip(self._pieces[1::3], self._pieces[2::3], strict=True)
        self._closed = {number for side, number in sides if side == b">"}
        self.left = [*marker.left]
        self.left += [f"{m.name}:unclosed" for m in marker.marks if b"%d" % m.number not in self._closed]
        self._split()
        whole: set[int] = set()
        while broken := self._broken(whole):
            self._closed -= {b"%d" % mark.number for mark in broken}
            self.left += [f"{mark.name}:broken" for mark in broken]
            self._split()

    def _split(self) -> None:
        pieces = self._pieces
        parts: list[list[bytes]] = [[pieces[0]]]
        self.marks: list[Mark] = []
        self._edges: list[_Edge] = []
        inside: bytes | None = None
        offset = len(pieces[0])
        for side, number, text in zip(pieces[1::3], pieces[2::3], pieces[3::3], strict=True):
            if inside is None and side in b"[]":
                self._edges.append((side, int(number), offset))
                parts[-1].append(text)
            elif inside is None and side == b"<" and number in self._closed:
                inside = number
                self.marks.append(self._marker.marks[int(number)])
                parts.append([text])
            elif inside == number and side == b">":
                inside = None
                parts.append([text])
            else:
                parts[-1].append(text)
            offset += len(text if inside is None else self.marks[-1].default(text))
        joined = [b"".join(part) for part in parts]
        self.chunks, self.insides = joined[0::2], joined[1::2]

    def _broken(self, whole: set[int]) -> list[Mark]:
        """Marks whose markup reaches beyond them; those that do not join `whole`."""
        for mark, inside, after in zip(self.marks, self.insides, self.chunks[1:], strict=True):
            if mark.number not in whole and mark.holds(inside, after):
                whole.add(mark.number)
        return [mark for mark in self.marks if mark.number not in whole]

    @property
    def body(self) -> bytes:
        """All parts together."""
        insides = [*self.insides, b""]
        return b"".join([part for pair in zip(self.chunks, insides, strict=True) for part in pair])

    @property
    def defaults(self) -> list[bytes]:
        """What stands in the placements of the plain page."""
        return [mark.default(inside) for mark, inside in zip(self.marks, self.insides, strict=True)]

    def blocks(self, page: bytes) -> Iterator[Block]:
        """The outermost blocks of the plain page that begin and end outside of placements, each whole."""
        starts = {number: offset for side, number, offset in self._edges if side == b"["}
        tags = [tag for _, tag in self._marker.blocks]
        ended = {
            number
            for side, number, end in self._edges
            if side == b"]" and number in starts and _is_whole(page[starts[number] : end], tags[number])
        }
        held = -1
        for side, number, offset in self._edges:
            if held < 0 and side == b"[" and number in ended:
                held = number
            elif held == number and side == b"]":
                yield Block(self._marker.blocks[number][0], starts[number], offset)
                held = -1


def _is_whole(element: bytes, tag: str) -> bool:
    """Whether the bytes end as the element does, and not with the end tag of one around it."""
    if tag in VOID or element.endswith(b"/>"):
        return True
    return re.search(_END_TAG % re.escape(tag.encode()), element, re.IGNORECASE) is not None

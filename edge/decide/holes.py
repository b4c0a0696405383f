"""Holes in contents: where an attribute's value stands in bytes that were otherwise made at compile time."""

import html
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

import numpy as np

from edge.bundle.arrays import Array, unpack
from edge.bundle.reader import Bundle
from edge.bundle.strings import Strings
from edge.decide.types import Value
from edge.errors import BundleError

TEXT, ATTRIBUTE, URL = 0, 1, 2
"""Where a hole stands: between tags, in an attribute's value, or in a URL's path, query or fragment."""

AS_IT_IS, UPPER, LOWER, CAPITALIZE = 0, 1, 2, 3
CASES: Final = {"upper": UPPER, "lower": LOWER, "capitalize": CAPITALIZE}

MAX_VALUE_CHARS: Final = 512
ELLIPSIS: Final = "…"

# Line breaks become spaces; other controls, and the marks that turn the direction of what follows, vanish.
_CONTROLS: Final = {
    **dict.fromkeys([*range(0x20), *range(0x7F, 0xA0), *range(0x202A, 0x202F), *range(0x2066, 0x206A)]),
    **dict.fromkeys((0x9, 0xA, 0xD, 0x85, 0x2028, 0x2029), " "),
}
_VECTORS: Final = {
    "content": "<u4",
    "first": "<u4",
    "start": "<u4",
    "end": "<u4",
    "attribute": "<u4",
    "context": "|u1",
    "case": "|u1",
    "longest": "<u4",
}


@dataclass(frozen=True, slots=True)
class Hole:
    """One hole of a content.

    Attributes
    ----------
    start, end : int
        Where its default stands in the content's bytes.
    context : int
        `TEXT`, `ATTRIBUTE` or `URL`.
    case : int
        `AS_IT_IS`, `UPPER`, `LOWER` or `CAPITALIZE`.
    longest : int
        How many characters a value may have; 0 for any number.
    """

    start: int
    end: int
    attribute: str
    context: int
    case: int = AS_IT_IS
    longest: int = 0


def fill(body: bytes, holes: tuple[Hole, ...], attributes: Mapping[str, Value]) -> bytes:
    """The content with its holes filled; one whose attribute is missing keeps its default."""
    parts: list[bytes] = []
    at = 0
    for hole in holes:
        value = attributes.get(hole.attribute)
        filled = b"" if value is None else filling(value, hole)
        if filled:
            parts += (body[at : hole.start], filled)
            at = hole.end
    return b"".join([*parts, body[at:]])


def filling(value: Value, hole: Hole) -> bytes:
    """The value as it may stand in the hole; empty where nothing of it is left to show."""
    text = shown(value)[:MAX_VALUE_CHARS].translate(_CONTROLS).strip()
    if hole.case != AS_IT_IS:
        text = text.upper() if hole.case == UPPER else text.lower() if hole.case == LOWER else capital(text)
    if hole.longest and len(text) > hole.longest:
        text = text[: hole.longest - 1].rstrip() + ELLIPSIS
    return escape(text, hole.context)


def shown(value: Value) -> str:
    """A value as people read it: numbers with two decimals at most."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return ", ".join(map(shown, value))
    if isinstance(value, int) or value.is_integer():
        return str(int(value))
    return f"{value:.2f}".rstrip("0").rstrip(".")


def capital(text: str) -> str:
    """The text with a capital at its beginning."""
    return text[:1].upper() + text[1:]


def escape(text: str, context: int) -> bytes:
    """The text such that it is nothing but text where it stands."""
    if context == URL:
        # As a part of a path, dots would lead elsewhere.
        return b"" if text in (".", "..") else quote(text, safe="", errors="ignore").encode()
    return html.escape(text, quote=True).encode("utf-8", "ignore")


class Holes:
    """The holes of a bundle's contents.

    Attributes
    ----------
    reads : tuple[str, ...]
        The attributes that may be shown: no other can be.
    of : dict[int, tuple[Hole, ...]]
        By the content's position; only those that have any.

    Raises
    ------
    BundleError
        ``holes``: they don't fit each other, or the contents.
    """

    def __init__(self, arrays: Mapping[str, Array], contents: Strings) -> None:
        for name, dtype in _VECTORS.items():
            array = arrays.get(name)
            _need(array is not None and array.ndim == 1 and array.dtype.str == dtype, f"no vector {name!r}")
        names = Strings(arrays, "names")
        names.check_texts()
        self.reads = tuple(names.text(position) for position in range(len(names)))
        _check(arrays, len(contents), len(names))
        bounds = arrays["first"].tolist()
        columns = [
            arrays[name].tolist() for name in ("start", "end", "attribute", "context", "case", "longest")
        ]
        holes = [
            Hole(start, end, self.reads[attribute], *more)
            for start, end, attribute, *more in zip(*columns, strict=True)
        ]
        self.of = {
            content: tuple(holes[low:high])
            for content, low, high in zip(arrays["content"].tolist(), bounds[:-1], bounds[1:], strict=True)
        }
        for content, found in self.of.items():
            edges = [edge for hole in found for edge in (hole.start, hole.end)]
            _need([*edges, len(contents[content])] == sorted([*edges, len(contents[content])]), "spans cross")


def load_contents(bundle: Bundle) -> tuple[Strings, Strings]:
    """The ids of a bundle's contents, and their bytes."""
    arrays = unpack(bundle.read(bundle.one("rules", "contents")))
    ids, bodies = Strings(arrays, "ids"), Strings(arrays, "bodies")
    ids.check_texts()
    if len(ids) != len(bodies):
        raise BundleError("arrays", "contents have not one body for each id")
    return ids, bodies


def load_holes(bundle: Bundle, contents: Strings) -> Holes | None:
    """The holes of a bundle's contents; None where they have none."""
    if not bundle.artifacts("rules", "holes"):
        return None
    return Holes(unpack(bundle.read(bundle.one("rules", "holes"))), contents)


def _check(arrays: Mapping[str, Array], contents: int, names: int) -> None:
    content, first, size = arrays["content"], arrays["first"], len(arrays["start"])
    _need(len(content) == 0 or int(content.max()) < contents, "a hole is in no content")
    _need(len(first) == len(content) + 1 and first[0] == 0 and first[-1] == size, "holes do not fit contents")
    _need(not np.any(first[1:] < first[:-1]), "holes do not fit contents")
    for name in ("end", "attribute", "context", "case", "longest"):
        _need(len(arrays[name]) == size, f"vector {name!r} does not fit the holes")
    _need(not size or int(arrays["attribute"].max()) < names, "a hole has no attribute")
    _need(not np.any(arrays["context"] > URL) and not np.any(arrays["case"] > CAPITALIZE), "an unknown hole")


def _need(holds: bool, what: str) -> None:
    if not holds:
        raise BundleError("holes", what)

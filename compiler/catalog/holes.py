"""Reads the holes of contents, finds where each stands, and refuses what could become more than text."""

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from compiler.draft import Draft
from compiler.problems import Problems, nearest
from compiler.types import Content, Site
from edge.bundle.arrays import pack
from edge.bundle.strings import pack_strings
from edge.decide.holes import AS_IT_IS, ATTRIBUTE, CASES, TEXT, URL, Hole, escape
from edge.worker.attributes.place import NO_FRONT

MAX_HOLES: Final = 256
"""In one content."""

FILTERS: Final = ("default", "truncate", *CASES)
_HINT: Final = 'write it like {{ geo.city | default: "your city" }}'

_HOLE: Final = re.compile(r"(?<!\{)\{\{((?:[^{}\"]|\"[^\"\n]*\")*)\}\}(?!\})")
_NAME: Final = re.compile(r"[a-z][a-z0-9_-]*(\.[a-z0-9_-]+)*")
_STEP: Final = re.compile(r"\s*\|\s*([a-z]+)\s*(?::\s*(?:\"([^\"\n]*)\"|([0-9]{1,3})))?\s*")
_LITERAL: Final = re.compile(r"\"([^\"\n]*)\"")

# What the sanitizer writes: names in lower case, every value in double quotes, no raw < or quote in them.
_TAG: Final = re.compile(r"</?[a-z][a-z0-9-]*((?:\s+[^\s=<>\"]+(?:=\"[^\"]*\")?)*)\s*/?>")
_VALUE: Final = re.compile(r"\s([^\s=<>\"]+)=\"([^\"]*)\"")

_URLS: Final = frozenset(("href", "src", "cite"))
_TEXTS: Final = frozenset(("alt", "class", "datetime", "lang", "title", "width", "height"))
_OURS: Final = frozenset(("data-item", "data-placement", "data-nearside"))
# From here on nothing can change which site a URL leads to, nor its scheme.
_SETTLED: Final = re.compile(r"(https?://[^/?#\\\s]+[/?#]|/[^/\\\s]|[?#]|\./)", re.IGNORECASE)


@dataclass(frozen=True)
class Written:
    """A hole as it was written: its attribute, filters and default, on a line."""

    attribute: str
    default: str
    case: int
    longest: int
    line: int


def take_out(text: str, path: str, problems: Problems) -> tuple[str, dict[str, Written], bool]:
    """The text with a mark in place of each hole, the holes by mark, and whether all could be read."""
    if "{{" not in text:
        return text, {}, True
    # A mark is a word that the text does not have, so that it is found again wherever it went.
    stem = "nshole"
    while stem in text.lower():
        stem += "x"
    found: dict[str, Written] = {}
    fine = True

    def replace(match: re.Match[str]) -> str:
        nonlocal fine
        line = text.count("\n", 0, match.start()) + 1
        if literal := _LITERAL.fullmatch(match[1].strip()):
            return literal[1]
        hole = _read(match[1].strip(), line, path, problems)
        if hole is None:
            fine = False
            return ""
        mark = f"{stem}{len(found)}z"
        found[mark] = hole
        return mark

    marked = _HOLE.sub(replace, text)
    for match in re.finditer(r"\{\{", _HOLE.sub(lambda match: "\n" * match[0].count("\n"), text)):
        line = _HOLE.sub(lambda match: "\n" * match[0].count("\n"), text).count("\n", 0, match.start()) + 1
        hint = _HINT + '; for the signs themselves write {{ "{{" }}'
        problems.error(path, line, "hole", "a hole that begins here can't be read", hint)
        fine = False
    if len(found) > MAX_HOLES:
        problems.error(path, 0, "too-large", f"{len(found)} holes", f"at most {MAX_HOLES}")
        fine = False
    return marked, found, fine


def _read(inside: str, line: int, path: str, problems: Problems) -> Written | None:
    name = _NAME.match(inside)
    if name is None:
        problems.error(
            path, line, "hole", f"the hole {inside[:40]!r} does not begin with an attribute", _HINT
        )
        return None
    default, case, longest, at = "", AS_IT_IS, 0, name.end()
    while at < len(inside):
        step = _STEP.match(inside, at)
        if step is None:
            problems.error(path, line, "hole", f"the hole {inside[:40]!r} can't be read", _HINT)
            return None
        filter_, text, number = step.groups()
        if filter_ == "default" and text is not None:
            default = text
        elif filter_ == "truncate" and number is not None and int(number):
            longest = int(number)
        elif filter_ in CASES and text is number is None:
            case = CASES[filter_]
        else:
            known = filter_ in FILTERS
            message = f"the filter {filter_!r} {'is written otherwise' if known else 'is not known'}"
            hint = (
                'default: "text", truncate: 20, upper, lower, capitalize'
                if known
                else nearest(filter_, FILTERS)
            )
            problems.error(path, line, "hole", message, hint)
            return None
        at = step.end()
    return Written(name[0], default, case, longest, line)


def settle_holes(
    body: str, found: dict[str, Written], path: str, problems: Problems
) -> tuple[bytes, tuple[Hole, ...]]:
    """The body with the defaults in place of the marks, and where they stand."""
    places = {mark: body.find(mark) for mark in found}
    spans = _values(body)
    parts: list[bytes] = []
    holes: list[Hole] = []
    at = size = 0
    for mark, start in sorted(places.items(), key=lambda place: place[1]):
        hole = found[mark]
        context = _context(body, start, hole, spans)
        if isinstance(context, str):
            problems.error(path, hole.line, "hole", f"the hole {hole.attribute!r} {context}", _WHERE)
            continue
        before, default = body[at:start].encode(), escape(hole.default, context)
        begin = size + len(before)
        size = begin + len(default)
        parts += (before, default)
        at = start + len(mark)
        holes.append(Hole(begin, size, hole.attribute, context, hole.case, hole.longest))
    return b"".join([*parts, body[at:].encode()]), tuple(holes)


_WHERE: Final = "holes stand in text, in values such as title, or in a URL after its host and first /"

Span = tuple[int, int, str, int]
"""From where to where a tag goes, and of a value in it: the attribute's name, and where the value begins."""


def _values(body: str) -> list[Span]:
    spans: list[Span] = []
    for tag in _TAG.finditer(body):
        spans.append((tag.start(), tag.end(), "", -1))
        for value in _VALUE.finditer(body, tag.start(1), tag.end(1)):
            spans.append((value.start(2), value.end(2), value[1], value.start(2)))
    return spans


def _context(body: str, start: int, hole: Written, spans: Sequence[Span]) -> int | str:
    """Where the hole stands; or, as text, what is wrong with that."""
    if start < 0:
        return "stands in what is taken out: a script, style, comment, tag or event handler"
    around = [span for span in spans if span[0] <= start < span[1]]
    if not around:
        return TEXT
    _, _, name, begin = around[-1]
    if begin < 0:
        return "stands in a tag, outside of the values in it"
    if name in _URLS:
        return _in_url(html.unescape(body[begin:start]), hole)
    if name in _OURS or not (name in _TEXTS or name.startswith(("data-", "aria-"))):
        return f"stands in {name!r}, which takes none"
    return ATTRIBUTE


def _in_url(before: str, hole: Written) -> int | str:
    if _SETTLED.match(before):
        return URL
    if before == "/":
        # Without a value, what follows could become a host: //example.com
        return URL if escape(hole.default, URL) else "stands at the beginning of a path and has no default"
    return "stands where it could change which site a URL leads to"


def check_holes(contents: Sequence[Content], site: Site, problems: Problems) -> None:
    """Note holes for attributes that the site does not have, or that nothing tells."""
    sources = {attribute.name: attribute.source for attribute in site.attributes}
    for content in contents:
        for name, line in content.asks:
            if name not in sources:
                message = f"there is no attribute {name!r}"
                problems.error(content.path, line, "unknown-name", message, nearest(name, sources))
            elif sources[name] == f"front:{NO_FRONT}":
                message = f"nothing tells {name!r}"
                problems.error(content.path, line, "no-source", message, "write `front:` in site.yaml")


def put_holes(draft: Draft, contents: Sequence[Content]) -> None:
    """Add the holes of all contents, where there are any."""
    held = [(position, content.holes) for position, content in enumerate(contents) if content.holes]
    if not held:
        return
    holes = [hole for _, of in held for hole in of]
    names = sorted({hole.attribute for hole in holes})
    columns = {
        "start": [hole.start for hole in holes],
        "end": [hole.end for hole in holes],
        "attribute": [names.index(hole.attribute) for hole in holes],
        "longest": [hole.longest for hole in holes],
        "content": [position for position, _ in held],
        "first": np.cumsum([0, *(len(of) for _, of in held)]),
    }
    arrays = {name: np.array(column, np.uint32) for name, column in columns.items()}
    arrays["context"] = np.array([hole.context for hole in holes], np.uint8)
    arrays["case"] = np.array([hole.case for hole in holes], np.uint8)
    draft.put("holes", "holes", pack(arrays | pack_strings("names", [name.encode() for name in names])))

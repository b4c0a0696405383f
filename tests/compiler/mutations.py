"""Breaks workspace files in every way that people do, and says for each on which line that has to be told."""
# ruff: noqa: E501 -- a table of mistakes reads best with one kind in a line

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, NamedTuple

import yaml

SEED: Final = 20_260_521


class Broken(NamedTuple):
    """A file with one mistake.

    Attributes
    ----------
    lines : tuple[int, ...]
        Where it has to be told; several where who reads YAML can't know better.
    code : str
        A pattern of the codes that fit.
    """

    kind: str
    text: str
    lines: tuple[int, ...]
    code: str
    what: str


@dataclass(frozen=True)
class Mutation:
    """A broken file, and which one it is."""

    workspace: str
    path: str
    broken: Broken

    def __str__(self) -> str:
        kind, _, lines, _, what = self.broken
        return f"{kind}: {self.workspace}/{self.path}:{lines[-1]}: {what}"


@dataclass(frozen=True)
class _Entry:
    """One `key: value` of a file, and where it stands in it.

    Attributes
    ----------
    room : str
        `site.yaml`, or the file's folder.
    place : str
        The keys that lead to it; ``[]`` for a list's entry, ``*`` for a name that its author chose,
        ``?`` within a condition.
    owner_line : int
        The line of the mapping that it is in.
    before
        What the list's entry before has under the same key.
    after
        The key that follows in its mapping.
    """

    room: str
    place: str
    key: Any
    value: Any
    owner_line: int
    before: str | None = None
    after: Any = None

    def fits(self, pattern: str) -> bool:
        """Whether the place, or the room and the place, are of the pattern."""
        return any(re.fullmatch(pattern, place) for place in (self.place, f"{self.room}:{self.place}"))

    @property
    def line(self) -> int:
        """The key's line."""
        return int(self.key.start_mark.line) + 1


_CHOSEN: Final = {
    "site.yaml": ("attributes", "behaviours", "audiences"),
    "rules": ("audiences", "groups", "layouts"),
    "models": (),
}
"""Mappings whose keys are names."""

REQUIRED: Final = (
    r"site|placements|attributes\.\*\.(type|source)|items\.path|behaviours\.\*\.window|site\.yaml:audiences\.\*\.(list|by)"
    r"|campaigns\[\]\.(id|placement|show)|.*show(\.\*)?\.(content|recommender|card)|interactions"
    r"|experiments\[\]\.(id|variations|namespace\.(name|range)|variations\[\]\.(key|show))|holdouts\[\]\.(id|share|of)"
    r"|bandits\[\]\.(id|arms|arms\[\]\.(key|show))|placements\[\]\.name"
)
REFERENCES: Final = (
    r"campaigns\[\]\.(audience|placement)|.*show(\.\*)?\.(content|recommender|card|experiment|bandit)|fallback|recipe|front"
    r"|interactions|.*\.(timezone|days|hash|by|list|of)|placements\[\]\.default|layouts\.\*\.(order|hide)|.*\.layout(\.order)?"
)
CHOICES: Final = (
    r"attributes\.\*\.type|consent\.default|behaviours\.\*\.(event|measure)|placements\[\]\.choose"
)
IDS: Final = r"site|(campaigns|experiments|holdouts|bandits)\[\]\.id|experiments\[\]\.variations\[\]\.key|bandits\[\]\.arms\[\]\.key|campaigns\[\]\.(programme|exclusive)"
BAD_IDS: Final = ("Big", '"a b"', '"-a"', "a" * 65, '""', "a/b")
UNIQUE: Final = r"(campaigns|experiments|holdouts|bandits)\[\]\.id|bandits\[\]\.arms\[\]\.key|experiments\[\]\.variations\[\]\.key"

BAD_VALUES: Final[Mapping[str, Sequence[str]]] = {
    r".*\.(start|end)": (
        '"2026-13-01T00:00:00+01:00"',
        "next week",
        '"2026-06-01T25:00:00+02:00"',
        '"2026-02-30T00:00Z"',
    ),
    r".*weekly\[\]\.(from|to)": ('"25:00"', "8pm", '"18:60"'),
    r".*\.window": ("7 days", "0d", "9999d"),
    r".*\.priority": ("10000000", "-1000001"),
    r".*\.limit": ("0", "1001", "-3"),
    r".*\.(share|coverage)": ("2", "-0.1"),
    r".*\.weight": ("1.5", "-0.5"),
    r".*\.hashVersion": ("3", "0"),
    r".*\.sticky": ("0", "-1"),
    r".*\.floor": ("0", "0.9"),
    r"campaigns\[\]\.value(\.base|\.plus\..*)?": ("10000000", "0.00001"),
    r"layouts\.\*\.swap": ("[[offers]]", "[offers, news]", "[[offers, offers]]", "[[offers, gone]]"),
    r"redirects\.hosts": ('["https://shop.example.com"]', '["a b"]'),
    r".*namespace\.range": ("[0.5, 0.2]", "[0]", "0.5", "[0, 2]"),
    r"items\.path": ('"film/{item}"', "/film", '"/{item}/{item}"', '"/film/{item}?x"'),
    r"attributes\.\*\.source": ("form:utm", "header:Cookie", "header", '"query:"'),
    r"consent\.cookie": ('"con sent"', '"a;b"'),
    r"regularization|half_life_days": ("-5",),
}
"""What can't be meant, by place."""

BAD_TYPES: Final[Mapping[str, Sequence[str]]] = {
    r".*\.(id|key|seed|recommender|card|content|experiment|programme|exclusive)|site|recipe|fallback": (
        "7",
        "[a, b]",
        "{a: b}",
        "true",
        "",
    ),
    r".*\.(priority|limit|share|coverage|weight|sticky|hashVersion|floor)|regularization|half_life_days": (
        "high",
        "[1]",
        "true",
        '"7"',
        "{a: 1}",
    ),
    r".*\.(schedule|namespace)|items|consent|attributes|behaviours|audiences|groups": (
        "7",
        "[a]",
        "some",
        "",
    ),
    r"campaigns\[\]\.value(\.base|\.plus\..*)?": ("high", "[1]", "true", '"7"'),
    r"campaigns\[\]\.value\.plus": ("7", "[visitor.visits]"),
    r"campaigns|experiments|holdouts|bandits|.*\.(weekly|variations|arms)": ("7", "{a: 1}", "some", ""),
    r".*\.(show|audience)": ("7", "[a]", "true"),
    r"attributes\.\*": ("string", "[string]", ""),
    r"groups\.\*": ("DE", "{a: b}", "[[a]]", "7"),
}
"""Values of another type, by place."""

BAD_OPERANDS: Final[Mapping[str, Sequence[str]]] = {
    "$eq": ("[a]", "{a: b}"),
    "$ne": ("{a: b}",),
    "$in": ("AT", "{a: b}"),
    "$nin": ("7",),
    "$ini": ("a", "[7]"),
    "$nini": ("a",),
    "$exists": ("3", "yes"),
    "$type": ("text", "7"),
    **dict.fromkeys(("$gt", "$gte", "$lt", "$lte"), ("[1]", "{a: 1}")),
    **dict.fromkeys(("$veq", "$vne", "$vgt", "$vgte", "$vlt", "$vlte"), ("[1]", "true", "{a: 1}")),
    "$regex": ('"("', '"(?=a)b"', '"(a"', r'"(a)\\1"', "7", '"' + "a" * 600 + '"', '"(a{99}){99}"'),
    "$notRegex": ('"("',),
    "$regexi": ('"["',),
    "$notRegexi": ('"*"',),
    "$cidr": ('"10.0.0.0/99"', "home", "7"),
    "$url": ("film", '"/' + "*/" * 20 + '"'),
    "$before": ("tomorrow", "7"),
    "$after": ('"2026-05-01"',),
    "$inGroup": ("dac", "[dach]", "7"),
    "$notInGroup": ("odds",),
    **dict.fromkeys(("$and", "$or", "$nor"), ("{a: b}", "7", "[7]")),
}
BAD_WANTED: Final = ("{$gtee: 3}", "{}", "{$and: []}", "{$in: [[a]]}", "{a: {$eq: 1}}")
"""What may not stand for an attribute."""

_MISREAD: Final = "yaml|wrong-type|unknown-key|unknown-name|missing-key|condition/.*"
"""What a line without its colon may turn out to be."""


def mutations(workspace: str, path: str, text: str) -> Iterator[Mutation]:
    """All mutations of one file."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    room = path if path == "site.yaml" else path.partition("/")[0]
    found = [
        b for entry in _entries(root, room, "", root.start_mark.line + 1) for b in _of_entry(entry, text)
    ]
    rows = text.split("\n")
    for number, row in enumerate(rows, 1):
        for kind, new, lines, code in _of_line(row, number):
            broken = "\n".join([*rows[: number - 1], new, *rows[number:]])
            found.append(Broken(kind, broken, lines, code, new.strip()[:60]))
    return (Mutation(workspace, path, broken) for broken in found)


def chosen(found: Sequence[Mutation], count: int) -> list[Mutation]:
    """So many of them: the same ones each time, and of each kind about as many as of another."""
    decks: dict[str, list[Mutation]] = {}
    for mutation in found:
        decks.setdefault(mutation.broken.kind, []).append(mutation)
    for deck in decks.values():
        random.Random(SEED).shuffle(deck)
    drawn: list[Mutation] = []
    while len(drawn) < count and any(decks.values()):
        drawn += [decks[kind].pop() for kind in sorted(decks) if decks[kind]]
    return drawn[:count]


def _of_entry(entry: _Entry, text: str) -> Iterator[Broken]:
    """What can be done to one key and its value."""
    yield from _twice(entry, text)
    if "?" in entry.place:
        yield from _of_condition(entry, text)
        return
    if entry.fits(REQUIRED):
        code = "missing-key|wrong-type"  # the last key gone, nothing is left
        yield Broken("dropped key", _dropped(entry, text), (entry.owner_line,), code, f"no {entry.place}")
    if not entry.place.endswith("*"):
        new = entry.key.value + entry.key.value[-1]
        broken = _put(text, _span(entry.key), new)
        yield Broken(
            "misspelt key", broken, (entry.line,), "unknown-key|unknown-name", f"{entry.place} as {new}"
        )
    yield from _of_texts(entry, text)
    yield from _of_value(entry, text)


def _of_texts(entry: _Entry, text: str) -> Iterator[Broken]:
    """Names that nothing has, and that nothing may have."""
    for part in entry.value.value if isinstance(entry.value, yaml.SequenceNode) else [entry.value]:
        if not isinstance(part, yaml.ScalarNode) or part.style:
            continue
        line, new = (part.start_mark.line + 1,), f"{part.value}x"
        broken, what = _put(text, _span(part), new), f"{entry.place}: {new}"
        if entry.fits(REFERENCES) and part.value not in ("site", "nothing"):
            yield Broken("unknown reference", broken, line, "unknown-name|missing", what)
        if entry.fits(CHOICES):
            yield Broken("unknown choice", broken, line, "bad-value", what)
        if entry.fits(IDS):
            for bad in BAD_IDS:
                yield Broken(
                    "bad id", _put(text, _span(part), bad), line, "bad-id|empty", f"{entry.place}: {bad}"
                )


def _of_value(entry: _Entry, text: str) -> Iterator[Broken]:
    """Values that can't be meant, of another type, or somebody else's."""
    for pattern, values in BAD_VALUES.items():
        if entry.fits(pattern):
            for value in values:
                yield _with_value("bad value", entry, text, value, "bad-value|duplicate-id|unknown-name")
    for pattern, values in BAD_TYPES.items():
        if entry.fits(pattern):
            for value in values:
                yield _with_value(
                    "wrong type", entry, text, value, "wrong-type|unknown-name|bad-value|condition/.*"
                )
    if entry.fits(UNIQUE) and entry.before is not None:
        broken = _with_value("duplicate id", entry, text, entry.before, "duplicate-id")
        yield broken._replace(lines=(entry.owner_line,))


def _of_condition(entry: _Entry, text: str) -> Iterator[Broken]:
    key = entry.key.value
    operator = key.startswith("$")
    new = f"{key}q"
    kind = "misspelt operator" if operator else "misspelt attribute"
    yield Broken(kind, _put(text, _span(entry.key), new), (entry.line,), "condition/.*", f"{key} as {new}")
    for value in BAD_OPERANDS.get(key, ()) if operator else BAD_WANTED:
        yield _with_value("bad operand", entry, text, value, "condition/.*")


def _with_value(kind: str, entry: _Entry, text: str, value: str, code: str) -> Broken:
    # What stands below its key is replaced there.
    lines = (entry.line, entry.value.start_mark.line + 1)
    what = f"{entry.place} {entry.key.value}: {value[:30]}"
    return Broken(kind, _put(text, _span(entry.value), value), lines, code, what)


def _twice(entry: _Entry, text: str) -> Iterator[Broken]:
    """The same key once more: on the next line, or after a comma."""
    low, high = _span(entry.key)[0], _span(entry.value)[1]
    written = text[low:high]
    begins = text.rfind("\n", 0, low) + 1
    if "\n" in written:
        return
    if text[begins:low].strip(" -"):
        yield Broken(
            "duplicate key", _put(text, (high, high), f", {written}"), (entry.line,), "duplicate-key", written
        )
        return
    ends = text.find("\n", high)
    again = f"\n{' ' * (low - begins)}{written}"
    yield Broken(
        "duplicate key", _put(text, (ends, ends), again), (entry.line + 1,), "duplicate-key", written
    )


def _dropped(entry: _Entry, text: str) -> str:
    low, high = _span(entry.key)[0], _span(entry.value)[1]
    if entry.after is not None:
        return _put(text, (low, entry.after.start_mark.index), "")
    return text[:low].rstrip(" ,\n") + text[high:]


def _of_line(row: str, number: int) -> Iterator[tuple[str, str, tuple[int, ...], str]]:
    """What can be done to one line: kind, new line, lines, code."""
    body = row.lstrip(" ")
    if not body or body.startswith("#"):
        return
    here, indent = (number,), len(row) - len(body)
    if indent:
        yield "tab", "\t" * (indent // 2) + body, here, "yaml"
    if row.count('"') == 2:
        yield "unclosed quote", _without_last(row, '"'), here, "yaml"
    elif not row.count('"'):
        for bracket in "}]":
            if bracket in row:
                yield "unclosed bracket", _without_last(row, bracket), here, "yaml"
    yield "control character", row + "\x07", here, "encoding"
    match = re.match(r"( *(?:- )?[\w.$-]+): ", row)
    if match is None:
        return
    key, value = match[1], row[match.end() :]
    # A text goes on in the next line, where a colon may then be one too many; and what was the only
    # line of a mapping is then the text of the key above.
    around = (number - 1, number + 1, number)
    yield "no colon", f"{key} {value}", around, _MISREAD
    yield "no space after the colon", f"{key}:{value}", around, _MISREAD
    for sign in ("@", "`", "%"):
        yield "stray sign", f"{key}: {sign}{value}", here, "yaml"
    yield "bad escape", f'{key}: "\\q"', here, "yaml"
    yield "anchor", f"{key}: &x {value}", here, "yaml-alias"
    yield "alias", f"{key}: *x", here, "yaml-alias"
    yield "tag", f"{key}: !!int {value}", here, "yaml-tag"


def _entries(node: Any, room: str, place: str, line: int) -> Iterator[_Entry]:
    """All keys below a node."""
    if isinstance(node, yaml.SequenceNode):
        before: dict[str, str] = {}
        for part in node.value:
            for entry in _entries(part, room, f"{place}[]", part.start_mark.line + 1):
                yield replace(entry, before=before.get(entry.place, entry.before))
                if (
                    isinstance(entry.value, yaml.ScalarNode)
                    and entry.place.rpartition(".")[0] == f"{place}[]"
                ):
                    before[entry.place] = entry.value.value
    if not isinstance(node, yaml.MappingNode):
        return
    following = [key for key, _ in node.value[1:]] + [None]
    for (key, value), after in zip(node.value, following, strict=False):
        inner = f"{place}.{_step(room, place, key.value, value)}".lstrip(".")
        yield _Entry(room, inner, key, value, line, after=after)
        yield from _entries(value, room, inner, key.start_mark.line + 1)


def _step(room: str, place: str, key: str, value: Any) -> str:
    """How a place goes on: by the key, a chosen name, or into a condition."""
    named = room == "rules" and place.startswith("audiences.")
    if named or "?" in place or place.endswith((".audience", ".where")):
        return "?"
    by_placement = place.endswith("show") and isinstance(value, yaml.MappingNode)
    return "*" if place in _CHOSEN[room] or by_placement else key


def _span(node: Any) -> tuple[int, int]:
    """From a node's first character to after its last: block collections end only where something else begins."""
    low = node.start_mark.index
    while not isinstance(node, yaml.ScalarNode) and not node.flow_style:
        last = node.value[-1]
        node = last[1] if isinstance(last, tuple) else last
    return low, node.end_mark.index


def _put(text: str, span: tuple[int, int], new: str) -> str:
    return text[: span[0]] + new + text[span[1] :]


def _without_last(row: str, sign: str) -> str:
    before, _, after = row.rpartition(sign)
    return before + after

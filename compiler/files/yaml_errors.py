"""Says in plain words why a text is no YAML, and on which line that began."""

from typing import Any, Final

import yaml

Told = tuple[int, str, str]
"""Line, message, hint."""

_SPACES: Final = "indent with spaces, not with tabs"
_COLON: Final = "write `key: value`, with a space after the colon"
_SIGN: Final = "a sign that can't stand at the beginning of a value"
_QUOTE: Final = "quote the value: it begins with a sign that means something else in YAML"

_FLOW: Final = "and look for a missing quote or comma"

# What the parser was at where something began that has no end, by its own words.
_UNENDED: Final = {
    "while scanning a quoted scalar": (
        "a quote opens here and is not closed",
        "close it with the same sign",
    ),
    "while parsing a flow mapping": ("a { opens here and is not closed", f"close it with }}, {_FLOW}"),
    "while parsing a flow sequence": ("a [ opens here and is not closed", f"close it with ], {_FLOW}"),
    "while scanning a simple key": ("a line without a colon", _COLON),
}

_INDENT: Final = (
    "not indented as the lines around it, or no `key: value`",
    "indent the keys of one mapping alike, and the entries of one list",
)

# What is wrong where the parser stopped, by some of its own words: libyaml's, or the Python parser's.
_STOPPED: Final = {
    "mapping values are not allowed": (
        "a colon where none can be",
        "indent it as its neighbours, look for a missing colon above, or quote text that holds a colon",
    ),
    "did not find expected key": _INDENT,
    "did not find expected '-' indicator": _INDENT,
    "expected <block end>": _INDENT,
    "that cannot start any token": (_SIGN, _QUOTE),
    "non-alphabetical character": (_SIGN, _QUOTE),
    "expected alphabetic": (_SIGN, _QUOTE),
    "unknown escape character": (
        "a \\ before a sign that needs none",
        "use single quotes, or write \\\\",
    ),
}


def explain(error: yaml.YAMLError, text: str) -> Told:
    """Where the mistake is, what it is, and what to do; as near as the parser knows."""
    stopped = _line(error, "problem_mark") or _line(error, "context_mark") or 1
    began = _line(error, "context_mark")
    stopped = min(stopped, text.count("\n") + (not text.endswith("\n")))
    rows = text.split("\n")
    if rows[stopped - 1].lstrip(" ").startswith("\t"):
        return stopped, "a tab at the beginning of a line", _SPACES
    said = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "not YAML")
    if "<document start>" in said:
        return _first(rows), "a line without a colon", _COLON
    context = str(getattr(error, "context", None) or "")
    if began and context in _UNENDED and (began < stopped or "quoted" in context):
        message, hint = _UNENDED[context]
        return began, message + (f"; noticed on line {stopped}" if began < stopped else ""), hint
    # A quote without its end goes on to the next one, and what stands behind that one has no place.
    odd = [n for n in range(max(1, began), stopped + 1) if rows[n - 1].count('"') % 2]
    if odd:
        message, hint = _UNENDED["while scanning a quoted scalar"]
        return odd[-1], message, hint
    for words, (message, hint) in _STOPPED.items():
        if words in said:
            return stopped, message, hint
    return stopped, said, "check indentation, colons and quotes near here"


def _line(error: yaml.YAMLError, mark: str) -> int:
    found: Any = getattr(error, mark, None)
    return int(found.line) + 1 if found is not None else 0


def _first(rows: list[str]) -> int:
    """The first line that is more than a comment."""
    return next((n for n, row in enumerate(rows, 1) if row.strip() and not row.lstrip().startswith("#")), 1)

"""Reads a regular expression into a tree, refusing what can't be matched in linear time."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

MAX_PATTERN_CHARS: Final = 512
MAX_DEPTH: Final = 50
MAX_REPEAT: Final = 200

Test = Callable[[str], bool]


class RegexError(ValueError):
    """The expression is malformed, or needs what a linear-time engine can't do; the message says which."""


@dataclass(frozen=True)
class One:
    """A character that passes the test; `text` is the only one that does, if there is one."""

    test: Test
    text: str = ""


@dataclass(frozen=True)
class Edge:
    """A place between characters: ``^ $ b B``."""

    kind: str


@dataclass(frozen=True)
class Sequence:
    """One part after the other."""

    parts: tuple["Node", ...]


@dataclass(frozen=True)
class Choice:
    """One part or another."""

    parts: tuple["Node", ...]


@dataclass(frozen=True)
class Repeat:
    """A part at least `low` and at most `high` times; None: without end."""

    part: "Node"
    low: int
    high: int | None


Node = One | Edge | Sequence | Choice | Repeat

_DIGITS: Final = frozenset("0123456789")
_WORDS: Final = _DIGITS | frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_SPACES: Final = frozenset("\t\n\v\f\r \u00a0\u1680\u2028\u2029\u202f\u205f\u3000\ufeff") | frozenset(
    map(chr, range(0x2000, 0x200B))
)
_SETS: Final = {"d": _DIGITS, "w": _WORDS, "s": _SPACES}
_CONTROL: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v", "0": "\0"}
_COUNTS: Final[dict[str, tuple[int, int | None]]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_LINE_ENDS: Final = frozenset("\n\r\u2028\u2029")


def is_word(sign: str) -> bool:
    """Whether ``\\w`` matches it."""
    return sign in _WORDS


def parse(pattern: str, insensitive: bool) -> Node:
    """The tree of a JavaScript regular expression.

    Raises
    ------
    RegexError
        It is malformed, over a limit, or has a look-around or a back reference.
    """
    if len(pattern) > MAX_PATTERN_CHARS:
        raise RegexError(f"a regular expression has at most {MAX_PATTERN_CHARS} characters")
    reader = _Reader(pattern, insensitive)
    node = reader.choice(0)
    if reader.at < len(pattern):
        raise RegexError("there is a ) without its (")
    return node


class _Reader:
    """Recursive descent over the pattern."""

    def __init__(self, pattern: str, insensitive: bool) -> None:
        self.pattern = pattern
        self.insensitive = insensitive
        self.at = 0

    def choice(self, depth: int) -> Node:
        if depth > MAX_DEPTH:
            raise RegexError(f"groups are nested deeper than {MAX_DEPTH}")
        parts = [self.sequence(depth)]
        while self._take("|"):
            parts.append(self.sequence(depth))
        return parts[0] if len(parts) == 1 else Choice(tuple(parts))

    def sequence(self, depth: int) -> Node:
        parts: list[Node] = []
        while self.at < len(self.pattern) and self.pattern[self.at] not in "|)":
            parts.append(self._quantified(self._atom(depth)))
        return Sequence(tuple(parts))

    def _take(self, text: str) -> bool:
        if self.pattern.startswith(text, self.at):
            self.at += len(text)
            return True
        return False

    def _next(self) -> str:
        if self.at >= len(self.pattern):
            raise RegexError("it ends in the middle")
        self.at += 1
        return self.pattern[self.at - 1]

    def _atom(self, depth: int) -> Node:
        sign = self._next()
        if sign == "(":
            return self._group(depth)
        if sign == "[":
            return One(self._class())
        if sign == "\\":
            return self._escape()
        if sign in "^$":
            return Edge(sign)
        if sign == ".":
            return One(lambda c: c not in _LINE_ENDS)
        if sign in "*+?" or (sign == "{" and self._bounds(self.at) is not None):
            raise RegexError(f"there is nothing to repeat before {sign}")
        return self._one(sign)

    def _group(self, depth: int) -> Node:
        for look in ("?=", "?!", "?<=", "?<!"):
            if self.pattern.startswith(look, self.at):
                raise RegexError(f"look-around, such as ({look}…), can't be matched in linear time")
        if self._take("?<"):
            name, found, _ = self.pattern[self.at :].partition(">")
            if not found or not name.isidentifier():
                raise RegexError("a group's name can't be read")
            self.at += len(name) + 1
        elif self._take("?") and not self._take(":"):
            raise RegexError(f"(?{self.pattern[self.at : self.at + 1]} is not supported; (?: is")
        node = self.choice(depth + 1)
        if not self._take(")"):
            raise RegexError("there is a ( without its )")
        return node

    def _quantified(self, atom: Node) -> Node:
        sign = self.pattern[self.at : self.at + 1]
        if sign and sign in "*+?":
            self.at += 1
            low, high = _COUNTS[sign]
        elif sign == "{" and (found := self._bounds(self.at + 1)) is not None:
            low, high, self.at = found
        else:
            return atom
        if isinstance(atom, Edge):
            raise RegexError("there is nothing to repeat after an anchor")
        self._take("?")  # which match is found first does not matter: only whether there is one
        return Repeat(atom, low, high)

    def _bounds(self, at: int) -> tuple[int, int | None, int] | None:
        """``m}``, ``m,}`` or ``m,n}`` at this place, and where it ends; None: a brace that means itself."""
        end = self.pattern.find("}", at, at + 12)
        low, comma, high = self.pattern[at:end].partition(",") if end >= 0 else ("", "", "")
        if not (low.isascii() and low.isdigit()) or not (high == "" or (high.isascii() and high.isdigit())):
            return None
        least = int(low)
        most = int(high) if high else (None if comma else least)
        if max(least, most or 0) > MAX_REPEAT:
            raise RegexError(f"something is repeated more than {MAX_REPEAT} times")
        if most is not None and most < least:
            raise RegexError(f"the numbers in {{{low},{high}}} are out of order")
        return least, most, end + 1

    def _escape(self) -> Node:
        sign = self._next()
        if sign in "bB":
            return Edge(sign)
        if sign in "123456789" or sign == "k":
            raise RegexError(f"a back reference, such as \\{sign}, can't be matched in linear time")
        if sign.lower() in _SETS or sign in "pP":
            return One(self._escaped(sign))
        return self._one(self._literal(sign))

    def _escaped(self, sign: str) -> Test:
        if sign.lower() in _SETS:
            members = _SETS[sign.lower()]
            return members.__contains__ if sign.islower() else lambda c: c not in members
        raise RegexError(f"\\{sign} is not supported")

    def _literal(self, sign: str) -> str:
        """The character that an escape means."""
        if sign in _CONTROL:
            return _CONTROL[sign]
        if sign in "xu":
            size = 2 if sign == "x" else 4
            digits = self.pattern[self.at : self.at + size]
            if len(digits) == size and all(c in "0123456789abcdefABCDEF" for c in digits):
                self.at += size
                return chr(int(digits, 16))
        return sign

    def _class(self) -> Test:
        negated = self._take("^")
        tests: list[Test] = []
        while not self._take("]"):
            first = self._member(tests)
            if self.pattern.startswith("-", self.at) and not self.pattern.startswith("-]", self.at):
                self.at += 1
                last = self._member(tests)
                if first is None or last is None:
                    tests.append(self._exactly("-"))
                    tests += [self._exactly(one) for one in (first, last) if one is not None]
                elif last < first:
                    raise RegexError(f"the range {first}-{last} is out of order")
                else:
                    tests.append(self._range(first, last))
            elif first is not None:
                tests.append(self._exactly(first))
        if negated:
            return lambda c: not any(test(c) for test in tests)
        return lambda c: any(test(c) for test in tests)

    def _member(self, tests: list[Test]) -> str | None:
        """A character of a class; of a set, such as ``\\d``, the test is noted and None returned."""
        sign = self._next()
        if sign != "\\":
            return sign
        sign = self._next()
        if sign == "b":
            return "\b"
        if sign.lower() in _SETS or sign in "pP":
            tests.append(self._escaped(sign))
            return None
        return self._literal(sign)

    def _one(self, sign: str) -> One:
        cased = self.insensitive and sign.upper() != sign.lower()
        return One(self._exactly(sign), "" if cased else sign)

    def _exactly(self, wanted: str) -> Test:
        if not self.insensitive:
            return wanted.__eq__
        folded = wanted.upper()
        return lambda c: c == wanted or c.upper() == folded

    def _range(self, first: str, last: str) -> Test:
        if not self.insensitive:
            return lambda c: first <= c <= last
        return lambda c: first <= c <= last or any(first <= v <= last for v in (c.lower(), c.upper()))

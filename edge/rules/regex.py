"""Regular expressions in linear time: whatever a request holds, matching it takes a bounded while."""

from collections.abc import Callable
from functools import lru_cache
from typing import Final

from edge.rules.regex_syntax import Choice, Edge, Node, One, RegexError, Sequence, Test, is_word, parse

__all__ = ["MAX_TEXT_CHARS", "Regex", "RegexError", "regex"]

MAX_STATES: Final = 512
"""Of one expression, after repetitions are written out."""

MAX_TEXT_CHARS: Final = 512
"""Only so much of a text is looked at; a longer one has no match."""

MAX_REMEMBERED: Final = 512
"""Steps of one expression that are remembered."""

_NONE, _WORD, _OTHER = range(3)
"""What stands before or after a place: nothing, a word character, another."""

_ACCEPT: Final = 0

_Search = Callable[[str], bool]

_Situation = tuple[frozenset[int], int]
"""The states that were reached, and what stands before."""


class Regex:
    """An expression as a graph of states, all of which are followed at once.

    A text of n characters takes at most n times `MAX_STATES` steps, and mostly
    n look-ups, as the steps of earlier texts are remembered.

    Attributes
    ----------
    beginning : str
        The expression holds exactly for texts that begin like this; empty if it is not that simple.
    """

    def __init__(self, pattern: str, insensitive: bool = False) -> None:
        # By state: where it leads without a character (through an edge, if there is one), or on a character.
        self._free: list[list[tuple[str, int]]] = [[]]
        self._step: list[tuple[Test, int] | None] = [None]
        tree = parse(pattern, insensitive)
        self._literal, self.beginning = _literal(tree)
        self._anchored = isinstance(tree, Sequence) and tree.parts[:1] == (Edge("^"),)
        self._first = self._add(tree, _ACCEPT)
        self._begin: _Situation = (frozenset((self._first,)), _NONE)
        self._known: dict[tuple[_Situation, str], _Situation | bool] = {}

    def search(self, text: str) -> bool:
        """Whether it matches anywhere in the text."""
        if len(text) > MAX_TEXT_CHARS:
            return False
        if self._literal is not None:
            return self._literal(text)
        situation, known = self._begin, self._known
        for sign in text:
            following = known.get((situation, sign))
            if following is None:
                following = self._advance(situation, sign)
                if len(known) >= MAX_REMEMBERED:
                    known.clear()
                known[situation, sign] = following
            if isinstance(following, bool):
                return following
            situation = following
        return _ACCEPT in self._reach(situation, _NONE)

    def _state(self) -> int:
        if len(self._free) >= MAX_STATES:
            raise RegexError(f"a regular expression has at most {MAX_STATES} states, repetitions written out")
        self._free.append([])
        self._step.append(None)
        return len(self._free) - 1

    def _add(self, node: Node, then: int) -> int:
        """The state from which `node`, and after it `then`, is matched."""
        if isinstance(node, Sequence):
            for part in reversed(node.parts):
                then = self._add(part, then)
            return then
        if isinstance(node, Choice):
            starts = [self._add(part, then) for part in node.parts]
            state = self._state()
            self._free[state] = [("", start) for start in starts]
            return state
        if isinstance(node, One):
            state = self._state()
            self._step[state] = (node.test, then)
            return state
        if isinstance(node, Edge):
            state = self._state()
            self._free[state] = [(node.kind, then)]
            return state
        return self._add_repeat(node.part, (node.low, node.high), then)

    def _add_repeat(self, part: Node, bounds: tuple[int, int | None], then: int) -> int:
        low, high = bounds
        if high is None:
            loop = self._state()
            self._free[loop] = [("", self._add(part, loop)), ("", then)]
            then = loop
        else:
            end = then
            for _ in range(high - low):
                optional = self._state()
                self._free[optional] = [("", self._add(part, then)), ("", end)]
                then = optional
        for _ in range(low):
            then = self._add(part, then)
        return then

    def _advance(self, situation: _Situation, sign: str) -> _Situation | bool:
        after = _WORD if is_word(sign) else _OTHER
        reached = self._reach(situation, after)
        if _ACCEPT in reached:
            return True
        found = set() if self._anchored else {self._first}  # a match may begin at any character
        for state in reached:
            step = self._step[state]
            if step is not None and step[0](sign):
                found.add(step[1])
        return (frozenset(found), after) if found else False

    def _reach(self, situation: _Situation, after: int) -> set[int]:
        """All states that can be reached without a character, given what stands before and after."""
        states, before = situation
        reached, waiting = set(states), list(states)
        while waiting:
            for edge, state in self._free[waiting.pop()]:
                if state not in reached and (not edge or _holds(edge, before, after)):
                    reached.add(state)
                    waiting.append(state)
        return reached


def _literal(tree: Node) -> tuple[_Search | None, str]:
    """The same search for an expression that is plain text, perhaps anchored, and how a text has to begin."""
    parts = tree.parts if isinstance(tree, Sequence) else (tree,)
    begins, ends = parts[:1] == (Edge("^"),), parts[-1:] == (Edge("$"),)
    signs = parts[begins : len(parts) - ends]
    text = "".join(part.text for part in signs if isinstance(part, One))
    if not text or len(text) != len(signs):
        return None, ""
    if begins and ends:
        return text.__eq__, ""
    if begins:
        return lambda actual: actual.startswith(text), text
    return (lambda actual: actual.endswith(text)) if ends else (lambda actual: text in actual), ""


def _holds(edge: str, before: int, after: int) -> bool:
    if edge == "^":
        return before == _NONE
    if edge == "$":
        return after == _NONE
    return ((before == _WORD) != (after == _WORD)) is (edge == "b")


@lru_cache(1024)
def regex(pattern: str, insensitive: bool = False) -> Regex:
    """The expression, remembered.

    Raises
    ------
    RegexError
        It is malformed, over a limit, or not to be matched in linear time.
    """
    return Regex(pattern, insensitive)

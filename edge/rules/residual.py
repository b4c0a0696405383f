"""Predicates that no look-up can answer: asked once per request, while a rule that needs them lives."""

import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from edge.bundle.arrays import Array
from edge.bundle.strings import Strings
from edge.errors import BundleError
from edge.rules.attribute import capacity, to_int, xor_of
from edge.rules.evaluate import evaluate, prepared
from edge.rules.regex import MAX_TEXT_CHARS, regex
from edge.rules.values import STRING, typed

MAX_REMEMBERED_CHARS: Final = 256
"""Answers about longer texts are not remembered."""

MAX_REMEMBERED: Final = 8192
"""Values of one attribute whose answers are remembered, as references to shared bitmaps."""

MAX_TOGETHER: Final = 128
"""Predicates about one attribute that are all asked at once."""

Test = Callable[[Any], bool]


class Answers:
    """What is known about one value: which rules live on, and which still have a question.

    Attributes
    ----------
    keep : int
        All rules but those that got an answer that they did not want.
    unanswered : int
        Rules of which not all predicates have been asked.
    """

    __slots__ = ("given", "keep", "unanswered")

    def __init__(self, everyone: int, guarded: int) -> None:
        self.keep = everyone
        self.unanswered = guarded
        self.given: dict[int, bool] = {}


class Predicates:
    """All predicates by position, and which rules want which answer of them.

    Code 2p means that a rule wants predicate p not to hold, 2p + 1 that it wants it to.
    """

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        self.texts = Strings(arrays, "predicates")
        self._guards = arrays["guards"].data
        self._wants = arrays["wants"].data
        self._wants_of = arrays["wants.of"].data
        self._users = arrays["users"]
        self._users_of = arrays["users.of"].data
        self._row_bytes = len(arrays["everyone"])
        self._bits: dict[int, int] = {}
        self._capacity = capacity(self._row_bytes)

    def users(self, code: int) -> int:
        """The rules that want this answer."""
        bits = self._bits.get(code)
        if bits is None:
            bits = xor_of(self._users[self._users_of[code] : self._users_of[code + 1]], self._row_bytes)
            if len(self._bits) >= self._capacity:
                self._bits.clear()
            self._bits[code] = bits
        return bits

    def of_rules(self, rules: int) -> Iterable[int]:
        """The predicates that any of these rules wants something of."""
        found: dict[int, None] = {}
        while rules:
            rule = rules.bit_length() - 1
            rules ^= 1 << rule
            position = bisect_left(self._guards, rule)
            for code in self._wants[self._wants_of[position] : self._wants_of[position + 1]]:
                found[code >> 1] = None
        return found

    def read(self, position: int) -> Mapping[str, Any]:
        """The predicate as a condition.

        Raises
        ------
        BundleError
            ``index``: it can't be read, or evaluated.
        """
        try:
            condition = json.loads(self.texts[position])
            evaluate(condition, {})
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise BundleError("index", f"predicate {position} can't be read: {error}") from error
        assert isinstance(condition, dict)  # or `evaluate` would have raised
        return condition


class Together:
    """The predicates about one attribute, where they are few: all asked at once about a new value.

    Asking is cheaper then than finding out who wants to know. Values with the same
    answers share a bitmap, and beginnings of texts, the most frequent patterns, are looked up.

    Parameters
    ----------
    bits : tuple[int, int]
        All rules, and those with a predicate of this group.
    """

    def __init__(self, predicates: Predicates, name: str, range_: range, bits: tuple[int, int]) -> None:
        self.name = name
        self._predicates = predicates
        self._range = range_
        self._everyone, self._guarded = bits
        self._tests: list[tuple[int, Test]] = []
        self._beginnings: dict[int, dict[str, int]] = {}
        for bit, position in enumerate(range_):
            self._add(1 << bit, predicates.read(position))
        self._capacity = capacity(bits[0].bit_length() // 8 + 1)
        self._bitmaps: dict[int, int] = {}
        self._remembered: dict[Any, int] = {}

    def _add(self, bit: int, condition: Mapping[str, Any]) -> None:
        wanted = condition.get(self.name)
        pattern = wanted.get("$regex") if isinstance(wanted, dict) and len(wanted) == 1 else None
        beginning = regex(pattern).beginning if isinstance(pattern, str) else ""
        if beginning:
            known = self._beginnings.setdefault(len(beginning), {})
            known[beginning] = known.get(beginning, 0) | bit
        else:
            self._tests.append((bit, _test(self.name, condition)))

    def narrow(self, value: Any, alive: int) -> int:
        """Those bits of `alive` whose rules get the answers that they want about this value."""
        keep = self._remembered.get(value)
        if keep is None:
            if not alive & self._guarded:
                return alive
            keep = self._bitmap(self._ask(value))
            if not isinstance(value, str | tuple) or len(value) <= MAX_REMEMBERED_CHARS:
                if len(self._remembered) >= MAX_REMEMBERED:
                    self._remembered.clear()
                self._remembered[value] = keep
        return alive & keep

    def _ask(self, value: Any) -> int:
        """The predicates that hold, as bits."""
        found = 0
        if isinstance(value, str) and len(value) <= MAX_TEXT_CHARS:
            for length, beginnings in self._beginnings.items():
                found |= beginnings.get(value[:length], 0)
        for bit, test in self._tests:
            if test(value):
                found |= bit
        return found

    def _bitmap(self, holding: int) -> int:
        keep = self._bitmaps.get(holding)
        if keep is None:
            dead = 0
            for bit, position in enumerate(self._range):
                dead |= self._predicates.users(2 * position + (not holding >> bit & 1))
            keep = self._everyone & ~dead
            if len(self._bitmaps) >= self._capacity:
                self._bitmaps.clear()
            self._bitmaps[holding] = keep
        return keep


class OneByOne:
    """Many predicates about one attribute, or some about several: each asked when a living rule needs it.

    Parameters
    ----------
    name : str
        Empty for those about several attributes, whose answers are not remembered.
    bits : tuple[int, int]
        All rules, and those with a predicate of this group.
    """

    def __init__(self, predicates: Predicates, name: str, range_: range, bits: tuple[int, int]) -> None:
        self.name = name
        self._predicates = predicates
        self._range = range_
        self._bits = bits
        self._tests: dict[int, Test] = {}
        self._capacity = capacity(bits[0].bit_length() // 4 + 1)
        self._remembered: dict[Any, Answers] = {}

    def narrow(self, value: Any, alive: int) -> int:
        """Those bits of `alive` whose rules get the answers that they want about this value."""
        known = None if isinstance(value, dict) else self._remembered.get(value)
        if known is None:
            if not alive & self._bits[1]:
                return alive
            known = self._answers(value)
        alive &= known.keep
        pending = alive & known.unanswered
        if pending:
            self._ask(known, value, pending)
            alive &= known.keep
        return alive

    def _answers(self, value: Any) -> Answers:
        """Nothing is known of it yet; what will be is remembered if the value is short."""
        known = Answers(*self._bits)
        if isinstance(value, dict) or (isinstance(value, str | tuple) and len(value) > MAX_REMEMBERED_CHARS):
            return known
        if len(self._remembered) >= self._capacity:
            self._remembered.clear()
        self._remembered[value] = known
        return known

    def _ask(self, known: Answers, value: Any, pending: int) -> None:
        """Find out what these rules have to know."""
        predicates, dead = self._predicates, 0
        few = pending.bit_count() < len(self._range)
        for position in predicates.of_rules(pending) if few else self._range:
            if position in known.given or position not in self._range:
                continue
            if_true, if_false = predicates.users(2 * position + 1), predicates.users(2 * position)
            if if_true & pending or if_false & pending:
                answer = known.given[position] = self._test(position)(value)
                dead |= if_false if answer else if_true
        known.keep &= ~dead
        known.unanswered &= ~(pending | dead)

    def _test(self, position: int) -> Test:
        test = self._tests.get(position)
        if test is None:
            test = self._tests[position] = _test(self.name, self._predicates.read(position))
        return test


def _test(name: str, condition: Mapping[str, Any]) -> Test:
    """A predicate to be asked of the value of this attribute, or of the values of all."""
    if not name:
        return lambda values: evaluate(condition, values)
    if list(condition) == [name]:
        return prepared(condition[name])
    return lambda value: evaluate(condition, {name: value})


class Residuals:
    """All groups of an index.

    Attributes
    ----------
    types : dict[str, int]
        The kinds of values of each attribute that a predicate reads.
    any : bool
        Whether there are any.

    Parameters
    ----------
    arrays
        Those of the index, checked.
    """

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        names = Strings(arrays, "reads")
        kinds = arrays["reads.types"].tolist()
        self.types = {names[i].decode(): kinds[i] for i in range(len(names))}
        self._predicates = Predicates(arrays)
        everyone, bounds = to_int(arrays["everyone"]), arrays["groups.of"].tolist()
        self._groups: list[tuple[str, Callable[[Any, int], int]]] = []
        for position, name in enumerate([*self.types, ""]):
            own = range(bounds[position], bounds[position + 1])
            guarded = to_int(arrays["guarded"][position]) & everyone
            if own:
                kind = Together if name and len(own) <= MAX_TOGETHER else OneByOne
                group = kind(self._predicates, name, own, (everyone, guarded))
                self._groups.append((name, group.narrow))
        self.any = bool(self._groups)

    def verify(self) -> None:
        """Read every predicate, as a worker does only when it needs one.

        Raises
        ------
        BundleError
            ``index``: one can't be read.
        """
        for position in range(len(self._predicates.texts)):
            self._predicates.read(position)

    def narrow(self, attributes: Mapping[str, Any], alive: int) -> int:
        """Those bits of `alive` whose rules get the answers that they want."""
        get, types = attributes.get, self.types
        for name, narrow in self._groups:
            if name:
                value = get(name)
                # Quick for the frequent: a string or nothing; all else is made sure of.
                if value is not None and not (type(value) is str and types[name] == STRING):
                    value = _key(typed(value, types[name]))
            else:
                value = {one: typed(get(one), kinds) for one, kinds in types.items()}
            alive = narrow(value, alive)
        return alive


def _key(value: Any) -> Any:
    """The value, a list as what can be remembered."""
    return tuple(value) if isinstance(value, list) else value

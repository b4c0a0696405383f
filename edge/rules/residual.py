"""Predicates that no look-up can answer: asked once per request, while a rule that needs them lives."""

import json
from bisect import bisect_left
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from edge.bundle.arrays import Array
from edge.bundle.strings import Strings
from edge.errors import BundleError
from edge.rules.attribute import capacity, to_int, xor_of
from edge.rules.evaluate import evaluate
from edge.rules.values import typed

MAX_ANSWERS: Final = 65_536
MAX_REMEMBERED_CHARS: Final = 256
"""Answers that are remembered, and for how long texts."""

Predicate = tuple[Mapping[str, Any], tuple[str, ...]]
"""A condition, and the attributes that it reads."""


class Residuals:
    """Predicates by position, and which rules want which answer of them.

    Code 2p means that a rule wants predicate p not to hold, 2p + 1 that it wants it to.

    Parameters
    ----------
    arrays
        Those of the index, checked.
    """

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        names = Strings(arrays, "reads")
        kinds = arrays["reads.types"].tolist()
        self.types = {names[i].decode(): kinds[i] for i in range(len(names))}
        self._texts = Strings(arrays, "predicates")
        self._rules = arrays["guarded"].data
        self._wants = arrays["wants"].data
        self._wants_of = arrays["wants.of"].data
        self._users = arrays["users"]
        self._users_of = arrays["users.of"].data
        self._row_bytes = len(arrays["everyone"])
        row = np.zeros(self._row_bytes * 8, bool)
        row[arrays["guarded"]] = True
        self.guarded = to_int(np.packbits(row, bitorder="little"))
        self._predicates: dict[int, Predicate] = {}
        self._bits: dict[int, int] = {}
        self._answers: dict[tuple[int, object], bool] = {}
        self._capacity = capacity(self._row_bytes)

    def verify(self) -> None:
        """Read every predicate, as a worker does only when it needs one.

        Raises
        ------
        BundleError
            ``index``: one can't be read.
        """
        for position in range(len(self._texts)):
            self._read(position)

    def narrow(self, attributes: Mapping[str, Any], alive: int) -> int:
        """Those bits of `alive` whose rules get the answers that they want."""
        answers: dict[int, bool] = {}
        pending = alive & self.guarded
        while pending:
            rule = pending.bit_length() - 1
            for code in self._wants_of_rule(rule):
                if code >> 1 in answers:
                    continue
                answer = answers[code >> 1] = self._ask(code >> 1, attributes)
                alive &= ~self._users_bits(code & ~1 | (not answer))
                if answer is not bool(code & 1):
                    break
            pending &= alive & ((1 << rule) - 1)
        return alive

    def _wants_of_rule(self, rule: int) -> list[int]:
        position = bisect_left(self._rules, rule)
        return self._wants[self._wants_of[position] : self._wants_of[position + 1]].tolist()

    def _users_bits(self, code: int) -> int:
        """The rules that want this answer."""
        bits = self._bits.get(code)
        if bits is None:
            ids = self._users[self._users_of[code] : self._users_of[code + 1]]
            bits = xor_of(ids, self._row_bytes)
            if len(self._bits) >= self._capacity:
                self._bits.clear()
            self._bits[code] = bits
        return bits

    def _ask(self, position: int, attributes: Mapping[str, Any]) -> bool:
        predicate = self._predicates.get(position)
        if predicate is None:
            predicate = self._predicates[position] = self._read(position)
        condition, names = predicate
        values = {name: typed(attributes.get(name), self.types[name]) for name in names}
        if len(names) > 1:
            return evaluate(condition, values)
        value = values[names[0]]
        if isinstance(value, list) or (isinstance(value, str) and len(value) > MAX_REMEMBERED_CHARS):
            return evaluate(condition, values)
        # A boolean is never the attribute of the same predicate as a number.
        answer = self._answers.get((position, value))
        if answer is None:
            if len(self._answers) >= MAX_ANSWERS:
                self._answers.clear()
            answer = self._answers[position, value] = evaluate(condition, values)
        return answer

    def _read(self, position: int) -> Predicate:
        try:
            condition = json.loads(self._texts[position])
            names = tuple(sorted(_names(condition)))
            evaluate(condition, {})
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise BundleError("index", f"predicate {position} can't be read: {error}") from error
        if not names or not self.types.keys() >= set(names):
            raise BundleError("index", f"predicate {position} reads an attribute that is not declared")
        return condition, names


def _names(condition: Mapping[str, Any]) -> set[str]:
    """The attributes that a condition reads."""
    found: set[str] = set()
    for name, part in condition.items():
        if name == "$not":
            found |= _names(part)
        elif name.startswith("$"):
            found |= {inner for one in part for inner in _names(one)}
        else:
            found.add(name)
    return found

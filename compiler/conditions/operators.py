"""The operators: what each may be given, and the constraint it means."""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Final, NoReturn

from compiler.conditions.constraint import INFINITY, Constraint, normal
from edge.rules.evaluate import instant_ms
from edge.rules.network import network
from edge.rules.regex import regex
from edge.rules.url import url_pattern
from edge.rules.values import Value, number

MAX_SHOWN: Final = 60
"""Characters of a value that a message repeats."""

MAX_DIGITS: Final = 18
"""Of a number without quotes."""

MAX_VALUES: Final = 100_000
"""Of one list."""

MAX_TEXT_CHARACTERS: Final = 2_048
"""Of one value: no attribute of a request that is worth a rule is longer."""

MAX_PATTERNS: Final = 1_000
"""Networks or URL patterns of one list, which are tried one after the other."""

SCALARS: Final = {"string", "number", "boolean"}
LISTS: Final[dict[str, str]] = {"strings": "string", "numbers": "number"}
"""Types of attributes that hold lists, and the type of their elements."""

JSON_TYPES: Final = SCALARS | {"array", "object", "null"}

_TYPES: Final[dict[str, tuple[type, ...]]] = {"string": (str,), "number": (int, float), "boolean": (bool,)}


class RefusedError(Exception):
    """Carries one problem out of the reading of one operator."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        self.problem = (code, message, hint)


@dataclass(frozen=True)
class Target:
    """The attribute that an operator is about."""

    name: str
    kind: str
    operator: str

    def fits(self, operand: object) -> bool:
        """Whether the operand is of the attribute's type, or of its elements'."""
        kind = LISTS.get(self.kind, self.kind)
        return isinstance(operand, _TYPES[kind]) and (kind == "boolean") is isinstance(operand, bool)

    def value(self, operand: object) -> Value:
        """The operand as a value of the attribute's type."""
        if not self.fits(operand):
            self._mismatch(operand)
        if isinstance(operand, str) and len(operand) > MAX_TEXT_CHARACTERS:
            message = f"a value of {len(operand)} characters; {MAX_TEXT_CHARACTERS} are the limit"
            raise RefusedError("size", f"{self.name} is compared with {message}", "compare with a part of it")
        if isinstance(operand, str | bool):
            return operand
        assert isinstance(operand, int | float)
        value = number(operand)
        if math.isnan(value):
            raise RefusedError("type", f"{self.name} is compared with something that is no number")
        return value

    def demand(self, kinds: Collection[str]) -> None:
        """Refuse attributes of other types."""
        if self.kind not in kinds:
            wanted = " or ".join(sorted(kinds))
            raise RefusedError("type", f"{self.operator} is for {wanted}, and {self.name} is {self.kind}")

    def _mismatch(self, operand: object) -> NoReturn:
        hint = ""
        if isinstance(operand, list):
            hint = f"write `{self.name}: {{$in: […]}}`"
        elif self.kind == "string" and not isinstance(operand, Mapping):
            hint = f"quote it: '{shown(operand)}'"
        elif (
            self.kind == "number"
            and isinstance(operand, str)
            and len(operand) <= MAX_DIGITS
            and _reads_as_number(operand)
        ):
            hint = f"take the quotes away: {operand}"
        elif self.kind == "boolean":
            hint = "write true or false"
        raise RefusedError(
            "type", f"{self.name} is a {self.kind}, and {shown(operand)} is {type_name(operand)}", hint
        )


Read = Callable[[object, Target], Constraint | None]
"""Checks an operand; the constraint that it means, or None where only the evaluator can tell."""


def plain(operand: object, target: Target) -> Constraint | None:
    """A value that stands for an attribute without an operator: equal as JavaScript's SDKs compare it."""
    if operand is None:
        return Constraint(frozenset())
    if target.kind in LISTS:
        if not isinstance(operand, list):
            message = f"{target.name} is a list, and {shown(operand)} is {type_name(operand)}"
            raise RefusedError("type", message, f"write `{target.name}: {{$in: [{shown(operand)}]}}`")
        _values(operand, target)
        return None
    value = target.value(operand)
    # There, a missing value is null, which as a number is 0 and as text "null".
    return Constraint(frozenset({value}), absent=value in (0.0, "null") and value is not False)


def _equal(operand: object, target: Target) -> Constraint:
    target.demand(SCALARS)
    return _among([operand], target)


def _unequal(operand: object, target: Target) -> Constraint:
    return _equal(operand, target).complement()


def _one_of(operand: object, target: Target) -> Constraint | None:
    values = _list(operand, target)
    if target.kind in LISTS:
        _values([value for value in values if value is not None], target)
        return None
    return _among(values, target)


def _none_of(operand: object, target: Target) -> Constraint | None:
    found = _one_of(operand, target)
    return found if found is None else found.complement()


def _among(values: list[object], target: Target) -> Constraint:
    """Null among them is a missing value."""
    return Constraint(frozenset(target.value(v) for v in values if v is not None), absent=None in values)


def _list(operand: object, target: Target) -> list[object]:
    if not isinstance(operand, list):
        raise RefusedError(
            "shape", f"{target.operator} takes a list, not {type_name(operand)}", f"write [{shown(operand)}]"
        )
    if len(operand) > MAX_VALUES:
        raise RefusedError(
            "size", f"{target.operator} lists {len(operand)} values; {MAX_VALUES} are the limit"
        )
    return operand


def _values(values: list[object], target: Target) -> None:
    """Check each to be a value of the list's elements."""
    element = Target(target.name, LISTS[target.kind], target.operator)
    for value in values:
        element.value(value)


def _folded(operand: object, target: Target) -> None:
    target.demand({"string", "strings"})
    _values(_list(operand, target), Target(target.name, "strings", target.operator))


def _all_of(operand: object, target: Target) -> None:
    target.demand(set(LISTS))
    _values(_list(operand, target), target)


def _exists(operand: object, _: Target) -> Constraint:
    if not isinstance(operand, bool):
        raise RefusedError("type", f"$exists takes true or false, not {type_name(operand)}")
    return Constraint(absent=False) if operand else Constraint(frozenset(), absent=True)


def _type(operand: object, target: Target) -> Constraint:
    if not isinstance(operand, str) or operand not in JSON_TYPES:
        hint = f"one of {', '.join(sorted(JSON_TYPES))}"
        raise RefusedError("type", f"$type takes the name of a type, not {shown(operand)}", hint)
    if operand == "null":
        return Constraint(frozenset())
    mine = "array" if target.kind in LISTS else target.kind
    return Constraint(None if operand == mine else frozenset(), absent=False)


def _compared(interval: Callable[[float], Constraint]) -> Read:
    def read(operand: object, target: Target) -> Constraint | None:
        if target.kind == "string":
            target.value(operand)
            return None
        if target.kind != "number":
            message = f"{target.operator} compares numbers or text, and {target.name} is a {target.kind}"
            raise RefusedError("type", message, "use $eq or $in")
        bound = target.value(operand)
        assert isinstance(bound, float)
        return interval(bound)

    return read


def _above(bound: float) -> Constraint:
    return _interval(math.nextafter(bound, INFINITY), INFINITY, bound < INFINITY)


def _from(bound: float) -> Constraint:
    return _interval(bound, INFINITY)


def _below(bound: float) -> Constraint:
    return _interval(-INFINITY, math.nextafter(bound, -INFINITY), bound > -INFINITY)


def _to(bound: float) -> Constraint:
    return _interval(-INFINITY, bound)


def _interval(low: float, high: float, possible: bool = True) -> Constraint:
    none = None if possible else frozenset[Value]()
    # A missing value counts as 0, as in the SDKs. + 0.0: there is one zero in an index.
    absent = possible and low <= 0 <= high
    return normal(none, frozenset(), (low + 0.0, high + 0.0), ranged=True, absent=absent)


def _moment(after: bool) -> Read:
    def read(operand: object, target: Target) -> Constraint:
        target.demand({"number"})
        hint = "write it like 2026-05-01T09:00:00+02:00"
        try:
            bound = float(instant_ms(operand)) if isinstance(operand, str) else None
        except (ValueError, OverflowError) as error:
            raise RefusedError(
                "type", f"{target.operator} can't read {shown(operand)}: {error}", hint
            ) from error
        if bound is None:
            message = f"{target.operator} takes a date and time as text, not {type_name(operand)}"
            raise RefusedError("type", message, hint)
        return replace(_from(bound) if after else _below(bound), absent=False)

    return read


def _checked(kinds: set[str], check: Callable[[str], object], many: bool = False) -> Read:
    """For text that `check` reads or raises ValueError; `many`: or a list of it."""

    def read(operand: object, target: Target) -> None:
        target.demand(kinds)
        if many and isinstance(operand, list) and len(operand) > MAX_PATTERNS:
            message = f"{target.operator} lists {len(operand)} values; {MAX_PATTERNS} are the limit"
            raise RefusedError("size", message, "join some of them to wider ones")
        for one in operand if many and isinstance(operand, list) and operand else [operand]:
            if not isinstance(one, str):
                raise RefusedError("type", f"{target.operator} takes text, not {type_name(one)}", "quote it")
            try:
                check(one)
            except ValueError as error:
                raise RefusedError("pattern", f"{target.operator} can't use {shown(one)}: {error}") from error

    return read


def _version(operand: object, target: Target) -> None:
    target.demand({"string", "number"})
    if not isinstance(operand, str | int | float) or isinstance(operand, bool):
        raise RefusedError("type", f"{target.operator} takes a version, not {type_name(operand)}", "quote it")


_REGEX: Final = _checked({"string"}, regex)
_REGEXI: Final = _checked({"string"}, lambda pattern: regex(pattern, True))

OPERATORS: Final[dict[str, Read]] = {
    "$eq": _equal,
    "$ne": _unequal,
    "$in": _one_of,
    "$nin": _none_of,
    "$ini": _folded,
    "$nini": _folded,
    "$gt": _compared(_above),
    "$gte": _compared(_from),
    "$lt": _compared(_below),
    "$lte": _compared(_to),
    "$exists": _exists,
    "$type": _type,
    "$all": _all_of,
    "$alli": _all_of,
    "$regex": _REGEX,
    "$regexi": _REGEXI,
    "$notRegex": _REGEX,
    "$notRegexi": _REGEXI,
    **dict.fromkeys(("$veq", "$vne", "$vgt", "$vgte", "$vlt", "$vlte"), _version),
    "$cidr": _checked({"string"}, network, many=True),
    "$url": _checked({"string"}, url_pattern, many=True),
    "$before": _moment(after=False),
    "$after": _moment(after=True),
}
"""What may stand below an attribute, and takes a value."""

NESTED: Final = frozenset({"$not", "$size", "$elemMatch", "$inGroup", "$notInGroup"})
"""What may stand there too, and takes operators or the name of a group."""


def _reads_as_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def shown(value: object) -> str:
    """The value, cut short."""
    text = str(value) if isinstance(value, date) else repr(value)
    return text if len(text) <= MAX_SHOWN else text[:MAX_SHOWN] + "…"


def type_name(value: object) -> str:
    """The value's type in the words of someone who writes YAML."""
    names = {type(None): "null", bool: "a boolean", int: "a number", float: "a number", str: "a string"}
    names |= {list: "a list", dict: "a mapping"}
    return names.get(type(value), f"a {type(value).__name__}")

"""The operators: what each may be given, and the constraint it means."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final, NoReturn

from compiler.constraint import INFINITY, Constraint, normal
from edge.rules.values import Value, number

MAX_SHOWN: Final = 60
"""Characters of a value that a message repeats."""

LATER: Final = frozenset(
    {
        *("$or", "$nor", "$not", "$regex", "$regexi", "$notRegex", "$notRegexi", "$size", "$all", "$alli"),
        *("$elemMatch", "$type", "$ini", "$nini", "$veq", "$vne", "$vgt", "$vgte", "$vlt", "$vlte"),
        *("$inGroup", "$notInGroup"),
    }
)
"""Operators of the dialect that are not there yet."""

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

    def value(self, operand: object) -> Value:
        """The operand as a value of the attribute's type."""
        fits = isinstance(operand, _TYPES[self.kind]) and (self.kind == "boolean") is isinstance(
            operand, bool
        )
        if not fits:
            self._mismatch(operand)
        if isinstance(operand, str | bool):
            return operand
        assert isinstance(operand, int | float)
        value = number(operand)
        if math.isnan(value):
            raise RefusedError("type", f"{self.name} is compared with something that is no number")
        return value

    def _mismatch(self, operand: object) -> NoReturn:
        hint = ""
        if isinstance(operand, list):
            hint = f"write `{self.name}: {{$in: […]}}`"
        elif self.kind == "string" and not isinstance(operand, Mapping):
            hint = f"quote it: '{shown(operand)}'"
        elif self.kind == "number" and isinstance(operand, str) and _reads_as_number(operand):
            hint = f"take the quotes away: {operand}"
        elif self.kind == "boolean":
            hint = "write true or false"
        raise RefusedError(
            "type", f"{self.name} is a {self.kind}, and {shown(operand)} is {type_name(operand)}", hint
        )


def _equal(operand: object, target: Target) -> Constraint:
    return _one_of([operand], target)


def _unequal(operand: object, target: Target) -> Constraint:
    return _none_of([operand], target)


def _one_of(operand: object, target: Target) -> Constraint:
    values, null = _list(operand, target)
    return Constraint(values, absent=null)


def _none_of(operand: object, target: Target) -> Constraint:
    values, null = _list(operand, target)
    return Constraint(excluded=values, absent=not null)


def _list(operand: object, target: Target) -> tuple[frozenset[Value], bool]:
    """The values, and whether null, which is a missing value, is among them."""
    if not isinstance(operand, list):
        raise RefusedError(
            "shape", f"{target.operator} takes a list, not {type_name(operand)}", f"write [{shown(operand)}]"
        )
    return frozenset(target.value(v) for v in operand if v is not None), None in operand


def _exists(operand: object, _: Target) -> Constraint:
    if not isinstance(operand, bool):
        raise RefusedError("type", f"$exists takes true or false, not {type_name(operand)}")
    return Constraint(absent=False) if operand else Constraint(frozenset(), absent=True)


def _bound(operand: object, target: Target) -> float:
    if target.kind != "number":
        message = f"{target.operator} compares numbers, and {target.name} is a {target.kind}"
        raise RefusedError("type", message, "use $eq or $in")
    value = target.value(operand)
    assert isinstance(value, float)
    return value


def _above(operand: object, target: Target) -> Constraint:
    bound = _bound(operand, target)
    return _interval(math.nextafter(bound, INFINITY), INFINITY, bound < INFINITY)


def _from(operand: object, target: Target) -> Constraint:
    return _interval(_bound(operand, target), INFINITY)


def _below(operand: object, target: Target) -> Constraint:
    bound = _bound(operand, target)
    return _interval(-INFINITY, math.nextafter(bound, -INFINITY), bound > -INFINITY)


def _to(operand: object, target: Target) -> Constraint:
    return _interval(-INFINITY, _bound(operand, target))


def _interval(low: float, high: float, possible: bool = True) -> Constraint:
    # + 0.0: there is one zero in an index.
    none = None if possible else frozenset[Value]()
    return normal(none, frozenset(), (low + 0.0, high + 0.0), ranged=True, absent=False)


OPERATORS: Final[dict[str, Callable[[object, Target], Constraint]]] = {
    "$eq": _equal,
    "$ne": _unequal,
    "$in": _one_of,
    "$nin": _none_of,
    "$gt": _above,
    "$gte": _from,
    "$lt": _below,
    "$lte": _to,
    "$exists": _exists,
}
"""What may stand below an attribute."""


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

"""What people may write as a condition, and its normal form: one constraint per attribute."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final, NoReturn

from edge.rules.values import Value, number

MAX_DEPTH: Final = 32
"""Of nested `$and` and mappings."""

LATER: Final = frozenset(
    {
        *("$or", "$nor", "$not", "$regex", "$regexi", "$notRegex", "$notRegexi", "$size", "$all", "$alli"),
        *("$elemMatch", "$type", "$ini", "$nini", "$veq", "$vne", "$vgt", "$vgte", "$vlt", "$vlte"),
        *("$inGroup", "$notInGroup"),
    }
)
"""Operators of the dialect that are not there yet."""

CODES: Final[dict[str, str]] = {
    "attribute": "There is no attribute of this name.",
    "depth": "Conditions are nested too deep.",
    "key": "A key is no text.",
    "not-supported": "The operator belongs to the dialect, and this version does not have it yet.",
    "operator": "There is no such operator, or it can't stand there.",
    "shape": "A list, a mapping or a value stands where something else is wanted.",
    "type": "A value has another type than its attribute, or than the operator wants.",
}
"""Each code of a `ConditionProblem` and what it means."""

PathPart = str | int
INFINITY: Final = math.inf
_TYPES: Final[dict[str, tuple[type, ...]]] = {"string": (str,), "number": (int, float), "boolean": (bool,)}


@dataclass(frozen=True)
class ConditionProblem:
    """One thing that is wrong in a condition.

    Attributes
    ----------
    path : tuple
        Keys and list positions from the condition's root to the part at fault.
    code : str
        One of `CODES`.
    """

    path: tuple[PathPart, ...]
    code: str
    message: str
    hint: str = ""


class ConditionError(Exception):
    """A condition can't be read; `problems` are all that is wrong with it, as written."""

    def __init__(self, problems: list[ConditionProblem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Constraint:
    """What one attribute must be.

    Attributes
    ----------
    allowed : frozenset or None
        The only values that hold; None: any. Where it is set, `excluded` is
        empty and the interval is open: they are already taken out of it.
    excluded : frozenset
        Values that don't hold.
    low, high : float
        The interval, both ends inside.
    ranged : bool
        Whether the value must be a number in the interval.
    absent : bool
        Whether a missing value holds.
    """

    allowed: frozenset[Value] | None = None
    excluded: frozenset[Value] = frozenset()
    low: float = -INFINITY
    high: float = INFINITY
    ranged: bool = False
    absent: bool = True

    @property
    def impossible(self) -> bool:
        """Whether nothing holds, not even a missing value."""
        return not self.absent and self.allowed is not None and not self.allowed

    def both(self, other: "Constraint") -> "Constraint":
        """The constraint that holds where both hold."""
        if self.allowed is None or other.allowed is None:
            allowed = self.allowed if other.allowed is None else other.allowed
        else:
            allowed = self.allowed & other.allowed
        return _normal(
            allowed,
            self.excluded | other.excluded,
            (max(self.low, other.low), min(self.high, other.high)),
            self.ranged or other.ranged,
            self.absent and other.absent,
        )


def _normal(
    allowed: frozenset[Value] | None,
    excluded: frozenset[Value],
    interval: tuple[float, float],
    ranged: bool,
    absent: bool,
) -> Constraint:
    """The one form among those that mean the same."""
    low, high = interval
    if ranged and allowed is None and low == high:
        allowed = frozenset({low})
    if ranged and low > high:
        allowed = frozenset()
    if allowed is not None:
        inside = (v for v in allowed - excluded if not ranged or _within(v, low, high))
        return Constraint(frozenset(inside), absent=absent)
    if ranged:
        excluded = frozenset(v for v in excluded if _within(v, low, high))
    return Constraint(None, excluded, low, high, ranged, absent)


def _within(value: Value, low: float, high: float) -> bool:
    return not isinstance(value, str | bool) and low <= value <= high


@dataclass(frozen=True)
class Condition:
    """A conjunction: every attribute meets its constraint; no constraint holds for everyone."""

    constraints: Mapping[str, Constraint] = field(default_factory=dict)

    @property
    def contradictions(self) -> tuple[str, ...]:
        """The attributes of which it demands what can't be, sorted."""
        return tuple(sorted(name for name, c in self.constraints.items() if c.impossible))

    @property
    def impossible(self) -> bool:
        """Whether no context can meet it: worth a warning, not an error."""
        return any(constraint.impossible for constraint in self.constraints.values())

    def both(self, other: "Condition") -> "Condition":
        """The condition that holds where both hold, such as an audience's and a schedule's."""
        merged = dict(self.constraints)
        for name, constraint in other.constraints.items():
            merged[name] = merged.get(name, Constraint()).both(constraint)
        return Condition(merged)


def parse(condition: object, attributes: Mapping[str, str]) -> Condition:
    """Read a condition as YAML or JSON gave it.

    Parameters
    ----------
    attributes
        The type of every attribute by its name: ``string``, ``number`` or ``boolean``.

    Raises
    ------
    ConditionError
        With everything that is wrong in it, in the order it was written.
    """
    parser = _Parser(attributes)
    parser.mapping(condition, (), "")
    if parser.problems:
        raise ConditionError(parser.problems)
    return Condition(parser.constraints)


class _RefusedError(Exception):
    """Carries one problem out of the reading of one operator."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        self.problem = (code, message, hint)


class _Parser:
    """Walks a condition once, gathering constraints and problems."""

    def __init__(self, attributes: Mapping[str, str]) -> None:
        self.attributes = attributes
        self.problems: list[ConditionProblem] = []
        self.constraints: dict[str, Constraint] = {}

    def mapping(self, part: object, path: tuple[PathPart, ...], prefix: str) -> None:
        """Every entry of `part`; `prefix` is what dotted names in it begin with."""
        if len(path) > MAX_DEPTH:
            self._refuse(path, "depth", f"a condition is nested deeper than {MAX_DEPTH}")
        elif not isinstance(part, Mapping):
            hint = "write `attribute: value` or `attribute: {$in: [...]}`"
            self._refuse(path, "shape", f"a condition is a mapping, not {_name(part)}", hint)
        else:
            for name, value in part.items():
                self._entry(name, value, (*path, name), prefix)

    def _entry(self, name: object, value: object, path: tuple[PathPart, ...], prefix: str) -> None:
        if not isinstance(name, str):
            hint = f"quote it: '{name}'" if isinstance(name, bool) else "quote it"
            self._refuse(path, "key", f"{name!r} is no attribute's name but {_name(name)}", hint)
        elif name == "$and" and not prefix:
            self._and(value, path)
        elif name.startswith("$"):
            self._refuse(path, *_misplaced(name))
        else:
            self._named(prefix + name, value, path)

    def _and(self, value: object, path: tuple[PathPart, ...]) -> None:
        if not isinstance(value, list):
            hint = "write `$and: [{…}, {…}]`"
            self._refuse(path, "shape", f"$and takes a list of conditions, not {_name(value)}", hint)
            return
        for position, part in enumerate(value):
            self.mapping(part, (*path, position), "")

    def _named(self, name: str, value: object, path: tuple[PathPart, ...]) -> None:
        operators = isinstance(value, Mapping) and any(str(key).startswith("$") for key in value)
        if isinstance(value, Mapping) and value and not operators:
            self.mapping(value, path, f"{name}.")
            return
        kind = self.attributes.get(name)
        if kind is None:
            hint = _nearest(name, self.attributes) or "declare it under `attributes` in site.yaml"
            self._refuse(path, "attribute", f"there is no attribute {name!r}", hint)
        elif isinstance(value, Mapping):
            if not value:
                self._refuse(path, "shape", f"{name} has an empty condition", "leave it out, or name a value")
            for operator, operand in value.items():
                self._operator(name, kind, operator, operand, (*path, operator))
        else:
            self._operator(name, kind, "$eq", value, path)

    def _operator(
        self, name: str, kind: str, operator: object, operand: object, path: tuple[PathPart, ...]
    ) -> None:
        read = OPERATORS.get(operator) if isinstance(operator, str) else None
        if read is None:
            self._refuse(path, *_unknown(operator))
            return
        try:
            constraint = read(operand, _Target(name, kind, str(operator)))
        except _RefusedError as refused:
            self._refuse(path, *refused.problem)
        else:
            known = self.constraints.get(name)
            self.constraints[name] = constraint if known is None else known.both(constraint)

    def _refuse(self, path: tuple[PathPart, ...], code: str, message: str, hint: str = "") -> None:
        self.problems.append(ConditionProblem(path, code, message, hint))


@dataclass(frozen=True)
class _Target:
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
            raise _RefusedError("type", f"{self.name} is compared with something that is no number")
        return value

    def _mismatch(self, operand: object) -> NoReturn:
        hint = ""
        if isinstance(operand, list):
            hint = f"write `{self.name}: {{$in: […]}}`"
        elif self.kind == "string" and not isinstance(operand, Mapping):
            hint = f"quote it: '{operand}'"
        elif self.kind == "number" and isinstance(operand, str) and _reads_as_number(operand):
            hint = f"take the quotes away: {operand}"
        elif self.kind == "boolean":
            hint = "write true or false"
        raise _RefusedError(
            "type", f"{self.name} is a {self.kind}, and {operand!r} is {_name(operand)}", hint
        )


def _equal(operand: object, target: _Target) -> Constraint:
    return _one_of([operand], target)


def _unequal(operand: object, target: _Target) -> Constraint:
    return _none_of([operand], target)


def _one_of(operand: object, target: _Target) -> Constraint:
    values, null = _list(operand, target)
    return Constraint(values, absent=null)


def _none_of(operand: object, target: _Target) -> Constraint:
    values, null = _list(operand, target)
    return Constraint(excluded=values, absent=not null)


def _list(operand: object, target: _Target) -> tuple[frozenset[Value], bool]:
    """The values, and whether null, which is a missing value, is among them."""
    if not isinstance(operand, list):
        raise _RefusedError(
            "shape", f"{target.operator} takes a list, not {_name(operand)}", f"write [{operand}]"
        )
    return frozenset(target.value(v) for v in operand if v is not None), None in operand


def _exists(operand: object, _: _Target) -> Constraint:
    if not isinstance(operand, bool):
        raise _RefusedError("type", f"$exists takes true or false, not {_name(operand)}")
    return Constraint(absent=False) if operand else Constraint(frozenset(), absent=True)


def _bound(operand: object, target: _Target) -> float:
    if target.kind != "number":
        message = f"{target.operator} compares numbers, and {target.name} is a {target.kind}"
        raise _RefusedError("type", message, "use $eq or $in")
    value = target.value(operand)
    assert isinstance(value, float)
    return value


def _above(operand: object, target: _Target) -> Constraint:
    bound = _bound(operand, target)
    return _interval(math.nextafter(bound, INFINITY), INFINITY, bound < INFINITY)


def _from(operand: object, target: _Target) -> Constraint:
    return _interval(_bound(operand, target), INFINITY)


def _below(operand: object, target: _Target) -> Constraint:
    bound = _bound(operand, target)
    return _interval(-INFINITY, math.nextafter(bound, -INFINITY), bound > -INFINITY)


def _to(operand: object, target: _Target) -> Constraint:
    return _interval(-INFINITY, _bound(operand, target))


def _interval(low: float, high: float, possible: bool = True) -> Constraint:
    # + 0.0: there is one zero in an index.
    none = None if possible else frozenset[Value]()
    return _normal(none, frozenset(), (low + 0.0, high + 0.0), ranged=True, absent=False)


OPERATORS: Final[dict[str, Callable[[object, _Target], Constraint]]] = {
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


def _unknown(operator: object) -> tuple[str, str, str]:
    name = str(operator)
    if name == "$and":
        return "operator", "$and stands beside attributes, not below one", "move it one level up"
    if not name.startswith("$"):
        hint = "separate them with $and"
        return "shape", f"{name!r} stands among operators, where an attribute can't", hint
    if name in LATER:
        known = ", ".join(["$and", *OPERATORS])
        return "not-supported", f"{name} is not supported yet", f"there are {known}"
    return "operator", f"there is no operator {name}", _nearest(name, {*OPERATORS, *LATER, "$and"})


def _misplaced(name: str) -> tuple[str, str, str]:
    if name in OPERATORS:
        return (
            "operator",
            f"{name} stands below an attribute, not beside one",
            f"write `attribute: {{{name}: …}}`",
        )
    return _unknown(name)


def _nearest(name: str, names: Mapping[str, str] | set[str]) -> str:
    near = get_close_matches(name, sorted(names), 1)
    return f"did you mean {near[0]}?" if near else ""


def _reads_as_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _name(value: object) -> str:
    """The value's type in the words of someone who writes YAML."""
    names = {type(None): "null", bool: "a boolean", int: "a number", float: "a number", str: "a string"}
    names |= {list: "a list", dict: "a mapping"}
    return names.get(type(value), f"a {type(value).__name__}")

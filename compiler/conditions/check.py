"""What people may write as a condition, and everything that is wrong with it."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Final

from compiler.conditions.constraint import Constraint
from compiler.conditions.expression import All, Any_, Expression, Leaf, negate
from compiler.conditions.normalize import Clause, clauses_of
from compiler.conditions.operators import (
    LISTS,
    MAX_SHOWN,
    NESTED,
    OPERATORS,
    Read,
    RefusedError,
    Target,
    plain,
    shown,
    type_name,
)

__all__ = [
    "CODES",
    "Clause",
    "Condition",
    "ConditionError",
    "ConditionProblem",
    "Constraint",
    "parse",
    "read",
]

MAX_DEPTH: Final = 32
"""Keys and list positions on the way to a part; each `$and` takes two."""

MAX_PARTS: Final = 5_000
"""Attributes and `$and`, `$or`, `$nor`, `$not` of one condition."""

_LOGIC: Final = frozenset({"$and", "$or", "$nor", "$not"})

CODES: Final[dict[str, str]] = {
    "attribute": "There is no attribute of this name.",
    "depth": "Conditions are nested too deep.",
    "group": "There is no saved group of this name.",
    "key": "A key is no text.",
    "operator": "There is no such operator, or it can't stand there.",
    "pattern": "A regular expression, network or URL pattern can't be read, or is over a limit.",
    "shape": "A list, a mapping or a value stands where something else is wanted.",
    "size": "A condition has more parts, or a list more values, than the limit.",
    "type": "A value has another type than its attribute, or than the operator wants.",
}
"""Each code of a `ConditionProblem` and what it means."""

Path = tuple[Any, ...]


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

    path: Path
    code: str
    message: str
    hint: str = ""


class ConditionError(Exception):
    """A condition can't be read; `problems` are all that is wrong with it, as written."""

    def __init__(self, problems: list[ConditionProblem]) -> None:
        super().__init__("; ".join(problem.message for problem in problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class Condition:
    """Alternatives, each a conjunction; the empty conjunction holds for everyone.

    Attributes
    ----------
    clauses : tuple[Clause, ...]
        None at all: it never holds.
    """

    clauses: tuple[Clause, ...] = (Clause(),)

    @property
    def contradictions(self) -> tuple[str, ...]:
        """The attributes of which it demands what can't be, sorted."""
        return tuple(sorted({name for clause in self.clauses for name in clause.contradictions}))

    @property
    def impossible(self) -> bool:
        """Whether no context can meet it: worth a warning, not an error."""
        return all(clause.impossible for clause in self.clauses)

    def both(self, other: "Condition") -> "Condition":
        """The condition that holds where both hold, such as an audience's and a schedule's."""
        return Condition(tuple(one.both(two) for one in self.clauses for two in other.clauses))


def parse(
    condition: object, attributes: Mapping[str, str], groups: Mapping[str, Sequence[Any]] | None = None
) -> Condition:
    """Read a condition as YAML or JSON gave it.

    Parameters
    ----------
    attributes
        The type of every attribute by its name: ``string``, ``number``, ``boolean``,
        or a list: ``strings``, ``numbers``.
    groups
        Saved groups: values by name.

    Raises
    ------
    ConditionError
        With everything that is wrong in it, in the order it was written.
    """
    return Condition(clauses_of(read(condition, attributes, groups)))


def read(
    condition: object, attributes: Mapping[str, str], groups: Mapping[str, Sequence[Any]] | None = None
) -> Expression:
    """As `parse`, up to the tree."""
    reader = _Reader(attributes, groups or {})
    expression = reader.mapping(condition, (), "")
    if reader.problems:
        raise ConditionError(reader.problems)
    return expression


_NOTHING: Final = All()
"""What a part with a problem is read as."""

KNOWN: Final = frozenset({*OPERATORS, *NESTED})
"""All operators that may stand below an attribute."""


class _Reader:
    """Walks a condition once, gathering problems."""

    def __init__(self, attributes: Mapping[str, str], groups: Mapping[str, Sequence[Any]]) -> None:
        self.attributes = attributes
        self.groups = groups
        self.problems: list[ConditionProblem] = []
        self._parts = 0

    def mapping(self, part: object, path: Path, prefix: str) -> Expression:
        """Every entry of `part`; `prefix` is what dotted names in it begin with."""
        if len(path) > MAX_DEPTH:
            return self._refuse(path, "depth", f"a condition is nested deeper than {MAX_DEPTH}")
        if not isinstance(part, Mapping):
            hint = "write `attribute: value` or `attribute: {$in: [...]}`"
            return self._refuse(path, "shape", f"a condition is a mapping, not {type_name(part)}", hint)
        return All(tuple(self._entry(name, value, (*path, name), prefix) for name, value in part.items()))

    def _entry(self, name: object, value: object, path: Path, prefix: str) -> Expression:
        self._parts += 1
        if self._parts > MAX_PARTS:
            if self._parts == MAX_PARTS + 1:
                self._refuse(path, "size", f"a condition has more than {MAX_PARTS} parts", "split it")
            return _NOTHING
        if not isinstance(name, str):
            hint = "quote it"
            message = f"{shown(name)} is no attribute's name but {type_name(name)}"
            return self._refuse(path, "key", message, hint)
        if name in _LOGIC and not prefix:
            return self._logic(name, value, path)
        if name.startswith("$"):
            return self._refuse(path, *_misplaced(name))
        return self._named(prefix + name, value, path)

    def _logic(self, name: str, value: object, path: Path) -> Expression:
        if name == "$not":
            return negate(self.mapping(value, path, ""))
        if not isinstance(value, list):
            hint = f"write `{name}: [{{…}}, {{…}}]`"
            message = f"{name} takes a list of conditions, not {type_name(value)}"
            return self._refuse(path, "shape", message, hint)
        parts = tuple(self.mapping(part, (*path, position), "") for position, part in enumerate(value))
        if name == "$and":
            return All(parts)
        # An empty $or holds, as in the SDKs.
        either: Expression = Any_(parts) if parts else All()
        return either if name == "$or" else negate(either)

    def _named(self, name: str, value: object, path: Path) -> Expression:
        operators = isinstance(value, Mapping) and any(str(key).startswith("$") for key in value)
        if isinstance(value, Mapping) and value and not operators:
            return self.mapping(value, path, f"{name}.")
        kind = self.attributes.get(name)
        if kind is None:
            hint = _nearest(name, self.attributes) or "declare it under `attributes` in site.yaml"
            return self._refuse(path, "attribute", f"there is no attribute {shown(name)}", hint)
        return self._wanted(Target(name, kind, "="), value, path)

    def _wanted(self, target: Target, value: object, path: Path) -> Expression:
        """What stands for an attribute: operators, or a value."""
        if len(path) > MAX_DEPTH:
            return self._refuse(path, "depth", f"a condition is nested deeper than {MAX_DEPTH}")
        if not isinstance(value, Mapping):
            operator = _begun(value)
            if operator:
                hint = f"write {{{operator}: …}}, with a space after the colon; the text itself is {{$eq: …}}"
                return self._refuse(path, "operator", f"{shown(value)} is a text, not an operator", hint)
            return self._leaf(target, value, path, plain)
        if not value:
            message = f"{target.name} has an empty condition"
            return self._refuse(path, "shape", message, "leave it out, or name a value")
        return All(tuple(self._operator(target, name, part, (*path, name)) for name, part in value.items()))

    def _operator(self, target: Target, operator: object, operand: object, path: Path) -> Expression:
        if not isinstance(operator, str) or operator not in KNOWN:
            return self._refuse(path, *_unknown(operator))
        target = Target(target.name, target.kind, operator)
        if operator == "$not":
            return negate(self._wanted(target, operand, path))
        if operator in ("$inGroup", "$notInGroup"):
            return self._group(target, operand, path)
        if operator in ("$size", "$elemMatch"):
            return self._of_list(target, operand, path)
        return self._leaf(target, operand, path, OPERATORS[operator])

    def _leaf(self, target: Target, operand: object, path: Path, check: Read) -> Expression:
        try:
            constraint = check(operand, target)
        except RefusedError as refused:
            return self._refuse(path, *refused.problem)
        wanted = operand if check is plain else {target.operator: operand}
        return Leaf(target.name, {target.name: wanted}, constraint)

    def _group(self, target: Target, operand: object, path: Path) -> Expression:
        """A saved group is the list of its values; those of another type are nobody's."""
        if not isinstance(operand, str):
            return self._refuse(path, "type", f"{target.operator} takes a group's name", "quote it")
        if operand not in self.groups:
            hint = _nearest(operand, self.groups) or "write its values under `groups` in rules/*.yaml"
            return self._refuse(path, "group", f"there is no group {shown(operand)}", hint)
        operator = "$in" if target.operator == "$inGroup" else "$nin"
        target = Target(target.name, target.kind, operator)
        values = list(self.groups[operand])
        if target.kind in LISTS:
            return Leaf(target.name, {target.name: {operator: values}})
        values = [value for value in values if target.fits(value)]
        return self._leaf(target, values, path, OPERATORS[operator])

    def _of_list(self, target: Target, operand: object, path: Path) -> Expression:
        """A condition about the length or an element; checked as one about an attribute of that type."""
        try:
            target.demand(LISTS)
        except RefusedError as refused:
            return self._refuse(path, *refused.problem)
        if target.operator == "$elemMatch" and not isinstance(operand, Mapping):
            return self._refuse(path, "shape", "$elemMatch takes operators", "write {$elemMatch: {$eq: …}}")
        kind = "number" if target.operator == "$size" else LISTS[target.kind]
        known = len(self.problems)
        self._wanted(Target(target.name, kind, "="), operand, path)
        if len(self.problems) > known:
            return _NOTHING
        return Leaf(target.name, {target.name: {target.operator: self._resolved(operand)}})

    def _resolved(self, operand: Any) -> Any:
        """With saved groups written out: the edge has none."""
        if not isinstance(operand, Mapping):
            return operand
        groups = {"$inGroup": "$in", "$notInGroup": "$nin"}
        return {
            groups.get(name, name): list(self.groups.get(str(part), ()))
            if name in groups
            else self._resolved(part)
            for name, part in operand.items()
        }

    def _refuse(self, path: Path, code: str, message: str, hint: str = "") -> Expression:
        self.problems.append(ConditionProblem(path, code, message, hint))
        return _NOTHING


def _unknown(operator: object) -> tuple[str, str, str]:
    name = str(operator)
    if name in _LOGIC:
        return "operator", f"{name} stands beside attributes, not below one", "move it one level up"
    if not name.startswith("$"):
        hint = "separate them with $and"
        return "shape", f"{shown(name)} stands among operators, where an attribute can't", hint
    return "operator", f"there is no operator {shown(name)}", _nearest(name, KNOWN | _LOGIC)


def _begun(value: object) -> str:
    """The operator that a text begins with, as if its colon had been forgotten; '' where there is none."""
    word = re.match(r"\$\w+", value) if isinstance(value, str) else None
    return word[0] if word is not None and word[0] in KNOWN else ""


def _misplaced(name: str) -> tuple[str, str, str]:
    if name in KNOWN:
        return (
            "operator",
            f"{name} stands below an attribute, not beside one",
            f"write `attribute: {{{name}: …}}`",
        )
    return _unknown(name)


def _nearest(name: str, names: Collection[str]) -> str:
    near = get_close_matches(name[:MAX_SHOWN], sorted(names), 1)
    return f"did you mean {near[0]}?" if near else ""

"""What people may write as a condition, and everything that is wrong with it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final

from compiler.constraint import Constraint
from compiler.operators import LATER, MAX_SHOWN, OPERATORS, RefusedError, Target, shown, type_name

__all__ = ["CODES", "Condition", "ConditionError", "ConditionProblem", "Constraint", "parse"]

MAX_DEPTH: Final = 32
"""Keys and list positions on the way to a part; each `$and` takes two."""

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
            self._refuse(path, "shape", f"a condition is a mapping, not {type_name(part)}", hint)
        else:
            for name, value in part.items():
                self._entry(name, value, (*path, name), prefix)

    def _entry(self, name: object, value: object, path: tuple[PathPart, ...], prefix: str) -> None:
        if not isinstance(name, str):
            hint = "quote it"
            self._refuse(path, "key", f"{shown(name)} is no attribute's name but {type_name(name)}", hint)
        elif name == "$and" and not prefix:
            self._and(value, path)
        elif name.startswith("$"):
            self._refuse(path, *_misplaced(name))
        else:
            self._named(prefix + name, value, path)

    def _and(self, value: object, path: tuple[PathPart, ...]) -> None:
        if not isinstance(value, list):
            hint = "write `$and: [{…}, {…}]`"
            self._refuse(path, "shape", f"$and takes a list of conditions, not {type_name(value)}", hint)
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
            self._refuse(path, "attribute", f"there is no attribute {shown(name)}", hint)
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
            constraint = read(operand, Target(name, kind, str(operator)))
        except RefusedError as refused:
            self._refuse(path, *refused.problem)
        else:
            known = self.constraints.get(name)
            self.constraints[name] = constraint if known is None else known.both(constraint)

    def _refuse(self, path: tuple[PathPart, ...], code: str, message: str, hint: str = "") -> None:
        self.problems.append(ConditionProblem(path, code, message, hint))


def _unknown(operator: object) -> tuple[str, str, str]:
    name = str(operator)
    if name == "$and":
        return "operator", "$and stands beside attributes, not below one", "move it one level up"
    if not name.startswith("$"):
        hint = "separate them with $and"
        return "shape", f"{shown(name)} stands among operators, where an attribute can't", hint
    if name in LATER:
        known = ", ".join(["$and", *OPERATORS])
        return "not-supported", f"{name} is not supported yet", f"there are {known}"
    return "operator", f"there is no operator {shown(name)}", _nearest(name, {*OPERATORS, *LATER, "$and"})


def _misplaced(name: str) -> tuple[str, str, str]:
    if name in OPERATORS:
        return (
            "operator",
            f"{name} stands below an attribute, not beside one",
            f"write `attribute: {{{name}: …}}`",
        )
    return _unknown(name)


def _nearest(name: str, names: Mapping[str, str] | set[str]) -> str:
    near = get_close_matches(name[:MAX_SHOWN], sorted(names), 1)
    return f"did you mean {near[0]}?" if near else ""

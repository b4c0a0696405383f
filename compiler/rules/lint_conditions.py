"""Doubts about a condition that can be read: what its author hardly means, in words."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Final

from compiler.conditions.check import Condition
from compiler.conditions.constraint import INFINITY
from compiler.conditions.domains import ALWAYS_THERE, Form, Values, domain, in_words
from compiler.conditions.normalize import Clause
from compiler.files.yaml_lines import Node
from compiler.problems import Problems

_NAMING: Final = ("$eq", "$ne", "$in", "$nin", "$ini", "$nini")
_WRITTEN: Final = ("$eq", "$ne", "$in", "$nin", "$url")
_COMPARING: Final = ("$gt", "$gte", "$lt", "$lte")
_BELOW: Final = ("$lt", "$lte")
MAX_NOTED: Final = 20
"""Values of one condition that are told; who has more has one mistake."""


def note_doubts(
    condition: Condition, node: Node, place: tuple[str, str], values: Values, problems: Problems
) -> None:
    """Warn of what can be read and hardly be meant.

    Parameters
    ----------
    place
        The file, and what the condition is of.
    """
    path, where = place
    for name, value, line in list(_unknown_values(node, values))[:MAX_NOTED]:
        near = get_close_matches(value, values[name], 1, 0.5)
        message = f"{where} names {value!r}, and {name} is never that: it can be {in_words(name, values)}"
        problems.warn(path, line, "unknown-value", message, f"did you mean {near[0]!r}?" if near else "")
    asked = {name for name, wanted in _named(node, "") if "$exists" in _operators(wanted)}
    for name in sorted(_zeros(condition) - asked):
        message = f"{where} also holds for visitors of whom {name} is not known, as it then counts as 0"
        hint = "say with $exists whether they are meant: add `$exists: true`, or an $or with `$exists: false`"
        problems.warn(path, _line_of(node, name, _BELOW), "missing-as-zero", message, hint)
    _note_impossible(condition, node, place, values, problems)


def note_written(node: Node, place: tuple[str, str], forms: Mapping[str, Form], problems: Problems) -> None:
    """Warn of texts that are written as no value of their attribute is: ``germany`` is no country's code."""
    found = (
        (name, value.value, value.line)
        for name, wanted in _named(node, "")
        if name in forms
        for _, value in _operands(wanted, (*_WRITTEN, *_COMPARING) if forms[name].compared else _WRITTEN)
        if isinstance(value.value, str) and not forms[name].pattern.fullmatch(value.value)
    )
    for name, text, line in list(found)[:MAX_NOTED]:
        pattern, words, _ = forms[name]
        meant = (text.upper(), text.lower(), text.lower().replace("_", "-").partition("-")[0])
        near = next((one for one in meant if pattern.fullmatch(one)), "")
        message = f"{place[1]} names {text!r}, and {name} is never written so: it is {words}"
        hint = f"did you mean {near!r}?" if near else ""
        problems.warn(place[0], line, "unknown-value", message, hint)


def _note_impossible(
    condition: Condition, node: Node, place: tuple[str, str], values: Values, problems: Problems
) -> None:
    if condition.impossible:
        names = condition.contradictions
        message = f"{place[1]} can never hold: what it demands of {', '.join(names)} excludes itself"
        line = _line_of(node, names[0], ()) if names else node.line
        problems.warn(place[0], line, "impossible", message, "delete one of the lines, or join them with $or")
        return
    found = [never_in(clause, values) for clause in condition.clauses]
    if not all(found):
        return
    name = found[0]
    message = f"{place[1]} can never hold: {name} is {in_words(name, values)}"
    problems.warn(
        place[0], _line_of(node, name, ()), "impossible", message, "ask for a value that it can have"
    )


def never_in(clause: Clause, values: Values) -> str:
    """An attribute of which the clause demands what no request has; '' where there is none."""
    for name, constraint in clause.constraints.items():
        known = domain(name, values)
        if known is not None and constraint.both(known).impossible:
            return name
    return ""


def _zeros(condition: Condition) -> set[str]:
    """The numbers of which less is wanted, and whose absence does, too."""
    return {
        name
        for clause in condition.clauses
        for name, constraint in clause.constraints.items()
        # Who writes `$gte: 0` has thought of it.
        if constraint.ranged and constraint.low == -INFINITY and constraint.high < INFINITY
        if constraint.absent
        if name not in ALWAYS_THERE
    }


def _unknown_values(node: Node, values: Values) -> Iterator[tuple[str, str, int]]:
    """Texts that a condition compares an attribute with and that it never is, with their lines."""
    for name, wanted in _named(node, ""):
        if name not in values:
            continue
        known = set(values[name])
        for operator, value in _operands(wanted):
            text = value.value
            if isinstance(text, str) and text not in known:
                folded = operator in ("$ini", "$nini") and text.lower() in {one.lower() for one in known}
                if not folded:
                    yield name, text, value.line


def _operands(node: Node, operators: tuple[str, ...] = _NAMING) -> Iterator[tuple[str, Node]]:
    """What a value is compared with by one of these operators, with each."""
    if not isinstance(node.value, dict):
        yield "$eq", node
        return
    for operator, operand in node.value.items():
        if operator == "$not":
            yield from _operands(operand, operators)
        elif operator in operators:
            listed = operand.value if isinstance(operand.value, list) else [operand]
            yield from ((operator, one) for one in listed)


def _named(node: Node, prefix: str) -> Iterator[tuple[str, Node]]:
    """Each attribute of a condition by its whole name, with what stands for it."""
    if isinstance(node.value, list):
        for part in node.value:
            yield from _named(part, "")
    if not isinstance(node.value, dict):
        return
    for key, value in node.value.items():
        if key.startswith("$"):
            yield from _named(value, "")
            continue
        inner = value.value
        if isinstance(inner, dict) and not any(name.startswith("$") for name in inner):
            yield from _named(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def _operators(wanted: Node) -> Mapping[str, Node]:
    return wanted.value if isinstance(wanted.value, dict) else {}


def _line_of(node: Node, name: str, operators: tuple[str, ...]) -> int:
    """Where an attribute is compared with one of these operators, else where it is named first."""
    found = [wanted for known, wanted in _named(node, "") if known == name]
    for wanted in found:
        inner = _operators(wanted)
        for operator in operators:
            if operator in inner:
                return inner[operator].line
    return found[0].line if found else node.line

"""What a condition means, said plainly and to the letter of the dialect: the yardstick of all else."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from edge.rules.coercion import compare, same_json, strictly_equal, to_number, to_string, truthy, type_of
from edge.rules.network import in_network
from edge.rules.regex import RegexError, regex
from edge.rules.url import fits_url
from edge.rules.version import padded

Groups = Mapping[str, Sequence[Any]]
"""Saved groups: lists of values by name."""

_NO_GROUPS: Final[Groups] = {}


def evaluate(condition: Mapping[str, Any], attributes: Any, groups: Groups = _NO_GROUPS) -> bool:
    """Whether the condition holds.

    Parameters
    ----------
    attributes
        JSON: values by name, which may be nested; a dotted name is a path,
        or a name as it stands where there is one.
    groups
        Saved groups by name; an unknown one is empty.
    """
    for name, wanted in condition.items():
        join = _JOINS.get(name)
        if join is None:
            if not fits(wanted, value_at(attributes, name), groups):
                return False
        elif not join(wanted, attributes, groups):
            return False
    return True


def _any(parts: Sequence[Mapping[str, Any]], attributes: Any, groups: Groups) -> bool:
    """An empty list holds, as in the SDKs."""
    return not parts or any(evaluate(part, attributes, groups) for part in parts)


_JOINS: Final[Mapping[str, Callable[[Any, Any, Groups], bool]]] = {
    "$and": lambda parts, attributes, groups: all(evaluate(part, attributes, groups) for part in parts),
    "$or": _any,
    "$nor": lambda parts, attributes, groups: not _any(parts, attributes, groups),
    "$not": lambda part, attributes, groups: not evaluate(part, attributes, groups),
}


def value_at(attributes: Any, path: str) -> Any:
    """The value of this name or at this path; None where there is none."""
    if isinstance(attributes, dict) and path in attributes:
        return attributes[path]
    current = attributes
    for name in path.split("."):
        if isinstance(current, dict):
            current = current.get(name)
        elif isinstance(current, list | tuple):
            current = _element(current, name)
        else:
            return None
    return current


def _element(values: Sequence[Any], name: str) -> Any:
    if name == "length":
        return len(values)
    known = name.isascii() and name.isdigit() and len(name) < 10 and str(int(name)) == name
    return values[int(name)] if known and int(name) < len(values) else None


def fits(wanted: Any, actual: Any, groups: Groups = _NO_GROUPS, insensitive: bool = False) -> bool:
    """Whether a value is what stands for it in a condition: a plain value, or operators."""
    if isinstance(wanted, str):
        text = actual if isinstance(actual, str) else to_string(actual)
        return text.lower() == wanted.lower() if insensitive else text == wanted
    if isinstance(wanted, bool):
        return actual is not None and truthy(actual) is wanted
    if isinstance(wanted, int | float):
        return to_number(actual) == to_number(wanted)
    if wanted is None:
        return actual is None
    if isinstance(wanted, dict) and _are_operators(wanted):
        return all(holds(operator, actual, operand, groups) for operator, operand in wanted.items())
    return same_json(actual, wanted)


def _are_operators(wanted: Mapping[str, Any]) -> bool:
    return bool(wanted) and all(name.startswith("$") for name in wanted)


def holds(operator: str, actual: Any, operand: Any, groups: Groups = _NO_GROUPS) -> bool:
    """Whether one operator holds for a value; an unknown one never does."""
    simple = _SIMPLE.get(operator)
    if simple is not None:
        return simple(actual, operand)
    nested = _NESTED.get(operator)
    return nested is not None and nested(actual, operand, groups)


def prepared(wanted: Any) -> Callable[[Any], bool]:
    """`fits` for one thing that is wanted, ready to be asked often."""
    if isinstance(wanted, dict) and len(wanted) == 1:
        ((operator, operand),) = wanted.items()
        simple = _SIMPLE.get(operator)
        if operator in _REGEXES and isinstance(operand, str):
            return _REGEXES[operator](operand)
        if simple is not None:
            return lambda actual: simple(actual, operand)
    return lambda actual: fits(wanted, actual)


def _is_in(actual: Any, values: Any, insensitive: bool = False) -> bool:
    """Whether a value, or an element of a list, is among the values."""
    if isinstance(actual, str) and not insensitive:
        return actual in values  # no other type equals a string
    wanted = [_folded(value) for value in values] if insensitive else values
    found = actual if isinstance(actual, list | tuple) else (actual,)
    return any(
        strictly_equal(_folded(one) if insensitive else one, value) for one in found for value in wanted
    )


def _folded(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _listed(insensitive: bool, wanted: bool) -> Callable[[Any, Any], bool]:
    def check(actual: Any, values: Any) -> bool:
        return isinstance(values, list | tuple) and _is_in(actual, values, insensitive) is wanted

    return check


def _in_group(wanted: bool) -> Callable[[Any, Any, Groups], bool]:
    return lambda actual, name, groups: _is_in(actual, groups.get(name) or ()) is wanted


def _ordered(test: Callable[[int], bool]) -> Callable[[Any, Any], bool]:
    def check(actual: Any, bound: Any) -> bool:
        order = compare(actual, bound)
        return order is not None and test(order)

    return check


def _versions(test: Callable[[str, str], bool]) -> Callable[[Any, Any], bool]:
    return lambda actual, bound: test(padded(actual), padded(bound))


def _matcher(insensitive: bool, wanted: bool) -> Callable[[str], Callable[[Any], bool]]:
    """A missing value has no match; an expression that can't be read holds neither way."""

    def prepare(pattern: str) -> Callable[[Any], bool]:
        try:
            search = regex(pattern, insensitive).search
        except RegexError:
            return lambda actual: False
        return lambda actual: (actual is not None and search(to_string(actual))) is wanted

    return prepare


_REGEXES: Final = {
    "$regex": _matcher(insensitive=False, wanted=True),
    "$regexi": _matcher(insensitive=True, wanted=True),
    "$notRegex": _matcher(insensitive=False, wanted=False),
    "$notRegexi": _matcher(insensitive=True, wanted=False),
}


def _regex(operator: str) -> Callable[[Any, Any], bool]:
    prepare = _REGEXES[operator]
    return lambda actual, pattern: isinstance(pattern, str) and prepare(pattern)(actual)


def _size(actual: Any, wanted: Any, groups: Groups) -> bool:
    return isinstance(actual, list | tuple) and fits(wanted, len(actual), groups)


def _element_fits(actual: Any, wanted: Any, groups: Groups) -> bool:
    """Whether an element does; 0, false and the empty string are never looked at, as in the SDKs."""
    if not isinstance(actual, list | tuple):
        return False
    if _are_operators(wanted):
        return any(truthy(one) and fits(wanted, one, groups) for one in actual)
    return any(truthy(one) and evaluate(wanted, one, groups) for one in actual)


def _all(insensitive: bool) -> Callable[[Any, Any, Groups], bool]:
    def check(actual: Any, wanted: Any, groups: Groups) -> bool:
        if not isinstance(actual, list | tuple) or not isinstance(wanted, list | tuple):
            return False
        return all(any(fits(one, value, groups, insensitive) for value in actual) for one in wanted)

    return check


def instant_ms(text: str) -> int:
    """UTC milliseconds of an ISO 8601 date and time with its zone.

    Raises
    ------
    ValueError
        It can't be read, or has no zone.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("it has no time zone")
    return math.floor(moment.timestamp() * 1000)


def _time(test: Callable[[float, float], bool]) -> Callable[[Any, Any], bool]:
    def check(actual: Any, text: Any) -> bool:
        return type_of(actual) == "number" and test(to_number(actual), instant_ms(text))

    return check


_SIMPLE: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "$eq": strictly_equal,
    "$ne": lambda actual, wanted: not strictly_equal(actual, wanted),
    "$in": _listed(insensitive=False, wanted=True),
    "$nin": _listed(insensitive=False, wanted=False),
    "$ini": _listed(insensitive=True, wanted=True),
    "$nini": _listed(insensitive=True, wanted=False),
    "$gt": _ordered(lambda order: order > 0),
    "$gte": _ordered(lambda order: order >= 0),
    "$lt": _ordered(lambda order: order < 0),
    "$lte": _ordered(lambda order: order <= 0),
    "$exists": lambda actual, wanted: (actual is not None) is truthy(wanted),
    "$type": lambda actual, wanted: type_of(actual) == wanted,
    "$regex": _regex("$regex"),
    "$regexi": _regex("$regexi"),
    "$notRegex": _regex("$notRegex"),
    "$notRegexi": _regex("$notRegexi"),
    "$veq": _versions(lambda one, other: one == other),
    "$vne": _versions(lambda one, other: one != other),
    "$vgt": _versions(lambda one, other: one > other),
    "$vgte": _versions(lambda one, other: one >= other),
    "$vlt": _versions(lambda one, other: one < other),
    "$vlte": _versions(lambda one, other: one <= other),
    "$cidr": in_network,
    "$url": fits_url,
    "$before": _time(lambda now, moment: now < moment),
    "$after": _time(lambda now, moment: now >= moment),
}
_NESTED: Final[Mapping[str, Callable[[Any, Any, Groups], bool]]] = {
    "$not": lambda actual, wanted, groups: not fits(wanted, actual, groups),
    "$size": _size,
    "$elemMatch": _element_fits,
    "$all": _all(insensitive=False),
    "$alli": _all(insensitive=True),
    "$inGroup": _in_group(wanted=True),
    "$notInGroup": _in_group(wanted=False),
}
OPERATORS: Final = frozenset({*_SIMPLE, *_NESTED})
"""What may stand below an attribute."""

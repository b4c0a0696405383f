"""What a condition means, as plainly as it can be said: the yardstick of the index."""

import math
from collections.abc import Mapping
from typing import Any

from edge.rules.values import Value


def evaluate(condition: Mapping[str, Any], attributes: Mapping[str, Value]) -> bool:
    """Whether the condition, as it was written, holds for these attributes."""
    return _all(condition, attributes, "")


def _all(condition: Mapping[str, Any], attributes: Mapping[str, Value], prefix: str) -> bool:
    return all(_entry(prefix + name, value, attributes) for name, value in condition.items())


def _entry(name: str, value: Any, attributes: Mapping[str, Value]) -> bool:
    if name == "$and":
        return all(evaluate(part, attributes) for part in value)
    actual = attributes.get(name)
    if not isinstance(value, Mapping):
        return _equal(actual, value)
    if any(key.startswith("$") for key in value):
        return all(_holds(operator, actual, operand) for operator, operand in value.items())
    return _all(value, attributes, f"{name}.")


def _holds(operator: str, actual: Value | None, operand: Any) -> bool:
    match operator:
        case "$eq":
            return _equal(actual, operand)
        case "$ne":
            return not _equal(actual, operand)
        case "$in":
            return any(_equal(actual, one) for one in operand)
        case "$nin":
            return not any(_equal(actual, one) for one in operand)
        case "$exists":
            return (actual is not None) is operand
        case _:
            return _compares(operator, actual, operand)


def _equal(actual: Value | None, wanted: Value | None) -> bool:
    """A missing value equals null; a boolean equals no number."""
    if actual is None or wanted is None:
        return actual is wanted
    if isinstance(actual, bool) or isinstance(wanted, bool):
        return actual is wanted
    if isinstance(actual, str) or isinstance(wanted, str):
        return isinstance(actual, str) and actual == wanted
    return _float(actual) == _float(wanted)


def _compares(operator: str, actual: Value | None, bound: float) -> bool:
    if actual is None or isinstance(actual, str | bool):
        return False
    left, right = _float(actual), _float(bound)
    match operator:
        case "$gt":
            return left > right
        case "$gte":
            return left >= right
        case "$lt":
            return left < right
        case "$lte":
            return left <= right
    raise ValueError(f"no operator {operator}")


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf

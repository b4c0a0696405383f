"""Attributes from the JSON that an app sends along: a path leads to each."""

from collections.abc import Iterable, Mapping
from math import isfinite
from typing import Any, Final

from edge.bundle.format import Attribute
from edge.decide.types import Value
from edge.worker.attributes.builtin import text

KIND: Final = "body"
"""The source of such an attribute is ``body:PATH``, of names with dots between them."""


def attributes_of_body(
    attributes: Iterable[Attribute], reads: Iterable[str], body: Mapping[str, Any]
) -> dict[str, Value]:
    """The attributes that are read and that the body has a value of their type for; others are missing."""
    if not body:
        return {}
    asked, found = frozenset(reads), {}
    for attribute in attributes:
        kind, _, path = attribute.source.partition(":")
        if kind == KIND and attribute.name in asked:
            value = _typed(_at(body, path), attribute.type)
            if value is not None:
                found[attribute.name] = value
    return found


def _at(body: Mapping[str, Any], path: str) -> Any:
    """What the path leads to, through objects alone; None where it leads nowhere."""
    value: Any = body
    for name in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def _typed(value: Any, type_: str) -> Value | None:
    if isinstance(value, str):
        return text(value) if type_ == "string" else None
    if isinstance(value, bool):
        return value if type_ == "boolean" else None
    if type_ != "number" or not isinstance(value, int | float):
        return None
    try:
        found = float(value)
    except OverflowError:  # hundreds of digits
        return None
    return found if isfinite(found) else None

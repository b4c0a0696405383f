"""Conditions as JSON Schema, for editors: the reader is asked what it takes."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from compiler.conditions.check import ConditionError, parse
from compiler.conditions.operators import LISTS, OPERATORS
from compiler.rules.audiences import REFERENCE
from compiler.site import BUILT_IN, TYPES

Schema = dict[str, Any]


def condition_definitions() -> dict[str, Schema]:
    """What a condition is, and what may stand for an attribute of each type, by name."""
    definitions = {"condition": _condition(), "nested": _nested(), "attribute": _any_attribute()}
    return definitions | {kind: _compared(kind) for kind in dict.fromkeys((*TYPES, *BUILT_IN.values()))}


def _accepts(condition: object, kind: str = "string") -> bool:
    """Whether the reader takes a condition over one attribute `value`."""
    try:
        parse(condition, {"value": kind}, {"group": ["a"]})
    except ConditionError:
        return False
    return True


_PART: Final = {"$ref": "#/definitions/condition"}
_JOINS: Final = {
    **{name: {"type": "array", "items": _PART} for name in ("$and", "$or", "$nor")},
    "$not": _PART,
}
"""Joins conditions, and how each of them takes them; those that the reader knows are offered."""

_REFERENCE: Final = {"type": "string", "description": "The name of an audience: what it asks must hold, too."}

_NESTED: Final = {
    "$not": {"$gt": 1},
    "$size": {"$gt": 1},
    "$elemMatch": {"$gt": 1},
    "$inGroup": "group",
    "$notInGroup": "group",
}
"""Operators that take operators or a name, and an operand of each."""


def _condition() -> Schema:
    joins = {}
    for name, schema in _JOINS.items():
        inner = {"value": "a"}
        if _accepts({name: [inner] if schema is not _PART else inner}):
            joins[name] = schema
    properties = {name: {"$ref": f"#/definitions/{kind}"} for name, kind in BUILT_IN.items()}
    return {
        "description": "All lines must hold: `attribute: value`, or `attribute: {$operator: value}`.",
        "type": "object",
        "properties": {**properties, **joins, REFERENCE: _REFERENCE},
        "patternProperties": {rf"^(?!\$({_names([*joins, REFERENCE])})$)\$": False},
        "additionalProperties": {"$ref": "#/definitions/attribute"},
    }


def _names(operators: Iterable[str]) -> str:
    return "|".join(name.removeprefix("$") for name in operators)


def _nested() -> Schema:
    """What stands under ``device:`` for ``device.type``."""
    return {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"pattern": r"^[^$]"},
        "additionalProperties": {"$ref": "#/definitions/attribute"},
    }


def _any_attribute() -> Schema:
    kinds = [{"$ref": f"#/definitions/{kind}"} for kind in TYPES]
    return {"anyOf": [*kinds, {"$ref": "#/definitions/nested"}]}


_SAMPLES: Final[dict[str, tuple[object, ...]]] = {
    "string": ("a", "1.0.0", "10.0.0.0/8", "/a", "2026-05-01T09:00:00Z", "string"),
    "number": (1,),
    "boolean": (True, False),
    "null": (None,),
    "object": ({"$eq": "a"}, {"$gt": 1}, {"$eq": True}),
}
"""Operands by their type in JSON: an operator takes a type if it takes one of these."""


def _compared(kind: str) -> Schema:
    """What may be compared with an attribute of a type; the reader is asked about each operator."""
    simple = [name for name in _types(lambda operand: operand, kind) if name != "object"]
    simple += ["array"] if kind in LISTS else []
    operators: dict[str, Schema | bool]
    operators = {name: schema for name in OPERATORS if (schema := _operand(name, kind)) is not None}
    # What a nested operator takes is for the reader to say: it is a language of its own.
    operators |= {
        name: True for name, operand in _NESTED.items() if _accepts({"value": {name: operand}}, kind)
    }
    return {
        "anyOf": [
            {"type": simple},
            {
                "type": "object",
                "properties": operators,
                "additionalProperties": False,
                "minProperties": 1,
            },
        ]
    }


def _operand(operator: str, kind: str) -> Schema | None:
    """What an operator takes; None where it does not fit the type of the attribute."""
    single = _types(lambda operand: {operator: operand}, kind)
    within = _types(lambda operand: {operator: [operand]}, kind)
    choices: list[Schema] = [{"type": single}] if single else []
    if within:
        choices.append({"type": "array", "items": {"type": within}})
    return {"anyOf": choices} if choices else None


def _types(write: Callable[[object], object], kind: str) -> list[str]:
    """The types of operands that the reader takes, each written into a condition."""

    def takes(sample: object) -> bool:
        return _accepts({"value": write(sample)}, kind)

    return [name for name, samples in _SAMPLES.items() if any(map(takes, samples))]

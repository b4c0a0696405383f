"""Judges a value by a JSON Schema: the keywords that ours use, and an error at any other."""

import re
from collections.abc import Callable, Mapping
from typing import Any

Schema = Mapping[str, Any]

TYPES: Mapping[str, Callable[[Any], bool]] = {
    "string": lambda v: isinstance(v, str),
    "number": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
    "array": lambda v: isinstance(v, list),
    "object": lambda v: isinstance(v, dict),
}
BOUNDS: Mapping[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "pattern": ("string", lambda v, bound: re.search(bound, v) is not None),
    "minLength": ("string", lambda v, bound: len(v) >= bound),
    "maxLength": ("string", lambda v, bound: len(v) <= bound),
    "minimum": ("number", lambda v, bound: v >= bound),
    "maximum": ("number", lambda v, bound: v <= bound),
    "exclusiveMinimum": ("number", lambda v, bound: v > bound),
    "minItems": ("array", lambda v, bound: len(v) >= bound),
    "maxItems": ("array", lambda v, bound: len(v) <= bound),
    "uniqueItems": ("array", lambda v, bound: not bound or all(x not in v[:i] for i, x in enumerate(v))),
    "minProperties": ("object", lambda v, bound: len(v) >= bound),
    "maxProperties": ("object", lambda v, bound: len(v) <= bound),
    "required": ("object", lambda v, bound: all(key in v for key in bound)),
}
SAID = {"$schema", "title", "description", "definitions", "default", "then"}
OF_OBJECTS = {"properties", "patternProperties", "additionalProperties"}


def accepts(schema: Schema | bool, value: object, root: Schema | None = None) -> bool:
    """Whether the value is valid; `root` is the document that the schema is a part of."""
    if isinstance(schema, bool):
        return schema
    root = schema if root is None else root
    fine = all(_keyword(key, schema, value, root) for key in schema if key not in SAID | OF_OBJECTS)
    return fine and (not isinstance(value, dict) or _properties(schema, value, root))


def _keyword(key: str, schema: Schema, value: Any, root: Schema) -> bool:
    given = schema[key]
    if key in BOUNDS:
        kind, holds = BOUNDS[key]
        return not TYPES[kind](value) or holds(value, given)
    return JUDGES[key](given, value, root, schema)


def _within(kind: str, given: Any, value: Any, root: Schema) -> bool:
    """Whether all entries of a list, or all names of an object, are valid."""
    return not TYPES[kind](value) or all(accepts(given, entry, root) for entry in value)


def _same(one: object, other: object) -> bool:
    return one == other and type(one) is type(other)


JUDGES: Mapping[str, Callable[[Any, Any, Schema, Schema], bool]] = {
    "$ref": lambda given, v, root, _: accepts(root["definitions"][given.rpartition("/")[2]], v, root),
    "type": lambda given, v, *_: any(
        TYPES[name](v) for name in ([given] if isinstance(given, str) else given)
    ),
    "enum": lambda given, v, *_: any(_same(v, one) for one in given),
    "const": lambda given, v, *_: _same(v, given),
    "anyOf": lambda given, v, root, _: any(accepts(part, v, root) for part in given),
    "oneOf": lambda given, v, root, _: sum(accepts(part, v, root) for part in given) == 1,
    "allOf": lambda given, v, root, _: all(accepts(part, v, root) for part in given),
    "not": lambda given, v, root, _: not accepts(given, v, root),
    "if": lambda given, v, root, schema: not accepts(given, v, root) or accepts(schema["then"], v, root),
    "items": lambda given, v, root, _: _within("array", given, v, root),
    "propertyNames": lambda given, v, root, _: _within("object", given, v, root),
}


def _properties(schema: Schema, value: dict[str, Any], root: Schema) -> bool:
    named, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for name, entry in value.items():
        judges = [named[name]] if name in named else []
        judges += [part for pattern, part in patterns.items() if re.search(pattern, name)]
        judges = judges or [schema.get("additionalProperties", True)]
        if not all(accepts(judge, entry, root) for judge in judges):
            return False
    return True

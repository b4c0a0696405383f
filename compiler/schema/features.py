"""features.yaml as JSON Schema."""

from typing import Any, Final

from edge.bundle.features import MAX_CATEGORIES, MAX_CUTS, MAX_FEATURES, MAX_NUMBER

Schema = dict[str, Any]

_NUMBER: Final[Schema] = {"type": "number", "minimum": -MAX_NUMBER, "maximum": MAX_NUMBER}
_TEXT: Final[Schema] = {"type": "string", "minLength": 1}
_SHAPED: Final = ("one_hot", "code", "present")


def features_schema(name: Schema) -> Schema:
    """The schema of the whole file; `name` is that of a feature's name."""
    feature = {"anyOf": [_single(), _cross()]}
    entries = {
        "description": "Numbers for models, each made from an attribute, or from two other features.",
        "type": "object",
        "maxProperties": MAX_FEATURES,
        "propertyNames": name,
        "additionalProperties": feature,
    }
    return {
        "type": "object",
        "properties": {"features": entries},
        "required": ["features"],
        "additionalProperties": False,
    }


def _single() -> Schema:
    keys = {
        "attribute": {"description": "The attribute that it is made from.", **_TEXT},
        "one_hot": _categories("A number for each of these texts: 1 where the attribute is it, else 0."),
        "code": _categories(
            "The position of the text among these, from 0; any other text comes behind them."
        ),
        "buckets": {
            "description": "Where parts begin, rising: a number for each part, 1 for the one that it is in.",
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_CUTS,
            "items": _NUMBER,
        },
        "present": _true("1 where the attribute has a value, else 0."),
        "clip": {
            "description": "The least and the most that the number counts as.",
            "type": "array",
            "minItems": 2,
            "maxItems": 2,
            "items": _NUMBER,
        },
        "log": _true("The natural logarithm of 1 more than the number; 0 for numbers below 0."),
        "missing": {
            "description": "What stands for a missing number. Left out: it stays missing.",
            **_NUMBER,
        },
    }
    apart = [{"not": {"required": [one, other]}} for one, other in _APART]
    return {
        "type": "object",
        "properties": keys,
        "required": ["attribute"],
        "additionalProperties": False,
        "allOf": apart,
    }


_APART: Final = (
    *((one, other) for one in (*_SHAPED, "buckets") for other in ("clip", "log")),
    *((one, "missing") for one in _SHAPED),
    ("one_hot", "code"),
    ("one_hot", "buckets"),
    ("one_hot", "present"),
    ("code", "buckets"),
    ("code", "present"),
    ("buckets", "present"),
)
"""What does not go together."""


def _cross() -> Schema:
    pair = {
        "description": "Each number of one feature times each of another one; neither is a cross itself.",
        "type": "array",
        "minItems": 2,
        "maxItems": 2,
        "items": _TEXT,
    }
    return {
        "type": "object",
        "properties": {"cross": pair},
        "required": ["cross"],
        "additionalProperties": False,
    }


def _categories(about: str) -> Schema:
    entries = {
        "type": "array",
        "minItems": 1,
        "maxItems": MAX_CATEGORIES,
        "uniqueItems": True,
        "items": _TEXT,
    }
    return {"description": about, "anyOf": [_TEXT, entries]}


def _true(about: str) -> Schema:
    return {"description": about, "const": True}

"""Experiments, bandits and holdouts as JSON Schema, for editors."""

from typing import Any, Final

from compiler.files.fields import ID, MAX_ID_CHARACTERS
from compiler.rules.bandits import DEFAULT_FLOOR, MAX_FLOOR, MIN_ARMS, MIN_FLOOR
from compiler.rules.experiments import MAX_SEED_CHARACTERS, MAX_STICKY, NOTHING
from compiler.rules.holdouts import SITE
from edge.bundle import format as fmt
from edge.decide.choice import VISITOR_ID

Schema = dict[str, Any]

_SHARE: Final = {"type": "number", "minimum": 0, "maximum": 1}
_RANGE: Final = {"type": "array", "minItems": 2, "maxItems": 2, "items": _SHARE}


def id_schema(about: str) -> Schema:
    """A name that may be given."""
    pattern = f"^(?:{ID.pattern})$"
    return {
        "description": about,
        "type": "string",
        "minLength": 1,
        "maxLength": MAX_ID_CHARACTERS,
        "pattern": pattern,
    }


def experiment_schema(shown: list[Schema]) -> Schema:
    """One of the list `experiments`; `shown` are the forms of what a campaign shows by itself."""
    variation = _part("The variation's name, in reports and logs.", shown)
    keys = {
        "id": id_schema("The experiment's id. Campaigns show it by this name."),
        "hash": _text(f"The attribute that divides visitors. Left out: {VISITOR_ID}."),
        "hashVersion": {"description": "Left out: 2. 1 is for imported experiments.", "enum": [1, 2]},
        "seed": _text("Left out: the id. Another seed divides anew.", maxLength=MAX_SEED_CHARACTERS),
        "coverage": {"description": "The share of visitors that takes part. Left out: 1.", **_SHARE},
        "namespace": _mapping({"name": _text("Any name."), "range": _RANGE}, "name", "range"),
        "sticky": {
            "description": "Visitors keep their variation while this number stays the same.",
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_STICKY,
        },
        "ranges": {
            "description": "The part of each variation, instead of weights.",
            "type": "array",
            "items": _RANGE,
        },
        "variations": {"type": "array", "minItems": 1, "maxItems": fmt.MAX_VARIATIONS, "items": variation},
    }
    return _mapping(keys, "id", "variations")


def bandit_schema(shown: list[Schema]) -> Schema:
    """One of the list `bandits`; `shown` are the forms of what a campaign shows by itself."""
    keys = {
        "id": id_schema("The bandit's id. Campaigns show it by this name."),
        "floor": {
            "description": f"The smallest share of an arm, whatever is learned. Left out: {DEFAULT_FLOOR}.",
            "type": "number",
            "minimum": MIN_FLOOR,
            "maximum": MAX_FLOOR,
        },
        "arms": {
            "type": "array",
            "minItems": MIN_ARMS,
            "maxItems": fmt.MAX_VARIATIONS,
            "items": _part("The arm's name, in reports and logs.", shown),
        },
    }
    return _mapping(keys, "id", "arms")


def _part(key: str, shown: list[Schema]) -> Schema:
    """A variation or an arm."""
    nothing = {"const": NOTHING}
    either = {"anyOf": [nothing, *shown]}
    by_placement = {"type": "object", "minProperties": 1, "additionalProperties": either}
    keys = {
        "key": id_schema(key),
        "weight": {"description": "Its share. Left out of all: equal shares.", **_SHARE},
        "show": {
            "description": f"What: as in a campaign, {NOTHING} (the default), or these by placement.",
            "anyOf": [nothing, *shown, by_placement],
        },
    }
    return _mapping(keys, "key", "show")


def holdout_schema() -> Schema:
    """One of the list `holdouts`."""
    name = _text(f"{SITE}, a campaign or a programme.")
    keys = {
        "id": id_schema("The holdout's id."),
        "share": {"description": "The share of visitors that is held out.", **_SHARE},
        "seed": _text("Left out: made of the id."),
        "of": {
            "description": "What does not reach them.",
            "anyOf": [name, {"type": "array", "items": name}],
        },
    }
    return _mapping(keys, "id", "share", "of")


def _mapping(properties: Schema, *required: str) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _text(about: str, **more: Any) -> Schema:
    return {"description": about, "type": "string", "minLength": 1, **more}

"""The part of the rules' JSON Schema that says how often a campaign is shown."""

from typing import Any

from compiler.rules.caps import MAX_EACH, UNITS, VISIT
from edge.decide.behaviours import MAX_WINDOW_S
from edge.decide.caps import MAX_LIMIT

Schema = dict[str, Any]


def cap_schemas() -> Schema:
    """The keys of a campaign that cap it."""
    one = _timed(
        {
            "impressions": {
                "description": "How often it may come into a visitor's view.",
                "type": "integer",
                "minimum": 1,
                "maximum": MAX_LIMIT,
            },
            "per": {"description": "Instead of a time: in one visit.", "enum": [VISIT]},
        },
        "per",
        "impressions",
    )
    several = {"type": "array", "maxItems": MAX_EACH, "items": one}
    recency = _timed({})
    return {
        "cap": {"description": "How often one visitor may see it, in how long.", "anyOf": [one, several]},
        "recency": {"description": "How long it rests after a visitor has seen it.", **recency},
        "until": {"description": "It ends for a visitor who clicked it.", "enum": ["click"]},
    }


def _timed(properties: Schema, instead: str = "", *required: str) -> Schema:
    """A mapping with one time, or what stands instead of it."""
    times = {
        unit: {
            "description": f"How long, in {unit}.",
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_WINDOW_S // seconds,
        }
        for unit, seconds in UNITS.items()
    }
    choices = [{"required": [name]} for name in (*UNITS, *([instead] if instead else ()))]
    return {
        "type": "object",
        "properties": {**properties, **times},
        **({"required": list(required)} if required else {}),
        "additionalProperties": False,
        "oneOf": choices,
    }

"""The part of the rules' JSON Schema that speaks of schedules."""

from typing import Any

from compiler.rules.schedule import MAX_WINDOWS, TIME, ZONE
from compiler.rules.weekly import DAYS

Schema = dict[str, Any]


def schedule_schema() -> Schema:
    """When a campaign runs."""
    # The reader takes all of ISO 8601, and a time without a zone where the schedule has one.
    clock = {"type": "string", "pattern": r"^[0-9W-]{7,10}(.[0-9:.,]{2,}(Z|[+-][0-9:.]{2,})?)?$"}
    keys = {
        "start": {"description": "From when on, like 2026-05-01T09:00:00+02:00.", **clock},
        "end": {"description": "Until when, like 2026-05-08T09:00:00+02:00.", **clock},
        "timezone": {
            "description": "The zone of the hours below, and of a start or end without one: Europe/Berlin.",
            "type": "string",
            "pattern": f"^(?:{ZONE.pattern})$",
        },
        "weekly": {
            "description": "The hours of the week in which it runs. Needs start, end and timezone.",
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_WINDOWS,
            "items": _window(),
        },
    }
    # Without a zone of its own, a time needs the schedule's.
    zoned = {"pattern": r"(Z|[+-][0-9:.]{2,})$"}
    return {
        "description": "When it runs; outside of it the campaign rests.",
        "type": "object",
        "properties": keys,
        "minProperties": 1,
        "additionalProperties": False,
        "if": {"required": ["weekly"]},
        "then": {"required": ["start", "end", "timezone"]},
        "anyOf": [
            {"required": ["timezone"]},
            {"properties": {"start": zoned, "end": zoned}},
        ],
    }


def _window() -> Schema:
    time = {"type": "string", "pattern": f"^(?:{TIME.pattern})$"}
    day = {"enum": list(DAYS)}
    keys = {
        "days": {
            "description": "On which days it opens. Left out: on all.",
            "anyOf": [day, {"type": "array", "minItems": 1, "items": day}],
        },
        "from": {"description": "When it opens, like 18:00. Left out: 00:00.", **time},
        "to": {
            "description": "When it closes, like 23:30; may be on the day after. Left out: 24:00.",
            **time,
        },
    }
    return {"type": "object", "properties": keys, "additionalProperties": False}

"""recommenders/*.yaml as JSON Schema."""

from typing import Any

from compiler.recommenders.reading import MAX_FACTOR, MAX_FILTERS, MAX_LIST, MAX_PLUS, SEEN
from compiler.rules.behaviours import WINDOW
from edge.bundle.recommender_format import MAX_LINKS, MAX_PINS

Schema = dict[str, Any]


def recommender_schema() -> tuple[str, Schema]:
    """What a recommender is, and its keys."""
    about = "A recommender: models, and what happens around their scores."
    return about, _mapping("", _keys(), "model")


def _keys() -> Schema:
    return {
        "model": _text("The model whose scores it goes by."),
        "fallback": _texts("Models that are asked in turn where those before are not sure.", MAX_LINKS - 1),
        "confident": _mapping(
            "When the first model is sure enough.",
            {
                "score": _number("The least score of the first model that counts.", -MAX_PLUS, MAX_PLUS),
                "items": _integer("How many items it must have. Left out: 1.", 1),
                "history": _integer("How many items the visitor must have viewed. Left out: 1.", 0),
            },
        ),
        "fill": {
            "description": "Whether models after it fill up its list. Left out: yes.",
            "type": "boolean",
        },
        "seen": {"description": "What was viewed. Left out: as the model does.", "enum": [*SEEN]},
        "only": _list("What may be listed: all of these must let an item in.", _filter(), MAX_FILTERS),
        "boost": _list("What raises or lowers scores.", _boost(), MAX_FILTERS),
        "pin": _list(
            "Items with a place of their own.",
            _mapping(
                "", {"item": _text("Its id."), "at": _integer("Its place; the first is 1.", 1)}, "item", "at"
            ),
            MAX_PINS,
        ),
        "at_most": {
            "description": "By column, how many items of the list may share a value.",
            "type": "object",
            "additionalProperties": _integer("How many.", 1),
        },
        "diverse": _mapping(
            "Takes off from items that are like those before.",
            {
                "weight": _number("How much, from 0 to 1.", 0, 1),
                "by": _texts("Columns that say what is alike."),
                "model": _text("A model of factors: items are alike by the angle between their rows."),
            },
            "weight",
        ),
        "explore": _explore(),
        "new_items": _mapping(
            "Items that nobody did anything with take their place from those that are like them.",
            {"like": _texts("Columns that say what is alike."), "where": _where()},
            "like",
        ),
        "leave_out": _texts("Attributes that hold ids of items which are not listed."),
        "consider": _integer("How many candidates are looked at.", 1),
        "challenger": _mapping(
            "Another model, which is scored beside the page and seen by nobody.",
            {"model": _text("The model."), "share": _number("Of the decisions.", 0.0001, 1)},
            "model",
            "share",
        ),
    }


def _filter() -> Schema:
    unknown = {"description": "What an unknown attribute does. Left out: leave-out.", "enum": [*SEEN]}
    column = _text("The catalog's column.")
    return {
        "oneOf": [
            _mapping("", {"where": _where(), "when": _when()}, "where"),
            _mapping(
                "", {"column": column, "has": _text("An attribute."), "unknown": unknown}, "column", "has"
            ),
            _mapping(
                "",
                {"column": column, "at_most": _text("An attribute."), "unknown": unknown},
                "column",
                "at_most",
            ),
        ]
    }


def _boost() -> Schema:
    times = _number("What a score is multiplied by.", 1 / MAX_FACTOR, MAX_FACTOR)
    plus = _number("What is added to a score.", -MAX_PLUS, MAX_PLUS)
    half_life = _text(
        "The age at which half of it is left: 30m, 12h or 7d.", pattern=f"^(?:{WINDOW.pattern})$"
    )
    newest = {"newest": _text("A column of dates."), "half_life": half_life, "times": times}
    return {
        "oneOf": [
            _mapping("", {"where": _where(), "times": times}, "where", "times"),
            _mapping("", {"where": _where(), "plus": plus}, "where", "plus"),
            _mapping("", newest, "newest", "half_life", "times"),
        ]
    }


def _explore() -> Schema:
    keys = {
        "slot": _integer("The place that tries other items; the first is 1.", 1),
        "share": _number("Of the decisions that do.", 0.001, 1),
        "of": _integer("How many of the best others are tried.", 1),
        "where": _where(),
    }
    return _mapping("A place that tries what the model would not list.", keys, "slot", "share")


def _where() -> Schema:
    return {"description": "A condition over item.COLUMN of the catalog.", "type": "object"}


def _when() -> Schema:
    return {"description": "A condition over attributes: the filter holds where it does.", "type": "object"}


def _mapping(about: str, properties: Schema, *required: str) -> Schema:
    told = {"description": about} if about else {}
    needed = {"required": list(required)} if required else {}
    return {**told, "type": "object", "properties": properties, **needed, "additionalProperties": False}


def _list(about: str, entry: Schema, most: int) -> Schema:
    return {"description": about, "type": "array", "maxItems": most, "items": entry}


def _texts(about: str, most: int | None = None) -> Schema:
    bound = {"maxItems": most} if most else {}
    entries = {"type": "array", "uniqueItems": True, **bound, "items": {"type": "string"}}
    return {"description": about, "anyOf": [{"type": "string", "minLength": 1}, entries]}


def _text(about: str, **more: Any) -> Schema:
    return {"description": about, "type": "string", "minLength": 1, **more}


def _number(about: str, low: float, high: float) -> Schema:
    return {"description": about, "type": "number", "minimum": low, "maximum": high}


def _integer(about: str, low: int) -> Schema:
    return {"description": about, "type": "integer", "minimum": low, "maximum": MAX_LIST}

"""The workspace's files as JSON Schema, for editors: made from what the readers accept."""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from compiler.conditions.domains import MAX_VALUES
from compiler.files.fields import ID, MAX_ID_CHARACTERS
from compiler.models.budgets import budgets_schema
from compiler.rules.behaviours import WINDOW
from compiler.rules.best import MAX_NUMBER
from compiler.rules.campaigns import MAX_PRIORITY
from compiler.rules.groups import MAX_GROUP_VALUES, MAX_GROUPS
from compiler.rules.layouts import MAX_BLOCKS
from compiler.rules.lists import MAX_LISTS
from compiler.rules.placements import BEST, CHOOSE, FIRST, MAX_PLACEMENTS
from compiler.rules.redirects import HOST, MAX_HOSTS
from compiler.rules.show import DEFAULT_LIMIT, MAX_LIMIT
from compiler.schema.caps import cap_schemas
from compiler.schema.conditions import condition_definitions
from compiler.schema.consent import DEFINITIONS, consent_schema, purposes_schema
from compiler.schema.experiments import bandit_schema, experiment_schema, holdout_schema
from compiler.schema.features import features_schema
from compiler.schema.models import models_schema
from compiler.schema.page import layout_schema, whole_page_schemas
from compiler.schema.recommenders import recommender_schema
from compiler.schema.schedule import schedule_schema
from compiler.site import (
    ATTRIBUTE,
    BUILT_IN,
    COMPUTED,
    MAX_ATTRIBUTE_CHARACTERS,
    MAX_ATTRIBUTES,
    OWN_SOURCE,
    QUERY,
    SECRET_HEADERS,
    SOURCE,
    TYPES,
)
from edge.bundle.format import MAX_TERMS
from edge.decide.behaviours import EVENTS, MAX_BEHAVIOURS, MAX_LAST, MEASURES
from edge.decide.caps import BUSINESS_KINDS, MAX_KINDS, PAGE_KINDS, SHOWN_KINDS
from edge.worker.attributes.place import BY_ADDRESS, FRONTS, NO_FRONT

__all__ = ["schemas"]

# The draft that editors know best.
_DRAFT: Final = "http://json-schema.org/draft-07/schema#"

Schema = dict[str, Any]
Recipes = Mapping[str, Mapping[str, Schema]]
"""The settings of each recipe, each as a schema."""


def schemas(recipes: Recipes, predictions: Recipes) -> dict[str, Schema]:
    """The schemas of all files of a workspace but its contents and catalogs, by name."""
    return {
        "site": _site(),
        "rules": _rules(),
        "model": _document(
            "models/*.yaml", *models_schema(recipes, predictions, _id("The name of a number."))
        ),
        "recommender": _document("recommenders/*.yaml", *recommender_schema()),
        "features": _document(
            "features.yaml", "Numbers for models, defined once.", features_schema(_id("A feature's name."))
        ),
    }


def _document(title: str, about: str, schema: Schema) -> Schema:
    return {"$schema": _DRAFT, "title": title, "description": about, **schema}


def _mapping(properties: Mapping[str, Any], required: tuple[str, ...] = (), **more: Any) -> Schema:
    needed = {"required": list(required)} if required else {}
    return {
        "type": "object",
        "properties": dict(properties),
        **needed,
        "additionalProperties": False,
        **more,
    }


def _text(about: str, **more: Any) -> Schema:
    return {"description": about, "type": "string", "minLength": 1, **more}


def _id(about: str) -> Schema:
    return _text(about, maxLength=MAX_ID_CHARACTERS, pattern=_whole(ID.pattern))


def _whole(pattern: str) -> str:
    return f"^(?:{pattern})$"


def _one_or_more(about: str, entry: Schema, **more: Any) -> Schema:
    entries = {"type": "array", "uniqueItems": True, **more, "items": entry}
    return {"description": about, "anyOf": [entry, entries]}


def _site() -> Schema:
    keys = {
        "site": _id("The site's id. It stands in URLs, keys and bundles."),
        "placements": _one_or_more(
            'Named places in the site\'s pages, marked data-placement="NAME".',
            {"anyOf": [_id("A placement's name."), _placement()]},
            maxItems=MAX_PLACEMENTS,
        ),
        "attributes": _attributes(),
        "behaviours": _behaviours(),
        "blocks": _one_or_more(
            'Parts of the site\'s pages that layouts may move or hide, marked data-block="NAME".',
            _id("A block's name."),
            maxItems=MAX_BLOCKS,
        ),
        "redirects": _mapping(
            {
                "hosts": _one_or_more(
                    "Other hosts that campaigns may lead to, like shop.example.com.",
                    _text("A host.", pattern=_whole(HOST.pattern)),
                    maxItems=MAX_HOSTS,
                )
            },
            ("hosts",),
            description="Where campaigns may lead visitors, beside the site itself.",
        ),
        "events": _one_or_more(
            "What the site's own script reports, beside cart and purchase.",
            _id("A kind of events."),
            maxItems=MAX_KINDS,
        ),
        "audiences": _lists(),
        "front": {
            "description": "Who stands before the edge and says where a visitor is: geo.* come from there.",
            "enum": [*FRONTS, BY_ADDRESS, NO_FRONT],
        },
        "items": _items(),
        "consent": consent_schema(),
        "budgets": budgets_schema(),
        "holdouts": {
            "description": "Visitors whom campaigns do not reach.",
            "type": "array",
            "items": holdout_schema(),
        },
    }
    about = "What Nearside knows of the site."
    mapping = _mapping(keys, ("site", "placements"), definitions=DEFINITIONS)
    return _document("site.yaml", about, mapping)


def _attributes() -> Schema:
    return {
        "description": f"Facts of a request that rules may look at, besides {', '.join(BUILT_IN)}.",
        "type": "object",
        "maxProperties": MAX_ATTRIBUTES,
        "propertyNames": {
            "maxLength": MAX_ATTRIBUTE_CHARACTERS,
            "pattern": _whole(ATTRIBUTE.pattern),
            "not": {"pattern": rf"^({'|'.join(re.escape(name) for name in COMPUTED)})"},
        },
        "patternProperties": {
            f"^{re.escape(QUERY)}": _attribute("type"),
            _one_of(set(BUILT_IN) - set(OWN_SOURCE)): _served_alone(),
            _one_of(OWN_SOURCE): {"anyOf": [_attribute("type", "source"), _served_alone()]},
        },
        "additionalProperties": _attribute("type", "source"),
    }


def _lists() -> Schema:
    file = _text("The file, a path in the workspace: one id in a line.")
    whose = _text("Whose ids: visitor.id, or an attribute of type string.")
    return {
        "description": "Audiences that are lists of ids; each is an attribute audience.NAME, too.",
        "type": "object",
        "maxProperties": MAX_LISTS,
        "propertyNames": _id("An audience's name."),
        "additionalProperties": _mapping({"list": file, "by": whose}, ("list", "by")),
    }


def _items() -> Schema:
    topics = "The catalog's column with an item's topics, a comma, '|' or ';' between them."
    keys = {
        "path": _text(
            "The path of an item's page, with {item} for its id.",
            pattern=r"^/[^?#\s{}]*\{item\}[^?#\s{}]*$",
        ),
        "title": _text("The catalog's column with what people call an item."),
        "topics": _text(topics),
    }
    return _mapping(keys, ("path",), description="Which pages are about which item of the catalog.")


def _placement() -> Schema:
    keys = {
        "name": _id("The placement's name."),
        "choose": {
            "description": f"Of those that fit: the {FIRST} by priority (left out), or the {BEST} by value.",
            "enum": [*CHOOSE],
        },
        "default": _text("The content that it shows when no campaign wins. Left out: the site's own markup."),
    }
    return _mapping(keys, ("name",))


def _behaviours() -> Schema:
    keys = {
        "event": _id(
            "What happens: a view of an item (left out), "
            f"{', '.join((*EVENTS[1:], *SHOWN_KINDS, *PAGE_KINDS, *BUSINESS_KINDS))}, "
            "or one of the site's own events."
        ),
        "where": {"description": "Of items: a condition over item.COLUMN of the catalog.", "type": "object"},
        "path": _text("Of a page: a URL pattern such as /offers/**.", pattern="^/"),
        "window": _text("How far back: 30m, 12h or 7d.", pattern=_whole(WINDOW.pattern)),
        "measure": {"description": "What is told of it. Left out: count.", "enum": [*MEASURES]},
        "of": _text("The column (or value) to add up or tell apart; of a rate, the event it is a share of."),
        "last": {
            "description": "Of a rate, instead of a window: how many events it looks back.",
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_LAST,
        },
        "until": _id("An event that ends what was counted: purchase."),
        "purposes": purposes_schema("What it is counted for: nothing is where one of these is not granted."),
    }
    return {
        "description": "What visitors did in a window of time; each is an attribute behaviour.NAME.",
        "type": "object",
        "maxProperties": MAX_BEHAVIOURS,
        "propertyNames": _id("A behaviour's name."),
        "additionalProperties": _mapping(keys, oneOf=[{"required": ["window"]}, {"required": ["last"]}]),
    }


def _attribute(*required: str) -> Schema:
    secret = "|".join("".join(_either_case(c) for c in header) for header in SECRET_HEADERS)
    return _mapping(
        {
            "type": {"description": "The type of its values.", "enum": list(TYPES)},
            "source": _text(
                "Where it is: header:NAME, query:NAME, cookie:NAME, fact:NAME or, for apps, body:PATH.TO.IT.",
                pattern=_whole(SOURCE.pattern),
                **{"not": {"pattern": f"^header:(?:{secret})$"}},
            ),
            "values": _one_or_more(
                "The texts that it can be, so that others are told as mistakes.",
                {"type": "string"},
                minItems=1,
                maxItems=MAX_VALUES,
            ),
            "purposes": _served(),
        },
        required,
    )


def _one_of(names: Iterable[str]) -> str:
    return _whole("|".join(re.escape(name) for name in sorted(names)))


def _served_alone() -> Schema:
    """What may be said of an attribute that is built in."""
    return _mapping({"purposes": _served()}, ("purposes",))


def _served() -> Schema:
    return purposes_schema("What it may be used for: it is missing where one of these is not granted.")


def _either_case(character: str) -> str:
    return f"[{character.upper()}{character}]" if character.isalpha() else character


def _rules() -> Schema:
    keys = {
        "audiences": {
            "description": "Conditions with a name.",
            "type": "object",
            "propertyNames": _id("An audience's name."),
            "additionalProperties": {"$ref": "#/definitions/condition"},
        },
        "campaigns": {
            "description": "Who sees what, where and when.",
            "type": "array",
            "items": _campaign(),
        },
        "groups": _groups(),
        "layouts": {
            "description": "Where blocks of a page stand, with a name.",
            "type": "object",
            "propertyNames": _id("A layout's name."),
            "additionalProperties": layout_schema(),
        },
        "experiments": {
            "description": "How visitors are divided, and what each part sees.",
            "type": "array",
            "items": experiment_schema(_shown()),
        },
        "bandits": {
            "description": "Arms of which each decision draws one, and how often.",
            "type": "array",
            "items": bandit_schema(_shown()),
        },
        "holdouts": {
            "description": "Visitors whom campaigns do not reach.",
            "type": "array",
            "items": holdout_schema(),
        },
    }
    definitions = {**condition_definitions(), **DEFINITIONS}
    about = "Audiences, experiments and campaigns."
    return _document("rules/*.yaml", about, {**_mapping(keys), "definitions": definitions})


def _groups() -> Schema:
    values = {"type": "array", "maxItems": MAX_GROUP_VALUES, "items": {"type": list(TYPES)}}
    return {
        "description": "Values with a name, for $inGroup and $notInGroup.",
        "type": "object",
        "maxProperties": MAX_GROUPS,
        "propertyNames": _id("A group's name."),
        "additionalProperties": values,
    }


def _campaign() -> Schema:
    keys = {
        "id": _id("The campaign's id. Reports and logs speak of it."),
        "audience": {
            "description": "Who: an audience's name, or a condition. Left out: everyone.",
            "anyOf": [_text("An audience's name."), {"$ref": "#/definitions/condition"}],
        },
        "placement": _one_or_more(
            "Where: one placement, or several. Left out of layouts and redirects.",
            _text("A placement."),
            minItems=1,
        ),
        "priority": {
            "description": "Where several campaigns fit, the highest wins. Left out: 0.",
            "type": "integer",
            "minimum": -MAX_PRIORITY,
            "maximum": MAX_PRIORITY,
        },
        "schedule": schedule_schema(),
        **cap_schemas(),
        "programme": _id("What it is a part of. Holdouts may cover a programme."),
        "exclusive": _id("A group: of all its campaigns a page shows one, the strongest."),
        "value": _value(),
        "purposes": purposes_schema("What it is for: only visitors who granted all of these see it."),
        "show": _show(),
    }
    alone = [{"required": [key]} for key in ("layout", "redirect", "experiment", "bandit")]
    placed = {"anyOf": [{"required": ["placement"]}, {"properties": {"show": {"anyOf": alone}}}]}
    return _mapping(keys, ("id", "show"), **placed)


def _value() -> Schema:
    number = {"type": "number", "minimum": -MAX_NUMBER, "maximum": MAX_NUMBER}
    plus = {
        "description": "By attribute, what each 1 of it adds.",
        "type": "object",
        "maxProperties": MAX_TERMS,
        "additionalProperties": number,
    }
    counted = _mapping({"base": {"description": "Where it begins. Left out: 0.", **number}, "plus": plus})
    about = "What it is worth, where a placement chooses the best: a number, or one that attributes add to."
    return {"description": about, "anyOf": [number, counted]}


def _show() -> Schema:
    tested = _mapping({"experiment": _text("An experiment's id.")}, ("experiment",))
    drawn = _mapping({"bandit": _text("A bandit's id.")}, ("bandit",))
    about = "What: a content, a recommender's cards, a layout, a redirect, an experiment, or a bandit."
    return {"description": about, "oneOf": [*_shown(), tested, drawn]}


def _shown() -> list[Schema]:
    content = {"content": _text("A content's id: content/ID.html or content/ID.txt.")}
    listed = {
        "recommender": _text("A recommender's name: models/NAME.yaml, or recommenders/NAME.yaml."),
        "card": _text("What each item looks like: catalogs/cards/CARD.html."),
        "limit": {
            "description": f"How many items. Left out: {DEFAULT_LIMIT}.",
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_LIMIT,
        },
    }
    whole = [_mapping(of_page, (name,)) for name, of_page in whole_page_schemas().items()]
    return [_mapping(content, ("content",)), _mapping(listed, ("recommender", "card")), *whole]

"""The consent policy and purposes as JSON Schema, for editors."""

from typing import Any, Final

from compiler.consent import (
    COOKIE,
    COOKIES,
    DEFAULT,
    EVENT_KINDS,
    KEEPING,
    MAX_PURPOSES,
    MAX_SOURCES,
    MAX_VENDOR,
    PURPOSE,
    WEAK,
)
from compiler.files.fields import ID
from edge.consent.grants import NAMES
from edge.consent.tcf import PURPOSES
from edge.decide.types import CONSENT_TIERS

Schema = dict[str, Any]

_NUMBER: Final[Schema] = {"type": "integer", "minimum": 1, "maximum": PURPOSES}
_WORD: Final[Schema] = {"type": "string", "pattern": f"^(?:{PURPOSE.pattern})$"}


def _some(*forms: Schema) -> Schema:
    return {"anyOf": [*forms, {"type": "array", "minItems": 1, "items": {"anyOf": list(forms)}}]}


DEFINITIONS: Final[Schema] = {
    "purposes": {"description": f"TCF's own: {', '.join(NAMES)}.", **_some(_NUMBER, _WORD)},
    "tcf": {"description": "Purposes of TCF, by word or number.", **_some(_NUMBER, {"enum": list(NAMES)})},
}
"""What every document that speaks of purposes defines."""


def purposes_schema(about: str, named: str = "purposes") -> Schema:
    """One purpose or a list of them, by name or by TCF's number."""
    # What stands beside a reference is not read.
    return {"description": about, "allOf": [{"$ref": f"#/definitions/{named}"}]}


def consent_schema() -> Schema:
    """The block ``consent`` of site.yaml."""
    keys = {
        "cookie": _cookie("The site's one cookie that says what a visitor agreed to: one of the tiers."),
        "default": _tier("The tier where nothing is said.", CONSENT_TIERS),
        "sources": {
            "description": "Who is asked, in this order: the first that says something decides.",
            "type": "array",
            "maxItems": MAX_SOURCES,
            "items": {"type": "object", "minProperties": 1, "maxProperties": 1, **_kinds()},
        },
        "purposes": {
            "description": "What data is used for, in words of the site's own.",
            "type": "object",
            "maxProperties": MAX_PURPOSES,
            "propertyNames": {"pattern": f"^(?:{PURPOSE.pattern})$", "not": {"enum": list(NAMES)}},
            "additionalProperties": _mapping(
                {
                    "tcf": purposes_schema("The purposes of TCF that grant it together.", "tcf"),
                    "tier": _tier(
                        "Where nothing else speaks of it: the least tier that grants it.", CONSENT_TIERS[1:]
                    ),
                }
            ),
        },
        "events": _mapping(
            {kind: purposes_schema(f"What {kind} events are used for.") for kind in EVENT_KINDS},
            description="Events that happen only for visitors who granted these purposes.",
            patternProperties={f"^(?:{ID.pattern})$": purposes_schema("An event of the site's own.")},
        ),
    }
    either = {"not": {"required": ["cookie", "sources"]}}
    return _mapping(keys, description="What a page may know of its visitor.", **either)


def _kinds() -> Schema:
    tiers = {tier: purposes_schema(f"What the tier {tier!r} needs.") for tier in KEEPING}
    consent = {
        **tiers,
        "vendor": {
            "description": "Who needs consent, by TCF's list. Left out: the site itself, as publisher.",
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_VENDOR,
        },
        "legitimate_interest": purposes_schema("For which a legitimate interest will do."),
        "otherwise": _tier(f"The tier where none of these is granted. Left out: {DEFAULT}.", WEAK),
    }
    objection = {
        "opted_out": _tier("The tier of who objected.", WEAK),
        "not_opted_out": _tier("The tier of who did not object.", CONSENT_TIERS),
    }
    tcf, usp = (_cookie(f"Where it stands. Left out: {COOKIES[kind]}.") for kind in ("tcf", "usp"))
    said = [{"required": [tier]} for tier in KEEPING]
    both = {"required": list(objection)}
    return {
        "properties": {
            "cookie": _cookie("A cookie of the site's own: its value is a tier."),
            "tcf": _mapping({"cookie": tcf, **consent}, description="A TC string.", anyOf=said),
            "gpp": _mapping(
                {"cookie": _cookie("Where it stands."), **consent, **objection},
                description="A GPP string.",
                required=["cookie"],
                anyOf=[*said, both],
                allOf=[{"if": {"required": [one]}, "then": both} for one in objection],
            ),
            "usp": _mapping({"cookie": usp, **objection}, description="A US Privacy string.", **both),
            "gpc": _tier("Global Privacy Control: the most that those after it may say.", WEAK),
        },
        "additionalProperties": False,
    }


def _mapping(properties: Schema, **more: Any) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False, **more}


def _tier(about: str, tiers: tuple[str, ...]) -> Schema:
    return {"description": about, "enum": list(tiers)}


def _cookie(about: str) -> Schema:
    return {"description": about, "type": "string", "minLength": 1, "pattern": f"^(?:{COOKIE.pattern})$"}

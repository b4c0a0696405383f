"""Layouts and redirects as JSON Schema, for editors."""

from typing import Any, Final

from compiler.rules.layouts import MAX_BLOCKS
from edge.bundle.format import MAX_URL_CHARS

Schema = dict[str, Any]

_BLOCK: Final = {"description": "A block.", "type": "string", "minLength": 1}


def layout_schema() -> Schema:
    """Where blocks of a page stand."""
    blocks = {"type": "array", "uniqueItems": True, "maxItems": MAX_BLOCKS, "items": _BLOCK}
    pair = {"type": "array", "uniqueItems": True, "minItems": 2, "maxItems": 2, "items": _BLOCK}
    return {
        "type": "object",
        "minProperties": 1,
        "properties": {
            "order": {
                "description": "Blocks that share their places in this order.",
                **blocks,
                "minItems": 2,
            },
            "hide": {"description": "Blocks that are left out.", "anyOf": [_BLOCK, blocks]},
            "swap": {"description": "Pairs that change places.", "type": "array", "items": pair},
        },
        "additionalProperties": False,
    }


def whole_page_schemas() -> dict[str, Schema]:
    """What a campaign may show of a page as a whole, by its key."""
    layout = {"description": "A layout's name, or the layout itself.", "anyOf": [_BLOCK, layout_schema()]}
    url = {
        "description": "Where the visitor is led: a path of the site, or https://HOST/path.",
        "type": "string",
        "maxLength": MAX_URL_CHARS,
        "pattern": "^(/(?!/)|https://)",
    }
    return {"layout": {"layout": layout}, "redirect": {"redirect": url}}

"""Reads how much a model may lose to be small: ``smallest: {lose: 0.5%}`` in models/NAME.yaml."""

import re
from typing import Any, Final

from compiler.files.fields import Fields

KEY: Final = "smallest"
MOST: Final = 0.5
PERCENT: Final = re.compile(r"(\d{1,3}(?:\.\d{1,6})?) ?%")


def read_lose(text: str) -> float | None:
    """A percentage as a share; None where it is none, or above `MOST`."""
    found = PERCENT.fullmatch(text.strip())
    share = float(found[1]) / 100 if found else MOST + 1
    return share if share <= MOST else None


def read_smallest(fields: Fields) -> float | None:
    """The allowed loss of a model as a share; None where its size is not searched."""
    node = fields.mapping(KEY)
    if node is None:
        return None
    inside = fields.inside(node, KEY)
    text = inside.text("lose", required=True)
    inside.close()
    lose = None if text is None else read_lose(text)
    if text is not None and lose is None:
        inside.error(
            inside.line_of("lose"), "bad-value", f"has {text!r} as 'lose'", "use 0% to 50%, such as 0.5%"
        )
    return lose


def smallest_schema() -> dict[str, Any]:
    """The key as JSON Schema."""
    lose = {
        "type": "string",
        "pattern": f"^{PERCENT.pattern}$",
        "description": "How much of nDCG@10, or of a prediction's metric, may be lost, such as 0.5%.",
    }
    return {
        "type": "object",
        "description": "Let training search the smallest model within an allowed loss.",
        "properties": {"lose": lose},
        "required": ["lose"],
        "additionalProperties": False,
    }

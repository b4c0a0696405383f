"""Reads what a campaign or a variation shows: a content, or a recommender's items."""

from dataclasses import dataclass
from typing import Final

from compiler.fields import Fields
from compiler.problems import Problems, nearest
from compiler.types import Show
from compiler.yaml_lines import Node

DEFAULT_LIMIT: Final = 10
MAX_LIMIT: Final = 1_000
_FILES: Final = {
    "content": "content/{}.html",
    "recommender": "models/{}.yaml",
    "card": "catalogs/cards/{}.html",
}
"""What one writes to have what is named."""

KEYS: Final = ("content", "recommender", "card", "limit")


@dataclass(frozen=True)
class Names:
    """What may be shown, by name."""

    contents: frozenset[str]
    recommenders: frozenset[str]
    cards: frozenset[str]


def read_show(node: Node, place: tuple[str, str], names: Names, problems: Problems) -> Show | None:
    """What the mapping shows; None where a problem was noted instead.

    Parameters
    ----------
    place
        The file, and whose `show` it is, for people.
    """
    fields = Fields(node, *place, problems)
    if not isinstance(node.value, dict):
        return None
    if ("content" in node.value) == ("recommender" in node.value):
        hint = "write `content: ID`, or `recommender: NAME` and `card: CARD`"
        fields.error(node.line, "missing-key", "needs either content or recommender", hint)
        for key in KEYS:
            fields.node(key)
        fields.close()
        return None
    if "content" in node.value:
        content = reference(fields, "content", names.contents)
        fields.close()
        return Show(content)
    recommender = reference(fields, "recommender", names.recommenders)
    card = reference(fields, "card", names.cards)
    limit = fields.integer("limit", 1, MAX_LIMIT) or DEFAULT_LIMIT
    fields.close()
    return Show("", recommender, card, limit)


def reference(fields: Fields, key: str, known: frozenset[str]) -> str:
    """The name under the key, which must be known; empty where it is absent."""
    name = fields.text(key, required=True)
    if name is not None and name not in known:
        message = f"has an unknown {key} {name!r}"
        near = nearest(name, known)
        hint = near if near.startswith("did you mean") else f"write {_FILES[key].format(name)}; {near}"
        fields.error(fields.line_of(key), "unknown-name", message, hint)
    return name or ""

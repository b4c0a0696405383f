"""Reads what a campaign or a variation shows: a content, a recommender's items, a layout, a redirect."""

from dataclasses import dataclass
from typing import Final

from compiler.files.fields import Fields
from compiler.files.yaml_lines import Node
from compiler.problems import Problems, nearest
from compiler.rules.layouts import LayoutReader
from compiler.rules.redirects import read_redirect
from compiler.types import Show

DEFAULT_LIMIT: Final = 10
MAX_LIMIT: Final = 1_000
_FILES: Final = {
    "content": "content/{}.html",
    "recommender": "models/{0}.yaml or recommenders/{0}.yaml",
    "card": "catalogs/cards/{}.html",
}
"""What one writes to have what is named."""

KINDS: Final = ("content", "recommender", "layout", "redirect")
KEYS: Final = (*KINDS, "card", "limit")


@dataclass(frozen=True)
class Names:
    """What may be shown, by name."""

    contents: frozenset[str]
    recommenders: frozenset[str]
    cards: frozenset[str]
    layouts: LayoutReader | None = None
    redirect_hosts: tuple[str, ...] = ()


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
    kinds = [key for key in KINDS if key in node.value]
    if len(kinds) != 1:
        hint = "write `content: ID`, `recommender: NAME` and `card: CARD`, `layout: NAME` or `redirect: URL`"
        fields.error(node.line, "missing-key", f"needs one of {', '.join(KINDS)}", hint)
        for key in KEYS:
            fields.node(key)
        fields.close()
        return None
    if "content" in node.value:
        content = reference(fields, "content", names.contents)
        fields.close()
        return Show(content)
    if kinds[0] in {"layout", "redirect"}:
        return _whole_page(fields, kinds[0], names)
    recommender = reference(fields, "recommender", names.recommenders)
    card = reference(fields, "card", names.cards)
    limit = fields.integer("limit", 1, MAX_LIMIT) or DEFAULT_LIMIT
    fields.close()
    return Show("", recommender, card, limit)


def _whole_page(fields: Fields, kind: str, names: Names) -> Show | None:
    assert names.layouts is not None
    if kind == "layout":
        show = Show(layout=names.layouts.shown(fields))
    else:
        show = Show(redirect=read_redirect(fields, names.redirect_hosts))
    fields.close()
    return show if show.whole_page else None


def is_shown(node: Node) -> bool:
    """Whether a mapping says what is shown, and not that by placement.

    A layout may be a mapping, and so may what a placement of that name shows.
    """
    assert isinstance(node.value, dict)
    for key, entry in node.value.items():
        inside = entry.value if isinstance(entry.value, dict) else None
        if key in KEYS and (inside is None or (key == "layout" and not {*inside} & {*KEYS})):
            return True
    return not node.value


def reference(fields: Fields, key: str, known: frozenset[str]) -> str:
    """The name under the key, which must be known; empty where it is absent."""
    name = fields.text(key, required=True)
    if name is not None and name not in known:
        message = f"has an unknown {key} {name!r}"
        near = nearest(name, known)
        hint = near if near.startswith("did you mean") else f"write {_FILES[key].format(name)}; {near}"
        fields.error(fields.line_of(key), "unknown-name", message, hint)
    return name or ""

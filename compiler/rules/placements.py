"""Reads the placements of site.yaml: their names, how each chooses, and what it shows when nobody wins."""

from collections.abc import Iterable
from typing import Final

from compiler.files.fields import Fields, check_id
from compiler.files.yaml_lines import Node
from compiler.problems import Problems, nearest
from compiler.types import Placement

MAX_PLACEMENTS: Final = 256
FIRST: Final = "first"
BEST: Final = "best"
CHOOSE: Final = (FIRST, BEST)
"""Of the campaigns that fit: the first by priority, or the best by value."""


def read_placements(fields: Fields, problems: Problems) -> tuple[Placement, ...]:
    """What stands under ``placements``: one entry or a list, each a name or a mapping with a name."""
    node = fields.node("placements", required=True)
    if node is None:
        return ()
    entries = node.value if isinstance(node.value, list) else [node]
    found: dict[str, Placement] = {}
    for entry in entries:
        placement = _placement(entry, fields, problems)
        if placement is None:
            continue
        if placement.name in found:
            message = f"has the placement {placement.name!r} twice"
            fields.error(entry.line, "duplicate-id", message, "keep one of them")
        else:
            found[placement.name] = placement
    if len(found) > MAX_PLACEMENTS:
        message = f"has {len(found)} placements"
        fields.error(fields.line_of("placements"), "too-large", message, f"at most {MAX_PLACEMENTS}")
    return tuple(found.values())


def _placement(node: Node, fields: Fields, problems: Problems) -> Placement | None:
    if isinstance(node.value, str):
        name, default, best, line = node.value, "", False, node.line
    elif isinstance(node.value, dict):
        inner = Fields(node, fields.path, "a placement", problems)
        given, default = inner.text("name", required=True), inner.text("default") or ""
        line, best = inner.line_of("default"), _is_best(inner)
        inner.close()
        if given is None:
            return None
        name = given
    else:
        hint = "it takes a name, or {name: NAME, choose: best, default: CONTENT}"
        fields.error(node.line, "wrong-type", f"has {node.kind()} among 'placements'", hint)
        return None
    if not check_id(name, "a placement", (fields.path, node.line), problems):
        return None
    return Placement(name, default, best, fields.path, line)


def _is_best(fields: Fields) -> bool:
    choose = fields.text("choose") or FIRST
    if choose not in CHOOSE:
        message = f"chooses {choose!r}"
        fields.error(fields.line_of("choose"), "bad-value", message, nearest(choose, CHOOSE))
    return choose == BEST


def check_defaults(placements: Iterable[Placement], contents: frozenset[str], problems: Problems) -> None:
    """Note defaults that are no content of the workspace."""
    for placement in placements:
        if placement.default and placement.default not in contents:
            message = f"placement {placement.name!r} has an unknown default {placement.default!r}"
            hint = f"{nearest(placement.default, contents)}; it takes a content's id"
            problems.error(placement.path, placement.line, "unknown-name", message, hint)

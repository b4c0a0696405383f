"""Reads site.yaml: placements, attributes, items and consent of the site."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from compiler.catalog.about import read_columns
from compiler.conditions.domains import read_values
from compiler.consent import COOKIE, attributes_of_consent, read_consent
from compiler.files.fields import Fields, check_id
from compiler.files.yaml_lines import Node, read_yaml
from compiler.models.budgets import read_budgets
from compiler.problems import Problems, nearest
from compiler.rules.behaviours import attributes_of, read_behaviours
from compiler.rules.caps import PREFIX as CAP
from compiler.rules.caps import read_kinds
from compiler.rules.holdouts import read_holdouts
from compiler.rules.layouts import read_blocks
from compiler.rules.lists import attributes_of_lists, read_lists
from compiler.rules.placements import read_placements
from compiler.rules.redirects import read_hosts
from compiler.types import ItemColumns, Site
from edge.bundle import format as fmt
from edge.bundle.predictions import PREFIX as MODEL
from edge.decide.tastes import SOURCE as HISTORY
from edge.worker.attributes.place import BY_ADDRESS, FRONTS, NO_FRONT

PATH: Final = "site.yaml"
MAX_ATTRIBUTES: Final = 256
TYPES: Final = ("string", "number", "boolean")

BUILT_IN: Final[dict[str, str]] = {
    "consent.tier": "string",
    "device.browser": "string",
    "device.os": "string",
    "device.type": "string",
    "geo.city": "string",
    "geo.country": "string",
    "geo.region": "string",
    "geo.timezone": "string",
    "language": "string",
    "network.downlink": "number",
    "network.effective_type": "string",
    "network.save_data": "boolean",
    "referrer.host": "string",
    "referrer.path": "string",
    "referrer.type": "string",
    "time.date": "string",
    "time.hour": "number",
    "time.now": "number",
    "time.weekday": "number",
    "url.host": "string",
    "url.path": "string",
    "utm.campaign": "string",
    "utm.content": "string",
    "utm.medium": "string",
    "utm.source": "string",
    "utm.term": "string",
    "visitor.bought": "strings",
    "visitor.days_since_last": "number",
    "visitor.items": "number",
    "visitor.last_item": "string",
    "visitor.last_items": "strings",
    "visitor.new": "boolean",
    "visitor.visits": "number",
}
"""The attributes that every site has, and their types."""

GEO: Final = tuple(name for name in BUILT_IN if name.startswith("geo."))
"""What only a front can tell."""

OWN_SOURCE: Final = tuple(name for name in BUILT_IN if name.startswith(("geo.", "utm.")))
"""Built-in attributes that a site may read from where it likes."""

COMPUTED: Final = ("behaviour.", "audience.", "consent.", MODEL, CAP)
"""How the names of attributes begin that Nearside makes of what else the site says."""

QUERY: Final = "url.query."
"""Before the name of a field of the query: such an attribute needs no source."""

MAX_ATTRIBUTE_CHARACTERS: Final = 128
ATTRIBUTE: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+){0,7}")
BODY_PATH: Final = re.compile(r"[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64}){0,7}")
FACT: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")
SOURCE: Final = re.compile(
    rf"(header|query|cookie):({COOKIE.pattern})|body:({BODY_PATH.pattern})|fact:({FACT.pattern})"
    rf"|{HISTORY}:[A-Za-z0-9_][A-Za-z0-9_ -]{{0,63}}(=[^=]{{1,128}})?"
)
# Secrets of the visitor: what a rule reads is written down with every decision.
SECRET_HEADERS: Final = ("authorization", "cookie", "proxy-authorization")


def read_site(folder: Path, problems: Problems) -> Site | None:
    """The site; None where it can't be read at all."""
    if not (folder / PATH).exists():
        hint = "make a workspace with `nearside init DIR`, or name the folder of yours"
        problems.error(PATH, 0, "missing", "every workspace has this file, and it is not there", hint)
        return None
    node = read_yaml(folder, PATH, problems)
    if node is None:
        return None
    fields = Fields(node, PATH, "the site", problems)
    name = fields.text("site", required=True) or ""
    if name:
        check_id(name, "a site", (PATH, fields.line_of("site")), problems)
    places = read_placements(fields, problems)
    placements = tuple(place.name for place in places)
    front = _read_front(fields)
    attributes = _read_attributes(fields.mapping("attributes"), front, problems)
    values = read_values(fields.mapping("attributes"), PATH, problems)
    item_path, columns = _read_items(fields.mapping("items"), problems)
    holdouts = tuple(read_holdouts(fields, problems))
    blocks, hosts = read_blocks(fields, problems), read_hosts(fields, problems)
    events = read_kinds(fields, problems)
    consent = read_consent(fields, events or (), problems)
    behaviours = read_behaviours(fields, events or (), problems)
    budgets = read_budgets(fields)
    lists = read_lists(fields, folder, attributes, problems)
    made = (*attributes_of(behaviours), *attributes_of_lists(lists), *attributes_of_consent(consent))
    attributes = _sorted((*attributes, *made))
    fields.close()
    return Site(
        name, placements, attributes, item_path, consent, holdouts, behaviours, lists, values, places,
        blocks=blocks, redirect_hosts=hosts, events=events, item_columns=columns, budgets=budgets,
        lines=_lines(fields),
    )  # fmt: skip


def _sorted(attributes: Iterable[fmt.Attribute]) -> tuple[fmt.Attribute, ...]:
    return tuple(sorted(attributes, key=lambda attribute: attribute.name))


def _lines(fields: Fields) -> dict[str, int]:
    """Where attributes were declared."""
    node = fields.node("attributes")
    declared = node.value if node is not None and isinstance(node.value, dict) else {}
    return {name: entry.line for name, entry in declared.items()}


def _read_front(fields: Fields) -> str:
    front = fields.text("front") or NO_FRONT
    if front not in (*FRONTS, BY_ADDRESS, NO_FRONT):
        hint = nearest(front, (*FRONTS, BY_ADDRESS))
        fields.error(fields.line_of("front"), "unknown-name", f"has an unknown front {front!r}", hint)
        return NO_FRONT
    return front


def _read_attributes(node: Node | None, front: str, problems: Problems) -> tuple[fmt.Attribute, ...]:
    found = {
        name: fmt.Attribute(name, type_, f"front:{front}" if name in GEO else "builtin")
        for name, type_ in BUILT_IN.items()
    }
    if node is not None:
        assert isinstance(node.value, dict)
        if len(node.value) > MAX_ATTRIBUTES:
            message = f"{len(node.value)} attributes"
            problems.error(PATH, node.line, "too-large", message, f"at most {MAX_ATTRIBUTES}")
        for name, entry in node.value.items():
            if name in BUILT_IN and isinstance(entry.value, dict) and entry.value.keys() == {"purposes"}:
                continue  # what it is used for is read with the consent policy
            attribute = _read_attribute(name, entry, problems)
            if attribute is not None:
                found[name] = attribute
    return _sorted(found.values())


def _read_attribute(name: str, node: Node, problems: Problems) -> fmt.Attribute | None:
    fields = Fields(node, PATH, f"attribute {name!r}", problems)
    from_query = name.startswith(QUERY)
    type_, source = fields.text("type", required=True), fields.text("source", required=not from_query)
    fields.node("values")  # is read with those of built-in attributes
    fields.node("purposes")
    if source is None and from_query:
        source = f"query:{name.removeprefix(QUERY)}"
    fields.close()
    if not ATTRIBUTE.fullmatch(name) or len(name) > MAX_ATTRIBUTE_CHARACTERS:
        fields.error(
            node.line, "bad-id", "has a name that attributes can't have", "use names like geo.country"
        )
    elif name.startswith(COMPUTED):
        fields.error(node.line, "bad-id", "has a name that Nearside gives", "take another name")
    elif name in BUILT_IN and name not in OWN_SOURCE:
        fields.error(node.line, "duplicate-id", "is built in", "take another name, or delete it here")
    elif type_ is not None and type_ not in TYPES:
        fields.error(fields.line_of("type"), "bad-value", f"has type {type_!r}", nearest(type_, TYPES))
    elif type_ is not None and BUILT_IN.get(name, type_) != type_:
        message = f"has type {type_!r}, and is built in as a {BUILT_IN[name]}"
        fields.error(fields.line_of("type"), "bad-value", message, f"write `type: {BUILT_IN[name]}`")
    elif source is not None and type_ is not None and _check_source(fields, source):
        return fmt.Attribute(name, type_, source)
    return None


def _check_source(fields: Fields, source: str) -> bool:
    match = SOURCE.fullmatch(source)
    line = fields.line_of("source")
    if match is None:
        hint = "use header:NAME, query:NAME, cookie:NAME, fact:NAME, history:COLUMN or body:PATH.TO.IT"
        fields.error(line, "bad-value", f"has source {source!r}", hint)
        return False
    if match[1] == "header" and match[2].lower() in SECRET_HEADERS:
        hint = "decisions are logged with their attributes; for one cookie use cookie:NAME"
        fields.error(line, "bad-value", f"reads the secret header {match[2]!r}", hint)
        return False
    return True


def _read_items(node: Node | None, problems: Problems) -> tuple[str, ItemColumns]:
    if node is None:
        return "", ItemColumns()
    fields = Fields(node, PATH, "items", problems)
    path = fields.text("path", required=True) or ""
    columns = read_columns(fields)
    fields.close()
    line = fields.line_of("path")
    if path and path.count("{item}") != 1:
        fields.error(line, "bad-value", f"has path {path!r}", "it needs {item} exactly once")
    elif path and (
        not path.startswith("/")
        or re.search(r"[?#\s]", path)
        or re.search(r"[{}]", path.replace("{item}", ""))
    ):
        fields.error(line, "bad-value", f"has path {path!r}", "write a path like /film/{item}")
    return path, columns

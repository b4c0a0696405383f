"""Reads what is counted of visitors in time, and works out which items feed it."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from compiler.conditions.check import ConditionError, parse
from compiler.conditions.oracle import evaluate
from compiler.draft import Draft
from compiler.files.fields import Fields, check_id
from compiler.problems import Problems, nearest
from compiler.types import BehaviourConfig, Catalog
from edge.bundle import format as fmt
from edge.bundle.arrays import Array, pack
from edge.decide.behaviours import EVENTS, MAX_BEHAVIOURS, MAX_LAST, MAX_WINDOW_S, MEASURES, Behaviour
from edge.decide.caps import BUSINESS_KINDS, PAGE_KINDS, SHOWN_KINDS
from edge.rules.bucketing import fnv1a_32
from edge.rules.url import UrlPatternError, url_pattern
from edge.visitor.buckets import BODY_BYTES, HEAD_BYTES, MAX_BYTES, MAX_SUM

ITEM: Final = "item."
VALUE: Final = "value"
"""What is added up of an event that the site's script gave a value, instead of a column of its item."""

WINDOW: Final = re.compile(r"([1-9][0-9]{0,5})([mhd])")
_SECONDS: Final = {"m": 60, "h": 3600, "d": 86_400}


def read_behaviours(fields: Fields, kinds: Sequence[str], problems: Problems) -> tuple[BehaviourConfig, ...]:
    """What the site says under ``behaviours``, sorted by name; columns are checked by `check_behaviours`.

    Parameters
    ----------
    kinds
        The site's own kinds of events.
    """
    node = fields.mapping("behaviours")
    if node is None:
        return ()
    assert isinstance(node.value, dict)
    found = []
    for name, entry in node.value.items():
        inner = Fields(entry, fields.path, f"behaviour {name!r}", problems)
        check_id(name, "a behaviour", (fields.path, entry.line), problems)
        found.append(_read(name, inner, fields.path, kinds))
    size = sum(HEAD_BYTES + BODY_BYTES[one.measure] for one in found)
    if len(found) > MAX_BEHAVIOURS:
        message = f"has {len(found)} behaviours"
        fields.error(node.line, "too-large", message, f"at most {MAX_BEHAVIOURS}")
    elif size > MAX_BYTES:
        costs = ", ".join(f"{measure} {HEAD_BYTES + BODY_BYTES[measure]}" for measure in MEASURES)
        message = f"has behaviours of {size} bytes in each visitor's cookie"
        fields.error(node.line, "too-large", message, f"at most {MAX_BYTES}; each costs: {costs}")
    return tuple(sorted(found, key=lambda one: one.name))


def _read(name: str, fields: Fields, path: str, kinds: Sequence[str]) -> BehaviourConfig:
    reported = tuple(dict.fromkeys((*SHOWN_KINDS, *PAGE_KINDS, *BUSINESS_KINDS, *kinds)))
    event = _choice(fields, "event", (*EVENTS, *reported), "view")
    measure = _choice(fields, "measure", MEASURES, "count")
    last = _last(fields, measure)
    window_s = 0 if last else _window(fields)
    pattern = _pattern(fields, event)
    where = fields.mapping("where")
    until = _until(fields, event, reported)
    of = _of(fields, event, measure, reported)
    if event == "page" and where is not None:
        fields.error(where.line, "bad-value", "has 'where'", "that is for events of items")
        where = None
    fields.node("purposes")  # is read with the consent policy
    lines = {"where": where.line if where else 0, "of": fields.line_of("of")}
    fields.close()
    written = where.plain() if where else {}
    basis = of if measure == "rate" else ""
    return BehaviourConfig(
        name, event, measure, window_s, pattern, written, "" if basis else of, path, fields.line, lines,
        where, basis, last, until,
    )  # fmt: skip


def _of(fields: Fields, event: str, measure: str, reported: Sequence[str]) -> str:
    """The column or the value to add up or tell apart, or the kind of event that a rate is a share of."""
    of, line = fields.text("of") or "", fields.line_of("of")
    hint = ""
    if measure == "sum" and not of:
        fields.error(fields.line, "missing-key", "has no 'of'", "name the column to add up: `of: item.price`")
    elif of and event == "page":
        hint = "that is for events of items"
    elif of and measure not in ("sum", "distinct", "rate"):
        hint = "that is for measure sum, distinct or rate"
    elif of and measure == "rate" and (event in EVENTS or of == event or of not in reported):
        hint = "a rate of clicks takes `of: impression`; one of a kind among all of its kind takes no `of`"
    elif of == VALUE and (measure != "sum" or event in (*EVENTS, *SHOWN_KINDS)):
        hint = "that is for the sum of what the site's script reports, such as `event: purchase`"
    if hint:
        fields.error(line, "bad-value", f"has of {of!r}", hint)
    return "" if hint else of


def _until(fields: Fields, event: str, reported: Sequence[str]) -> str:
    until = fields.text("until") or ""
    if until and (event in EVENTS or until == event or until not in reported):
        others = [kind for kind in reported if kind != event]
        hint = "only what pages report can end" if event in EVENTS else nearest(until, others)
        fields.error(fields.line_of("until"), "bad-value", f"has until {until!r}", hint)
        return ""
    return until


def _last(fields: Fields, measure: str) -> int:
    last = fields.integer("last", 1, MAX_LAST) or 0
    if fields.node("last") is not None and (measure != "rate" or fields.node("window") is not None):
        hint = "a rate looks back over a window or over the last events; other measures take a window"
        fields.error(fields.line_of("last"), "bad-value", "has 'last'", hint)
    return last


def _choice(fields: Fields, key: str, choices: Sequence[str], default: str) -> str:
    value = fields.text(key) or default
    if value not in choices:
        fields.error(fields.line_of(key), "bad-value", f"has {key} {value!r}", nearest(value, choices))
        return default
    return value


def _window(fields: Fields) -> int:
    text = fields.text("window", required=True)
    if text is None:
        return 60
    match = WINDOW.fullmatch(text)
    window_s = int(match[1]) * _SECONDS[match[2]] if match else 0
    if not 0 < window_s <= MAX_WINDOW_S:
        hint = f"write minutes, hours or days like 30m, 12h or 7d, at most {MAX_WINDOW_S // 86_400}d"
        fields.error(fields.line_of("window"), "bad-value", f"has window {text!r}", hint)
        return 60
    return window_s


def _pattern(fields: Fields, event: str) -> str:
    pattern = fields.text("path") or ""
    if pattern and event != "page":
        fields.error(fields.line_of("path"), "bad-value", "has 'path'", "write `event: page` with it")
        return ""
    try:
        if pattern:
            url_pattern(pattern)
    except UrlPatternError as error:
        fields.error(fields.line_of("path"), "bad-value", f"has path {pattern!r}: {error}")
        return ""
    return pattern


def column_types(catalog: Catalog) -> dict[str, str]:
    """The catalog's columns as attributes of an item; a column of numbers alone is one of numbers."""
    return {
        ITEM + column: "number" if all(_is_number(i.values[column]) for i in catalog.items) else "string"
        for column in catalog.columns
    }


def _is_number(text: str) -> bool:
    try:
        return not text or np.isfinite(float(text)).item()
    except ValueError:
        return False


def check_behaviours(behaviours: Sequence[BehaviourConfig], catalog: Catalog, problems: Problems) -> None:
    """Note what the behaviours say of columns that the catalog does not have, or not so."""
    if not any(one.where or one.of for one in behaviours):
        return
    types = column_types(catalog)
    for one in behaviours:
        _check_where(one, types, problems)
        if not one.of or one.of == VALUE:
            continue
        place, where = (one.path, one.lines["of"]), f"behaviour {one.name!r}"
        if one.of not in types:
            message = f"{where} has an unknown column {one.of!r}"
            problems.error(*place, "unknown-name", message, nearest(one.of, types))
        elif one.measure == "sum" and types[one.of] != "number":
            message = f"{where} adds up {one.of!r}, which is not a number for every item"
            problems.error(*place, "wrong-type", message, "name a column of numbers")


def _check_where(one: BehaviourConfig, types: Mapping[str, str], problems: Problems) -> None:
    try:
        parse(dict(one.where), types)
    except ConditionError as error:
        for problem in error.problems:
            line = one.node.line_at(problem.path) if one.node else one.line
            message = f"behaviour {one.name!r}: {problem.message}"
            problems.error(one.path, line, f"condition/{problem.code}", message, problem.hint)


def attributes_of(behaviours: Sequence[BehaviourConfig]) -> list[fmt.Attribute]:
    """An attribute for each, as conditions name it."""
    return [fmt.Attribute(f"behaviour.{one.name}", "number", "behaviour") for one in behaviours]


def put_behaviours(
    draft: Draft, behaviours: Sequence[BehaviourConfig], catalog: Catalog, items: Mapping[str, str]
) -> None:
    """Add the definitions, and what each item feeds; `items` is the interface of the catalog."""
    if not behaviours:
        return
    draft.put("behaviours", "behaviours", fmt.encode(definitions(behaviours)))
    draft.put("feeds", "feeds", pack(feeds(behaviours, catalog)))
    draft.requires["items"] = items["items"]


def definitions(behaviours: Sequence[BehaviourConfig]) -> tuple[Behaviour, ...]:
    """The behaviours as the edge has them."""
    found: list[Behaviour] = []
    for one in behaviours:
        said: list[object] = [one.name, one.event, one.measure, one.window_s, one.pattern, one.where, one.of]
        # What behaviours of before did not have leaves their tags as they were.
        said += [[one.basis, one.last, one.until]] if one.basis or one.last or one.until else []
        tag = fnv1a_32(json.dumps(said, sort_keys=True)) & 0xFFFF
        while tag in [other.tag for other in found]:
            tag = tag + 1 & 0xFFFF
        found.append(_behaviour(one, tag))
    return tuple(found)


def _behaviour(one: BehaviourConfig, tag: int) -> Behaviour:
    reported = one.event not in EVENTS
    return Behaviour(
        one.name, tag, one.event, one.measure, one.window_s, one.pattern, one.basis, one.last, one.until,
        filtered=reported and bool(one.where), by_value=reported and one.of == VALUE,
    )  # fmt: skip


def feeds(behaviours: Sequence[BehaviourConfig], catalog: Catalog) -> dict[str, Array]:
    """Which items feed which behaviour, and by how much; see `edge.decide.behaviours.Behaviours`."""
    types = column_types(catalog)
    rows = [_attributes(item.values, types) for item in catalog.items]
    masks = np.zeros(len(rows), np.uint32)
    arrays: dict[str, Array] = {}
    for bit, one in enumerate(behaviours):
        if one.event == "page":
            continue
        masks |= np.array([evaluate(one.where, row) for row in rows], np.uint32) << np.uint32(bit)
        if one.measure in ("sum", "distinct") and one.of != VALUE:
            amounts = [_amount(one, row) for row in rows]
            arrays[f"amounts/{one.name}"] = np.array(amounts, np.uint16)
    return {"masks": masks, **arrays}


def _attributes(values: Mapping[str, str], types: Mapping[str, str]) -> dict[str, Any]:
    return {
        ITEM + column: float(value) if types[ITEM + column] == "number" else value
        for column, value in values.items()
        if value
    }


def _amount(one: BehaviourConfig, row: Mapping[str, Any]) -> int:
    value = row.get(one.of or f"{ITEM}id")
    if one.measure == "sum":
        return min(MAX_SUM, max(0, round(value or 0)))
    return fnv1a_32(str(value)) & 0xFFFF

"""Which values an attribute can have, where that is known: the built-in ones, and what site.yaml lists."""

import re
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from compiler.conditions.constraint import INFINITY, Constraint, normal
from compiler.files.fields import Fields
from compiler.files.yaml_lines import Node
from compiler.problems import Problems
from edge.bundle.format import Attribute
from edge.consent.policy import ASKED
from edge.decide.types import CONSENT_TIERS
from edge.worker.attributes import device, referrer

MAX_VALUES: Final = 1_000

Values = Mapping[str, tuple[str, ...]]
"""The texts that an attribute may have, by its name."""

BUILT_IN_VALUES: Final[Values] = {
    "consent.tier": CONSENT_TIERS,
    "device.browser": (*dict.fromkeys(name for name, _ in device.BROWSERS), device.OTHER),
    "device.os": tuple(dict.fromkeys((*(name for name, _ in device.SYSTEMS), device.OTHER))),
    "device.type": device.DEVICE_TYPES,
    "network.effective_type": ("slow-2g", "2g", "3g", "4g", "5g"),
    "referrer.type": referrer.TYPES,
}

_BOUNDS: Final[Mapping[str, tuple[float, float]]] = {
    "network.downlink": (0, INFINITY),
    "time.hour": (0, 23),
    "time.weekday": (1, 7),
    "visitor.days_since_last": (0, INFINITY),
    "visitor.items": (0, INFINITY),
    "visitor.visits": (0, INFINITY),
}


class Form(NamedTuple):
    """How every value of an attribute is written; `words` say so to a person.

    `compared`: so is what it is compared with by ``$gt`` and the like, where others take any text.
    """

    pattern: re.Pattern[str]
    words: str
    compared: bool = False


_FORMS: Final[Mapping[str, Form]] = {
    # Fronts have codes of their own, too, such as T1 for Tor.
    "geo.country": Form(re.compile("[A-Z0-9]{2}"), "two capital letters, such as DE"),
    "language": Form(re.compile("[^A-Z_-]+"), "in small letters and without a region, such as de"),
    "referrer.path": Form(re.compile("[^?#]*"), "a path alone, without a query"),
    "time.date": Form(
        re.compile("[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?"), "a date, such as 2026-05-01", compared=True
    ),
    "url.path": Form(re.compile("[^?#]*"), "a path alone: for a field of the query ask for url.query.NAME"),
}

ALWAYS_THERE: Final = ("consent.tier", "device.type", "time.date", "time.hour", "time.now", "time.weekday")
"""Attributes that no request lacks."""


def domain(name: str, values: Values) -> Constraint | None:
    """What holds for the attribute in any request; None where nothing is known."""
    absent = name not in ALWAYS_THERE and not name.startswith(ASKED)
    if name in values:
        return Constraint(frozenset(values[name]), absent=absent)
    if name in _BOUNDS:
        return normal(None, frozenset(), _BOUNDS[name], ranged=True, absent=absent)
    return None if absent else Constraint(absent=False)


def forms_of(attributes: Iterable[Attribute]) -> dict[str, Form]:
    """How attributes are written; those that a site reads from elsewhere may look as they like."""
    return {
        attribute.name: _FORMS[attribute.name]
        for attribute in attributes
        if attribute.name in _FORMS and attribute.source.startswith(("builtin", "front:"))
    }


def in_words(name: str, values: Values) -> str:
    """What the attribute can be, for a person."""
    if name in values:
        shown = ", ".join(values[name][:8])
        return shown + (", …" if len(values[name]) > 8 else "")
    low, high = _BOUNDS.get(name, (-INFINITY, INFINITY))
    if low == -INFINITY:
        return "never missing"
    return f"at least {low:g}" if high == INFINITY else f"{low:g} to {high:g}"


def read_values(attributes: Node | None, path: str, problems: Problems) -> dict[str, tuple[str, ...]]:
    """The values that site.yaml lists, and those of built-in attributes."""
    found = dict(BUILT_IN_VALUES)
    entries = attributes.value if attributes is not None and isinstance(attributes.value, dict) else {}
    for name, node in entries.items():
        if not isinstance(node.value, dict) or "values" not in node.value:
            continue
        fields = Fields(node, path, f"attribute {name!r}", problems)
        line = fields.line_of("values")
        values = tuple(text for text, _ in fields.texts("values"))
        type_ = node.value.get("type")
        if type_ is not None and type_.value != "string":
            fields.error(line, "wrong-type", "lists values and is no string", "leave `values` out")
        elif len(values) > MAX_VALUES:
            fields.error(line, "too-large", f"lists {len(values)} values", f"at most {MAX_VALUES}")
        elif not values:
            fields.error(line, "empty", "lists no value", "name some, or leave `values` out")
        else:
            found[name] = values
    return found

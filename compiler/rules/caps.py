"""Reads how often a campaign may be shown to one visitor, as a condition on what is counted of it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from compiler.conditions.check import Clause, Condition, Constraint
from compiler.draft import Draft
from compiler.files.fields import Fields, check_id
from compiler.files.yaml_lines import Node
from compiler.problems import Problems
from compiler.types import Campaign, Site
from edge.bundle import format as fmt
from edge.decide.behaviours import EVENTS, MAX_WINDOW_S
from edge.decide.caps import (
    BUSINESS_KINDS,
    MAX_CAPS,
    MAX_KINDS,
    MAX_LIMIT,
    PAGE_KINDS,
    SHOWN_KINDS,
    SOURCE,
    Cap,
    Reports,
)
from edge.rules.bucketing import fnv1a_32

PREFIX: Final = "cap."
TIER: Final = "consent.tier"
KEEPS_STATE: Final = ("full", "session")
"""Where a state is kept. Elsewhere nothing can be counted, so a campaign with a cap rests."""

UNITS: Final = {"minutes": 60, "hours": 3600, "days": 86_400}
VISIT: Final = "visit"
MAX_EACH: Final = 4
"""Caps of one campaign."""


@dataclass(frozen=True)
class Capped:
    """How often a campaign may be shown: as it is evaluated and compiled, and what is counted for it."""

    written: Mapping[str, Any]
    condition: Condition
    caps: tuple[Cap, ...]


UNCAPPED: Final = Capped({}, Condition(), ())


def read_kinds(fields: Fields, problems: Problems) -> tuple[str, ...] | None:
    """The kinds of events that the site's script reports, as it says under ``events``; None without it."""
    if fields.node("events") is None:
        return None
    found = {}
    for name, line in fields.texts("events"):
        if name in (*EVENTS, *SHOWN_KINDS, *PAGE_KINDS):
            fields.error(line, "bad-value", f"has the event {name!r}", "it is counted without being named")
        elif check_id(name, "an event", (fields.path, line), problems):
            found[name] = line
    if len(found) > MAX_KINDS:
        message = f"has {len(found)} kinds of events"
        fields.error(fields.line_of("events"), "too-large", message, f"at most {MAX_KINDS}")
    return tuple(sorted(found))


def read_caps(fields: Fields, campaign: str, problems: Problems) -> Capped:
    """What a campaign says under ``cap``, ``recency`` and ``until``; what is wrong is noted, and left out."""
    found = [_count(node, fields, campaign, problems) for node in _each(fields)]
    found += [_recency(fields, campaign, problems), _until(fields, campaign)]
    caps = tuple(cap for cap in found if cap is not None)
    if len({cap.name for cap in caps}) < len(caps):
        message = "has two caps over the same time"
        fields.error(fields.line_of("cap"), "duplicate-id", message, "keep one of them")
        return UNCAPPED
    if len(caps) > MAX_EACH:
        message = f"has {len(caps)} caps"
        fields.error(fields.line_of("cap"), "too-large", message, f"at most {MAX_EACH}")
    return _capped(caps) if caps else UNCAPPED


def _each(fields: Fields) -> list[Node]:
    node = fields.node("cap")
    if node is None:
        return []
    return node.value if isinstance(node.value, list) else [node]


def _count(node: Node, of: Fields, campaign: str, problems: Problems) -> Cap | None:
    fields = Fields(node, of.path, f"{of.where}: cap", problems)
    fields.node("impressions", required=True)
    limit = fields.integer("impressions", 1, MAX_LIMIT)
    window = _per_visit(fields) if fields.node("per") is not None else _window(fields)
    fields.close()
    if limit is None or window is None:
        return None
    measure = "count" if window[1] else VISIT
    return _made(campaign, window[0], ("impression", measure), window[1], limit)


def _per_visit(fields: Fields) -> tuple[str, int]:
    per = fields.text("per")
    if per is not None and per != VISIT:
        hint = f"write `per: {VISIT}`, or one of {', '.join(UNITS)}"
        fields.error(fields.line_of("per"), "bad-value", f"has per {per!r}", hint)
    if any(fields.node(unit) is not None for unit in UNITS):
        fields.error(fields.line_of("per"), "bad-value", "has 'per' and a time", "keep one of them")
    return VISIT, 0


def _recency(of: Fields, campaign: str, problems: Problems) -> Cap | None:
    node = of.mapping("recency")
    if node is None:
        return None
    fields = Fields(node, of.path, f"{of.where}: recency", problems)
    window = _window(fields)
    fields.close()
    if window is None:
        return None
    return _made(campaign, "last", ("impression", "recency"), window[1], window[1])


def _until(fields: Fields, campaign: str) -> Cap | None:
    until = fields.text("until")
    if until is None:
        return None
    if until != "click":
        hint = "write `until: click`; of other events ask in the audience, by a behaviour"
        fields.error(fields.line_of("until"), "bad-value", f"has until {until!r}", hint)
        return None
    return _made(campaign, until, (until, "recency"), MAX_WINDOW_S, 0)


def _window(fields: Fields) -> tuple[str, int] | None:
    """A time as names have it, and in seconds; no longer than the visitor's state looks back."""
    given = [unit for unit in UNITS if fields.node(unit) is not None]
    if len(given) != 1:
        what = ("bad-value", "has two times") if given else ("missing-key", "has no time")
        fields.error(fields.line, *what, f"write one of {', '.join(UNITS)}")
        return None
    (unit,) = given
    amount = fields.integer(unit, 1, MAX_WINDOW_S // UNITS[unit])
    return None if amount is None else (f"{amount}{unit[0]}", amount * UNITS[unit])


def _made(campaign: str, ending: str, counted: tuple[str, str], window_s: int, limit: int) -> Cap:
    name = f"{PREFIX}{campaign}.{ending}"
    return Cap(name, campaign, fnv1a_32(name), *counted, window_s, limit)


def _capped(caps: tuple[Cap, ...]) -> Capped:
    # A visitor of whom nothing is counted has seen nothing: a missing value holds.
    demands: dict[str, Constraint] = {TIER: Constraint(frozenset(KEEPS_STATE), absent=False)}
    written: list[Mapping[str, Any]] = [{TIER: {"$in": list(KEEPS_STATE)}}]
    for cap in caps:
        constraint, condition = _rests(cap)
        demands[cap.name] = constraint
        written.append(condition)
    return Capped({"$and": written}, Condition((Clause(demands),)), caps)


def _rests(cap: Cap) -> tuple[Constraint, Mapping[str, Any]]:
    """When the campaign is not resting."""
    never = {cap.name: {"$exists": False}}
    if cap.measure != "recency":
        return Constraint(high=cap.limit - 1, ranged=True), {cap.name: {"$lte": cap.limit - 1}}
    if not cap.limit:
        return Constraint(frozenset()), never
    hours = cap.limit / 3600
    return Constraint(low=hours, ranged=True), {"$or": [never, {cap.name: {"$gte": hours}}]}


def with_caps(site: Site, campaigns: Iterable[Campaign], problems: Problems) -> Site:
    """The site with an attribute for each cap."""
    caps = [cap for campaign in campaigns for cap in campaign.caps]
    if len(caps) > MAX_CAPS:
        message = f"{len(caps)} caps of campaigns"
        problems.error("rules", 0, "too-large", message, f"at most {MAX_CAPS}")
    attributes = (*site.attributes, *(fmt.Attribute(cap.name, "number", SOURCE) for cap in caps))
    return replace(site, attributes=tuple(sorted(attributes, key=lambda attribute: attribute.name)))


def put_reports(draft: Draft, site: Site, campaigns: Iterable[Campaign]) -> None:
    """Add what pages may report, and the caps; nothing where there is no use for either."""
    caps = _apart(sorted((cap for campaign in campaigns for cap in campaign.caps), key=lambda cap: cap.name))
    kinds = {kind for one in site.behaviours for kind in (one.event, one.basis, one.until)}
    everywhere = site.events is not None or bool(kinds & {*BUSINESS_KINDS, *PAGE_KINDS})
    if caps or everywhere:
        draft.put("events", "events", fmt.encode(Reports(site.events or (), caps, everywhere=everywhere)))


def _apart(caps: Iterable[Cap]) -> tuple[Cap, ...]:
    """The caps with tags that differ: 32 bits of two names may be the same."""
    found: dict[int, Cap] = {}
    for cap in caps:
        tag = cap.tag
        while tag in found:
            tag = tag + 1 & 0xFFFF_FFFF
        found[tag] = Cap(cap.name, cap.campaign, tag, cap.event, cap.measure, cap.window_s, cap.limit)
    return tuple(found.values())

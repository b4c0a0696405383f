"""The campaigns that were considered for a placement, each with what became of it, in words."""

import json
from collections.abc import Iterator, Mapping
from typing import Final

from edge.bundle.written import Campaign, Written
from edge.consent.policy import ASKED
from edge.decide.choice import NO_UNIT, OUTSIDE_COVERAGE, OUTSIDE_NAMESPACE
from edge.decide.types import Value
from edge.rules.words import NOW, failure
from origin.explain.cap_words import resting
from origin.explain.race import CAMPAIGN, GROUP, HOLDOUT, LED, TEST, Lost, Race
from origin.explain.schedule_words import closed

MAX_LINES: Final = 40
"""Of one placement; those whose rules hold come before those whose rules don't."""

_OUT: Final = {
    NO_UNIT: "what it divides by is missing",
    OUTSIDE_NAMESPACE: "the visitor is outside of its part of the namespace",
    OUTSIDE_COVERAGE: "the visitor is in the part of no variation",
}
_TOO_OLD: Final = "(this bundle was compiled before rules were kept as written: compile again to see why)"


def considered(race: Race, placement: str, killed: tuple[str, ...]) -> Iterator[str]:
    """A line for each campaign of the placement, the strongest first."""
    written = race.view.written
    if written is None:
        yield _TOO_OLD
        return
    position = race.view.schema.placements.index(placement)
    own = [campaign for campaign in written.campaigns if position in campaign.placements]
    matched = race.matched(placement)
    first = {campaign.id for campaign in sorted(own, key=lambda c: c.id not in matched)[:MAX_LINES]}
    asked = Asked(written)
    for campaign in own:
        if campaign.id not in first:
            continue
        if campaign.id in matched:
            fate = _fate(race, campaign, placement, matched[campaign.id])
        else:
            fate = _why_not(campaign, asked, race, killed)
        value = race.value(matched[campaign.id], placement) if campaign.id in matched else ""
        worth = f", value {value}" if value else ""
        yield f"{campaign.id}, priority {campaign.priority}{worth}: {fate}"
    if len(own) > MAX_LINES:
        holding = max(0, len(matched) - MAX_LINES)
        yield f"and {len(own) - MAX_LINES:,} more, of which {holding:,} hold, and are weaker"


class Asked:
    """Whom the campaigns of a bundle are for, as it was written."""

    def __init__(self, written: Written) -> None:
        self._audiences = {audience.name: json.loads(audience.condition) for audience in written.audiences}
        self._groups = {group.name: json.loads(group.values) for group in written.groups}

    def failure(self, campaign: Campaign, attributes: Mapping[str, Value]) -> str:
        """Why a context is not for a campaign, without its schedule; empty where it is."""
        if campaign.audience:
            return failure(self._audiences[campaign.audience], attributes, self._groups)
        return failure(json.loads(campaign.condition or "{}"), attributes, self._groups)


def _why_not(campaign: Campaign, asked: Asked, race: Race, killed: tuple[str, ...]) -> str:
    attributes = race.context.attributes
    now = attributes.get(NOW)
    found = [
        "it is killed" if campaign.id in killed else "",
        closed(campaign.when, int(now) if isinstance(now, int | float) else None),
        asked.failure(campaign, attributes),
        resting(race.view.caps.get(campaign.id, ()), attributes),
        _not_granted(campaign, attributes),
    ]
    return f"no, {'; and '.join(filter(None, found)) or 'its rules do not hold'}"


def _not_granted(campaign: Campaign, attributes: Mapping[str, Value]) -> str:
    missing = [name for name in campaign.purposes if attributes.get(ASKED + name) is not True]
    return f"the visitor did not grant {' and '.join(missing)}" if missing else ""


def _fate(race: Race, campaign: Campaign, placement: str, bit: int) -> str:
    if race.gets(campaign.id, placement):
        return "wins"
    lost = race.lost(bit, placement)
    if lost.kind == CAMPAIGN:
        return f"holds, and {lost.name} is stronger"
    return f"holds, but {_kept_away(lost, campaign)}"


def _kept_away(lost: Lost, campaign: Campaign) -> str:
    if lost.kind == LED:
        return f"{lost.name} leads the visitor elsewhere"
    if lost.kind == HOLDOUT:
        return f"holdout {lost.name} holds the visitor out"
    if lost.kind == TEST:
        return f"not in experiment {lost.name}: {_OUT.get(lost.reason, lost.reason)}"
    if lost.kind == GROUP:
        return f"{lost.name} of its group {campaign.exclusive} is on the page"
    return f"kept away by {lost.name}"

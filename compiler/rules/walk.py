"""Who wins a page, by walking all campaigns from the strongest on: the engine must agree with it."""

import math
from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from typing import Final

from compiler.types import Bandit, Campaign, Experiment, Holdout, Workspace
from edge.decide.bandit import draw
from edge.decide.best import MAX_AMOUNT
from edge.decide.choice import HOLDOUT_VERSION, VISITOR_ID
from edge.decide.types import Value
from edge.rules.bucketing import bucket, choose_variation, in_namespace
from edge.rules.coercion import to_string

Won = tuple[str, str]
"""A campaign, and its variation or arm, or ''."""

NOBODY: Final = ("", "")


class Walk:
    """The campaigns of a workspace, the strongest first."""

    def __init__(self, workspace: Workspace) -> None:
        self._placements = workspace.placements
        self._experiments = {experiment.id: experiment for experiment in workspace.experiments}
        self._bandits = {bandit.id: bandit for bandit in workspace.bandits}
        self._holdouts = workspace.holdouts
        self._strongest = strongest_first(workspace.campaigns)
        self._best = workspace.site.best

    def won(self, attributes: Mapping[str, Value], unit: str = "", seed: int = 0) -> tuple[Won, ...]:
        """Who has each placement of the site."""
        if self._best:
            return self._won_by_value(attributes, unit, seed)
        found: dict[str, Won] = {}
        groups: dict[str, str] = {}
        held = [holdout for holdout in self._holdouts if holds(holdout, unit)]
        for campaign in self._strongest:
            free = [placement for placement in campaign.placements if placement not in found]
            if not free or not campaign.meets(attributes):
                continue
            variation = self._variation(campaign, attributes, unit)
            if variation is None or any(covers(holdout, campaign) for holdout in held):
                continue
            if campaign.exclusive and groups.setdefault(campaign.exclusive, campaign.id) != campaign.id:
                continue
            found |= {name: (campaign.id, variation or self._arm(campaign, name, seed)) for name in free}
        return tuple(found.get(placement, NOBODY) for placement in self._placements)

    def _won_by_value(self, attributes: Mapping[str, Value], unit: str, seed: int) -> tuple[Won, ...]:
        """The same where some placements show the best: again and again, until no group is there twice."""
        held = [holdout for holdout in self._holdouts if holds(holdout, unit)]
        able: dict[str, str] = {}
        for campaign in self._strongest:
            variation = self._variation(campaign, attributes, unit) if campaign.meets(attributes) else None
            if variation is not None and not any(covers(holdout, campaign) for holdout in held):
                able[campaign.id] = variation
        while True:
            tops = {name: self._top(name, able, attributes) for name in self._placements}
            found = {name: campaign for name, campaign in tops.items() if campaign is not None}
            beaten = self._beaten(list(found.values()))
            if not beaten:
                break
            able = {campaign: part for campaign, part in able.items() if campaign not in beaten}
        won = {n: (c.id, able[c.id] or self._arm(c, n, seed)) for n, c in found.items()}
        return tuple(won.get(name, NOBODY) for name in self._placements)

    def _top(self, placement: str, able: Collection[str], attributes: Mapping[str, Value]) -> Campaign | None:
        """Who would have a placement, of the campaigns that may win."""
        fitting = [c for c in self._strongest if c.id in able and placement in c.placements]
        if placement in self._best:
            fitting.sort(key=lambda campaign: worth_of(campaign, attributes), reverse=True)
        return fitting[0] if fitting else None

    def _beaten(self, heads: Sequence[Campaign]) -> set[str]:
        """All of a group but its strongest, where two of it would be on the page."""
        there = {campaign.id for campaign in heads}
        beaten: set[str] = set()
        for group in {campaign.exclusive for campaign in heads if campaign.exclusive}:
            members = [campaign.id for campaign in self._strongest if campaign.exclusive == group]
            strongest = [name for name in members if name in there]
            if len(strongest) > 1:
                beaten.update(name for name in members if name != strongest[0])
        return beaten

    def _variation(self, campaign: Campaign, attributes: Mapping[str, Value], unit: str) -> str | None:
        """The variation; '' where the campaign is no experiment's, None where the visitor is not in it."""
        if not campaign.experiment:
            return ""
        experiment = self._experiments[campaign.experiment]
        value = unit if experiment.hash == VISITOR_ID else attributes.get(experiment.hash)
        return variation_of(experiment, to_string(value)) if value else None

    def _arm(self, campaign: Campaign, placement: str, seed: int) -> str:
        """The arm that a bandit's campaign shows there; '' where the campaign is none's."""
        return arm_of(self._bandits[campaign.bandit], placement, seed) if campaign.bandit else ""


def worth_of(campaign: Campaign, attributes: Mapping[str, Value]) -> Fraction:
    """The value of a campaign; what is missing or no number counts as 0."""
    total = Fraction(campaign.worth.base, 1000)
    for name, weight in campaign.worth.terms:
        value = attributes.get(name, 0)
        if isinstance(value, int | float) and not math.isnan(value):
            near = max(-MAX_AMOUNT, min(MAX_AMOUNT, value))
            total += Fraction(weight, 1000) * Fraction(round(near * 1000), 1000)
    return total


def arm_of(bandit: Bandit, placement: str, seed: int) -> str:
    """The arm that a decision of this seed draws for a placement."""
    place, end = draw(seed, bandit.id, placement), 0.0
    total = sum(arm.weight for arm in bandit.arms)
    for arm in bandit.arms:
        end += arm.weight / total
        if place < end:
            return arm.key
    return bandit.arms[-1].key


def strongest_first(campaigns: Sequence[Campaign]) -> list[Campaign]:
    """By priority, among equals the first id."""
    return sorted(campaigns, key=lambda campaign: (-campaign.priority, campaign.id))


def variation_of(experiment: Experiment, value: str) -> str | None:
    """The variation of a visitor; None for one who is not in the experiment."""
    if experiment.namespace and not in_namespace(value, experiment.namespace[0], experiment.namespace[1:]):
        return None
    place = bucket(experiment.seed, value, experiment.version)
    assert place is not None
    position = choose_variation(place, [(v.start, v.end) for v in experiment.variations])
    return experiment.variations[position].key if position >= 0 else None


def holds(holdout: Holdout, unit: str) -> bool:
    """Whether this visitor is held out."""
    place = bucket(holdout.seed, unit, HOLDOUT_VERSION) if unit else None
    return place is not None and place < holdout.share


def covers(holdout: Holdout, campaign: Campaign) -> bool:
    """Whether the campaign does not reach who is held out."""
    return holdout.of is None or campaign.id in holdout.of or campaign.programme in holdout.of

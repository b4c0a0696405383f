"""Whom audiences and campaigns are for, as one index over all their conditions, without schedules."""

import json
from collections.abc import Mapping
from typing import Any

from compiler.conditions.check import Condition, parse
from compiler.conditions.index import build
from compiler.rules.reads import reads_of
from edge.bundle.arrays import pack, unpack
from edge.bundle.written import Campaign
from edge.decide.campaigns import EXPERIMENT, WHOLE_PAGE
from edge.rules.index import Index
from edge.rules.words import NOW
from origin.explain.race import bits
from origin.explain.rules_view import View


class Whom:
    """The conditions of a bundle that keeps them as written; equal ones once.

    Attributes
    ----------
    of_audience, of_campaign : list of int
        The position of each one's condition.
    """

    def __init__(self, view: View) -> None:
        assert view.written is not None
        self._view = view
        self._groups = {group.name: json.loads(group.values) for group in view.written.groups}
        self._types = {attribute.name: attribute.type for attribute in view.schema.attributes}
        texts = {audience.name: audience.condition for audience in view.written.audiences}
        own = [texts.get(c.audience, c.condition) or "{}" for c in view.written.campaigns]
        unique = {text: n for n, text in enumerate(dict.fromkeys([*texts.values(), *own]))}
        self._conditions = [self._read(text) for text in unique]
        self.of_audience = [unique[text] for text in texts.values()]
        self.of_campaign = [unique[text] for text in own]
        owned = [(n, clause) for n, condition in enumerate(self._conditions) for clause in condition.clauses]
        self._owner = [n for n, _ in owned]
        self._index = Index(unpack(pack(build([clause for _, clause in owned], self._types))))
        self._reads = [frozenset(reads_of(condition)) for condition in self._conditions]
        self._hashed = _hashed(view)

    def _read(self, text: str) -> Condition:
        return parse(json.loads(text), self._types, self._groups)

    def holding(self, attributes: Mapping[str, Any]) -> set[int]:
        """The positions of the conditions that hold."""
        rules = self._index.match(attributes, self._index.everyone)
        return {self._owner[rule] for rule in bits(rules)}

    def places(self, campaign: Campaign) -> list[str]:
        """The placements that a campaign wants."""
        return [self._view.schema.placements[position] for position in campaign.placements]

    def reads_of_audience(self, position: int) -> frozenset[str]:
        """The attributes that an audience asks for."""
        return self._reads[self.of_audience[position]]

    def reads_of_campaign(self, position: int) -> frozenset[str]:
        """The attributes that a campaign asks for, for its schedule and its experiment too."""
        assert self._view.written is not None
        campaign = self._view.written.campaigns[position]
        more = {NOW} if campaign.when else set()
        # Pages were asked about a layout or a redirect only by bundles that had one.
        more |= set(WHOLE_PAGE) & set(self.places(campaign))
        # Where the best is shown, what others are worth decides, too.
        bests = self._view.chooser.bests
        more |= {name for place in self.places(campaign) if place in bests for name in bests[place].reads}
        return self._reads[self.of_campaign[position]] | more | self._hashed.get(campaign.id, frozenset())


def _hashed(view: View) -> dict[str, frozenset[str]]:
    """By campaign, the attribute that its experiment divides by."""
    campaigns, experiments = view.campaigns, view.chooser.experiments
    found = {}
    for bit in range(campaigns.size):
        if campaigns.action[bit] == EXPERIMENT:
            hashed = experiments[campaigns.target[bit]].hash
            found[view.owner(bit)] = frozenset({hashed} & set(view.chooser.reads))
    return found

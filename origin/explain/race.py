"""The campaigns of a bundle in one context: whose rules hold, who wins, and to what the others lose."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from edge.decide.campaigns import EXPERIMENT, PAGE_REDIRECT, REDIRECT
from edge.decide.choice import HELD_OUT, Settled
from edge.decide.types import Context
from origin.explain.rules_view import View
from origin.explain.value_words import counted

CAMPAIGN: Final = "campaign"
HOLDOUT: Final = "holdout"
TEST: Final = "experiment"
GROUP: Final = "exclusive"
LED: Final = "redirect"
OTHER: Final = "other"
"""To what a campaign may lose."""


class Lost(NamedTuple):
    """What kept a campaign whose rules hold from a placement.

    `name` is of a stronger campaign, of the holdout, of the experiment (whose `reason` is one of
    `edge.decide.choice`), of the campaign of its group that is on the page, or of the one that
    leads the visitor elsewhere.
    """

    kind: str
    name: str
    reason: str = ""


class Race:
    """One context, decided among the campaigns that are `alive`, as `View.alive` has them."""

    def __init__(self, view: View, context: Context, alive: int) -> None:
        self.view = view
        self.context = context
        self._matched = view.index.match(context.attributes, alive)
        settled = view.chooser.settle(self._matched, context)
        self._winners = dict(settled.winners)
        self._excluded = settled.excluded
        self.led_by = self._leads(settled)

    def _leads(self, settled: Settled) -> str:
        """The campaign that leads the visitor elsewhere, by itself or by its variation; empty for none."""
        bit = self._winners.get(PAGE_REDIRECT)
        if bit is None:
            return ""
        arm = settled.arms.get(PAGE_REDIRECT)
        action = self.view.campaigns.action[bit] if arm is None else arm.shows.get(PAGE_REDIRECT, (-1, 0))[0]
        return self.view.owner(bit) if action == REDIRECT else ""

    def gets(self, campaign: str, placement: str) -> bool:
        """Whether the visitor sees what the campaign shows there."""
        seen = placement == PAGE_REDIRECT or not self.led_by
        return seen and self.winner(placement) == campaign

    def matched(self, placement: str) -> dict[str, int]:
        """The campaigns whose rules hold there, the strongest first, each by its highest bit."""
        _, mask = self.view.campaigns.masks.get(placement, (0, 0))
        owner = self.view.campaigns.owner
        # Alternatives of a campaign are neighbours: the first that is seen is its highest bit.
        found: dict[int, int] = {}
        held: Iterable[int] = bits(self._matched & mask)
        if placement in self.view.chooser.bests:
            held = sorted(held, key=lambda bit: self._strength(bit, placement), reverse=True)
        for bit in held:
            found.setdefault(owner[bit], bit)
        return {self.view.campaigns.ids.text(position): bit for position, bit in found.items()}

    def winner(self, placement: str) -> str:
        """Who has the placement; empty for the default."""
        bit = self._winners.get(placement)
        return "" if bit is None else self.view.owner(bit)

    def value(self, bit: int, placement: str) -> str:
        """The value of the campaign of this bit, in words; empty where the placement shows the first."""
        best = self.view.chooser.bests.get(placement)
        low, _ = self.view.campaigns.masks[placement]
        return counted(best, bit - low, self.context.attributes) if best else ""

    def _strength(self, bit: int, placement: str) -> tuple[int, int]:
        """Of two campaigns of a placement, the one with the greater is the stronger."""
        best = self.view.chooser.bests.get(placement)
        low, _ = self.view.campaigns.masks[placement]
        return best.key(bit - low, self.context.attributes) if best else (bit, 0)

    def lost(self, bit: int, placement: str) -> Lost:
        """To what the campaign of this bit, whose rules hold, lost the placement that it does not get."""
        campaigns, chooser = self.view.campaigns, self.view.chooser
        if self.led_by and placement != PAGE_REDIRECT:
            return Lost(LED, self.led_by)
        winner = self._winners.get(placement, -1)
        if winner >= 0 and self._strength(winner, placement) > self._strength(bit, placement):
            return Lost(CAMPAIGN, self.view.owner(winner))
        for holdout in chooser.holdouts:
            if holdout.bits >> bit & 1 and f"{holdout.id}:{HELD_OUT}" in self._excluded:
                return Lost(HOLDOUT, holdout.id)
        if campaigns.action[bit] == EXPERIMENT:
            name = chooser.experiments[campaigns.target[bit]].id
            for excluded in self._excluded:
                if excluded.startswith(f"{name}:"):
                    return Lost(TEST, name, excluded.removeprefix(f"{name}:"))
        group, _ = chooser.ranks.get(campaigns.owner[bit], (-1, 0))
        for other in self._winners.values():
            if group >= 0 and chooser.ranks.get(campaigns.owner[other], (-1, 0))[0] == group:
                return Lost(GROUP, self.view.owner(other))
        return Lost(OTHER, ", ".join(self._excluded))


def bits(mask: int) -> Iterator[int]:
    """The positions of the bits that are set, the highest first."""
    while mask:
        bit = mask.bit_length() - 1
        yield bit
        mask ^= 1 << bit

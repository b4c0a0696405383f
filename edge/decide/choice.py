"""Chooses among campaigns whose conditions hold: holdouts, exclusion, variations, arms."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge.bundle import format as fmt
from edge.bundle.reader import Bundle
from edge.decide.bandit import OWN, Arm, Bandit, Weights
from edge.decide.best import Best
from edge.decide.campaigns import BANDIT, EXPERIMENT, RECOMMENDER, Campaigns
from edge.decide.choice_check import check_choices
from edge.decide.types import Assigned, Context
from edge.rules.bucketing import bucket, choose_variation, in_namespace
from edge.rules.coercion import to_string, truthy

VISITOR_ID: Final = "visitor.id"
"""The hash attribute that stands for the context's unit."""

HOLDOUT_VERSION: Final = 2
_MAX_PLACES: Final = 1 << 14

NO_UNIT: Final = "no-unit"
OUTSIDE_NAMESPACE: Final = "namespace"
OUTSIDE_COVERAGE: Final = "coverage"
HELD_OUT: Final = "held-out"
EXCLUSIVE: Final = "exclusive"
"""Why a campaign does not win: of an experiment (the first three), a holdout, a campaign."""

# The same visitor is asked for on each page of a visit.
_place = lru_cache(_MAX_PLACES)(bucket)


class Settled(NamedTuple):
    """Who wins, and why others do not.

    Attributes
    ----------
    winners : list[tuple[str, int]]
        Placement and rule bit.
    arms : dict[str, Arm]
        What placements have of experiments and bandits.
    lists : bool
        Whether an arm may show a recommender's list.
    excluded, assigned
        As in a `Decision`.
    """

    winners: list[tuple[str, int]]
    arms: dict[str, Arm]
    lists: bool
    excluded: tuple[str, ...]
    assigned: tuple[Assigned, ...]


def load_choices(bundle: Bundle) -> fmt.Choices | None:
    """What the bundle says of experiments, bandits, holdouts and groups; None where it has none.

    Raises
    ------
    BundleError
        There is more than one such artifact, or it can't be read.
    """
    if not bundle.artifacts("rules", "experiments"):
        return None
    return fmt.decode(bundle.read(bundle.one("rules", "experiments")), fmt.Choices)


class Enrolment:
    """An experiment with its ranges and bits at hand."""

    def __init__(self, document: fmt.Experiment, bits: list[int]) -> None:
        self.id = document.id
        self.hash = document.hash
        self.sticky = document.sticky
        self.seed, self.version = document.seed, document.version
        self.namespace = document.namespace
        self.ranges = [(variation.start, variation.end) for variation in document.variations]
        self.positions = {variation.key: n for n, variation in enumerate(document.variations)}
        self.arms: Sequence[Arm] = [
            Arm(document.id, v.key, round(v.end - v.start, 9), v.shows) for v in document.variations
        ]
        self.bits = bits

    def value(self, context: Context) -> str:
        """What is hashed of this context; empty where there is nothing."""
        if self.hash == VISITOR_ID:
            return context.unit
        value = context.attributes.get(self.hash)
        return to_string(value) if isinstance(value, str | int | float) and truthy(value) else ""

    def forced(self, context: Context) -> int:
        """The variation that a tester demands, or -1."""
        return next((self.positions.get(key, -1) for name, key in context.forced if name == self.id), -1)

    def place(self, context: Context) -> float | None:
        """Where the context stands in [0, 1)."""
        value = self.value(context)
        return _place(self.seed, value, self.version) if value else None

    def draw(self, context: Context) -> int | str:
        """The variation's position, or why there is none."""
        value = self.value(context)
        if not value:
            return NO_UNIT
        if self.sticky:
            for name, version, key in context.assigned:
                if name == self.id and version == self.sticky and key in self.positions:
                    return self.positions[key]
        if self.namespace and not in_namespace(value, self.namespace[0], self.namespace[1:]):
            return OUTSIDE_NAMESPACE
        place = _place(self.seed, value, self.version)
        position = -1 if place is None else choose_variation(place, self.ranges)
        return position if position >= 0 else OUTSIDE_COVERAGE


class Held(NamedTuple):
    """A holdout with its bits at hand."""

    id: str
    seed: str
    share: float
    bits: int

    def place(self, context: Context) -> float | None:
        """Where the visitor stands in [0, 1); None without an id."""
        return _place(self.seed, context.unit, HOLDOUT_VERSION) if context.unit else None

    def holds(self, context: Context) -> bool:
        """Whether the visitor is held out; a tester never is."""
        place = None if context.forced else self.place(context)
        return place is not None and place < self.share


class Chooser:
    """The experiments, bandits, holdouts and groups of a bundle, over its campaigns' bits.

    Attributes
    ----------
    special : bytes
        By rule bit, 1 where one of them has a say; other winners need none of this.
    reads : tuple[str, ...]
        The attributes that are hashed, or that values count by.
    bests : dict[str, Best]
        The placements that show the best by value.
    divides : bool
        Whether visitors are divided, by the context's unit or by an attribute, or testers may demand an arm.

    Raises
    ------
    BundleError
        ``experiments``: they are malformed, or do not fit the campaigns.
    """

    def __init__(self, document: fmt.Choices, campaigns: Campaigns, shown: Sequence[int]) -> None:
        check_choices(document, campaigns, shown)
        self.campaigns = campaigns
        # The bits of each campaign, side by side.
        self._bits = np.argsort(campaigns.owners, kind="stable")
        self._starts = np.searchsorted(campaigns.owners[self._bits], np.arange(len(campaigns.ids) + 1))
        actions = np.asarray(campaigns.action)
        tested = actions == EXPERIMENT
        users: defaultdict[int, list[int]] = defaultdict(list)
        for bit in np.flatnonzero(tested).tolist():
            users[campaigns.target[bit]].append(bit)
        self.experiments = [Enrolment(e, users[n]) for n, e in enumerate(document.experiments)]
        self.bandits = [Bandit(bandit) for bandit in document.bandits]
        everyone = (1 << campaigns.size) - 1
        self.holdouts = [
            Held(h.id, h.seed, h.share, everyone if h.campaigns is None else self.bits_of(h.campaigns))
            for h in document.holdouts
        ]
        self.groups = [self.bits_of(group) for group in document.groups]
        self.ranks = {
            campaign: (number, rank)
            for number, group in enumerate(document.groups)
            for rank, campaign in enumerate(group)
        }
        self.bests = {name: Best(best) for name, best in document.bests.items()}
        self.special = self._special(tested | (actions == BANDIT))
        read = {experiment.hash for experiment in self.experiments} - {VISITOR_ID}
        self.reads = tuple(sorted(read.union(*(best.reads for best in self.bests.values()))))
        self.divides = bool(self.experiments or self.holdouts or self.bandits)

    def bits_of(self, campaigns: Iterable[int]) -> int:
        """The rule bits of campaigns, as a mask."""
        flags = np.zeros(self.campaigns.size, np.uint8)
        for campaign in campaigns:
            flags[self._bits[self._starts[campaign] : self._starts[campaign + 1]]] = 1
        return int.from_bytes(np.packbits(flags, bitorder="little").tobytes(), "little")

    def settle(self, matched: int, context: Context, weights: Weights = OWN) -> Settled:
        """Who wins each placement of the context, of the campaigns whose conditions hold."""
        return _Page(self, matched, context, weights).settle()

    def _special(self, drawn: NDArray[np.bool_]) -> bytes:
        mask = 0
        # Without a value that depends on the context, the highest bit is the best.
        moving = [self.campaigns.masks[name][1] for name, best in self.bests.items() if best.moves]
        for bits in (*[holdout.bits for holdout in self.holdouts], *self.groups, *moving):
            mask |= bits
        size = self.campaigns.size
        packed = np.frombuffer(mask.to_bytes(size // 8 + 1, "little"), np.uint8)
        covered = np.unpackbits(packed, bitorder="little")[:size].astype(bool)
        special: bytes = (drawn | covered).tobytes()
        return special


class _Page:
    """One page while it is settled: `alive` are the bits that may still win."""

    def __init__(self, chooser: Chooser, matched: int, context: Context, weights: Weights) -> None:
        self.chooser = chooser
        self.alive = matched
        self.context = context
        self.weights = weights
        # By an experiment's position.
        self.variations: dict[int, Arm] = {}
        self.excluded: dict[str, None] = {}

    def settle(self) -> Settled:
        heads = self._heads()
        while self._resolve(heads):
            heads = self._heads()
        used = {self.chooser.campaigns.target[bit] for _, bit in heads if self._tests(bit)}
        arms = {placement: arm for placement, bit in heads if (arm := self._arm(placement, bit)) is not None}
        lists = any(
            placement in arm.shows and arm.shows[placement][0] == RECOMMENDER
            for placement, arm in arms.items()
        )
        return Settled(heads, arms, lists, tuple(self.excluded), self._assigned(sorted(used)))

    def _arm(self, placement: str, bit: int) -> Arm | None:
        """The variation or arm that a placement's winner has there."""
        action, target = self.chooser.campaigns.action[bit], self.chooser.campaigns.target[bit]
        if action == EXPERIMENT:
            return self.variations[target]
        return (
            self.chooser.bandits[target].draw(self.context, placement, self.weights)
            if action == BANDIT
            else None
        )

    def _tests(self, bit: int) -> bool:
        return self.chooser.campaigns.action[bit] == EXPERIMENT

    def _heads(self) -> list[tuple[str, int]]:
        """The strongest campaign of each placement that this visitor may have."""
        heads = []
        masks = self.chooser.campaigns.masks
        for placement in self.context.placements:
            low, mask = masks.get(placement, (0, 0))
            bit = self._strongest(placement, low, mask)
            while bit >= low and not self._stays(bit):
                bit = self._strongest(placement, low, mask)
            if bit >= low:
                heads.append((placement, bit))
        return heads

    def _strongest(self, placement: str, low: int, mask: int) -> int:
        """The first of a placement, or its best; less than `low` where there is none."""
        best = self.chooser.bests.get(placement)
        if best is None:
            return (self.alive & mask).bit_length() - 1
        return low + best.pick((self.alive & mask) >> low, self.context.attributes)

    def _stays(self, bit: int) -> bool:
        """Whether this visitor may have the campaign; if not, all that goes with it is gone from `alive`."""
        if not self.chooser.special[bit]:
            return True
        for holdout in self.chooser.holdouts:
            if holdout.bits >> bit & 1 and holdout.holds(self.context):
                self.alive &= ~holdout.bits
                self.excluded[f"{holdout.id}:{HELD_OUT}"] = None
                return False
        return not self._tests(bit) or self._enrolled(self.chooser.campaigns.target[bit])

    def _enrolled(self, position: int) -> bool:
        if position in self.variations:
            return True
        experiment = self.chooser.experiments[position]
        forced = experiment.forced(self.context)
        drawn = forced if forced >= 0 else experiment.draw(self.context)
        if isinstance(drawn, str):
            self.excluded[f"{experiment.id}:{drawn}"] = None
            for bit in experiment.bits:
                self.alive &= ~(1 << bit)
            return False
        arm = experiment.arms[drawn]
        self.variations[position] = arm if forced < 0 else arm._replace(propensity=1.0)
        return True

    def _resolve(self, heads: list[tuple[str, int]]) -> bool:
        """Where a group has several winners, leave the strongest; whether there were any."""
        campaigns, ranks = self.chooser.campaigns, self.chooser.ranks
        best: dict[int, int] = {}
        beaten = []
        # The strongest of a group is first, whatever the order of the placements.
        for campaign in sorted(
            {campaigns.owner[bit] for _, bit in heads} & ranks.keys(), key=ranks.__getitem__
        ):
            if best.setdefault(ranks[campaign][0], campaign) != campaign:
                beaten.append(campaign)
        for campaign in beaten:
            group = ranks[campaign][0]
            winner = self.chooser.bits_of([best[group]]) & self.alive
            self.alive = self.alive & ~self.chooser.groups[group] | winner
            self.excluded[f"{campaigns.ids.text(campaign)}:{EXCLUSIVE}"] = None
        return bool(beaten)

    def _assigned(self, used: Sequence[int]) -> tuple[Assigned, ...]:
        """What sticks from now on, and did not yet; what a tester demanded does not."""
        found = []
        for position in used:
            experiment = self.chooser.experiments[position]
            assigned = (experiment.id, experiment.sticky, self.variations[position].variation)
            if experiment.sticky and assigned not in self.context.assigned and not self.context.forced:
                found.append(assigned)
        return tuple(found)

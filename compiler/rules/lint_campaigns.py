"""Doubts about campaigns beside each other, and about their time."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Final

from compiler.conditions.implication import implies
from compiler.conditions.normalize import Clause
from compiler.problems import WARNING, Problem, Problems
from compiler.rules.schedule import NOW
from compiler.rules.walk import strongest_first
from compiler.types import Campaign, Holdout, Workspace
from edge.decide.best import STEPS

MAX_COMPARED: Final = 1_000_000
"""Pairs of campaigns that are looked at: where very many are alike, not all are."""

MAX_NAMES: Final = 6
"""Of a condition about more attributes, not all that are about some of these are looked at."""

MAX_VALUES: Final = 100
"""A condition with a longer list is looked at beside all others about the same attributes."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_Key = tuple[frozenset[str], str, object]


def note_shadowed(workspace: Workspace, problems: Problems) -> None:
    """Warn of campaigns that never show, as a stronger one holds whenever they do."""
    strongest = strongest_first(workspace.campaigns)
    # By their bases alone those can be compared whose values are but a base.
    constant = sorted((c for c in strongest if not c.worth.terms), key=lambda c: -c.worth.base)
    left = MAX_COMPARED
    for placement in workspace.placements:
        seen = _Stronger(workspace.holdouts, left)
        for campaign in constant if placement in workspace.site.best else strongest:
            if placement in campaign.placements:
                by = seen.hides(campaign)
                if by is not None:
                    _note(campaign, by, placement, problems, best=placement in workspace.site.best)
                seen.add(campaign)
        left = seen.left


def _note(campaign: Campaign, by: Campaign, placement: str, problems: Problems, *, best: bool) -> None:
    rank = (
        f"priority {by.priority}" if by.priority > campaign.priority else "the same priority, an earlier id"
    )
    raised = f"raise its priority above {by.priority}"
    if best:
        worth = f"{by.worth.base / STEPS:g}"
        rank = f"value {worth}" if by.worth.base > campaign.worth.base else f"the same value, {rank}"
        raised = f"raise its value above {worth}"
    message = (
        f"campaign {campaign.id!r} never shows in {placement!r}: whenever it could,"
        f" {by.id!r} ({by.path}:{by.line}) could too, and is stronger ({rank})"
    )
    hint = f"{raised}, narrow whom {by.id!r} is for, or delete one"
    problems.warn(campaign.path, campaign.line, "shadowed", message, hint)


class _Stronger:
    """The campaigns of a placement so far, found by what a weaker one would have to demand, too."""

    def __init__(self, holdouts: Sequence[Holdout], left: int) -> None:
        self.left = left
        self._let_go = {name for holdout in holdouts for name in holdout.of or ()}
        self._found: defaultdict[_Key, list[Campaign]] = defaultdict(list)

    def add(self, campaign: Campaign) -> None:
        """Remember a campaign, unless something else than its condition may keep it from showing."""
        names = {campaign.id, campaign.programme}
        if campaign.experiment or campaign.exclusive or names & self._let_go:
            return
        for clause in campaign.condition.clauses:
            if not clause.impossible:
                for key in _keys(clause):
                    self._found[key].append(campaign)

    def hides(self, campaign: Campaign) -> Campaign | None:
        """One that holds whenever this one does."""
        possible = [clause for clause in campaign.condition.clauses if not clause.impossible]
        if not possible:
            return None
        for other in self._near(possible[0]):
            self.left -= 1
            if self.left < 0:
                return None
            if implies(campaign.condition, other.condition):
                return other
        return None

    def _near(self, clause: Clause) -> Iterator[Campaign]:
        """Those that may be weaker than the clause: about some of its attributes, for one of its values."""
        for names in _subsets(sorted(clause.constraints)):
            yield from self._found.get((names, "", None), ())
            for name in sorted(names):
                allowed = clause.constraints[name].allowed
                if allowed:
                    value = min(allowed, key=lambda one: (str(type(one)), one))
                    yield from self._found.get((names, name, value), ())


def _keys(clause: Clause) -> list[_Key]:
    """Where a campaign is found by those that demand all that the clause does."""
    names = frozenset(clause.constraints)
    listed = [(len(c.allowed), name) for name, c in clause.constraints.items() if c.allowed]
    if not listed or min(listed)[0] > MAX_VALUES:
        return [(names, "", None)]
    name = min(listed)[1]
    return [(names, name, value) for value in clause.constraints[name].allowed or ()]


def _subsets(names: list[str]) -> Iterator[frozenset[str]]:
    if len(names) > MAX_NAMES:
        yield frozenset()
        yield frozenset(names)
        return
    for size in range(len(names) + 1):
        yield from map(frozenset, combinations(names, size))


def past_campaigns(workspace: Workspace, today_ms: int) -> tuple[Problem, ...]:
    """Warnings of campaigns whose time is over."""
    found = []
    for campaign in workspace.campaigns:
        end = max((_end(clause) for clause in campaign.condition.clauses), default=float("inf"))
        if end < today_ms and not campaign.condition.impossible:
            until = (_EPOCH + timedelta(milliseconds=max(0, end))).strftime("%Y-%m-%d %H:%M UTC")
            message = f"campaign {campaign.id!r} is over: it can't show any more since {until}"
            hint = "give it a later end, or delete it"
            found.append(Problem(campaign.path, campaign.line, "past", message, hint, WARNING))
    return tuple(found)


def _end(clause: Clause) -> float:
    """The last instant at which the clause can hold."""
    constraint = clause.constraints.get(NOW)
    if constraint is None or clause.impossible:
        return float("inf") if constraint is None else float("-inf")
    if constraint.allowed is not None:
        return max((float(value) for value in constraint.allowed), default=float("-inf"))
    return constraint.high if constraint.ranged else float("inf")

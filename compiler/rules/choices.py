"""Compiles experiments, bandits, holdouts and exclusive groups into what the engine chooses by."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from compiler.rules.best import best_of
from compiler.rules.walk import covers, strongest_first
from compiler.types import Arm, Bandit, Campaign, Experiment, Holdout, Show, Variation, Workspace
from edge.bundle import format as fmt

Find = Callable[[Show], tuple[int, int]]
"""The action and the target of what is shown."""


def used_experiments(workspace: Workspace) -> tuple[Experiment, ...]:
    """The experiments that a campaign shows, sorted by id: their positions are the targets of rule bits."""
    used = {campaign.experiment for campaign in workspace.campaigns}
    return tuple(experiment for experiment in workspace.experiments if experiment.id in used)


def used_bandits(workspace: Workspace) -> tuple[Bandit, ...]:
    """The bandits that a campaign shows, sorted by id: their positions are the targets of rule bits."""
    used = {campaign.bandit for campaign in workspace.campaigns}
    return tuple(bandit for bandit in workspace.bandits if bandit.id in used)


def choices(workspace: Workspace, find: Find, owners: Mapping[str, Sequence[Campaign]]) -> fmt.Choices | None:
    """What the engine chooses by; None where there is nothing to choose.

    Parameters
    ----------
    owners
        By placement, the campaign of each of its rule bits.
    """
    weakest = strongest_first(workspace.campaigns)[::-1]
    found = fmt.Choices(
        tuple(_experiment(experiment, workspace, find) for experiment in used_experiments(workspace)),
        tuple(_holdout(holdout, workspace) for holdout in workspace.holdouts),
        _groups(workspace),
        tuple(_bandit(bandit, workspace, find) for bandit in used_bandits(workspace)),
        {name: find(Show(content))[1] for name, content in sorted(workspace.site.defaults.items())},
        {name: best_of(owners[name], weakest) for name in sorted(workspace.site.best)},
    )
    return found if found != fmt.Choices() else None


def _experiment(experiment: Experiment, workspace: Workspace, find: Find) -> fmt.Experiment:
    placements = {p for c in workspace.campaigns if c.experiment == experiment.id for p in c.placements}

    def variation(one: Variation) -> fmt.Variation:
        return fmt.Variation(one.key, one.start, one.end, _shown(one, placements, find))

    return fmt.Experiment(
        experiment.id,
        experiment.hash,
        experiment.version,
        experiment.seed,
        experiment.sticky,
        experiment.namespace,
        tuple(map(variation, experiment.variations)),
    )


def _bandit(bandit: Bandit, workspace: Workspace, find: Find) -> fmt.Bandit:
    placements = {p for c in workspace.campaigns if c.bandit == bandit.id for p in c.placements}
    arms = [fmt.BanditArm(arm.key, arm.weight, _shown(arm, placements, find)) for arm in bandit.arms]
    return fmt.Bandit(bandit.id, bandit.floor, tuple(arms))


def _shown(part: Variation | Arm, placements: set[str], find: Find) -> dict[str, tuple[int, int]]:
    """What a variation or an arm shows in each of these placements, where it shows anything."""
    shows = {placement: show for placement in sorted(placements) if (show := part.at(placement))}
    return {placement: find(show) for placement, show in shows.items()}


def _holdout(holdout: Holdout, workspace: Workspace) -> fmt.Holdout:
    covered = tuple(n for n, campaign in enumerate(workspace.campaigns) if covers(holdout, campaign))
    return fmt.Holdout(holdout.id, holdout.seed, holdout.share, None if holdout.of is None else covered)


def _groups(workspace: Workspace) -> tuple[tuple[int, ...], ...]:
    """The campaigns of each group, the strongest first."""
    positions = {campaign.id: position for position, campaign in enumerate(workspace.campaigns)}
    found: defaultdict[str, list[int]] = defaultdict(list)
    for campaign in strongest_first(workspace.campaigns):
        if campaign.exclusive:
            found[campaign.exclusive].append(positions[campaign.id])
    return tuple(tuple(found[name]) for name in sorted(found) if len(found[name]) > 1)

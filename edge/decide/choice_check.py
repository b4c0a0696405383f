"""Refuses experiments, holdouts and groups that are malformed, or that do not fit their campaigns."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise

from edge.bundle import format as fmt
from edge.decide.campaigns import Campaigns, fits
from edge.errors import BundleError


def check_choices(document: fmt.Choices, campaigns: Campaigns, shown: Sequence[int]) -> None:
    """Check all that the engine relies on; `shown` is how many there are to show, by action.

    Raises
    ------
    BundleError
        ``experiments``.
    """
    _demand(len(document.experiments) <= fmt.MAX_EXPERIMENTS, "too many experiments")
    _demand(len(document.holdouts) <= fmt.MAX_HOLDOUTS, "too many holdouts")
    _demand(len(document.groups) <= fmt.MAX_GROUPS, "too many groups")
    named = [e.id for e in document.experiments] + [b.id for b in document.bandits]
    _demand(len(document.bandits) <= fmt.MAX_BANDITS, "too many bandits")
    _demand(_distinct(named), "two experiments of one name")
    _demand(_distinct([h.id for h in document.holdouts]), "two holdouts of one name")
    for experiment in document.experiments:
        _check_experiment(experiment, shown)
    for bandit in document.bandits:
        _check_bandit(bandit, shown)
    for name, content in document.defaults.items():
        _demand(name in campaigns.masks and 0 <= content < shown[0], f"{name!r} has no such default")
    for name, best in document.bests.items():
        _check_best(name, best, campaigns)
    known = range(len(campaigns.ids))
    for holdout in document.holdouts:
        _demand(0 <= holdout.share <= 1, f"holdout {holdout.id!r} has share {holdout.share}")
        _demand(all(n in known for n in holdout.campaigns or ()), f"{holdout.id!r} holds no such campaign")
    grouped = [campaign for group in document.groups for campaign in group]
    _demand(all(n in known for n in grouped) and _distinct(grouped), "groups do not fit the campaigns")


def _check_experiment(experiment: fmt.Experiment, shown: Sequence[int]) -> None:
    name = experiment.id
    _demand(experiment.version in {1, 2}, f"{name!r} has hash version {experiment.version}")
    _demand(0 < len(experiment.variations) <= fmt.MAX_VARIATIONS, f"{name!r} has no fit variations")
    _demand(_distinct([v.key for v in experiment.variations]), f"{name!r} has two variations of one name")
    _demand(experiment.namespace is None or _part(*experiment.namespace[1:]), f"{name!r}: namespace")
    for variation in experiment.variations:
        _demand(_part(variation.start, variation.end), f"{name!r} has a range that is none")
        _check_shows(name, variation.shows, shown)


def _check_bandit(bandit: fmt.Bandit, shown: Sequence[int]) -> None:
    name, count = bandit.id, len(bandit.arms)
    _demand(0 < count <= fmt.MAX_VARIATIONS, f"{name!r} has no fit arms")
    _demand(_distinct([arm.key for arm in bandit.arms]), f"{name!r} has two arms of one name")
    _demand(0 <= bandit.floor * count <= 1 + 1e-9, f"{name!r} has floor {bandit.floor}")
    for arm in bandit.arms:
        _demand(0 <= arm.weight < math.inf, f"{name!r} has weight {arm.weight}")
        _check_shows(name, arm.shows, shown)


def _check_best(name: str, best: fmt.Best, campaigns: Campaigns) -> None:
    low, mask = campaigns.masks.get(name, (0, 0))
    size = mask.bit_length() - low if mask else 0
    whole = len(best.bases) == len(best.of) == len(best.ranks) == size and name in campaigns.masks
    _demand(whole, f"{name!r} does not have a value for each campaign")
    _demand(0 < len(best.formulas) <= fmt.MAX_FORMULAS or not size, f"{name!r} has no fit formulas")
    _demand(all(len(terms) <= fmt.MAX_TERMS for terms in best.formulas), f"{name!r} has a long formula")
    _demand(all(0 <= number < len(best.formulas) for number in best.of), f"{name!r} lacks a formula")
    _demand(all(a <= b for a, b in pairwise(best.bases)), f"{name!r} has values out of order")


def _check_shows(name: str, shows: Mapping[str, tuple[int, int]], shown: Sequence[int]) -> None:
    for placement, (action, target) in shows.items():
        held = 0 <= action < len(shown) and 0 <= target < shown[action]
        _demand(held, f"{name!r} shows what the bundle does not hold")
        _demand(fits(placement, action), f"{name!r} shows in {placement!r} what can't be shown there")


def _part(start: float, end: float) -> bool:
    return math.isfinite(start) and math.isfinite(end) and 0 <= start <= end <= 1 + 1e-9


def _distinct(names: Sequence[object]) -> bool:
    return len(set(names)) == len(names)


def _demand(holds: bool, message: str) -> None:
    if not holds:
        raise BundleError("experiments", message)

"""Says in plain words what changes in experiments, bandits and holdouts from one bundle to another."""

from collections.abc import Iterator, Sequence

from edge.bundle.format import Bandit, BanditArm, Experiment, Variation
from edge.decide.bandit import shares_of
from origin.explain.rules_view import View


def experiment_changes(before: View, after: View) -> Iterator[str]:
    """A line for each change: whom it divides, into what, and what each part sees."""
    old = {experiment.id: experiment for experiment in before.choices.experiments}
    new = {experiment.id: experiment for experiment in after.choices.experiments}
    yield from (
        f"experiment added: {name} ({_shares(new[name])})" for name in sorted(new.keys() - old.keys())
    )
    yield from (f"experiment removed: {name}" for name in sorted(old.keys() - new.keys()))
    for name in sorted(old.keys() & new.keys()):
        if _divided(old[name]) != _divided(new[name]):
            yield f"experiment {name} divides visitors anew, by another seed, hash or namespace"
        if _shares(old[name]) != _shares(new[name]):
            yield f"experiment {name}: {_shares(old[name])} → {_shares(new[name])}"
        if old[name].sticky != new[name].sticky:
            yield f"experiment {name}: sticky {old[name].sticky or 'off'} → {new[name].sticky or 'off'}"
        parts = (old[name].variations, new[name].variations)
        yield from _shown(before, after, f"experiment {name}, variation", *parts)
    yield from _bandits(before, after)
    yield from _holdouts(before, after)


def _divided(experiment: Experiment) -> tuple[object, ...]:
    return experiment.seed, experiment.hash, experiment.version, experiment.namespace


def _shares(experiment: Experiment) -> str:
    return ", ".join(f"{v.key} {v.end - v.start:.1%}" for v in experiment.variations)


def _bandits(before: View, after: View) -> Iterator[str]:
    old = {bandit.id: bandit for bandit in before.choices.bandits}
    new = {bandit.id: bandit for bandit in after.choices.bandits}
    yield from (f"bandit added: {name} ({_odds(new[name])})" for name in sorted(new.keys() - old.keys()))
    yield from (f"bandit removed: {name}" for name in sorted(old.keys() - new.keys()))
    for name in sorted(old.keys() & new.keys()):
        if _odds(old[name]) != _odds(new[name]):
            yield f"bandit {name}: {_odds(old[name])} → {_odds(new[name])}"
        if old[name].floor != new[name].floor:
            yield f"bandit {name}: floor {old[name].floor:g} → {new[name].floor:g}"
        yield from _shown(before, after, f"bandit {name}, arm", old[name].arms, new[name].arms)


def _odds(bandit: Bandit) -> str:
    shares = shares_of([arm.weight for arm in bandit.arms], bandit.floor)
    return ", ".join(f"{arm.key} {share:.1%}" for arm, share in zip(bandit.arms, shares, strict=True))


Parts = Sequence[Variation] | Sequence[BanditArm]


def _shown(before: View, after: View, whose: str, old: Parts, new: Parts) -> Iterator[str]:
    known = {part.key: part for part in old}
    for part in new:
        if part.key not in known:
            continue
        was, now = _words(before, known[part.key]), _words(after, part)
        for placement in sorted(was.keys() | now.keys()):
            one, other = was.get(placement, "the default"), now.get(placement, "the default")
            if one != other:
                yield f"{whose} {part.key} in {placement}: {one} → {other}"


def _words(view: View, part: Variation | BanditArm) -> dict[str, str]:
    return {placement: view.what(*show) for placement, show in part.shows.items()}


def _holdouts(before: View, after: View) -> Iterator[str]:
    old = {holdout.id: (holdout.seed, f"{holdout.share:.1%}") for holdout in before.choices.holdouts}
    new = {holdout.id: (holdout.seed, f"{holdout.share:.1%}") for holdout in after.choices.holdouts}
    yield from (f"holdout added: {name} ({new[name][1]})" for name in sorted(new.keys() - old.keys()))
    yield from (f"holdout removed: {name}" for name in sorted(old.keys() - new.keys()))
    for name in sorted(old.keys() & new.keys()):
        if old[name] != new[name]:
            others = ", of other visitors" if old[name][0] != new[name][0] else ""
            yield f"holdout {name}: {old[name][1]} → {new[name][1]}{others}"

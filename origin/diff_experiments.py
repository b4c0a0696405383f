"""Says in plain words what changes in experiments and holdouts from one bundle to another."""

from collections.abc import Iterator

from edge.bundle.format import Experiment, Variation
from origin.rules_view import View


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
        yield from _shown(before, after, old[name], new[name])
    yield from _holdouts(before, after)


def _divided(experiment: Experiment) -> tuple[object, ...]:
    return experiment.seed, experiment.hash, experiment.version, experiment.namespace


def _shares(experiment: Experiment) -> str:
    return ", ".join(f"{v.key} {v.end - v.start:.1%}" for v in experiment.variations)


def _shown(before: View, after: View, old: Experiment, new: Experiment) -> Iterator[str]:
    known = {variation.key: variation for variation in old.variations}
    for variation in new.variations:
        if variation.key not in known:
            continue
        was, now = _words(before, known[variation.key]), _words(after, variation)
        for placement in sorted(was.keys() | now.keys()):
            one, other = was.get(placement, "the default"), now.get(placement, "the default")
            if one != other:
                yield f"experiment {new.id}, variation {variation.key} in {placement}: {one} → {other}"


def _words(view: View, variation: Variation) -> dict[str, str]:
    return {placement: view.what(*show) for placement, show in variation.shows.items()}


def _holdouts(before: View, after: View) -> Iterator[str]:
    old = {holdout.id: (holdout.seed, f"{holdout.share:.1%}") for holdout in before.choices.holdouts}
    new = {holdout.id: (holdout.seed, f"{holdout.share:.1%}") for holdout in after.choices.holdouts}
    yield from (f"holdout added: {name} ({new[name][1]})" for name in sorted(new.keys() - old.keys()))
    yield from (f"holdout removed: {name}" for name in sorted(old.keys() - new.keys()))
    for name in sorted(old.keys() & new.keys()):
        if old[name] != new[name]:
            others = ", of other visitors" if old[name][0] != new[name][0] else ""
            yield f"holdout {name}: {old[name][1]} → {new[name][1]}{others}"

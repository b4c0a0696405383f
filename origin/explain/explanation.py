"""Says in words why a decision is as it is: what wins where, the visitor's place in experiments, draws."""

from collections.abc import Collection, Iterator
from typing import Final

from edge.decide.bandit import Bandit
from edge.decide.campaigns import PAGE_REDIRECT
from edge.decide.choice import (
    HELD_OUT,
    NO_UNIT,
    OUTSIDE_COVERAGE,
    OUTSIDE_NAMESPACE,
    VISITOR_ID,
    Chooser,
    Enrolment,
    Held,
)
from edge.decide.page import redirect_of, word_for
from edge.decide.types import DEFAULT, Context, Decision, Slot
from origin.explain.considered import considered
from origin.explain.predicted import predicted
from origin.explain.race import Race
from origin.explain.rules_view import View

_WHY: Final = {
    NO_UNIT: "not enrolled, as {hash} is missing",
    OUTSIDE_NAMESPACE: "not enrolled: outside of its part of the namespace",
    OUTSIDE_COVERAGE: "not enrolled: in the part of no variation",
}


def explain(view: View, context: Context, decision: Decision, killed: tuple[str, ...] = ()) -> Iterator[str]:
    """Lines about the decision of this bundle in this context: each placement, and all who wanted it."""
    context, bare = view.told(context), context
    won = {slot.placement: slot for slot in decision.slots if slot.policy != DEFAULT}
    race = Race(view, context, view.alive(killed))
    bandits = [bandit.id for bandit in view.chooser.bandits]
    led = redirect_of(decision) is not None
    for placement in context.placements:
        nothing = "not seen, as the visitor is led elsewhere" if led else _default(race, placement)
        shown = _what(won[placement], bandits) if placement in won else nothing
        by_value = "; it shows the best by value" if placement in view.chooser.bests else ""
        yield f"{placement}: {shown}{by_value}"
        yield from (f"  {line}" for line in considered(race, placement, killed))
    yield from _standing(view.chooser, context)
    for bandit in view.chooser.bandits:
        yield f"bandit {bandit.id}: {_drawn(bandit, context, decision)}"
    if view.predictor is not None:
        yield from predicted(view.predictor, bare)
    for recommender in view.plan.recommenders:
        if missing := sorted({*recommender.purposes} - {*context.granted}):
            used = "history and context" if recommender.columns else "history"
            without = f"without the visitor's {used}, as they did not grant {' and '.join(missing)}"
            yield f"recommender {recommender.name}: {without}"


def _default(race: Race, placement: str) -> str:
    winner, own = race.winner(placement), race.view.defaults.get(placement)
    default = f"the default, {own}" if own else "the default"
    return f"{default}, as campaign {winner} has nothing to list" if winner else default


def _what(slot: Slot, bandits: Collection[str]) -> str:
    shown = (
        f"{word_for(slot)} {slot.content}"
        if slot.content
        else f"{len(slot.items)} items of {slot.candidates}"
    )
    if slot.content and slot.placement == PAGE_REDIRECT:
        return f"campaign {slot.policy} leads to {slot.content}{_part(slot, bandits)}"
    return f"campaign {slot.policy} shows {shown if slot.fills else 'the default'}{_part(slot, bandits)}"


def _part(slot: Slot, bandits: Collection[str]) -> str:
    if slot.experiment in bandits:
        return f" (bandit {slot.experiment}, arm {slot.variation}, of probability {slot.propensity:g})"
    return f" (experiment {slot.experiment}, variation {slot.variation})" if slot.experiment else ""


def _standing(chooser: Chooser, context: Context) -> Iterator[str]:
    for experiment in chooser.experiments:
        yield f"experiment {experiment.id}: {_enrolment(experiment, context)}"
    for holdout in chooser.holdouts:
        yield f"holdout {holdout.id}: {_held(holdout, context)}"


def _enrolment(experiment: Enrolment, context: Context) -> str:
    drawn = experiment.draw(context)
    place = experiment.place(context)
    at = "" if place is None else f"; the bucket is {place:g}, of {_parts(experiment)}"
    if experiment.forced(context) >= 0:
        return f"variation {experiment.arms[experiment.forced(context)].variation}, as a tester demands{at}"
    if isinstance(drawn, str):
        return (
            _WHY[drawn].format(hash="the visitor's id" if experiment.hash == VISITOR_ID else experiment.hash)
            + at
        )
    arm = experiment.arms[drawn]
    stuck = (experiment.id, experiment.sticky, arm.variation) in context.assigned
    return f"variation {arm.variation}{', which sticks to the visitor' if stuck else ''}{at}"


def _drawn(bandit: Bandit, context: Context, decision: Decision) -> str:
    """The draw of each placement that the bandit has, which goes by the seed alone."""
    slots = [slot for slot in decision.slots if slot.experiment == bandit.id]
    if not slots:
        return "not drawn, as none of its campaigns wins a placement"
    if any(name == bandit.id and key in bandit.positions for name, key in context.forced):
        return f"arm {slots[0].variation}, as a tester demands"
    draws = [f"{s.placement} drew {bandit.place(context, s.placement):.6f}: arm {s.variation}" for s in slots]
    end, parts = 0.0, []
    for arm in bandit.arms():
        parts.append(f"{arm.variation} {end:g} to {end + arm.propensity:g}")
        end = round(end + arm.propensity, 9)
    return f"{'; '.join(draws)}; by the seed {context.seed}, of {', '.join(parts)}"


def _parts(experiment: Enrolment) -> str:
    pairs = zip(experiment.arms, experiment.ranges, strict=True)
    return ", ".join(f"{arm.variation} {start:g} to {end:g}" for arm, (start, end) in pairs)


def _held(holdout: Held, context: Context) -> str:
    place = holdout.place(context)
    if place is None:
        return "nobody without an id is held out"
    verdict = HELD_OUT.replace("-", " ") if holdout.holds(context) else "not held out"
    return f"{verdict}; the bucket is {place:g}, held out are 0 to {holdout.share:g}"

"""Says in words what models tell of a context, and which attributes moved that most."""

from collections.abc import Iterator, Mapping
from typing import Final

from msgspec.structs import replace

from edge.bundle.predictions import PREFIX, PredictionPlan
from edge.decide.predictor import Predictor, attributes_of
from edge.decide.types import Context, Value

MOVERS: Final = 3
"""Attributes that are named, of each model."""


def predicted(predictor: Predictor, context: Context) -> Iterator[str]:
    """A line for each model: what it answers, and what it would without one attribute and another."""
    known = predictor.told([context])[0].attributes
    for plan in predictor.plan.predictions:
        name = _answer(plan, known)
        read = {*attributes_of(plan, predictor.plan)}
        held = sorted(read & context.attributes.keys())
        missing = sorted(read - context.attributes.keys())
        if name not in known:
            granted = set(plan.purposes) <= set(context.granted)
            why = (
                "it has no answer" if granted else f"the visitor did not grant {' and '.join(plan.purposes)}"
            )
            yield f"model {plan.name}: {why}"
            continue
        parts = [f"{_shown(plan, known)}"]
        parts += list(_movers(predictor, context, (plan, name), held))
        parts += [f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing"] if missing else []
        yield f"model {plan.name}: {'; '.join(parts)}"


def _movers(
    predictor: Predictor, context: Context, asked: tuple[PredictionPlan, str], held: list[str]
) -> Iterator[str]:
    """What the answer would be without each attribute, those first that move it most."""
    plan, name = asked
    without = [
        replace(context, attributes={k: v for k, v in context.attributes.items() if k != one}) for one in held
    ]
    answers = [told.attributes for told in predictor.told(without)]
    now = predictor.told([context])[0].attributes
    moved = sorted(
        zip(held, answers, strict=True), key=lambda pair: (-_distance(pair[1].get(name), now[name]), pair[0])
    )
    for attribute, answer in moved[:MOVERS]:
        if _distance(answer.get(name), now[name]):
            yield f"without {attribute} {_shown(plan, answer)}"


def _distance(one: Value | None, other: Value) -> float:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return abs(one - other)
    return float(one != other)


def _answer(plan: PredictionPlan, known: Mapping[str, Value]) -> str:
    """The attribute that stands for the model: its winner, else its first number."""
    winner = PREFIX + plan.name
    return winner if winner in known or len(plan.outputs) == 1 else plan.attributes[0]


def _shown(plan: PredictionPlan, known: Mapping[str, Value]) -> str:
    numbers = [known.get(name) for name in plan.attributes]
    if len(numbers) == 1:
        return _number(numbers[0])
    each = ", ".join(f"{name} {_number(number)}" for name, number in zip(plan.outputs, numbers, strict=True))
    winner = known.get(PREFIX + plan.name)
    return f"{winner} ({each})" if plan.names_winner else each


def _number(value: Value | None) -> str:
    return f"{value:.4g}" if isinstance(value, int | float) else "no answer"

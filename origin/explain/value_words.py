"""Says in words what a campaign is worth where a placement shows the best, and how that was counted."""

from collections.abc import Mapping

from edge.decide.best import STEPS, Best, amount
from edge.decide.types import Value


def formula(best: Best, bit: int) -> str:
    """How the value of a bit's campaign is counted: ``1 + 2 × visitor.visits``."""
    return _number(best.base(bit)) + "".join(f"{_times(weight)} × {name}" for name, weight in best.terms(bit))


def counted(best: Best, bit: int, attributes: Mapping[str, Value]) -> str:
    """The value in a context, with what each attribute adds: ``7 (1 + 2 × 3 of visitor.visits)``."""
    value, _ = best.key(bit, attributes)
    total = _number(value, STEPS * STEPS)
    if not best.terms(bit):
        return total
    parts = [
        f"{_times(weight)} × {_number(amount(attributes.get(name)))} of {name}"
        for name, weight in best.terms(bit)
    ]
    return f"{total} ({_number(best.base(bit))}{''.join(parts)})"


def _times(weight: int) -> str:
    return f" {'+' if weight >= 0 else '-'} {_number(abs(weight))}"


def _number(steps: int, step: int = STEPS) -> str:
    """A number without the zeros that say nothing, and without rounding."""
    whole, part = divmod(abs(steps), step)
    digits = f"{part:0{len(str(step)) - 1}d}".rstrip("0")
    return f"{'-' if steps < 0 else ''}{whole}{'.' if digits else ''}{digits}"

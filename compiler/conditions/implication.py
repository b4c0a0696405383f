"""Whether one condition holds wherever another does: certain where it says yes."""

from compiler.conditions.check import Condition
from compiler.conditions.constraint import Constraint
from compiler.conditions.normalize import Clause
from edge.rules.values import Value

_ANY = Constraint()


def implies(one: Condition, other: Condition) -> bool:
    """Whether `other` surely holds wherever `one` does; no does not mean that it does not."""
    return all(
        any(clause_implies(clause, weaker) for weaker in other.clauses)
        for clause in one.clauses
        if not clause.impossible
    )


def clause_implies(one: Clause, other: Clause) -> bool:
    """The same of two conjunctions."""
    return other.literals <= one.literals and all(
        constraint_implies(one.constraints.get(name, _ANY), weaker)
        for name, weaker in other.constraints.items()
    )


def constraint_implies(one: Constraint, other: Constraint) -> bool:
    """The same of what is demanded of one attribute."""
    if one.absent and not other.absent:
        return False
    if one.allowed is not None:
        return all(_holds(other, value) for value in one.allowed)
    if other.allowed is not None or any(_holds(one, value) for value in other.excluded):
        return False
    if not other.ranged:
        return True
    return one.ranged and all(
        any(low <= begin and end <= high for low, high in other.intervals) for begin, end in one.intervals
    )


def _holds(constraint: Constraint, value: Value) -> bool:
    """Whether the constraint holds for this value."""
    if constraint.allowed is not None:
        return value in constraint.allowed
    if value in constraint.excluded:
        return False
    if not constraint.ranged:
        return True
    if isinstance(value, str | bool):
        return False
    return any(low <= value <= high for low, high in constraint.intervals)

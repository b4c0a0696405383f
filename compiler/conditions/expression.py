"""A checked condition as a tree, and its negation; what is written again as a condition for the edge."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from compiler.conditions.constraint import Constraint


@dataclass(frozen=True)
class Leaf:
    """What one operator demands of one attribute.

    Attributes
    ----------
    source : Mapping
        The condition that says it, as the plain evaluator reads it.
    constraint : Constraint or None
        The same as the index can look it up; None: only the evaluator can tell.
    wanted : bool
        Without a constraint: whether `source` has to hold, or not to hold.
    """

    name: str
    source: Mapping[str, Any]
    constraint: Constraint | None = None
    wanted: bool = True


@dataclass(frozen=True)
class All:
    """Holds where all parts hold; without parts, everywhere."""

    parts: tuple["Expression", ...] = ()


@dataclass(frozen=True)
class Any_:  # noqa: N801  # `Any` is taken
    """Holds where one part holds; without parts, nowhere."""

    parts: tuple["Expression", ...] = ()


Expression = Leaf | All | Any_


def negate(expression: Expression) -> Expression:
    """The expression that holds where this one does not."""
    if isinstance(expression, All):
        return Any_(tuple(map(negate, expression.parts)))
    if isinstance(expression, Any_):
        return All(tuple(map(negate, expression.parts)))
    if expression.constraint is None:
        return replace(expression, wanted=not expression.wanted)
    return replace(
        expression, constraint=expression.constraint.complement(), source={"$not": expression.source}
    )


def condition_of(expression: Expression) -> Mapping[str, Any]:
    """The expression written as a condition."""
    if isinstance(expression, All):
        return {"$and": [condition_of(part) for part in expression.parts]}
    if isinstance(expression, Any_):
        # An empty $or holds, as in the SDKs; nothing does not.
        empty: Mapping[str, Any] = {"$not": {}}
        return {"$or": [condition_of(part) for part in expression.parts]} if expression.parts else empty
    return expression.source if expression.wanted else {"$not": expression.source}


def leaves(expression: Expression) -> Iterator[Leaf]:
    """All leaves, from left to right."""
    if isinstance(expression, Leaf):
        yield expression
    else:
        for part in expression.parts:
            yield from leaves(part)

"""Brings a condition into the form that an index can hold: few alternatives, each a conjunction."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from compiler.conditions.constraint import Constraint
from compiler.conditions.expression import All, Expression, Leaf, condition_of, leaves

MAX_CLAUSES: Final = 16
"""Alternatives of one condition; what would give more is left to the evaluator, as one predicate."""


@dataclass(frozen=True, order=True)
class Literal:
    """A predicate that the evaluator answers, and the answer that is wanted.

    Attributes
    ----------
    predicate : str
        A condition as JSON; the same predicate of many rules is the same text.
    names : tuple[str, ...]
        The attributes that it reads, sorted.
    """

    predicate: str
    wanted: bool
    names: tuple[str, ...]


@dataclass(frozen=True)
class Clause:
    """A conjunction: each attribute meets its constraint, each predicate has the wanted answer."""

    constraints: Mapping[str, Constraint] = field(default_factory=dict)
    literals: frozenset[Literal] = frozenset()

    @property
    def contradictions(self) -> tuple[str, ...]:
        """The attributes of which it demands what can't be, sorted."""
        found = {name for name, constraint in self.constraints.items() if constraint.impossible}
        for literal in self.literals:
            if literal.wanted and Literal(literal.predicate, False, literal.names) in self.literals:
                found.update(literal.names)
        return tuple(sorted(found))

    @property
    def impossible(self) -> bool:
        """Whether no context can meet it."""
        return bool(self.contradictions)

    def both(self, other: "Clause") -> "Clause":
        """The conjunction of two."""
        merged = dict(self.constraints)
        for name, constraint in other.constraints.items():
            known = merged.get(name)
            merged[name] = constraint if known is None else known.both(constraint)
        return Clause(merged, self.literals | other.literals)


def clauses_of(expression: Expression) -> tuple[Clause, ...]:
    """Alternatives that together hold where the expression does, `MAX_CLAUSES` at most.

    None means that it never holds. Where each of several contradicts itself, the first is
    returned, to tell why.
    """
    found = _alternatives(expression)
    possible = [clause for clause in found if not clause.impossible]
    return tuple(possible or found[:1])


def _alternatives(expression: Expression) -> list[Clause]:
    if isinstance(expression, Leaf):
        return [_clause(expression)]
    if isinstance(expression, All):
        return _product(expression.parts)
    found = _joined([clause for part in expression.parts for clause in _alternatives(part)])
    return found if len(found) <= MAX_CLAUSES else [_predicate(expression)]


def _clause(leaf: Leaf) -> Clause:
    if leaf.constraint is None:
        return Clause({}, frozenset({_literal(leaf.source, [leaf.name], leaf.wanted)}))
    return Clause({} if leaf.constraint == Constraint() else {leaf.name: leaf.constraint})


def _predicate(expression: Expression) -> Clause:
    names = (leaf.name for leaf in leaves(expression))
    return Clause({}, frozenset({_literal(condition_of(expression), names, True)}))


def _literal(source: Mapping[str, object], names: Iterable[str], wanted: bool) -> Literal:
    text = json.dumps(source, separators=(",", ":"))
    return Literal(text, wanted, tuple(sorted(set(names))))


def _product(parts: Iterable[Expression]) -> list[Clause]:
    """What all parts demand; parts with the most alternatives are the first to become predicates."""
    alternatives = [(part, _alternatives(part)) for part in parts]
    alternatives.sort(key=lambda entry: len(entry[1]))
    found = [Clause()]
    for part, clauses in alternatives:
        fits = len(found) * len(clauses) <= MAX_CLAUSES
        others = clauses if fits else [_predicate(part)]
        found = _possible([one.both(other) for one in found for other in others])
    return _joined(found)


def _possible(clauses: list[Clause]) -> list[Clause]:
    """Without those that contradict themselves, unless all do."""
    return [clause for clause in clauses if not clause.impossible] or clauses[:1]


def _joined(clauses: list[Clause]) -> list[Clause]:
    """Fewer alternatives with the same meaning: those that differ in one attribute alone become one."""
    single: dict[str, Constraint] = {}
    others: list[Clause] = []
    for clause in _possible(clauses):
        if not clause.constraints and not clause.literals:
            return [Clause()]
        name = next(iter(clause.constraints), "")
        alone = len(clause.constraints) == 1 and not clause.literals
        union = single[name].either(clause.constraints[name]) if alone and name in single else None
        if alone and (union is not None or name not in single):
            single[name] = clause.constraints[name] if union is None else union
        elif clause not in others[:MAX_CLAUSES]:
            others.append(clause)
    if any(constraint == Constraint() for constraint in single.values()):
        return [Clause()]
    found = [Clause({name: constraint}) for name, constraint in single.items()] + others
    return found if len(found) > 2 * MAX_CLAUSES else _pairwise(found)


def _pairwise(clauses: list[Clause]) -> list[Clause]:
    found: list[Clause] = []
    for clause in clauses:
        for position, known in enumerate(found):
            union = _union(known, clause)
            if union is not None:
                found[position] = union
                break
        else:
            found.append(clause)
    return found


def _union(one: Clause, other: Clause) -> Clause | None:
    """A clause that holds where either does; None where it takes two."""
    if one.literals != other.literals or one.constraints.keys() != other.constraints.keys():
        return None
    differing = [name for name in one.constraints if one.constraints[name] != other.constraints[name]]
    if not differing:
        return one
    union = one.constraints[differing[0]].either(other.constraints[differing[0]])
    if len(differing) > 1 or union is None:
        return None
    merged = {**one.constraints, differing[0]: union}
    return Clause({name: c for name, c in merged.items() if c != Constraint()}, one.literals)

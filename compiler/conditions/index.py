"""Conditions to the arrays of the edge's predicate index."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from compiler.conditions.constraint import Constraint
from compiler.conditions.normalize import Clause, Literal
from edge.bundle.arrays import Array
from edge.bundle.strings import pack_strings
from edge.rules.values import KINDS, key, kind

MIN_TOGGLES: Final = 64
"""Fewer ids than this between two checkpoints are not worth a whole bitmap."""


def build(clauses: Sequence[Clause], types: Mapping[str, str]) -> dict[str, Array]:
    """The arrays of `edge.rules.index.Index` over these clauses; clause i is bit i.

    Parameters
    ----------
    types
        The type of every attribute by its name.

    Raises
    ------
    ValueError
        More than 65,536 attributes are read.
    """
    tables = _tables(clauses)
    parts = [_Part(position, tables[name], len(clauses)) for position, name in enumerate(sorted(tables))]
    everyone = np.array([not clause.impossible for clause in clauses], bool)
    arrays = pack_strings("attributes", [name.encode() for name in sorted(tables)])
    arrays |= {
        "rules": np.array([len(clauses)], np.uint32),
        "everyone": _packed(everyone),
        "kinds": np.array([part.kinds for part in parts], np.uint8),
        "types": np.array([KINDS[types[name]] for name in sorted(tables)], np.uint8),
    }
    row_bytes = (len(clauses) + 7) // 8
    for name in ("absent", "default", "unranged"):
        rows = [_packed(getattr(part, name)) for part in parts]
        arrays[name] = np.array(rows, np.uint8).reshape(len(parts), row_bytes)
    return arrays | _flips(parts) | _ranges(parts, row_bytes) | _predicates(clauses, types)


def _tables(clauses: Sequence[Clause]) -> dict[str, list[tuple[int, Constraint]]]:
    """The constraints by attribute, with their rules; of an impossible rule only what makes it so."""
    tables: dict[str, list[tuple[int, Constraint]]] = {}
    for rule, clause in enumerate(clauses):
        contradictions = [name for name in clause.contradictions if name in clause.constraints]
        for name in contradictions or clause.constraints:
            tables.setdefault(name, []).append((rule, clause.constraints[name]))
    if len(tables) > 1 << 16:
        raise ValueError(f"{len(tables)} attributes; an index holds at most {1 << 16}")
    return tables


def _predicates(clauses: Sequence[Clause], types: Mapping[str, str]) -> dict[str, Array]:
    """What only the evaluator can tell: each predicate once, grouped by what it reads, and who wants what."""
    possible = [() if clause.impossible else sorted(clause.literals) for clause in clauses]
    reads = sorted({name for wanted in possible for literal in wanted for name in literal.names})
    group = {name: position for position, name in enumerate(reads)}

    def place(literal: Literal) -> tuple[int, bytes]:
        alone = len(literal.names) == 1
        return (group[literal.names[0]] if alone else len(reads)), literal.predicate.encode()

    places = sorted({place(literal) for wanted in possible for literal in wanted})
    position = {one: number for number, one in enumerate(places)}
    codes = [
        (rule, 2 * position[place(literal)] + literal.wanted)
        for rule, wanted in enumerate(possible)
        for literal in wanted
    ]
    rules = np.array([rule for rule, _ in codes], np.uint32)
    wants = np.array([code for _, code in codes], np.uint32)
    guards, counts = np.unique(rules, return_counts=True)
    order = np.lexsort((rules, wants))
    of_predicate = np.array([of for of, _ in places], np.int64)
    guarded = np.zeros((len(reads) + 1, len(clauses)), bool)
    guarded[of_predicate[wants >> 1], rules] = True
    return {
        **pack_strings("predicates", [text for _, text in places]),
        **pack_strings("reads", [name.encode() for name in reads]),
        "reads.types": np.array([KINDS[types[name]] for name in reads], np.uint8),
        "groups.of": _pointers(np.bincount(of_predicate, minlength=len(reads) + 1)),
        "guarded": np.packbits(guarded, axis=1, bitorder="little"),
        "guards": guards.astype(np.uint32),
        "wants": wants,
        "wants.of": _pointers(counts),
        "users": rules[order],
        "users.of": _pointers(np.bincount(wants, minlength=2 * len(places))),
    }


class _Part:
    """One attribute's bitmaps (as booleans), flips by key, and intervals."""

    def __init__(self, position: int, rules: list[tuple[int, Constraint]], size: int) -> None:
        self.absent = np.ones(size, bool)
        self.default = np.ones(size, bool)
        self.unranged = np.ones(size, bool)
        self.flips: dict[bytes, list[int]] = {}
        self.intervals: list[tuple[int, float, float]] = []
        self.kinds = 0
        keys: dict[object, bytes] = {}
        for rule, constraint in rules:
            self.absent[rule] = constraint.absent
            self.default[rule] = constraint.allowed is None
            if constraint.ranged:
                self.unranged[rule] = False
                self.intervals += [(rule, low, high) for low, high in constraint.intervals]
            for value in constraint.excluded if constraint.allowed is None else constraint.allowed:
                known = (type(value), value)
                if known not in keys:
                    keys[known] = key(position, value)
                    self.kinds |= kind(value)
                self.flips.setdefault(keys[known], []).append(rule)


def _packed(bits: Array) -> Array:
    return np.packbits(bits, bitorder="little")


def _flips(parts: list[_Part]) -> dict[str, Array]:
    # Keys begin with the attribute's position, so the parts in order keep them sorted.
    entries = [(name, part.flips[name]) for part in parts for name in sorted(part.flips)]
    return pack_strings("values", [name for name, _ in entries]) | {
        "flips": np.array([rule for _, rules in entries for rule in rules], np.uint32),
        "flips.pointers": _pointers([len(rules) for _, rules in entries]),
    }


def _pointers(lengths: Sequence[int] | Array) -> Array:
    pointers = np.zeros(len(lengths) + 1, np.uint32)
    np.cumsum(lengths, out=pointers[1:], dtype=np.uint32)
    return pointers


def _ranges(parts: list[_Part], row_bytes: int) -> dict[str, Array]:
    ranges = [_Range(part) for part in parts]
    rows = [row for r in ranges for row in r.rows]
    return {
        "cuts": np.concatenate([np.zeros(0), *(r.cuts for r in ranges)]),
        "cuts.of": _pointers([len(r.cuts) for r in ranges]),
        "toggles": np.concatenate([np.zeros(0, np.uint32), *(r.toggles for r in ranges)]),
        "toggles.pointers": _pointers(np.concatenate([np.zeros(0, np.int64), *(r.counts for r in ranges)])),
        "checkpoints": np.array(rows, np.uint8).reshape(len(rows), row_bytes),
        "checkpoints.at": np.array([segment for r in ranges for segment in r.at], np.uint32),
        "checkpoints.of": _pointers([len(r.at) for r in ranges]),
    }


class _Range:
    """One attribute's cuts, the rules that begin or end at each, and whole bitmaps now and then."""

    def __init__(self, part: _Part) -> None:
        rules = np.array([rule for rule, _, _ in part.intervals], np.uint32)
        lows = np.array([low for _, low, _ in part.intervals], np.float64)
        highs = np.array([high for _, _, high in part.intervals], np.float64)
        begins, ends = lows > -np.inf, highs < np.inf
        # An end is inside; the cut is the next number, which is outside.
        with np.errstate(over="ignore"):  # after the greatest number comes infinity
            at = np.concatenate([lows[begins], np.nextafter(highs[ends], np.inf) + 0.0])
        ids = np.concatenate([rules[begins], rules[ends]])
        order = np.lexsort((ids, at))
        self.toggles = ids[order]
        self.cuts, self.counts = np.unique(at, return_counts=True)
        self.at: list[int] = []
        self.rows: list[Array] = []
        if part.intervals:
            alive = part.unranged.copy()
            alive[rules[~begins]] = True
            self._checkpoint(alive)

    def _checkpoint(self, alive: Array) -> None:
        """Store a bitmap wherever more ids have toggled since the last than would fill one."""
        limit = max(MIN_TOGGLES, len(alive) // 32)
        pointers = _pointers(self.counts)
        since = done = 0
        for segment in range(len(pointers)):
            end = int(pointers[segment])
            if segment and end - since <= limit:
                continue
            changed, times = np.unique(self.toggles[done:end], return_counts=True)
            alive[changed[times % 2 == 1]] ^= True
            self.at.append(segment)
            self.rows.append(_packed(alive))
            since = done = end

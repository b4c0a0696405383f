"""The index against the plain evaluator: whatever is written, both must agree, rule by rule."""

import math
import subprocess
import sys
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.conditions.check import Clause, Constraint, parse
from compiler.conditions.index import build
from compiler.conditions.oracle import conform, evaluate
from edge.bundle.arrays import pack, unpack
from edge.rules import residual
from edge.rules.index import Index

TYPES = {
    "path": "string",
    "device.type": "string",
    "visits": "number",
    "time.now": "number",
    "new": "boolean",
    "tags": "strings",
    "scores": "numbers",
}
GROUPS: dict[str, list[Any]] = {"one": ["a", 1, True], "none": []}
STRINGS = st.sampled_from(
    ["", "a", "b", "ab", "1", "true", "ä", "null", "\ud800", "1.10.0", "10.0.0.9", "/a/b"]
)
NUMBERS = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([-0.0, 0.0, 0.5, 1.0, 5e-324, -5e-324, 1e308, -1e308, math.inf, -math.inf]),
    st.sampled_from([math.nextafter(1, 2), math.nextafter(1, 0), 2**53, 2**53 + 1, 10**400, -(10**400)]),
    st.floats(allow_nan=False),
)
OPERANDS: dict[str, st.SearchStrategy[Any]] = {
    "string": STRINGS,
    "number": NUMBERS,
    "boolean": st.booleans(),
    "strings": st.lists(STRINGS, max_size=3),
    "numbers": st.lists(NUMBERS, max_size=3),
}
CONTEXTS = st.fixed_dictionaries(
    {},
    # Every attribute may hold a value of any type: a header is not what it should be.
    optional={
        name: st.one_of(OPERANDS[kind], OPERANDS[kind], STRINGS, NUMBERS, st.booleans(), OPERANDS["strings"])
        for name, kind in TYPES.items()
    },
)
PATTERNS = st.sampled_from(["", "a", "^a$", "[ab]+$", "1|b", "ä"])


def lists_of(values: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Any]]:
    return st.lists(values, max_size=4)


def operators_of(kind: str) -> dict[str, st.SearchStrategy[Any]]:
    """What may stand below an attribute of this type."""
    found = {
        "$exists": st.booleans(),
        "$type": st.sampled_from(["string", "number", "boolean", "array", "null", "object"]),
        "$inGroup": st.sampled_from(sorted(GROUPS)),
        "$notInGroup": st.sampled_from(sorted(GROUPS)),
    }
    if kind in ("strings", "numbers"):
        element = STRINGS if kind == "strings" else NUMBERS
        found |= dict.fromkeys(("$in", "$nin"), lists_of(st.one_of(element, st.none())))
        found["$all"] = lists_of(element)
        found["$size"] = st.one_of(st.integers(0, 3), st.fixed_dictionaries({"$gt": st.integers(0, 2)}))
        found["$elemMatch"] = st.fixed_dictionaries({}, optional={"$gt": element, "$ne": element}).filter(
            bool
        )
        return found
    value = OPERANDS[kind]
    null = st.one_of(value, st.none())
    found |= dict.fromkeys(("$eq", "$ne"), null) | dict.fromkeys(("$in", "$nin"), lists_of(null))
    if kind != "boolean":
        found |= dict.fromkeys(("$gt", "$gte", "$lt", "$lte", "$veq", "$vne", "$vgt", "$vlte"), value)
    if kind == "string":
        found |= dict.fromkeys(("$regex", "$regexi", "$notRegex", "$notRegexi"), PATTERNS)
        found |= dict.fromkeys(("$ini", "$nini"), lists_of(STRINGS))
        found["$cidr"] = st.sampled_from(["10.0.0.0/8", ["::/0", "10.0.0.9"]])
        found["$url"] = st.sampled_from(["/a/*", "/**", ["/", "/:x/b"]])
    if kind == "number":
        found |= dict.fromkeys(("$before", "$after"), st.sampled_from(["1970-01-01T00:00:00.001Z"]))
    return found


@st.composite
def one_attribute(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from(sorted(TYPES)))
    operators = operators_of(TYPES[name])
    chosen = draw(st.lists(st.sampled_from(sorted(operators)), min_size=1, max_size=2, unique=True))
    demanded: Any = {operator: draw(operators[operator]) for operator in chosen}
    match draw(st.integers(0, 4)):
        case 0:
            demanded = draw(st.one_of(OPERANDS[TYPES[name]], st.none()))
        case 1:
            demanded = {"$not": demanded}
        case 2:
            demanded = {"$not": draw(st.one_of(OPERANDS[TYPES[name]], st.none()))}
    if draw(st.booleans()) and "." in name:
        outer, _, inner = name.partition(".")
        return {outer: {inner: demanded}}
    return {name: demanded}


def _combined(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    parts = st.lists(inner, max_size=4)
    logic = st.sampled_from(["$and", "$or", "$nor"])
    return st.one_of(
        st.builds(lambda name, parts, beside: {**beside, name: parts}, logic, parts, one_attribute()),
        st.builds(lambda part: {"$not": part}, inner),
    )


CONDITIONS = st.recursive(
    st.lists(one_attribute(), max_size=3).map(
        lambda parts: {k: v for part in parts for k, v in part.items()}
    ),
    _combined,
    max_leaves=6,
)


class Rules:
    """Rules as bits: each clause is one, with its rule."""

    def __init__(self, conditions: list[Any], types: dict[str, str] = TYPES) -> None:
        found = [(i, c) for i, one in enumerate(conditions) for c in parse(one, types, GROUPS).clauses]
        self.owners = [rule for rule, _ in found]
        self.index = Index(unpack(pack(build([clause for _, clause in found], types))))

    def match(self, attributes: Any) -> set[int]:
        matched = self.index.match(attributes, self.index.everyone)
        assert matched >> len(self.owners) == 0
        return {rule for bit, rule in enumerate(self.owners) if matched >> bit & 1}


def index_of(conditions: list[Any]) -> Index:
    rules = Rules(conditions)
    assert rules.owners == list(range(len(conditions)))
    return rules.index


@pytest.mark.parametrize("together", [0, 128])
@settings(max_examples=100, deadline=None)
@given(st.lists(CONDITIONS, max_size=10), st.lists(CONTEXTS, min_size=1, max_size=8))
def test_index_agrees_with_the_oracle(together: int, conditions: list[Any], contexts: list[Any]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(residual, "MAX_TOGETHER", together)
        _agrees(conditions, contexts)


def _agrees(conditions: list[Any], contexts: list[Any]) -> None:
    rules = Rules(conditions)
    rules.index.residuals.verify()
    for attributes in contexts * 2:  # the second time from memory
        matched = rules.match(attributes)
        for rule, condition in enumerate(conditions):
            expected = evaluate(condition, conform(attributes, TYPES), GROUPS)
            assert (rule in matched) is expected, (condition, attributes)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_many_alternatives_agree_with_the_oracle(data: st.DataObject) -> None:
    """Products and sums around the bound, where parts become predicates."""
    few = st.lists(one_attribute(), min_size=1, max_size=6)
    condition = {"$and": [{"$or": data.draw(few)} for _ in range(3)], "$or": data.draw(few) * 4}
    rules = Rules([condition])
    for attributes in data.draw(st.lists(CONTEXTS, min_size=1, max_size=5)):
        assert bool(rules.match(attributes)) is evaluate(condition, conform(attributes, TYPES), GROUPS)


@pytest.mark.parametrize("seed", range(4))
def test_many_intervals_agree_with_the_oracle(seed: int) -> None:
    """Enough cuts for several checkpoints, and cuts at which many rules begin."""
    random = Random(seed)
    pairs = [sorted(random.choices(range(150 * (seed + 1)), k=2)) for _ in range(300)]
    pairs += [[7, high] for high in range(100)]
    conditions = [{"visits": {"$gte": low, "$lt": high}} for low, high in pairs]
    index = index_of(conditions)
    clauses = [clause for c in conditions for clause in parse(c, TYPES).clauses]
    assert len(build(clauses, TYPES)["checkpoints.at"]) > 2
    for visits in [-1.0, 0.0, 7.0, 1e9, *(random.uniform(-2, 600) for _ in range(40)), *range(0, 600, 9)]:
        wanted = sum(1 << i for i, c in enumerate(conditions) if evaluate(c, {"visits": visits}))
        assert index.match({"visits": visits}, index.everyone) == wanted


def test_a_rule_that_cannot_match_has_no_bit() -> None:
    index = index_of([{"visits": {"$gt": 3, "$lt": 2}, "new": True}, {}, {"path": {"$in": []}}])
    assert index.everyone == 0b010
    assert index.match({"visits": 2.5, "new": True, "path": "a"}, -1) & 0b111 == 0b010


def test_not_a_number_is_a_missing_value() -> None:
    index = index_of([{"visits": {"$gte": -math.inf}}, {"visits": {"$ne": 3}}, {"visits": {"$in": [1, 2]}}])
    # As if there were none, which counts as 0.
    assert index.match({"visits": math.nan}, index.everyone) == index.match({}, index.everyone) == 0b011


def test_no_rules_and_no_attributes() -> None:
    empty, everyone = index_of([]), index_of([{}, {}])
    assert (empty.size, empty.match({"path": "a"}, empty.everyone)) == (0, 0)
    assert (everyone.attributes, everyone.match({}, everyone.everyone)) == ((), 0b11)


def test_names_what_it_reads() -> None:
    index = index_of([{"path": "a"}, {"device": {"type": "b"}}])
    assert index.attributes == ("device.type", "path")


COMPILE = """
import hashlib
from compiler.conditions.check import parse
from compiler.conditions.index import build
from edge.bundle.arrays import pack
types = {"path": "string", "visits": "number", "new": "boolean"}
rules = [{"path": {"$in": [f"/{i * k % 97}" for k in range(9)]}, "visits": {"$gte": i % 13, "$ne": i},
          "$or": [{"new": {"$nin": [True]}}, {"path": {"$regex": f"^{i}", "$url": "/a"}}, {"visits": i}]}
         for i in range(300)]
clauses = [clause for rule in rules for clause in parse(rule, types).clauses]
print(hashlib.sha256(pack(build(clauses, types))).hexdigest())
"""


def test_the_same_conditions_give_the_same_bytes_under_any_hash_seed() -> None:
    digests = {
        subprocess.run(
            [sys.executable, "-c", COMPILE], env={"PYTHONHASHSEED": seed}, capture_output=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1


def test_too_many_attributes_are_refused() -> None:
    types = {f"a{i}": "boolean" for i in range((1 << 16) + 1)}
    with pytest.raises(ValueError, match="65537 attributes"):
        build([Clause(dict.fromkeys(types, Constraint(absent=False)))], types)

"""The index against the plain evaluator: whatever is written, both must agree, rule by rule."""

import math
import subprocess
import sys
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.conditions import parse
from compiler.index import build
from compiler.oracle import evaluate
from edge.bundle.arrays import pack, unpack
from edge.rules.index import Index

TYPES = {
    "path": "string",
    "device.type": "string",
    "visits": "number",
    "time.now": "number",
    "new": "boolean",
}
STRINGS = st.sampled_from(["", "a", "b", "ab", "1", "true", "ä", "null", "\ud800", "x" * 40])
NUMBERS = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([-0.0, 0.0, 0.5, 1.0, 5e-324, -5e-324, 1e308, -1e308, math.inf, -math.inf]),
    st.sampled_from([math.nextafter(1, 2), math.nextafter(1, 0), 2**53, 2**53 + 1, 10**400, -(10**400)]),
    st.floats(allow_nan=False),
)
OPERANDS = {"string": STRINGS, "number": NUMBERS, "boolean": st.booleans()}
CONTEXTS = st.fixed_dictionaries(
    {},
    # Every attribute may hold a value of any type: a header is not what it should be.
    optional={name: st.one_of(OPERANDS[TYPES[name]], STRINGS, NUMBERS, st.booleans()) for name in TYPES},
)


@st.composite
def one_attribute(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from(sorted(TYPES)))
    value = OPERANDS[TYPES[name]]
    null = st.one_of(value, st.none())
    operators = {
        "$eq": null,
        "$ne": null,
        "$in": st.lists(null, max_size=4),
        "$nin": st.lists(null, max_size=4),
        "$exists": st.booleans(),
    }
    if TYPES[name] == "number":
        operators |= dict.fromkeys(("$gt", "$gte", "$lt", "$lte"), NUMBERS)
    wanted = draw(st.one_of(null, st.fixed_dictionaries({}, optional=operators).filter(bool)))
    if draw(st.booleans()) and "." in name:
        outer, _, inner = name.partition(".")
        return {outer: {inner: wanted}}
    return {name: wanted}


CONDITIONS = st.recursive(
    st.lists(one_attribute(), max_size=3).map(
        lambda parts: {k: v for part in parts for k, v in part.items()}
    ),
    lambda inner: st.builds(
        lambda parts, beside: {**beside, "$and": parts}, st.lists(inner, max_size=3), one_attribute()
    ),
    max_leaves=5,
)


def index_of(conditions: list[Any]) -> Index:
    return Index(unpack(pack(build([parse(condition, TYPES) for condition in conditions]))))


@settings(max_examples=250, deadline=None)
@given(st.lists(CONDITIONS, max_size=12), st.lists(CONTEXTS, min_size=1, max_size=8))
def test_index_agrees_with_the_oracle(conditions: list[Any], contexts: list[Any]) -> None:
    index = index_of(conditions)
    for attributes in contexts * 2:  # the second time from memory
        matched = index.match(attributes, index.everyone)
        for rule, condition in enumerate(conditions):
            assert bool(matched >> rule & 1) is evaluate(condition, attributes), (condition, attributes)
        assert matched >> len(conditions) == 0


@pytest.mark.parametrize("seed", range(4))
def test_many_intervals_agree_with_the_oracle(seed: int) -> None:
    """Enough cuts for several checkpoints, and cuts at which many rules begin."""
    random = Random(seed)
    pairs = [sorted(random.choices(range(150 * (seed + 1)), k=2)) for _ in range(300)]
    pairs += [[7, high] for high in range(100)]
    conditions = [{"visits": {"$gte": low, "$lt": high}} for low, high in pairs]
    index = index_of(conditions)
    assert len(build([parse(c, TYPES) for c in conditions])["checkpoints.at"]) > 2
    for visits in [-1.0, 0.0, 7.0, 1e9, *(random.uniform(-2, 600) for _ in range(40)), *range(0, 600, 9)]:
        wanted = sum(1 << i for i, c in enumerate(conditions) if evaluate(c, {"visits": visits}))
        assert index.match({"visits": visits}, index.everyone) == wanted


def test_a_rule_that_cannot_match_has_no_bit() -> None:
    index = index_of([{"visits": {"$gt": 3, "$lt": 2}, "new": True}, {}, {"path": {"$in": []}}])
    assert index.everyone == 0b010
    assert index.match({"visits": 2.5, "new": True, "path": "a"}, -1) & 0b111 == 0b010


def test_not_a_number_is_in_no_interval_and_equals_nothing() -> None:
    index = index_of([{"visits": {"$gte": -math.inf}}, {"visits": {"$ne": 3}}, {"visits": {"$in": [1, 2]}}])
    assert index.match({"visits": math.nan}, index.everyone) == 0b010


def test_no_rules_and_no_attributes() -> None:
    empty, everyone = index_of([]), index_of([{}, {}])
    assert (empty.size, empty.match({"path": "a"}, empty.everyone)) == (0, 0)
    assert (everyone.attributes, everyone.match({}, everyone.everyone)) == ((), 0b11)


def test_names_what_it_reads() -> None:
    index = index_of([{"path": "a"}, {"device": {"type": "b"}}])
    assert index.attributes == ("device.type", "path")


COMPILE = """
import hashlib
from compiler.conditions import parse
from compiler.index import build
from edge.bundle.arrays import pack
types = {"path": "string", "visits": "number", "new": "boolean"}
rules = [{"path": {"$in": [f"/{i * k % 97}" for k in range(9)]}, "visits": {"$gte": i % 13, "$ne": i},
          "new": {"$nin": [True]}} for i in range(300)]
print(hashlib.sha256(pack(build([parse(rule, types) for rule in rules]))).hexdigest())
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
        build([parse(dict.fromkeys(types, True), types)])

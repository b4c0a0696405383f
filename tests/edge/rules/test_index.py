"""What an index refuses to open, and what it may remember."""

from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compiler.conditions.check import parse
from compiler.conditions.index import build
from compiler.conditions.oracle import evaluate
from edge.bundle.arrays import Array, pack, unpack
from edge.bundle.strings import pack_strings
from edge.errors import BundleError
from edge.rules import attribute, residual
from edge.rules.evaluate import prepared
from edge.rules.index import ARRAYS, Index

TYPES = {"path": "string", "visits": "number", "new": "boolean", "tags": "strings"}
CONDITIONS: list[dict[str, Any]] = [
    {"path": {"$in": [f"/{i}", f"/{i + 1}"]}, "visits": {"$gte": i, "$lt": 2 * i + 1}, "new": bool(i % 2)}
    for i in range(95)
]
CONDITIONS += [{"path": {"$regex": f"^/9{i}"}, "tags": {"$all": ["a"]}} for i in range(4)]


def arrays_of(conditions: list[dict[str, Any]]) -> dict[str, Array]:
    return unpack(pack(build([clause for c in conditions for clause in parse(c, TYPES).clauses], TYPES)))


@pytest.fixture
def arrays() -> dict[str, Array]:
    return {name: array.copy() for name, array in arrays_of(CONDITIONS).items()}


def test_opens_read_only_views(arrays: dict[str, Array]) -> None:
    index = Index(unpack(memoryview(pack(arrays)).toreadonly()))
    assert (index.size, index.attributes) == (99, ("new", "path", "tags", "visits"))
    assert index.match({"path": "/4", "visits": 4, "new": False}, index.everyone) == 1 << 4
    assert index.match({"path": "/4", "visits": 3, "new": True}, index.everyone) == 1 << 3


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 29), st.sampled_from([None, 0, 2, 5, "x", True])), max_size=6))
def test_of_many_attributes_that_nobody_needs_only_those_there_are_looked_up(
    given_: list[tuple[int, Any]],
) -> None:
    conditions: list[dict[str, Any]] = [{f"a{n}": {"$lt": 3}, "visits": {"$gte": n}} for n in range(30)]
    types = {**TYPES, **{f"a{n}": "number" for n in range(30)}}
    clauses = [clause for one in conditions for clause in parse(one, types).clauses]
    index = Index(unpack(pack(build(clauses, types))))
    assert len(index.attributes) == 31
    context = {f"a{n}": value for n, value in given_ if value is not None} | {"visits": 20}
    matched = index.match(context, index.everyone)
    kept = {name: value for name, value in context.items() if isinstance(value, int) and value is not True}
    assert matched == sum(evaluate(one, kept) << n for n, one in enumerate(conditions))


def test_what_is_not_alive_does_not_match(arrays: dict[str, Array]) -> None:
    index = Index(arrays)
    assert index.match({"path": "/4", "visits": 4, "new": False}, index.everyone & ~(1 << 4)) == 0


def test_true_is_not_one() -> None:
    index = Index(arrays_of([{"visits": 1}, {"new": True}, {"visits": {"$gte": 1}}]))
    for _ in range(2):  # in both orders, from memory too
        assert index.match({"visits": True, "new": 1.0}, index.everyone) == 0b000
        assert index.match({"visits": 1.0, "new": True}, index.everyone) == 0b111


@pytest.mark.parametrize("name", [*ARRAYS, "attributes.blob", "values.offsets"])
def test_a_missing_array_is_refused(arrays: dict[str, Array], name: str) -> None:
    del arrays[name]
    with pytest.raises(BundleError) as caught:
        Index(arrays)
    assert caught.value.code == "index"
    assert name in str(caught.value)


@pytest.mark.parametrize("name", sorted(ARRAYS))
def test_a_wrong_type_or_shape_is_refused(arrays: dict[str, Array], name: str) -> None:
    for wrong in (arrays[name].astype(np.int64), arrays[name][None], arrays[name][:-1]):
        with pytest.raises(BundleError) as caught:
            Index(arrays | {name: wrong})
        assert caught.value.code == "index"


def put(name: str, position: int, value: float) -> Callable[[dict[str, Array]], None]:
    def change(arrays: dict[str, Array]) -> None:
        arrays[name].reshape(-1)[position] = value

    return change


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (put("flips", 5, 99), "flips"),
        (put("toggles", 5, 4_000_000_000), "toggles"),
        (put("everyone", -1, 255), "everyone"),
        (put("rules", 0, 4_000_000_000), "everyone"),
        (put("flips.pointers", 0, 1), "flips.pointers"),
        (put("flips.pointers", 3, 4_000_000_000), "flips.pointers"),
        (put("toggles.pointers", -1, 4_000_000_000), "toggles.pointers"),
        (put("cuts", 3, np.nan), "cuts"),
        (put("cuts", 3, 1e9), "cuts"),
        (put("cuts.of", 2, 7), "checkpoints.at"),
        (put("checkpoints.at", 0, 1), "checkpoints.at"),
        (put("checkpoints.at", -1, 100_000), "checkpoints.at"),
        (put("checkpoints.of", -1, 100_000), "checkpoints.of"),
        (put("guards", 0, 99), "guards"),
        (put("guards", 1, 95), "guards"),
        (put("groups.of", -1, 9), "groups.of"),
        (put("wants", 0, 1_000), "wants"),
        (put("wants.of", 1, 4_000_000_000), "wants.of"),
        (put("users", 0, 99), "users"),
        (put("users.of", -1, 3), "users.of"),
        (put("predicates.offsets", 1, 100_000), "predicates"),
        (put("reads.blob", 0, 0xFF), "predicates"),
        (put("attributes.offsets", 1, 100_000), "offsets"),
        (put("attributes.blob", 0, 0xFF), "names"),
        (put("attributes.blob", 0, ord("z")), "attributes"),
    ],
)
def test_wrong_contents_are_refused(
    arrays: dict[str, Array], change: Callable[[dict[str, Array]], None], named: str
) -> None:
    change(arrays)
    with pytest.raises(BundleError) as caught:
        Index(arrays)
    assert caught.value.code == "index"
    assert named in str(caught.value)


def test_whatever_is_changed_is_refused_or_stays_within_the_rules() -> None:
    """No damage that gets past the checks makes a match fail or names a rule that is not there."""
    random = Random(1)
    good = arrays_of(CONDITIONS)
    refused = 0
    for _ in range(1500):
        arrays = {name: array.copy() for name, array in good.items()}
        name = random.choice(sorted(arrays))
        raw = arrays[name].reshape(-1).view(np.uint8)
        for _ in range(random.randint(1, 3)):
            raw[random.randrange(len(raw))] = random.choice([0, 1, 127, 255, random.randrange(256)])
        try:
            index = Index(arrays)
        except BundleError as error:
            assert error.code == "index"
            refused += 1
            continue
        for context in ({}, {"path": "/7", "visits": 7.0, "new": True}, {"tags": ["a"], "path": "/92"}):
            try:
                assert 0 <= index.match(context, index.everyone) < 1 << index.size
            except BundleError:  # a predicate that can't be read, as `verify` says beforehand
                with pytest.raises(BundleError, match="predicate"):
                    index.residuals.verify()
    assert 100 < refused < 1500


def test_memory_is_bounded_whatever_requests_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attribute, "MAX_REMEMBERED", 20)
    index = Index(arrays_of(CONDITIONS))
    for i in range(500):
        context = {"path": f"/{i}", "visits": i + 0.5, "new": i % 2 == 0}
        assert index.match(context, 0) == 0
    tables = {name: remembered for name, remembered, _ in index._tables}
    assert all(len(remembered) <= 20 for remembered in tables.values())
    assert index.match({}, index.everyone) == 0
    before = len(tables["path"])
    long = {"path": "/" * 100_000, "visits": 3.0, "new": True}
    assert index.match(long, index.everyone) == 0
    assert len(tables["path"]) == before


def test_strings_longer_than_any_value_still_count_as_present() -> None:
    index = Index(arrays_of([{"path": {"$ne": "a"}}, {"path": {"$exists": True}}, {"path": "a"}, {}]))
    assert index.match({"path": "b" * 1000}, index.everyone) == 0b1011


def test_names_of_other_scripts_are_read() -> None:
    types = {"größe": "number"}
    arrays = build(parse({"größe": 3}, types).clauses, types)
    arrays |= pack_strings("attributes", ["größe".encode()])
    assert Index(unpack(pack(arrays))).attributes == ("größe",)


@pytest.mark.parametrize("together", [0, 128])
def test_predicates_are_asked_once_and_only_for_rules_that_live(
    monkeypatch: pytest.MonkeyPatch, together: int
) -> None:
    asked: list[Any] = []

    def counting(wanted: Any) -> Any:
        test = prepared(wanted)
        return lambda value: (asked.append(value), test(value))[1]

    monkeypatch.setattr(residual, "prepared", counting)
    monkeypatch.setattr(residual, "MAX_TOGETHER", together)
    mobile = {"path": {"$regex": "mobile"}}
    index = Index(arrays_of([{**mobile, "visits": n} for n in range(20)] + [{"$not": mobile, "new": True}]))
    assert index.match({"path": "/m", "visits": 30.0}, index.everyone) == 0
    assert asked == []
    assert index.match({"path": "/m", "visits": 3.0, "new": True}, index.everyone) == 1 << 20
    assert index.match({"path": "/m", "visits": 4.0, "new": True}, index.everyone) == 1 << 20
    assert len(asked) == 1
    assert index.match({"path": "/mobile", "visits": 4.0, "new": True}, index.everyone) == 1 << 4
    assert len(asked) == 2


def test_a_predicate_of_several_attributes_is_asked_in_each_request() -> None:
    either = [{"path": f"/{n}", "visits": n} for n in range(20)]
    index = Index(arrays_of([{"$or": either}]))
    assert index.attributes == ("path", "visits")
    assert index.match({"path": "/3", "visits": 3}, index.everyone) == 1
    assert index.match({"path": "/3", "visits": 4}, index.everyone) == 0


def group_of(index: Index) -> Any:
    ((_, narrow),) = index.residuals._groups
    return narrow.__self__  # type: ignore[attr-defined]


@pytest.mark.parametrize("together", [0, 128])
def test_answers_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch, together: int) -> None:
    monkeypatch.setattr(residual, "MAX_TOGETHER", together)
    monkeypatch.setattr(attribute, "MAX_REMEMBERED", 10)
    monkeypatch.setattr(residual, "MAX_REMEMBERED", 10)
    index = Index(arrays_of([{"path": {"$regex": "7$"}}, {"path": {"$regex": "^/1"}}]))
    for number in range(100):
        assert index.match({"path": f"/{number}"}, 1) == (number % 10 == 7)
    assert index.match({"path": "/" * 300 + "7"}, 1) == 1
    group = group_of(index)
    assert 0 < len(group._remembered) <= 16


def test_few_living_rules_ask_for_their_own_predicates_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(residual, "MAX_TOGETHER", 0)
    rules = [{"path": {"$regex": f"^/{n}$"}, "visits": n} for n in range(50)]
    index = Index(arrays_of([*rules, {"path": {"$regex": "^/3$", "$notRegex": "4"}, "new": True}]))
    assert index.match({"path": "/3", "visits": 3}, index.everyone) == 1 << 3
    group = group_of(index)
    assert isinstance(group, residual.OneByOne)
    assert list(group._remembered["/3"].given.values()) == [True]
    assert index.match({"path": "/3", "visits": 4, "new": True}, index.everyone) == 1 << 50
    assert sorted(group._remembered["/3"].given.values()) == [False, True, True]


def test_beginnings_of_texts_are_looked_up() -> None:
    index = Index(
        arrays_of([{"path": {"$regex": f"^/{n}"}} for n in range(20)] + [{"path": {"$regex": "^"}}])
    )
    assert index.match({"path": "/12/x"}, index.everyone) == 1 << 12 | 1 << 1 | 1 << 20
    assert index.match({"path": "/" * 513}, index.everyone) == 0
    assert index.match({}, index.everyone) == 0


def test_a_value_of_another_type_is_missing() -> None:
    index = Index(arrays_of([{"visits": {"$exists": False}}, {"path": {"$regex": "."}}, {"tags": None}]))
    assert index.match({"visits": "3", "path": 3.0, "tags": "a"}, index.everyone) == 0b101
    assert index.match({"visits": [3], "path": ["a"], "tags": True}, index.everyone) == 0b101
    assert index.match({"visits": float("nan"), "tags": []}, index.everyone) == 0b001
    assert index.match({"visits": 3, "path": "a", "tags": ["a"]}, index.everyone) == 0b010

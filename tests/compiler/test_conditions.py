"""What may be written as a condition, what is said about the rest, and the normal form."""

import datetime
import math
from typing import Any

import pytest

from compiler.conditions import CODES, Condition, ConditionError, Constraint, parse

TYPES = {
    "geo.country": "string",
    "device.type": "string",
    "visits": "number",
    "new": "boolean",
}


def only(condition: Any, name: str = "visits") -> Constraint:
    return parse(condition, TYPES).constraints[name]


def problems_of(condition: Any) -> list[tuple[tuple[str | int, ...], str, str, str]]:
    with pytest.raises(ConditionError) as caught:
        parse(condition, TYPES)
    assert all(problem.code in CODES for problem in caught.value.problems)
    return [(p.path, p.code, p.message, p.hint) for p in caught.value.problems]


def test_a_value_alone_means_equality() -> None:
    assert only({"geo.country": "DE"}, "geo.country") == Constraint(frozenset({"DE"}), absent=False)
    assert only({"visits": 3}).allowed == {3.0}


def test_nested_mappings_are_dotted_names() -> None:
    nested = parse({"device": {"type": {"$ne": "mobile"}}, "geo": {"country": "DE"}}, TYPES)
    assert nested == parse({"device.type": {"$ne": "mobile"}, "geo.country": "DE"}, TYPES)


def test_and_and_repeated_operators_intersect() -> None:
    condition = {
        "visits": {"$gte": 1, "$lt": 9},
        "$and": [{"visits": {"$gt": 3}}, {"$and": [{"visits": {"$ne": 5}}]}],
    }
    constraint = only(condition)
    assert (constraint.low, constraint.high) == (math.nextafter(3, 9), math.nextafter(9, 0))
    assert (constraint.excluded, constraint.absent, constraint.ranged) == ({5.0}, False, True)


def test_an_interval_narrows_a_list_and_keeps_no_bounds() -> None:
    assert only({"visits": {"$in": [1, 5, 9], "$gt": 1, "$nin": [9]}}) == Constraint(
        frozenset({5.0}), absent=False
    )
    assert only({"visits": {"$gte": 4, "$lte": 4}}) == only({"visits": 4})
    assert only({"visits": {"$gt": 1, "$ne": 0}}).excluded == frozenset()


def test_null_is_a_missing_value() -> None:
    assert only({"visits": None}) == only({"visits": {"$exists": False}}) == Constraint(frozenset())
    assert only({"visits": {"$ne": None}}) == only({"visits": {"$exists": True}}) == Constraint(absent=False)
    assert only({"visits": {"$in": [None, 1]}}) == Constraint(frozenset({1.0}), absent=True)
    assert only({"visits": {"$nin": [1]}}).absent


@pytest.mark.parametrize(
    "condition",
    [
        {"visits": {"$gt": 3, "$lt": 3}},
        {"visits": {"$gt": math.inf}},
        {"visits": {"$lt": -math.inf}},
        {"visits": {"$in": []}},
        {"visits": {"$eq": 3, "$exists": False}},
        {"visits": {"$gte": 3, "$lte": 3, "$ne": 3}},
        {"$and": [{"geo.country": "DE"}, {"geo.country": "AT"}]},
    ],
)
def test_says_when_nothing_can_meet_it(condition: Any) -> None:
    parsed = parse({**condition, "new": True}, TYPES)
    assert parsed.impossible
    assert parsed.contradictions == (("geo.country",) if "$and" in condition else ("visits",))


def test_everyone_is_the_empty_condition() -> None:
    assert parse({}, TYPES) == parse({"$and": []}, TYPES) == Condition()
    assert not Condition().impossible


def test_conditions_join() -> None:
    joined = parse({"visits": {"$gt": 3}, "new": True}, TYPES).both(parse({"visits": {"$lt": 9}}, TYPES))
    assert joined == parse({"visits": {"$gt": 3, "$lt": 9}, "new": True}, TYPES)


@pytest.mark.parametrize(
    ("condition", "path", "code", "message", "hint"),
    [
        ("mobile", (), "shape", "a condition is a mapping, not a string", "attribute: value"),
        ({"visit": 3}, ("visit",), "attribute", "no attribute 'visit'", "did you mean visits?"),
        ({"zzz": 3}, ("zzz",), "attribute", "no attribute 'zzz'", "site.yaml"),
        (
            {"device": {"typ": "x"}},
            ("device", "typ"),
            "attribute",
            "'device.typ'",
            "did you mean device.type?",
        ),
        ({"visits": "3"}, ("visits",), "type", "visits is a number, and '3' is a string", "quotes away: 3"),
        ({"visits": True}, ("visits",), "type", "True is a boolean", ""),
        ({"new": 1}, ("new",), "type", "new is a boolean, and 1 is a number", "true or false"),
        ({"geo.country": False}, ("geo.country",), "type", "False is a boolean", "quote it"),
        (
            {"geo.country": datetime.date(2026, 1, 2)},
            ("geo.country",),
            "type",
            "2026-01-02 is a date",
            "quote it: '2026-01-02'",
        ),
        ({"visits": math.nan}, ("visits",), "type", "no number", ""),
        ({"geo.country": ["DE"]}, ("geo.country",), "type", "is a list", "$in"),
        ({"visits": {"$in": 3}}, ("visits", "$in"), "shape", "$in takes a list, not a number", "write [3]"),
        ({"visits": {"$gt": None}}, ("visits", "$gt"), "type", "None is null", ""),
        ({"geo.country": {"$gt": "A"}}, ("geo.country", "$gt"), "type", "$gt compares numbers", "$in"),
        ({"visits": {"$exists": "yes"}}, ("visits", "$exists"), "type", "true or false", ""),
        ({"visits": {"$regex": "x"}}, ("visits", "$regex"), "not-supported", "not supported yet", "$nin"),
        ({"$or": [{"visits": 1}]}, ("$or",), "not-supported", "$or is not supported yet", "$and"),
        ({"visits": {"$gtt": 1}}, ("visits", "$gtt"), "operator", "no operator '$gtt'", "did you mean $gt"),
        ({"visits": {"$and": []}}, ("visits", "$and"), "operator", "beside attributes", "one level up"),
        ({"$in": [1]}, ("$in",), "operator", "$in stands below an attribute", "attribute: {$in: …}"),
        ({"visits": {"$gt": 1, "x": 2}}, ("visits", "x"), "shape", "'x' stands among operators", "$and"),
        ({"visits": {"$gt": 1, 7: 2}}, ("visits", 7), "shape", "'7' stands among operators", "$and"),
        ({"visits": {}}, ("visits",), "shape", "empty condition", "leave it out"),
        ({"$and": {"visits": 1}}, ("$and",), "shape", "$and takes a list", "write `$and"),
        ({"$and": [3]}, ("$and", 0), "shape", "not a number", ""),
        ({True: 3}, (True,), "key", "True is no attribute's name", "quote it"),
    ],
)
def test_says_what_is_wrong_where_and_what_to_do(
    condition: Any, path: tuple[str | int, ...], code: str, message: str, hint: str
) -> None:
    ((found_path, found_code, found_message, found_hint),) = problems_of(condition)
    assert (found_path, found_code) == (path, code)
    assert message in found_message
    assert hint in found_hint


def test_reports_everything_at_once() -> None:
    found = problems_of({"visit": 1, "$and": [{"new": 3}, {"visits": {"$gt": "x", "$mod": 2}}]})
    assert [path for path, *_ in found] == [
        ("visit",),
        ("$and", 0, "new"),
        ("$and", 1, "visits", "$gt"),
        ("$and", 1, "visits", "$mod"),
    ]


def test_deep_nesting_is_refused_with_its_limit() -> None:
    condition: Any = {"visits": 1}
    for _ in range(10_000):
        condition = {"$and": [condition]}
    ((_, code, message, _),) = problems_of(condition)
    assert (code, "32" in message) == ("depth", True)


def test_a_huge_value_is_not_repeated_in_the_message() -> None:
    ((_, _, message, hint),) = problems_of({"visits": "x" * 1_000_000})
    assert len(message) + len(hint) < 300
    assert len(problems_of({"y" * 1_000_000: 1})[0][2]) < 200

"""What may be written as a condition, what is said about the rest, and the normal form."""

import datetime
import math
from typing import Any

import pytest

from compiler.conditions.check import CODES, Condition, ConditionError, Constraint, parse

TYPES = {
    "geo.country": "string",
    "device.type": "string",
    "visits": "number",
    "new": "boolean",
    "tags": "strings",
}


def only(condition: Any, name: str = "visits") -> Constraint:
    (clause,) = parse(condition, TYPES).clauses
    return clause.constraints[name]


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
        ({"new": {"$gt": 1}}, ("new", "$gt"), "type", "$gt compares numbers or text", "$in"),
        ({"visits": {"$exists": "yes"}}, ("visits", "$exists"), "type", "true or false", ""),
        ({"visits": {"$regex": "x"}}, ("visits", "$regex"), "type", "$regex is for string", ""),
        ({"$or": {"visits": 1}}, ("$or",), "shape", "$or takes a list", "write `$or"),
        ({"$not": [1]}, ("$not",), "shape", "a condition is a mapping", ""),
        ({"visits": {"$or": []}}, ("visits", "$or"), "operator", "beside attributes", "one level up"),
        (
            {"geo.country": {"$regex": "(a"}},
            ("geo.country", "$regex"),
            "pattern",
            "there is a ( without its )",
            "",
        ),
        ({"geo.country": {"$regex": "(?=a)"}}, ("geo.country", "$regex"), "pattern", "look-around", ""),
        ({"geo.country": {"$regex": 3}}, ("geo.country", "$regex"), "type", "takes text", "quote it"),
        ({"geo.country": {"$cidr": "10.0.0.1/8"}}, ("geo.country", "$cidr"), "pattern", "host bits", ""),
        ({"geo.country": {"$cidr": []}}, ("geo.country", "$cidr"), "type", "takes text, not a list", ""),
        ({"geo.country": {"$url": "film"}}, ("geo.country", "$url"), "pattern", "begins with /", ""),
        ({"geo.country": {"$size": 3}}, ("geo.country", "$size"), "type", "for numbers or strings", ""),
        ({"tags": {"$size": "3"}}, ("tags", "$size"), "type", "'3' is a string", "quotes away"),
        ({"tags": {"$elemMatch": "a"}}, ("tags", "$elemMatch"), "shape", "takes operators", "$eq"),
        ({"tags": {"$elemMatch": {"$gt": 1}}}, ("tags", "$elemMatch", "$gt"), "type", "number", "quote"),
        ({"tags": "a"}, ("tags",), "type", "tags is a list", "{$in: ['a']}"),
        ({"tags": {"$eq": "a"}}, ("tags", "$eq"), "type", "$eq is for boolean or number or string", ""),
        ({"tags": {"$in": [1]}}, ("tags", "$in"), "type", "1 is a number", "quote it"),
        ({"visits": {"$type": "int"}}, ("visits", "$type"), "type", "name of a type", "number"),
        ({"new": {"$veq": "1"}}, ("new", "$veq"), "type", "$veq is for number or string", ""),
        ({"geo.country": {"$veq": None}}, ("geo.country", "$veq"), "type", "takes a version", "quote"),
        ({"visits": {"$after": "2026-05-01"}}, ("visits", "$after"), "type", "no time zone", "+02:00"),
        ({"visits": {"$before": 3}}, ("visits", "$before"), "type", "date and time as text", "+02:00"),
        ({"visits": {"$inGroup": "x"}}, ("visits", "$inGroup"), "group", "no group 'x'", ""),
        ({"visits": {"$inGroup": 3}}, ("visits", "$inGroup"), "type", "a group's name", "quote"),
        ({"visits": {"$not": {}}}, ("visits", "$not"), "shape", "empty condition", ""),
        ({"visits": {"$in": [0] * 100_001}}, ("visits", "$in"), "size", "100000 are the limit", ""),
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


@pytest.mark.parametrize("wrap", ["$not", "$elemMatch", "$nor", "$or"])
def test_deep_nesting_of_any_kind_is_refused(wrap: str) -> None:
    part: Any = {"$eq": "a"} if wrap == "$elemMatch" else {"visits": 1}
    for _ in range(10_000):
        part = {wrap: [part] if wrap in ("$nor", "$or") else part}
    condition = {"tags": part} if wrap == "$elemMatch" else part
    assert {code for _, code, _, _ in problems_of(condition)} <= {"depth", "type"}


def test_a_huge_value_is_not_repeated_in_the_message() -> None:
    ((_, _, message, hint),) = problems_of({"visits": "x" * 1_000_000})
    assert len(message) + len(hint) < 300
    assert len(problems_of({"y" * 1_000_000: 1})[0][2]) < 200


def test_a_missing_value_is_zero_and_the_text_null_as_in_the_sdks() -> None:
    assert only({"visits": 0}).absent
    assert not only({"visits": {"$eq": 0}}).absent
    assert only({"visits": {"$gt": -1}}).absent
    assert not only({"visits": {"$gt": 0}}).absent
    assert only({"geo.country": "null"}, "geo.country").absent
    assert not only({"new": False}, "new").absent
    assert not only({"visits": {"$after": "1969-01-01T00:00:00Z"}}).absent


def clauses(condition: Any) -> list[tuple[dict[str, Any], list[tuple[str, bool]]]]:
    return [
        (
            dict(clause.constraints),
            [(literal.predicate, literal.wanted) for literal in sorted(clause.literals)],
        )
        for clause in parse(condition, TYPES).clauses
    ]


def test_alternatives_are_joined_where_they_can_be() -> None:
    either = {"$or": [{"visits": 1}, {"visits": {"$in": [2, 3]}}, {"geo.country": "DE"}]}
    visits, country = parse(either, TYPES).clauses
    assert visits.constraints["visits"].allowed == {1.0, 2.0, 3.0}
    assert country.constraints["geo.country"].allowed == {"DE"}
    assert parse({"$or": [{"visits": 1}, {}]}, TYPES) == parse({"$or": []}, TYPES) == Condition()
    assert parse({"$or": [{"visits": 1}, {"visits": {"$ne": 1}}]}, TYPES) == Condition()
    same = {"$or": [{"new": True, "visits": 1}, {"new": True, "visits": 2}]}
    assert parse(same, TYPES) == parse({"new": True, "visits": {"$in": [1, 2]}}, TYPES)


def test_negations_are_pushed_down() -> None:
    assert parse({"$nor": [{"visits": 1}, {"new": True}]}, TYPES) == parse(
        {"visits": {"$not": 1}, "new": {"$ne": True}}, TYPES
    )
    assert only({"$not": {"visits": {"$gt": 3}}}) == only({"visits": {"$lte": 3}})
    assert len(parse({"visits": {"$not": {"$gte": 3, "$lt": 9}}}, TYPES).clauses) == 2
    assert parse({"$not": {"$not": {"visits": 3}}}, TYPES) == parse({"visits": 3}, TYPES)
    assert parse({"$nor": []}, TYPES).impossible
    assert parse({"$nor": []}, TYPES).contradictions == ()


def test_what_cannot_be_looked_up_becomes_a_predicate() -> None:
    assert clauses({"geo.country": {"$regex": "^D"}, "visits": {"$gt": 3}}) == [
        ({"visits": only({"visits": {"$gt": 3}})}, [('{"geo.country":{"$regex":"^D"}}', True)])
    ]
    assert clauses({"$not": {"tags": {"$all": ["a"]}}}) == [({}, [('{"tags":{"$all":["a"]}}', False)])]
    both = {"geo.country": {"$regex": "^D"}, "$not": {"geo.country": {"$regex": "^D"}}}
    assert parse(both, TYPES).contradictions == ("geo.country",)


def test_too_many_alternatives_become_one_predicate() -> None:
    few = [{"visits": n, "new": True, "geo.country": f"{n}"} for n in range(16)]
    many = [*few, {"visits": 17, "new": False, "geo.country": "x"}]
    assert len(parse({"$or": few}, TYPES).clauses) == 16
    ((constraints, literals),) = clauses({"$or": many, "device.type": "mobile"})
    assert (list(constraints), len(literals)) == (["device.type"], 1)
    product = {"$and": [{"$or": few}, {"$or": [{"new": True}, {"visits": {"$gt": 9}}]}]}
    assert len(parse(product, TYPES).clauses) == 2


def test_saved_groups_are_lists() -> None:
    groups = {"staff": [1, "2", 3], "teams": ["a"]}
    (clause,) = parse({"visits": {"$inGroup": "staff"}}, TYPES, groups).clauses
    assert clause.constraints["visits"].allowed == {1.0, 3.0}
    (clause,) = parse({"visits": {"$notInGroup": "staff"}}, TYPES, groups).clauses
    assert clause.constraints["visits"].excluded == {1.0, 3.0}
    element = {"tags": {"$elemMatch": {"$not": {"$inGroup": "teams"}}}}
    (clause,) = parse(element, TYPES, groups).clauses
    assert [literal.predicate for literal in clause.literals] == [
        '{"tags":{"$elemMatch":{"$not":{"$in":["a"]}}}}'
    ]


def test_a_condition_of_too_many_parts_is_refused_once() -> None:
    ((path, code, message, _),) = problems_of({"$or": [{"visits": n} for n in range(6000)]})
    assert (code, path[0], "5000" in message) == ("size", "$or", True)

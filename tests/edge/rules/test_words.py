"""Conditions in words: exactly those that fail have something to say, with the value that was found."""

import json
from pathlib import Path
from typing import Any

import pytest

from compiler.conditions.oracle import flat
from edge.rules.evaluate import evaluate
from edge.rules.words import failure, words

VISITOR = {
    "geo.country": "FR",
    "device.type": "desktop",
    "url.path": "/film/alien",
    "visitor.visits": 2.0,
    "time.now": 1_780_000_000_000,
    "audience.vip": False,
    "tags": ["a", "b"],
}

TOLD: list[tuple[dict[str, Any], str, str]] = [
    (
        {"geo.country": {"$in": ["DE", "AT", "CH"]}},
        "geo.country is one of DE, AT, CH",
        'geo.country is "FR", not one of DE, AT, CH',
    ),
    ({"geo.country": "DE"}, 'geo.country is "DE"', 'geo.country is "FR", not "DE"'),
    ({"geo": {"country": {"$ne": "FR"}}}, 'geo.country is not "FR"',
     'geo.country is "FR", and must not be "FR"'),
    (
        {"geo.country": {"$nin": ["FR", "BE"]}},
        "geo.country is not one of FR, BE",
        'geo.country is "FR", and must not be one of FR, BE',
    ),
    (
        {"visitor.visits": {"$gte": 1, "$lt": 2}},
        "visitor.visits is at least 1 and visitor.visits is less than 2",
        "visitor.visits is 2, not less than 2",
    ),
    ({"visitor.days_since_last": {"$gt": 3}}, "visitor.days_since_last is more than 3",
     "visitor.days_since_last is missing, not more than 3"),
    ({"utm.term": {"$exists": True}}, "utm.term is there", "utm.term is missing, and must be there"),
    ({"geo.country": None}, "geo.country is missing", 'geo.country is "FR", not missing'),
    ({"audience.vip": True}, "audience.vip is true", "audience.vip is false, not true"),
    (
        {"$or": [{"geo.country": "DE"}, {"device.type": "mobile", "language": "de"}]},
        'geo.country is "DE" or (device.type is "mobile" and language is "de")',
        'none of 2 holds: geo.country is "FR", not "DE"; device.type is "desktop", not "mobile"',
    ),
    ({"$not": {"geo.country": "FR"}}, 'not (geo.country is "FR")',
     'geo.country is "FR", and must not be "FR"'),
    (
        {"$not": {"geo.country": "FR", "device.type": "desktop"}},
        'not (geo.country is "FR" and device.type is "desktop")',
        'it must not hold that geo.country is "FR" and device.type is "desktop"',
    ),
    (
        {"geo.country": {"$not": {"$in": ["FR", "BE"]}}},
        "geo.country is not one of FR, BE",
        'geo.country is "FR", and must not be one of FR, BE',
    ),
    (
        {"$nor": [{"geo.country": "DE"}, {"device.type": "desktop"}]},
        'neither geo.country is "DE" nor device.type is "desktop"',
        'device.type is "desktop", and must not be "desktop"',
    ),
    ({"url.path": {"$regex": "^/shop"}}, 'url.path is matched by "^/shop"',
     'url.path is "/film/alien", not matched by "^/shop"'),
    ({"url.path": {"$url": "/shop/**"}}, 'url.path is an address like "/shop/**"',
     'url.path is "/film/alien", not an address like "/shop/**"'),
    ({"time.now": {"$after": "2027-01-01T00:00:00Z"}}, 'time.now is at or after "2027-01-01T00:00:00Z"',
     'time.now is 2026-05-28 20:26:40 UTC, not at or after "2027-01-01T00:00:00Z"'),
    ({"tags": {"$size": {"$gt": 2}}}, "tags is a list whose length is more than 2",
     'tags is ["a", "b"], not a list whose length is more than 2'),
    ({"tags": {"$all": ["a", "c"]}}, "tags is a list with each of a, c",
     'tags is ["a", "b"], not a list with each of a, c'),
    ({"tags": {"$elemMatch": {"$eq": "c"}}}, 'tags is a list with an element that is "c"',
     'tags is ["a", "b"], not a list with an element that is "c"'),
    ({"app": {"version": {"$vgte": "1.2.0"}}}, 'app.version is version "1.2.0" or above',
     'app.version is missing, not version "1.2.0" or above'),
]  # fmt: skip


@pytest.mark.parametrize(("condition", "asked", "failed"), TOLD, ids=[asked for _, asked, _ in TOLD])
def test_the_first_part_that_fails_is_told(condition: dict[str, Any], asked: str, failed: str) -> None:
    written = flat(condition)
    assert words(written) == asked
    assert failure(written, VISITOR) == failed


def test_what_holds_has_no_failure() -> None:
    for condition, _, _ in TOLD:
        written = {"$not": flat(condition)}
        assert evaluate(written, VISITOR)
        assert failure(written, VISITOR) == ""
        assert failure({"$not": written}, VISITOR) != ""


def test_of_the_public_cases_exactly_those_that_fail_are_told(suites_dir: Path) -> None:
    cases = json.loads((suites_dir / "targeting/cases.json").read_text("utf-8"))["evalCondition"]
    assert len(cases) > 100
    wrong = [
        name
        for name, condition, visitor, holds, *groups in cases
        if (failure(condition, visitor, *groups) == "") is not holds
    ]
    assert wrong == []
    assert all(words(condition) for _, condition, *_ in cases)


def test_long_lists_and_values_are_cut() -> None:
    many = {"geo.country": {"$in": [f"c{n}" for n in range(1_000)]}, "url.path": "x" * 999}
    assert words(many).startswith(
        "geo.country is one of c0, c1, c2, c3, c4, c5, c6, c7 and 992 more and url.path"
    )
    assert len(words(many)) < 200
    assert failure({"$or": [{"utm.term": f"t{n}"} for n in range(99)]}, {}).endswith('"t7"; and 91 more')


def test_nothing_asked_is_everyone() -> None:
    assert words({}) == "everyone"
    assert failure({"$nor": []}, {}) == "it excludes everyone"

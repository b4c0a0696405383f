"""What each operator means, case by case; the public suite has the rest."""

from typing import Any

import pytest

from edge.rules.coercion import compare, to_number, to_string
from edge.rules.evaluate import OPERATORS, evaluate, holds
from edge.rules.version import padded


@pytest.mark.parametrize(
    ("wanted", "actual", "expected"),
    [
        ("8", 8, True),
        (8, "8", True),
        (8, " 0x8 ", True),
        (0, None, True),
        ("null", None, True),
        (True, "x", True),
        (False, 0, True),
        (False, None, False),
        (1, True, True),
        ([1, "a"], [1.0, "a"], True),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}, False),
        ({}, {}, True),
        ({}, None, False),
    ],
)
def test_a_plain_value_is_compared_as_javascript_does(wanted: Any, actual: Any, expected: bool) -> None:
    assert evaluate({"a": wanted}, {"a": actual}) is expected


@pytest.mark.parametrize(
    ("operator", "operand", "actual", "expected"),
    [
        ("$eq", 1, True, False),
        ("$eq", 1, "1", False),
        ("$ne", 1, None, True),
        ("$gt", -10, None, True),
        ("$gt", 0, None, False),
        ("$lt", 5, "x", False),
        ("$gte", "a", None, False),
        ("$gt", "\uffff", "\U00010000", False),
        ("$in", [1], True, False),
        ("$in", [None], None, True),
        ("$in", "abc", "a", False),
        ("$nin", "abc", "z", False),
        ("$in", [["a"]], [["a"]], False),
        ("$notRegex", "a", "b", True),
        ("$notRegex", "a", None, True),
        ("$notRegexi", "A", "a", False),
        ("$notRegex", "(", "a", False),
        ("$regex", ".*", None, False),
        ("$regex", "^12", 123, True),
        ("$elemMatch", {"$lt": 1}, [0], False),
        ("$elemMatch", {"$or": [{"a": 1}]}, [{"a": 1}], False),
        ("$elemMatch", {"a": 1}, [{"a": 1}], True),
        ("$all", [], [], True),
        ("$alli", ["a"], [None], False),
        ("$size", 1, "a", False),
        ("$vgt", "0", None, False),
        ("$vgte", "0", None, True),
        ("$veq", 1, "1", True),
        ("$type", "array", [1], True),
        ("$exists", 0, None, True),
        ("$not", 3, 4, True),
        ("$nothing", 1, 1, False),
        ("$cidr", "10.0.0.0/8", "10.2.3.4", True),
        ("$cidr", ["10.0.0.0/8", "2001:db8::/32"], "2001:db8::1", True),
        ("$cidr", "192.0.2.0/24", "::ffff:192.0.2.9", True),
        ("$cidr", "10.0.0.0/8", "2001:db8::1", False),
        ("$cidr", "10.0.0.0/8", "ten", False),
        ("$cidr", "10.0.0.0/8", 10, False),
        ("$before", "2026-05-01T00:00:00+02:00", 1777586399999, True),
        ("$before", "2026-05-01T00:00:00+02:00", 1777586400000, False),
        ("$after", "2026-05-01T00:00:00+02:00", 1777586400000, True),
        ("$after", "1960-01-01T00:00:00Z", None, False),
        ("$after", "1960-01-01T00:00:00Z", "5", False),
    ],
)
def test_operators(operator: str, operand: Any, actual: Any, expected: bool) -> None:
    assert holds(operator, actual, operand) is expected


@pytest.mark.parametrize(
    ("pattern", "url", "expected"),
    [
        ("/film/:id", "/film/7", True),
        ("/film/:id", "/film/7/", True),
        ("/film/:id", "/film/", False),
        ("/film/:id", "/film/7/cast", False),
        ("/film/*", "/film/", False),
        ("/film/*-*", "/film/a-b-c", True),
        ("/blog/**", "/blog", True),
        ("/blog/**/comments", "/blog/2026/05/comments", True),
        ("/blog/**/comments", "/blog/2026/05", False),
        ("/**/a/**/b", "/x/a/y/a/z/b", True),
        ("/", "/", True),
        ("/", "https://example.com", True),
        ("/shop", "https://example.com/shop?x=1#top", True),
        ("/caf%C3%A9", "/caf%C3%A9", False),
        ("/café", "/caf%C3%A9", True),
        ("/shop?sort=price", "/shop?page=2&sort=price", True),
        ("/shop?sort=price", "/shop", False),
        ("/shop?utm_source=news*", "/shop?utm_source=newsletter", True),
        ("/shop?q=", "/shop?q=", True),
        ("/a", "/a" + "a" * 2000, False),
    ],
)
def test_url_patterns(pattern: str, url: str, expected: bool) -> None:
    assert holds("$url", url, pattern) is expected
    assert holds("$url", url, ["/nowhere", pattern]) is expected


def test_paths_and_lists() -> None:
    attributes = {"a": {"b": [{"c": 1}, "x"]}, "device.type": "mobile", "n": {"device.type": "no"}}
    assert evaluate({"a.b.0.c": 1, "a.b.length": 2, "device.type": "mobile"}, attributes)
    assert evaluate({"a.b.00": None, "a.b.2": None, "n.device.type": None}, attributes)


def test_saved_groups() -> None:
    groups = {"staff": [1, "2"]}
    assert evaluate({"id": {"$inGroup": "staff"}}, {"id": 1}, groups)
    assert not evaluate({"id": {"$inGroup": "staff"}}, {"id": 2}, groups)
    assert evaluate({"id": {"$notInGroup": "nobody"}}, {"id": 2}, groups)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1.0, "1"), (1e21, "1e+21"), (1e20, "100000000000000000000"), (1.5e-7, "1.5e-7"), (-0.5, "-0.5"),
        (0.000001, "0.000001"), (123.456, "123.456"), (-0.0, "0"), (10**400, "Infinity"),
    ],
)  # fmt: skip
def test_numbers_as_text(number: float, text: str) -> None:
    assert to_string(number) == text
    assert to_number(text) == number or number == 10**400


def test_values_as_text_and_numbers() -> None:
    assert to_string([1, None, "a", [2, True]]) == "1,,a,2,true"
    assert (to_string({}), to_number([]), to_number(["7"]), to_number("")) == ("[object Object]", 0, 7, 0)
    for none in ("1_000", "٣", "1e", "0x", "--1", {}, [1, 2]):
        assert to_number(none) != to_number(none)
    assert compare("a", 1) is None


def test_versions_are_padded() -> None:
    assert padded("v1.2.3+build") == "    1-    2-    3-~"
    assert padded(None) == padded("") == padded([]) == padded(0)


def test_every_operator_is_known() -> None:
    assert {"$eq", "$regex", "$url", "$inGroup"} <= OPERATORS

"""What is too large, too deep or too slow is refused soon, and the message names the limit."""

import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from compiler.conditions.check import ConditionError, parse
from compiler.problems import ERROR, MAX_MESSAGE_CHARACTERS
from compiler.workspace import WorkspaceError, read_workspace
from tests.workspaces.make import make_workspace

SOON_S = 10.0
"""Generous: what grows with the square of these sizes takes minutes."""

PATH = "rules/more.yaml"


def _condition(text: str) -> Mapping[str, str]:
    return {PATH: f"audiences:\n  broken: {text}\n"}


def _regex(pattern: str) -> Mapping[str, str]:
    return _condition(f"{{url.path: {{$regex: '{pattern}'}}}}")


def _each(form: str, count: int) -> str:
    return ", ".join(form % number for number in range(count))


def _placements(count: int) -> Mapping[str, str]:
    return {"site.yaml": f"site: films\nplacements: [{_each('p%d', count)}]\n"}


def _weekly(count: int) -> Mapping[str, str]:
    windows = _each("{from: '10:%02d'}", count)
    entry = "id: a, placement: hero, show: {content: app}"
    return {PATH: f"campaigns:\n- {{{entry}, schedule: {{weekly: [{windows}]}}}}\n"}


CASES: Mapping[str, tuple[Mapping[str, str], str, str]] = {
    "long expression": (_regex("a" * 513), "condition/pattern", "at most 512 characters"),
    "expression of many states": (_regex("(a{99}){99}"), "condition/pattern", "at most 512 states"),
    "deep expression": (_regex("(" * 60 + ")" * 60), "condition/pattern", "deeper than 50"),
    "endless repetition": (_regex("a{1,99999999}"), "condition/pattern", "more than 200 times"),
    "look-ahead": (_regex("(?=a)a"), "condition/pattern", "can't be matched in linear time"),
    "back reference": (_regex(r"(a+)\1"), "condition/pattern", "can't be matched in linear time"),
    "condition of 1 MB": (_condition('{language: "' + "x" * (1 << 20) + '"}'), "too-large", "1048576 bytes"),
    "value of almost 1 MB": (
        _condition('{language: "' + "x" * 1_000_000 + '"}'),
        "condition/size",
        "2048 are the limit",
    ),
    "value in a list": (
        _condition('{language: {$in: [de, "' + "x" * 3000 + '"]}}'),
        "condition/size",
        "2048 are the limit",
    ),
    "list of 120,000": (
        _condition(f"{{language: {{$in: [{_each('v%d', 120_000)}]}}}}"),
        "condition/size",
        "100000 are the limit",
    ),
    "60,000 networks": (
        _condition(f"{{language: {{$cidr: [{_each('10.0.%d.0/8', 40_000)}]}}}}"),
        "condition/size",
        "1000 are the limit",
    ),
    "50,000 alternatives": (
        _condition(f"{{$or: [{_each('{language: l%d}', 50_000)}]}}"),
        "condition/size",
        "more than 5000 parts",
    ),
    "100,000 alternatives": (
        _condition(f"{{$or: [{_each('{language: l%d}', 100_000)}]}}"),
        "too-large",
        "1048576 bytes",
    ),
    "deep condition": (_condition("{$not: " * 100 + "{}" + "}" * 100), "too-large", "deeper than 32 levels"),
    "deep lists": (_condition("[" * 100_000), "too-large", "deeper than 32 levels"),
    "alias": ({PATH: "audiences: &a {}\ncampaigns: *a\n"}, "yaml-alias", "anchors and aliases"),
    "billion laughs": (
        {PATH: "a: &a [x, x]\n" + "".join(f"a{n}: &a{n} [*a, *a]\n" for n in range(50))},
        "yaml-alias",
        "anchors and aliases",
    ),
    "tag that runs": (
        {PATH: "audiences: !!python/object/apply:os.system [x]\n"},
        "yaml-tag",
        "is not accepted",
    ),
    "100,000 placements": (_placements(100_000), "too-large", "at most 256"),
    "weekly windows": (_weekly(40), "too-large", "at most 32"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_what_is_too_much_is_refused_soon_with_its_limit(case: str, tmp_path: Path) -> None:
    changes, code, limit = CASES[case]
    begin = time.monotonic()
    with pytest.raises(WorkspaceError) as caught:
        read_workspace(make_workspace(tmp_path, changes))
    assert time.monotonic() - begin < SOON_S
    found = [problem for problem in caught.value.problems if problem.code == code]
    assert any(limit in f"{problem.message} {problem.hint}" for problem in found), caught.value.problems[:3]
    assert {problem.path for problem in found} <= changes.keys()
    assert all(len(str(problem)) < 3 * MAX_MESSAGE_CHARACTERS for problem in caught.value.problems)


@pytest.mark.parametrize(
    ("condition", "limit"),
    [
        ({"$or": [{"language": f"l{number}"} for number in range(100_000)]}, "more than 5000 parts"),
        ({"language": {"$in": ["de"] * 100_001}}, "100000 are the limit"),
        ({"language": "x" * (1 << 20)}, "2048 are the limit"),
    ],
    ids=["alternatives", "values", "text"],
)
def test_a_condition_that_came_as_json_is_refused_alike(condition: object, limit: str) -> None:
    with pytest.raises(ConditionError, match=limit):
        parse(condition, {"language": "string"})


@pytest.mark.parametrize(
    ("key", "name"),
    [("$not", ""), ("$and", ""), ("$or", ""), ("$not", "language"), ("a", "")],
)
def test_depth_ends_in_a_message_and_not_in_the_stack(key: str, name: str) -> None:
    condition: object = {"$eq": "de"} if name else {"language": "de"}
    for _ in range(10_000):
        condition = {key: [condition] if key in ("$and", "$or") else condition}
    with pytest.raises(ConditionError, match="deeper than 32"):
        parse({name: condition} if name else condition, {"language": "string"})


def test_alternatives_of_alternatives_do_not_multiply(tmp_path: Path) -> None:
    either = f"{{$or: [{_each('{visitor.visits: %d, visitor.new: true}', 4)}]}}"
    changes = _condition(f"{{$and: [{', '.join([either] * 60)}]}}")
    begin = time.monotonic()
    read_workspace(make_workspace(tmp_path, changes))
    assert time.monotonic() - begin < SOON_S


def test_thousands_of_misspelt_names_are_told_soon(tmp_path: Path) -> None:
    audiences = "".join(f"  audience-number-{n}: {{language: de}}\n" for n in range(3_000))
    show = "placement: hero, show: {content: app}"
    campaigns = "".join(f"- {{id: c{n}, audience: audience-numbr-{n}, {show}}}\n" for n in range(150))
    begin = time.monotonic()
    with pytest.raises(WorkspaceError) as caught:
        read_workspace(make_workspace(tmp_path, {PATH: f"audiences:\n{audiences}campaigns:\n{campaigns}"}))
    assert time.monotonic() - begin < SOON_S
    errors = [problem for problem in caught.value.problems if problem.severity == ERROR]
    assert len(errors) == 150
    assert {problem.hint.split("-")[0] for problem in errors} == {"did you mean 'audience"}


def test_what_is_large_and_within_the_limits_is_accepted(tmp_path: Path) -> None:
    patterns = ("(a+)+$", "(a|a)*b", "(x+x+)+y")
    conditions = [f"url.path: {{$regex: '{pattern}'}}" for pattern in patterns]
    conditions.append(f"language: {{$in: [{_each('v%d', 50_000)}]}}")
    conditions.append(f"$or: [{_each('{visitor.last_item: l%d}', 4_000)}]")
    text = "audiences:\n" + "".join(f"  a{n}: {{{text}}}\n" for n, text in enumerate(conditions))
    begin = time.monotonic()
    assert len(read_workspace(make_workspace(tmp_path, {PATH: text})).audiences) == 5 + 2
    assert time.monotonic() - begin < SOON_S

"""Values as people write them: mistakes are told where they are, and what is doubtful is doubted."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from compiler.types import Worth
from compiler.workspace import WorkspaceError, read_workspace
from tests.workspaces.make import FILES, make_workspace

BEST = FILES["site.yaml"].replace("[hero,", "[{name: hero, choose: best},")


def campaign(value: str, id_: str = "c", placement: str = "hero", more: str = "") -> str:
    return (
        f"  - id: {id_}\n    placement: {placement}\n    value: {value}\n    show: {{content: app}}\n{more}"
    )


def rules(*campaigns: str) -> Mapping[str, str | None]:
    text = "campaigns:\n" + "".join(campaigns)
    return {
        "site.yaml": BEST,
        "rules/more.yaml": text,
        "rules/campaigns.yaml": None,
        "rules/audiences.yaml": None,
    }


MISTAKES: Mapping[str, tuple[str, int, str]] = {
    "text": ("much", 4, "wrong-type"),
    "true": ("true", 4, "wrong-type"),
    "too much": ("1000001", 4, "bad-value"),
    "too fine": ("0.0001", 4, "bad-value"),
    "a list": ("[1, 2]", 4, "wrong-type"),
    "unknown key": ("{bas: 1}", 4, "unknown-key"),
    "base is text": ("{base: one}", 4, "wrong-type"),
    "base too fine": ("\n      plus: {visitor.visits: 1}\n      base: 0.12345", 6, "bad-value"),
    "plus is a number": ("{plus: 1}", 4, "wrong-type"),
    "unknown attribute": ("\n      plus:\n        visitor.visists: 1", 6, "unknown-name"),
    "a text's attribute": ("{plus: {device.type: 1}}", 4, "unknown-name"),
    "weight is text": ("{plus: {visitor.visits: often}}", 4, "wrong-type"),
    "weight of millions": ("{plus: {visitor.visits: 1.0e+7}}", 4, "bad-value"),
    "weight too fine": ("{plus: {visitor.visits: 0.0005}}", 4, "bad-value"),
    "too many": ("{plus: {" + ", ".join(f"n.a{n}: 1" for n in range(9)) + "}}", 4, "too-large"),
}  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES)
def test_a_mistake_is_told_where_it_is(case: str, tmp_path: Path) -> None:
    value, line, code = MISTAKES[case]
    numbers = "".join(f"  n.a{n}: {{type: number, source: 'query:a{n}'}}\n" for n in range(9))
    site = BEST.replace("attributes:\n", f"attributes:\n{numbers}")
    with pytest.raises(WorkspaceError) as caught:
        read_workspace(make_workspace(tmp_path, {**rules(campaign(value)), "site.yaml": site}))
    told = [problem for problem in caught.value.problems if problem.severity == "error"]
    assert [(problem.line, problem.code) for problem in told] == [(line, code)], told
    assert told[0].hint


def test_the_nearest_attribute_is_offered(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError, match=r"did you mean 'visitor.visits'\?"):
        read_workspace(make_workspace(tmp_path, rules(campaign("{plus: {visitor.visists: 1}}"))))


def test_a_placement_that_chooses_otherwise(tmp_path: Path) -> None:
    site = BEST.replace("choose: best", "choose: bets")
    with pytest.raises(
        WorkspaceError, match=r"site.yaml:2: error \[bad-value\] .* \(did you mean 'best'\?\)"
    ):
        read_workspace(make_workspace(tmp_path, {"site.yaml": site}))
    first = BEST.replace("choose: best", "choose: first")
    assert read_workspace(make_workspace(tmp_path / "first", {"site.yaml": first})).site.best == frozenset()


def test_too_many_ways_to_count(tmp_path: Path) -> None:
    ways = [campaign(f"{{plus: {{visitor.visits: {n}}}}}", f"c{n}") for n in range(1, 66)]
    with pytest.raises(
        WorkspaceError, match=r"site.yaml:2: .* 'hero' count their values in 65 ways \(at most 64"
    ):
        read_workspace(make_workspace(tmp_path / "65", rules(*ways)))
    # Other bases are no other way.
    more = [campaign(f"{{base: {n}, plus: {{visitor.visits: 7}}}}", f"d{n}") for n in range(9)]
    assert read_workspace(make_workspace(tmp_path / "64", rules(*ways[1:], *more)))


def test_what_is_read(tmp_path: Path) -> None:
    written = [
        "2",
        "-0.5",
        "{base: 1.25, plus: {visitor.visits: 2, visitor.new: -0.001, visitor.items: 0}}",
        "{}",
    ]
    found = read_workspace(
        make_workspace(tmp_path, rules(*(campaign(v, f"c{n}") for n, v in enumerate(written))))
    )
    assert [one.worth for one in found.campaigns] == [
        Worth(2000),
        Worth(-500),
        Worth(1250, (("visitor.new", -1), ("visitor.visits", 2000))),
        Worth(0),
    ]


def warned(folder: Path, changes: Mapping[str, str | None], code: str) -> list[str]:
    found = read_workspace(make_workspace(folder, changes)).warnings
    return [
        f"{problem.line}: {problem.message} ({problem.hint})" for problem in found if problem.code == code
    ]


def test_a_value_that_is_missing_or_in_vain(tmp_path: Path) -> None:
    missing = rules(campaign("1").replace("    value: 1\n", ""))
    (told,) = warned(tmp_path / "missing", missing, "value")
    assert told.startswith("2: campaign 'c' has no value, so that it counts as 0 in 'hero' (add `value: 0`")
    (told,) = warned(tmp_path / "vain", rules(campaign("1", placement="trending")), "value")
    assert told.startswith("2: campaign 'c' has a value, and no placement of it shows the best")
    assert warned(tmp_path / "both", rules(campaign("1", placement="[trending, hero]")), "value") == []


def test_a_campaign_that_is_always_worth_less_never_shows(tmp_path: Path) -> None:
    weak, strong = campaign("1", "weak", more="    priority: 9\n"), campaign("3", "strong")
    (told,) = warned(tmp_path / "a", rules(weak, strong), "shadowed")
    assert "'weak' never shows in 'hero'" in told
    assert "is stronger (value 3) (raise its value above 3, narrow whom" in told
    (told,) = warned(tmp_path / "b", rules(campaign("3", "weak"), strong), "shadowed")
    assert "is stronger (the same value, the same priority, an earlier id)" in told
    moving = campaign("{base: 0, plus: {visitor.visits: 1}}", "moving")
    assert warned(tmp_path / "c", rules(moving, strong), "shadowed") == []
    # By priority it would be the other way round.
    first = {**rules(weak, strong), "site.yaml": FILES["site.yaml"]}
    (told,) = warned(tmp_path / "d", first, "shadowed")
    assert "'strong' never shows" in told

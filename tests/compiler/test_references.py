"""Audiences that name one another."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from compiler.workspace import Workspace, WorkspaceError, read_workspace
from tests.workspaces.make import make_workspace

CAMPAIGN = "campaigns:\n  - {id: it, audience: asked, placement: hero, show: {content: welcome}}\n"
CONTEXTS: tuple[Mapping[str, object], ...] = (
    {"geo.country": "AT", "visitor.visits": 7},
    {"geo.country": "AT", "visitor.visits": 1},
    {"geo.country": "DE", "visitor.visits": 7},
    {"geo.country": "DE", "visitor.visits": 1},
)
ALPS_AND_REGULARS = "  alps: {geo.country: {$in: [AT, CH]}}\n  regulars: {visitor.visits: {$gte: 5}}\n"


def _read(folder: Path, audiences: str, campaign: str = CAMPAIGN) -> Workspace:
    return read_workspace(make_workspace(folder, {"rules/more.yaml": f"audiences:\n{audiences}{campaign}"}))


def _problems(folder: Path, audiences: str, campaign: str = CAMPAIGN) -> list[tuple[int, str, str, str]]:
    with pytest.raises(WorkspaceError) as error:
        _read(folder, audiences, campaign)
    return [(p.line, p.code, p.message, p.hint) for p in error.value.problems if p.severity == "error"]


@pytest.mark.parametrize(
    ("asked", "meets"),
    [
        ("{$audience: alps}", [True, True, False, False]),
        ("{$audience: alps, visitor.visits: {$lt: 3}}", [False, True, False, False]),
        ("{$audience: regulars, $not: {$audience: alps}}", [False, False, True, False]),
        ("{$or: [{$audience: regulars}, {$audience: alps}]}", [True, True, True, False]),
        ("{$nor: [{$audience: regulars}, {$audience: alps}]}", [False, False, False, True]),
        ("{$and: [{$audience: regulars}], $audience: alps}", [True, False, False, False]),
        ("{$not: {$or: [{$audience: both}, {geo.country: DE}]}}", [False, True, False, False]),
    ],
)
def test_an_audience_stands_for_its_condition(tmp_path: Path, asked: str, meets: list[bool]) -> None:
    # The one that names the others stands before them.
    both = "  both: {$audience: alps, $and: [{$audience: regulars}]}\n"
    workspace = _read(tmp_path, f"  asked: {asked}\n{both}{ALPS_AND_REGULARS}")
    campaign = next(campaign for campaign in workspace.campaigns if campaign.id == "it")
    assert [campaign.meets(context) for context in CONTEXTS] == meets
    assert "unused" not in {w.code for w in workspace.warnings if "'alps'" in w.message}


def test_a_campaigns_own_condition_may_name_one(tmp_path: Path) -> None:
    campaign = CAMPAIGN.replace("audience: asked", "audience: {$audience: alps, visitor.visits: 7}")
    workspace = _read(tmp_path, ALPS_AND_REGULARS, campaign)
    found = next(campaign for campaign in workspace.campaigns if campaign.id == "it")
    assert [found.meets(context) for context in CONTEXTS] == [True, False, False, False]


def test_a_list_may_be_named(tmp_path: Path) -> None:
    site = make_workspace(tmp_path / "site").joinpath("site.yaml").read_text()
    changes = {
        "site.yaml": f"{site}audiences: {{vip: {{list: lists/vip.csv, by: visitor.id}}}}\n",
        "lists/vip.csv": f"id\n{'0' * 32}\n",
        "rules/more.yaml": f"audiences:\n  asked: {{$audience: vip, geo.country: AT}}\n{CAMPAIGN}",
    }
    workspace = read_workspace(make_workspace(tmp_path / "listed", changes))
    campaign = next(campaign for campaign in workspace.campaigns if campaign.id == "it")
    assert campaign.meets({"audience.vip": True, "geo.country": "AT"})
    assert not campaign.meets({"audience.vip": False, "geo.country": "AT"})


def test_a_circle_is_told_whole(tmp_path: Path) -> None:
    circle = "  asked: {$audience: b}\n  b: {$not: {$audience: c}}\n  c:\n    $audience: asked\n"
    (problem,) = _problems(tmp_path, circle)
    assert problem[:2] == (5, "circle")
    assert "asked -> b -> c -> asked" in problem[2]


def test_itself(tmp_path: Path) -> None:
    (problem,) = _problems(tmp_path, "  asked: {$audience: asked}\n")
    assert problem[:2] == (2, "circle")


def test_a_misspelt_name_has_a_hint_on_its_line(tmp_path: Path) -> None:
    (problem,) = _problems(tmp_path, f"  asked:\n    $or:\n      - $audience: alp\n{ALPS_AND_REGULARS}")
    assert problem[:2] == (4, "unknown-name")
    assert "unknown audience 'alp'" in problem[2]
    assert "'alps'" in problem[3]


@pytest.mark.parametrize("name", ["[alps, regulars]", "{alps: true}", "7", "null"])
def test_only_a_name_is_a_name(tmp_path: Path, name: str) -> None:
    found = _problems(tmp_path, f"  asked: {{$audience: {name}}}\n{ALPS_AND_REGULARS}")
    assert [problem[:2] for problem in found] == [(2, "bad-value")]


def test_one_that_can_not_be_read_is_told_once(tmp_path: Path) -> None:
    found = _problems(tmp_path, "  asked: {$audience: broken}\n  broken: {geo.country: 7}\n")
    assert [problem[0] for problem in found] == [3]


def test_names_of_names_do_not_explode(tmp_path: Path) -> None:
    lines = ["  a0: {geo.country: AT}\n"]
    lines += [f"  a{n}: {{$and: [{{$audience: a{n - 1}}}, {{$audience: a{n - 1}}}]}}\n" for n in range(1, 60)]
    found = _problems(tmp_path, "".join(lines) + "  asked: {$audience: a59}\n")
    assert any("parts" in problem[2] or "deeper" in problem[2] for problem in found)

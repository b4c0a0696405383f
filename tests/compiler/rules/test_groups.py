"""Saved groups: conditions find them by name, in any file, and mistakes are told where they are."""

from pathlib import Path

import pytest

from compiler.rules.groups import MAX_GROUP_VALUES
from compiler.rules.walk import Walk
from compiler.workspace import WorkspaceError, read_workspace
from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from edge.decide.types import Context
from tests.workspaces.make import SITE, make_bundle, make_workspace

RULES = """\
audiences:
  neighbours: {geo.country: {$inGroup: dach, $nin: [AT]}}
  strangers: {geo.country: {$notInGroup: dach, $exists: true}}
campaigns:
  - {id: near, audience: neighbours, placement: hero, priority: 90, show: {content: app}}
  - {id: far, audience: strangers, placement: hero, priority: 80, show: {content: summer}}
  - id: often
    audience: {visitor.visits: {$inGroup: dach}}
    placement: hero
    priority: 95
    show: {content: app}
"""
GROUPS = "groups:\n  dach: [AT, DE, CH, 7]\n"


def test_conditions_ask_for_a_group_of_another_file(tmp_path: Path) -> None:
    folder = make_bundle(tmp_path, {"rules/a.yaml": RULES, "rules/groups.yaml": GROUPS})
    engine, workspace = Engine.load(open_bundle(folder, SITE)), read_workspace(tmp_path / "workspace")
    assert [problem for problem in workspace.warnings if problem.path != "rules/campaigns.yaml"] == []
    walk = Walk(workspace)
    expected = {"DE": "near", "CH": "near", "AT": "welcome", "FR": "far"}
    for country, winner in expected.items():
        context = Context(0, 0, "full", {"geo.country": country}, (), ("hero",))
        assert engine.winners(context) == {"hero": winner}
        assert walk.won({"geo.country": country})[0] == (winner, "")
    # Of a group only the values of the attribute's type count.
    context = Context(0, 0, "full", {"visitor.visits": 7}, (), ("hero",))
    assert engine.winners(context) == {"hero": "often"}


def problems(folder: Path, rules: str) -> list[str]:
    try:
        found = read_workspace(make_workspace(folder, {"rules/a.yaml": rules})).warnings
    except WorkspaceError as error:
        found = error.problems
    return [str(problem) for problem in found if problem.path == "rules/a.yaml"]


def test_an_unknown_group_is_told_with_the_nearest_name(tmp_path: Path) -> None:
    misspelt = RULES.replace("{$notInGroup: dach", "{$notInGroup: dahc")
    (found,) = [line for line in problems(tmp_path / "a", GROUPS + misspelt) if "group" in line]
    assert found.startswith("rules/a.yaml:5: error [condition/group] audience 'strangers'")
    assert found.endswith("(did you mean dach?)")
    found = "\n".join(problems(tmp_path / "b", RULES))
    assert "write its values under `groups` in rules/*.yaml" in found


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ("groups:\n  dach: AT\n", "rules/a.yaml:2: error [wrong-type] group 'dach' is text, not a list"),
        (
            "groups:\n  dach:\n  - AT\n  - [DE]\n",
            "rules/a.yaml:4: error [wrong-type] group 'dach' holds a list",
        ),
        ("groups: [AT]\n", "rules/a.yaml:1: error [wrong-type] the file has a list as 'groups'"),
        ("groups:\n  D A: [AT]\n", "rules/a.yaml:2: error [bad-id] 'D A' can't be the name of a group"),
    ],
)
def test_a_group_that_can_not_be_read(groups: str, said: str, tmp_path: Path) -> None:
    (found,) = problems(tmp_path, groups)
    assert found.startswith(said)


def test_a_large_group_is_sent_to_the_lists(tmp_path: Path) -> None:
    values = ", ".join(f"c{number}" for number in range(MAX_GROUP_VALUES + 1))
    told = problems(tmp_path, f"groups:\n  dach: [{values}]\n" + RULES)
    (found,) = [line for line in told if "error" in line]
    assert "has 10,001 values" in found
    assert "as an audience that is a list" in found


def test_a_group_twice_and_one_that_nobody_names(tmp_path: Path) -> None:
    files = {"rules/a.yaml": RULES + GROUPS, "rules/b.yaml": "groups:\n  dach: [LI]\n"}
    with pytest.raises(
        WorkspaceError, match=r"rules/b.yaml:2: error \[duplicate-id\] group 'dach' is also on"
    ):
        read_workspace(make_workspace(tmp_path / "twice", files))
    (found,) = problems(tmp_path / "unused", GROUPS)
    assert found.startswith("rules/a.yaml:2: warning [unused] no condition names the group 'dach'")

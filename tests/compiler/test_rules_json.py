"""Rules may be written as JSON: the same means the same, and mistakes are told on their line."""

import json
from pathlib import Path

import pytest
import yaml

from compiler.problems import WorkspaceError
from compiler.workspace import read_workspace
from tests.workspaces.make import FILES, make_workspace

RULES = yaml.safe_load(FILES["rules/campaigns.yaml"])


@pytest.mark.parametrize("indent", [None, 2, "\t"])
def test_json_says_what_yaml_says(indent: int | str | None, tmp_path: Path) -> None:
    plain = read_workspace(make_workspace(tmp_path / "yaml", {}))
    made = make_workspace(tmp_path / "json", {"rules/campaigns.json": json.dumps(RULES, indent=indent)})
    (made / "rules/campaigns.yaml").unlink()
    found = read_workspace(made)
    assert [(c.id, c.written, c.show) for c in found.campaigns] == [
        (c.id, c.written, c.show) for c in plain.campaigns
    ]
    assert found.warnings == plain.warnings


def test_a_mistake_in_json_has_its_line(tmp_path: Path) -> None:
    text = json.dumps(
        {"campaigns": [{"id": "a", "placement": "heroo", "show": {"content": "app"}}]}, indent=1
    )
    with pytest.raises(WorkspaceError) as error:
        read_workspace(make_workspace(tmp_path, {"rules/more.json": text}))
    (problem,) = error.value.problems
    assert (problem.path, problem.line, problem.code) == ("rules/more.json", 5, "unknown-name")

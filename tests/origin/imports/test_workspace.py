"""`nearside import growthbook` writes files that a workspace takes, and none over another."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from compiler.workspace import read_workspace
from edge.errors import ConfigError
from origin.commands.root import app

PAYLOAD = {
    "features": {
        "hero": {
            "defaultValue": "plain",
            "rules": [
                {"condition": {"deviceType": "mobile"}, "variations": ["plain", "warm"], "coverage": 0.5},
                {"force": 1, "parentConditions": [{"id": "x", "condition": {"value": 1}}]},
            ],
        }
    }
}

BROKEN = (
    '{"features": 3}',
    '{"features": {"a": []}}',
    '{"features": {"a": {"rules": {"force": 1}}}}',
    '{"features": {"a": {"rules": [3]}}}',
    '{"experiments": [{"key": "a", "variations": 2}]}',
    '{"experiments": [{"key": "a", "variations": [0, 1], "namespace": ["n"]}]}',
    '{"experiments": [{"key": "a", "variations": [0, 1], "weights": ["a", "b"]}]}',
    '{"features": {}, "savedGroups": {"vips": 3}}',
    '{"features": {"a": {"defaultValue": ' + "[" * 500 + "]" * 500 + "}}}",
)
"""What is JSON, and is not shaped as it should be."""


def run(*arguments: object) -> str:
    result = CliRunner().invoke(app, ["import", "growthbook", *map(str, arguments)])
    if isinstance(result.exception, ConfigError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def payload(tmp_path: Path) -> Path:
    """What an SDK endpoint sends."""
    (tmp_path / "features.json").write_text(json.dumps(PAYLOAD), encoding="utf-8")
    return tmp_path / "features.json"


def test_a_folder_of_its_own_is_a_workspace(payload: Path, tmp_path: Path) -> None:
    told = run(payload, "-o", tmp_path / "new", "--site", "shop")
    assert "rules/growthbook.yaml: 2 campaigns, 1 experiment, 2 contents\n" in told
    assert "left out: feature 'hero', rule 2: it has prerequisites, which have no counterpart here\n" in told
    found = read_workspace(tmp_path / "new")
    assert (found.site.name, found.site.placements) == ("shop", ("hero",))
    assert [campaign.id for campaign in found.campaigns] == ["hero-1", "hero-default"]
    assert [problem for problem in found.warnings if problem.code != "unused"] == []
    with pytest.raises(ConfigError, match="is there"):
        run(payload, "-o", tmp_path / "new")


def test_a_workspace_is_told_what_its_site_lacks(payload: Path, tmp_path: Path) -> None:
    (tmp_path / "site.yaml").write_text("site: films\nplacements: [hero]\n", encoding="utf-8")
    told = run(payload, "-o", tmp_path)
    assert f"add to the placements of {tmp_path / 'site.yaml'}: hero\n" in told
    assert "device_type: {type: string, source: …}" in told
    assert (tmp_path / "site.yaml").read_text() == "site: films\nplacements: [hero]\n"


@pytest.mark.parametrize("text", ["", "{", "[]", *BROKEN, '{"status": 404}', "\x80", "[" * 100_000])
def test_what_is_no_payload_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigError, match="import"):
        run(tmp_path / "a.json", "-o", tmp_path / "new")
    with pytest.raises(ConfigError, match="import"):
        run(tmp_path / "none.json", "-o", tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "condition",
    [
        {"$and": 3},
        {"$or": [3]},
        {"$not": []},
        {"a": {"$inGroup": {}}},
        {"a": {"$elemMatch": 3}},
        {"a": {"$regex": "("}},
        {"a": {"$nope": 1}},
        {"$nor": {"a": 1}},
    ],
)
def test_a_condition_that_cannot_be_read_leaves_its_rule_out(condition: object, tmp_path: Path) -> None:
    rules = [{"condition": condition, "force": "x"}, {"condition": {"b": "c"}, "force": "y"}]
    payload = {"features": {"hero": {"rules": rules}}}
    (tmp_path / "a.json").write_text(json.dumps(payload), encoding="utf-8")
    told = run(tmp_path / "a.json", "-o", tmp_path / "new")
    assert "left out: feature 'hero', rule 1: its condition can't be read: " in told
    assert [campaign.id for campaign in read_workspace(tmp_path / "new").campaigns] == ["hero-2"]


def test_an_empty_default_is_left_out(tmp_path: Path) -> None:
    payload = {"features": {"hero": {"defaultValue": "", "rules": [{"force": "x"}]}}}
    (tmp_path / "a.json").write_text(json.dumps(payload), encoding="utf-8")
    told = run(tmp_path / "a.json", "-o", tmp_path / "new")
    assert "left out: feature 'hero', its default: a value is an empty text" in told
    assert [campaign.id for campaign in read_workspace(tmp_path / "new").campaigns] == ["hero-1"]

"""`validate` says everything before anything is trained; `init` and `schema` on the command line."""

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from origin.commands.root import app
from tests.workspaces.make import make_workspace

BAD_MODELS = {
    "models/popular.yaml": "recipe: popularity\ninteractions: interactions.csv\n"
    "half_life_days: soon\nhalf_live: 3\n",
    "models/taste.yaml": "interactions: interactions.csv\nrecipe: eas\nregularization: 1\n",
}


def _run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_recipes_and_settings_are_checked_each_on_its_line(tmp_path: Path) -> None:
    done = _run("validate", make_workspace(tmp_path, BAD_MODELS))
    assert done.exit_code == 1
    lines = done.stderr.splitlines()
    assert "models/popular.yaml:3: error [bad-value] model 'popular' can't be trained" in lines[0]
    assert "models/popular.yaml:4: error [unknown-key]" in lines[1]
    assert lines[1].endswith("(did you mean 'half_life_days'?)")
    assert "models/taste.yaml:2: error [unknown-name]" in lines[2]
    assert lines[2].endswith("(did you mean 'ease'?)")
    assert lines[3:] == ["error: 3 problems"]


@pytest.mark.parametrize("command", ["train", "compile"])
def test_the_other_commands_say_the_same(command: str, tmp_path: Path) -> None:
    folder = make_workspace(tmp_path / "w", BAD_MODELS)
    options = ["-o", tmp_path / "b"] if command == "compile" else []
    assert _run(command, folder, *options).stderr == _run("validate", folder).stderr


def test_json_holds_every_problem_for_editors(tmp_path: Path) -> None:
    done = _run("validate", make_workspace(tmp_path, BAD_MODELS), "--json")
    assert done.exit_code == 1
    document = json.loads(done.stdout)
    assert (document["workspace"], document["errors"], document["warnings"]) == (str(tmp_path), 3, 0)
    first = document["problems"][0]
    assert set(first) == {"path", "line", "code", "message", "hint", "severity"}
    assert (first["path"], first["line"], first["code"]) == ("models/popular.yaml", 3, "bad-value")


def test_warnings_alone_are_exit_code_0(tmp_path: Path) -> None:
    changes = {
        "rules/more.yaml": "audiences:\n  forgotten: {device.type: tablet}\n",
        "models/spare.yaml": "recipe: popularity\ninteractions: interactions.csv\n",
    }
    folder = make_workspace(tmp_path, changes)
    day = ("--today", "2026-07-01")
    done = _run("validate", folder, *day)
    assert done.exit_code == 0
    assert "models/spare.yaml: warning [unused] no campaign uses model 'spare'" in done.stderr
    assert "rules/more.yaml:2: warning [unused] no campaign is for the audience 'forgotten'" in done.stderr
    document = json.loads(_run("validate", folder, "--json", *day).stdout)
    assert (document["errors"], document["warnings"]) == (0, 2)


def test_what_is_over_depends_on_the_day(tmp_path: Path) -> None:
    folder = make_workspace(tmp_path)
    before, after = (_run("validate", folder, "--today", day).stderr for day in ("2026-07-01", "2026-11-01"))
    assert "[past]" not in before
    assert "warning [past] campaign 'alpine-summer' is over" in after


def test_no_folder_is_said_with_the_remedy(tmp_path: Path) -> None:
    done = _run("validate", tmp_path / "nowhere")
    assert done.exit_code == 1
    assert "nearside init" in done.stderr
    assert json.loads(_run("validate", tmp_path / "nowhere", "--json").stdout)["errors"] == 1


def test_init_says_what_to_type_next_and_refuses_a_second_time(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    done = _run("init", folder, "--template", "news")
    assert done.exit_code == 0
    assert f"\n  nearside train {folder}\n" in done.stdout
    assert done.stdout.count("\n  nearside ") == 3
    assert _run("validate", folder).stdout == f"{folder} is fine: 8 campaigns, 30 items\n"
    again = _run("init", folder)
    assert again.exit_code == 1
    assert "is not empty; nothing was written" in again.stderr


def test_schema_prints_one_or_all_and_writes_files(tmp_path: Path) -> None:
    every = json.loads(_run("schema").stdout)
    assert list(every) == ["site", "rules", "model", "recommender", "features"]
    assert json.loads(_run("schema", "rules").stdout) == every["rules"]
    assert _run("schema", "-o", tmp_path / "s").exit_code == 0
    assert {file.name for file in (tmp_path / "s").iterdir()} == {f"{name}.json" for name in every}
    assert json.loads((tmp_path / "s/model.json").read_text(encoding="utf-8")) == every["model"]
    wrong = _run("schema", "rule")
    assert wrong.exit_code == 2
    assert "site, rules, model, recommender, features" in wrong.stderr

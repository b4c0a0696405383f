"""What a stranger gets wrong first, and what the commands then say."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from origin import cli
from origin.explain.counted import counted
from tests.origin.world import Keys
from tests.workspaces.make import make_workspace

Say = Callable[..., str]

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run `nearside`, which must fail; what it says, without any output before."""

    def call(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["nearside", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        printed = capsys.readouterr()
        assert exit_.value.code == 1
        assert not printed.out
        assert "Traceback" not in printed.err
        return printed.err

    return call


def test_the_version_is_told(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["nearside", "--version"])
    with pytest.raises(SystemExit) as exit_:
        cli.main()
    assert exit_.value.code == 0
    assert capsys.readouterr().out.startswith("nearside 0.")


@pytest.mark.parametrize(
    "command",
    [
        ("inspect", "{}"),
        ("decide", "{}", "--context", "any.json"),
        ("diff", "{}", "other"),
        ("replay", "{}", "log"),
    ],
    ids=lambda command: command[0],
)
def test_what_is_no_bundle_is_told_with_how_to_make_one(
    said: Say, tmp_path: Path, command: tuple[str, ...]
) -> None:
    def told(path: Path) -> str:
        return said(*(argument.format(path) for argument in command))

    make = "make one with `nearside compile WORKSPACE -o BUNDLE`"
    assert f"{tmp_path} is no bundle; {make}" in told(tmp_path)
    assert f"{tmp_path / 'gone'} is not there, so it is no bundle; {make}" in told(tmp_path / "gone")
    workspace = make_workspace(tmp_path / "films")
    assert f"nearside compile {workspace} -o {workspace}.bundle" in told(workspace)


def test_a_log_that_is_not_there_is_told(said: Say, bundle: Path, tmp_path: Path) -> None:
    assert f"{tmp_path / 'gone'} is not there" in said("replay", bundle, tmp_path / "gone")


@pytest.mark.parametrize("given", ["edge", "origin"])
def test_another_key_file_is_told_by_name(said: Say, keys: Keys, given: str) -> None:
    err = said("revisions", "--origin", NOWHERE, "--keys", keys.folder / f"{given}.json")
    assert f"is {given}.json, and this needs publisher.json" in err
    err = said("force", "words", "warm", "--keys", keys.folder / "publisher.json")
    assert "is publisher.json, and this needs edge.json" in err
    assert "is publisher.json, and this needs origin.json" in said(
        "origin", "--keys", keys.folder / "publisher.json"
    )


def test_a_report_of_no_origin_says_so(said: Say, tmp_path: Path) -> None:
    assert "it is not there; name the folder" in said("report", tmp_path / "gone")
    assert "it has no origin.db; name the folder" in said("report", tmp_path)


def test_a_folder_that_is_no_workspace_is_told_how_to_become_one(said: Say, tmp_path: Path) -> None:
    assert "make a workspace with `nearside init DIR`" in said("validate", tmp_path)
    assert "make one with `nearside init`" in said("validate", tmp_path / "gone")
    (tmp_path / "site.yaml").touch()
    assert "is a file, not a workspace (name the folder it is in)" in said("validate", tmp_path / "site.yaml")


@pytest.mark.parametrize(
    "command",
    [("schema", "-o", "{}"), ("init", "{}"), ("keys", "new", "{}", "--site", "films")],
    ids=lambda command: command[0],
)
def test_a_place_that_can_not_be_written_is_told(said: Say, tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "file").touch()
    place = tmp_path / "file" / "new"
    assert "Not a directory" in said(*(argument.format(place) for argument in command))


def test_a_port_that_there_is_not_is_told(said: Say, keys: Keys, tmp_path: Path) -> None:
    given = ("--keys", keys.folder / "origin.json", "--data", tmp_path / "data")
    assert "the port is above 65535" in said("origin", *given, "--listen", "127.0.0.1:99999")


def test_a_model_that_is_not_there_is_told_with_the_nearest(said: Say, tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "films")
    assert "there is no model 'tase' (did you mean 'taste'?)" in said("train", workspace, "tase")


def test_a_content_that_is_not_there_is_told_with_the_file_to_write(said: Say, tmp_path: Path) -> None:
    rules = make_workspace(tmp_path) / "rules/campaigns.yaml"
    rules.write_text(rules.read_text().replace("content: app", "content: spring-sale"))
    assert "write content/spring-sale.html; known: app, summer, welcome" in said("validate", tmp_path)
    rules.write_text(rules.read_text().replace("content: spring-sale", "content: ap"))
    assert "did you mean 'app'?" in said("validate", tmp_path)


def test_publishing_where_it_can_not_is_told_before_anything_else(
    *, said: Say, served: str, keys: Keys, bundle: Path, tmp_path: Path
) -> None:
    publisher = keys.folder / "publisher.json"
    assert "did not answer" in said("publish", bundle, "--origin", NOWHERE, "--keys", publisher)
    document = json.loads(publisher.read_text())
    other = tmp_path / "other.json"
    other.write_text(json.dumps({**document, "publish_token": "another"}))
    # A workspace without trained models: what can't be compiled is not looked at yet.
    workspace = make_workspace(tmp_path / "films")
    assert "wrong-token" in said("publish", workspace, "--origin", served, "--keys", other)


def test_one_is_told_as_one() -> None:
    assert [counted(count, "visitor") for count in (0, 1, 2000)] == [
        "0 visitors",
        "1 visitor",
        "2,000 visitors",
    ]
    assert counted(2, "of these", "of those") == "2 of those"


def test_a_misspelt_kill_is_done_and_doubted(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    *,
    served: str,
    keys: Keys,
    bundle: Path,
) -> None:
    def run(*arguments: object) -> str:
        client = ("--origin", served, "--keys", keys.folder / "publisher.json")
        monkeypatch.setattr(sys, "argv", ["nearside", *map(str, (*arguments, *client))])
        with pytest.raises(SystemExit) as exit_:
            cli.main()
        assert exit_.value.code in {0, None}
        return capsys.readouterr().err

    run("publish", bundle)
    # The origin, which runs in this process, may log there, too.
    assert "no bundle in force" not in run("rollout", "kill", "welcome")
    assert "no bundle in force has a campaign 'welcom'; did you mean 'welcome'?" in run(
        "rollout", "kill", "welcom"
    )

"""`nearside init`: each template is a workspace without a warning; each context of it shows something."""

import json
import shlex
from pathlib import Path

import pytest

from compiler.build import compile_workspace
from compiler.init import FIRST_CONTEXT, init_workspace, next_commands, schema_text, template_names
from compiler.templates.invent import INTERACTIONS, WORLDS, interactions
from compiler.workspace import WorkspaceError, read_workspace
from models.recipe import check_settings
from origin.explain.inspection import decide_file
from origin.training.validation import workspace_schemas
from tests.workspaces.make import train_models

SCHEMAS = workspace_schemas()


@pytest.fixture(params=template_names(), scope="module")
def template(request: pytest.FixtureRequest) -> str:
    assert isinstance(request.param, str)
    return request.param


@pytest.fixture(scope="module")
def folder(template: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("site") / template
    init_workspace(made, template, SCHEMAS)
    return made


@pytest.fixture(scope="module")
def slots(template: str, folder: Path) -> dict[str, dict[str, object]]:
    """What each context sees: by the context's name, content or items by placement."""
    workspace = read_workspace(folder)
    bundle = folder.with_name(f"{template}.bundle")
    compile_workspace(workspace, train_models(workspace), bundle)
    found = {}
    for file in sorted((folder / "contexts").glob("*.json")):
        decided = json.loads(decide_file(bundle, file))["slots"]
        found[file.stem] = {slot["placement"]: slot.get("content") or slot["items"] for slot in decided}
    return found


def test_there_are_three() -> None:
    assert template_names() == ("films", "news", "shop")


def test_nothing_is_to_be_said_against_it(folder: Path, template: str) -> None:
    workspace = read_workspace(folder, check_settings)
    assert workspace.warnings == ()
    assert workspace.site.name == template
    assert len(workspace.catalog.items) == 30
    assert len(workspace.campaigns) >= 6


def test_all_folders_are_there(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {
        *(".gitignore", ".schema", "site.yaml", "rules", "content", "catalogs", "models", "contexts", "data")
    }
    assert (folder / "catalogs/cards").is_dir()


def test_editors_find_the_schema_of_every_file(folder: Path) -> None:
    for file in folder.rglob("*.yaml"):
        first = file.read_text(encoding="utf-8").partition("\n")[0]
        mark, _, path = first.partition("=")
        assert mark == "# yaml-language-server: $schema"
        target = (file.parent / path).resolve()
        assert target.read_text(encoding="utf-8") == schema_text(SCHEMAS[target.stem])


def test_comments_teach(folder: Path) -> None:
    text = "".join(file.read_text(encoding="utf-8") for file in folder.rglob("*.yaml"))
    assert text.count("#") > 30
    assert "# Try" in text


def test_the_first_context_of_all_is_a_phone_that_sees_something(slots: dict[str, dict[str, object]]) -> None:
    assert Path(FIRST_CONTEXT).stem in slots
    assert all(slots.values())


def test_contexts_show_what_rules_can_do(template: str, slots: dict[str, dict[str, object]]) -> None:
    pages = [json.dumps(page, sort_keys=True) for page in slots.values()]
    assert len(set(pages)) == len(pages) == 3
    expected: dict[str, tuple[str, str, object]] = {
        "films": ("newsletter", "hero", "hero-space-week"),
        "shop": ("winter-sale", "banner", "banner-winter-sale"),
        "news": ("sport", "letter", "letter-sport"),
    }
    context, placement, content = expected[template]
    assert slots[context][placement] == content


def test_the_invented_visitors_can_be_invented_again(template: str, folder: Path) -> None:
    text = interactions(template)
    assert (folder / INTERACTIONS).read_text(encoding="utf-8") == text
    assert text.count("\n") == 601
    assert set(WORLDS) == set(template_names())


def _refused(folder: Path, template: str = "films") -> str:
    with pytest.raises(WorkspaceError) as caught:
        init_workspace(folder, template, SCHEMAS)
    (problem,) = caught.value.problems
    return str(problem)


def test_a_folder_that_is_not_empty_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    assert "is not empty; nothing was written" in _refused(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_fresh_repository_is_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    init_workspace(tmp_path, "shop", SCHEMAS)
    assert (tmp_path / "site.yaml").is_file()


def test_a_file_in_place_of_the_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("mine")
    assert "is no folder" in _refused(tmp_path / "x")
    assert str(tmp_path / "x") in _refused(tmp_path / "x" / "y")


def test_a_misspelt_template_is_answered_with_the_nearest(tmp_path: Path) -> None:
    assert "did you mean 'films'?" in _refused(tmp_path / "x", "flims")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("name", ["my site", ".", "a/b"])
def test_the_next_commands_can_be_typed(name: str) -> None:
    commands = [shlex.split(command) for command in next_commands(Path(name))]
    assert [command[:2] for command in commands] == [
        ["nearside", word] for word in ("train", "compile", "decide")
    ]
    assert commands[0][2] == name
    assert commands[1][-1] == commands[2][2]
    assert commands[2][-1] == str(Path(name) / FIRST_CONTEXT)

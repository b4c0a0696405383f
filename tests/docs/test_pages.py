"""docs/pages.md works as written: each page becomes what it says, each mark is left for its reason."""

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.pages.marks import SCRIPT
from edge.pages.plan import scan
from origin.commands.marks_shown import WHY
from origin.commands.root import app

TEXT = (Path(__file__).parents[2] / "docs" / "pages.md").read_text()
_EXAMPLE = re.compile(
    r"```html\n(?P<page>[^`]*)\n```\n\n(?:with a content `(?P<content>[^`]*)` )?becomes\n\n"
    r"```html\n(?P<filled>[^`]*)\n```"
)
_ROW = re.compile(r"^\| `(?P<reason>[a-z-]+)` \| `(?P<page>[^`]*)` \|", re.MULTILINE)
EXAMPLES = [found.groups() for found in _EXAMPLE.finditer(TEXT)]
LEFT = [found.groups() for found in _ROW.finditer(TEXT)]


def test_all_examples_are_found() -> None:
    assert (len(EXAMPLES), len(LEFT)) == (5, 10)


@pytest.mark.parametrize(("page", "content", "filled"), EXAMPLES)
def test_a_page_becomes_what_is_told(page: str, content: str | None, filled: str) -> None:
    plan = scan(page.encode())
    fragments = {SCRIPT: plan.script} if content is None else {"hero": content.encode()}
    assert plan.fill(fragments).decode() == filled


@pytest.mark.parametrize(("reason", "page"), LEFT)
def test_a_mark_is_left_for_the_reason_told(reason: str, page: str) -> None:
    plan = scan(page.encode())
    assert plan.page == page.encode()
    assert not plan.placements
    assert [told.rpartition(":")[2] for told in plan.left] == [reason]


def test_the_command_answers_as_told(tmp_path: Path) -> None:
    found = re.search(r"```html\n([^`]*)```\n\n```console\n\$ nearside marks page.html\n([^`]*)```", TEXT)
    assert found
    page = tmp_path / "page.html"
    page.write_text(found[1])
    done = CliRunner().invoke(app, ["marks", str(page)])
    assert (done.stdout, done.exit_code) == (found[2], 1)


def test_each_reason_has_its_words() -> None:
    assert {reason for reason, _ in LEFT} | {"too-many", "charset"} == set(WHY)

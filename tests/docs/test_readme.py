"""README's table names the commands that there are, and its links lead somewhere."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from origin.commands import app

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
DOCS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_table_names_every_command_and_no_other() -> None:
    rows = re.findall(r"^\| `nearside ([a-z]+)", README, re.M)
    assert set(rows) == set(get_command(app).commands)  # type: ignore[attr-defined]
    assert len(rows) == len(set(rows))


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text())
    assert not [link for link in links if "//" not in link and not (page.parent / link).exists()]


def test_make_has_what_the_pages_tell_to_run() -> None:
    told = {target for page in DOCS for target in re.findall(r"`make ([a-z-]+)", page.read_text())}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    assert {"demo", "test", "bench"} <= told
    assert told <= targets

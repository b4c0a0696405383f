"""README's table names the commands that there are, and its links lead somewhere."""

import re
from pathlib import Path

import pytest
from typer.main import get_command

from origin.commands.root import app

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
DOCS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_table_names_every_command_and_no_other() -> None:
    rows = re.findall(r"^\| `nearside ([a-z]+)", README, re.M)
    assert set(rows) == set(get_command(app).commands)  # type: ignore[attr-defined]
    assert len(rows) == len(set(rows))


def test_every_page_can_be_reached_from_it() -> None:
    assert [page.name for page in (ROOT / "docs").glob("*.md") if f"](docs/{page.name})" not in README] == []


def _anchors(page: Path) -> set[str]:
    """Those that GitHub gives the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.M)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", DOCS, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if "//" in link:
            continue
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        assert not anchor or target.suffix != ".md" or anchor in _anchors(target), link


def test_make_has_what_the_pages_tell_to_run() -> None:
    told = {target for page in DOCS for target in re.findall(r"`make ([a-z-]+)", page.read_text())}
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    targets |= {
        f"bench-{path.stem.removeprefix('bench_')}" for path in (ROOT / "loadtest").glob("bench_*.py")
    }
    assert {"demo", "test", "bench"} <= told
    assert told <= targets

"""The operations page names all that an operator can meet."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from edge.agent.metrics import HELP
from edge.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/operations.md").read_text()
SOURCES = {path: path.read_text() for path in (ROOT / "edge").rglob("*.py")}
RAISED = re.compile(
    r"(?:Bundle|Token|Given|Origin|Upstream|SpoolFull|Config)Error\(\s*\"([a-z-]+)\"|\"code\": \"([a-z-]+)\""
)


def raised_codes() -> set[str]:
    """Every code that the edge's source raises or reports."""
    return {code for text in SOURCES.values() for pair in RAISED.findall(text) for code in pair if code}


def documented_codes() -> set[str]:
    """Every code in the page's last table."""
    return set(re.findall(r"^\| `([a-z-]+)` \|", PAGE.partition("## Codes")[2], re.M))


def test_every_code_is_explained_and_no_other() -> None:
    raised = raised_codes()
    assert len(raised) > 40
    assert documented_codes() == raised


@pytest.mark.parametrize("setting", fields(Settings), ids=lambda field: field.name)
def test_every_setting_is_listed_with_its_default(setting) -> None:
    option = f"| `--{setting.name.replace('_', '-')}` | "
    without = "needed" if setting.name in ("origin", "upstream") else "none"
    shown = without if setting.default == "" else f"`{setting.default}`"
    assert option + shown in PAGE


def test_every_reason_of_ready_is_explained_and_no_other() -> None:
    given = set(re.findall(r'reasons\.append\("([^"]+)"\)', SOURCES[ROOT / "edge/agent/admin.py"]))
    table = PAGE.partition("`/ready` names")[2].partition("## ")[0]
    assert given
    assert set(re.findall(r"^\| `([^`]+)` \|", table, re.M)) == given


def test_every_metric_that_is_counted_has_help_and_is_listed() -> None:
    counted = {
        re.sub(r"_(sum|count)$", "", name)
        for text in SOURCES.values()
        for name in re.findall(r"nearside_[a-z_]+", text)
    } - {"nearside_"}
    assert counted >= set(HELP)
    assert not counted - set(HELP)
    assert all(f"`{name}`" in PAGE for name in HELP)

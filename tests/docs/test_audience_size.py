"""docs/audience-size.md: its example is run."""

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from origin.commands.root import app
from tests.workspaces.make import make_workspace


def test_the_example_says_what_is_shown(docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = (docs / "audience-size.md").read_text(encoding="utf-8")
    (contexts,) = re.findall(r"```jsonl\n(.*?)```", page, re.DOTALL)
    (line, told), = re.findall(r"```console\n\$ nearside ([^\n]*)\n(.*?)```", page, re.DOTALL)  # fmt: skip
    make_workspace(tmp_path / "workspace")
    (tmp_path / "contexts.jsonl").write_text(contexts, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, shlex.split(line))
    assert result.exit_code == 0, result.output
    shown = [re.sub(r"  +", "  ", row.strip()) for row in result.output.splitlines()]
    for row in told.splitlines():
        assert re.sub(r"  +", "  ", row.strip()) in shown, result.output

"""`nearside force`: what a tester demands is what the edge reads, and only there."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.errors import TokenError
from edge.events.forced import PARAMETER, Forced, ForcedBox
from edge.keys import load_keys
from origin.commands.root import app
from origin.keys import new_keys


def test_the_printed_parameter_opens_at_the_edge_of_this_site_alone(tmp_path: Path) -> None:
    new_keys(tmp_path, "films")
    keys = load_keys(tmp_path / "edge.json")
    told = CliRunner().invoke(app, ["force", "words", "warm", "--keys", str(tmp_path / "edge.json")])
    name, _, value = told.stdout.strip().partition("=")
    raw = [(key.id, key.raw()) for key in keys.event]
    forced = ForcedBox("films", raw).open(value, 0)
    assert (name, forced) == (PARAMETER, Forced("words", "warm", forced.expires_s))
    with pytest.raises(TokenError, match="force-expired"):
        ForcedBox("films", raw).open(value, forced.expires_s + 1)
    with pytest.raises(TokenError, match="another site"):
        ForcedBox("shop", raw).open(value, 0)


def test_a_keys_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["force", "words", "warm", "--keys", str(tmp_path / "none.json")])
    assert told.exit_code != 0
    assert "none.json" in str(told.exception)

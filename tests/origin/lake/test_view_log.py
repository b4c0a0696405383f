"""Views of the lake as interactions: with the context that they were made in, and nothing of later."""

from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from compiler.workspace import read_workspace
from edge.decide.types import Context, DecisionRecord, Event
from edge.errors import ConfigError
from models.data.interactions import read
from models.tables.labelled import MadeFrom
from models.tables.viewed import with_contexts
from origin.commands.root import app
from origin.lake import reader as lake
from origin.lake.tables import DECISIONS, EVENTS, to_rows, write
from origin.lake.view_log import view_table
from tests.workspaces.make import FILES as FILMS
from tests.workspaces.make import make_workspace

SITE = "films"
ANN, BOB = "0a" * 16, "0b" * 16
NOW_MS = 1_767_225_600_000
CHANGES = {
    "site.yaml": FILMS["site.yaml"]
    + "behaviours: {alien: {event: view, window: 7d, where: {item.genre: horror}}}\n",
    "features.yaml": """\
features:
  device: {attribute: device.type, one_hot: [mobile, desktop]}
  items: {attribute: visitor.items}
  horror: {attribute: behaviour.alien}
""",
}


def _decision(number: int, visitor: str, **attributes: object) -> DecisionRecord:
    named = {name.replace("_", "."): value for name, value in attributes.items()}
    context = Context(NOW_MS + number * 1000, 0, "full", msgspec.convert(named, dict), (), ())
    return DecisionRecord(f"d{number}", SITE, "pop", "b", 1, "", (), visitor, context, ())


def _view(number: int, item: str, visitor: str) -> Event:
    return Event(f"d{number}", "view", item, 0, "", visitor, NOW_MS + number * 1000)


def _lake(folder: Path, monkeypatch: pytest.MonkeyPatch, events: list[Event]) -> Path:
    decisions = [
        _decision(1, ANN, device_type="mobile", visitor_items=1),
        _decision(2, BOB, device_type="desktop", visitor_items=5),
        _decision(3, ANN, device_type="desktop", visitor_items=2),
        _decision(4, "", device_type="mobile"),
    ]
    paths = {DECISIONS: folder / "d.parquet", EVENTS: folder / "e.parquet"}
    rows = to_rows([(record, msgspec.msgpack.encode(record)) for record in (*decisions, *events)], "pop")
    for kind, path in paths.items():
        write(path, kind, rows[kind])
    monkeypatch.setattr(lake, "files", lambda _root, _site, kind: [paths[kind]])
    return folder


EVERY = [
    _view(3, "brazil", ANN),
    _view(1, "alien", ANN),
    _view(1, "alien", ANN),
    _view(2, "dune", BOB),
    _view(4, "dune", ""),
    _view(9, "dune", ANN),
    Event("d3", "click", "dune", 0, "", ANN, NOW_MS),
]


def test_a_view_has_the_context_of_its_page_and_the_history_of_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = read_workspace(make_workspace(tmp_path / "w", CHANGES))
    table = view_table(workspace, _lake(tmp_path, monkeypatch, EVERY)).to_pydict()
    assert table["user"] == [ANN, BOB, ANN]
    assert table["item"] == ["alien", "dune", "brazil"]
    assert table["timestamp"] == [NOW_MS // 1000 + second for second in (1, 2, 3)]
    assert table["device.type"] == ["mobile", "desktop", "desktop"]
    assert table["visitor.items"] == [None, None, 1]
    assert table["behaviour.alien"] == [None, None, 1], "of the page before, on which it was counted"


def test_what_the_command_writes_is_what_training_reads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_workspace(tmp_path / "w", CHANGES)
    out = tmp_path / "views.parquet"
    root = _lake(tmp_path, monkeypatch, EVERY)
    arguments = ["features", str(folder), "--log", str(root), "-o", str(out), "--views"]
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    assert pq.read_table(out).num_rows == 3
    workspace = read_workspace(folder)
    made = MadeFrom(
        ("device", "items"),
        workspace.features.by_name,
        {"device.type": "string", "visitor.items": "number"},
    )
    found = with_contexts(read(out, ("alien", "brazil", "dune")), out, None, made)
    assert found.contexts is not None
    assert found.contexts.rows[:, 0].tolist() == [1, 0, 0]
    both = CliRunner().invoke(app, [*arguments, "--label", "purchase"])
    assert both.exit_code == 2


def test_a_lake_without_views_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = read_workspace(make_workspace(tmp_path / "w", CHANGES))
    with pytest.raises(ConfigError, match="no view of a known visitor"):
        view_table(workspace, _lake(tmp_path, monkeypatch, [_view(4, "dune", "")]))

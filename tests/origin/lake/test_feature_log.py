"""The lake as a table to train on: of the past alone, with what followed as its label."""

from pathlib import Path

import msgspec
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from compiler.workspace import read_workspace
from edge.decide.types import Context, DecisionRecord, Event
from edge.errors import ConfigError
from origin.commands.root import app
from origin.lake import reader as lake
from origin.lake.feature_log import Outcome, decision_table, event_table, training_table
from origin.lake.tables import DECISIONS, EVENTS, to_rows, write
from origin.training.predictions import train_predictions
from tests.workspaces.make import FILES as FILMS
from tests.workspaces.make import make_workspace

SITE = "films"
ANN, BOB = "0a" * 16, "0b" * 16
NOW_MS = 1_767_225_600_000
HOUR_MS = 3_600_000

CHANGES = {
    "site.yaml": FILMS["site.yaml"]
    + "behaviours: {alien: {event: view, window: 7d, where: {item.genre: horror}}}\n",
    "features.yaml": """\
features:
  device: {attribute: device.type, one_hot: [mobile, desktop]}
  visits: {attribute: visitor.visits, log: true}
  horror: {attribute: behaviour.alien}
""",
    "models/buy.yaml": """\
recipe: logistic
data: data/visits.parquet
label: label
time: at_ms
by: device.type
features: [device, visits, horror]
""",
    "data/visits.parquet": "",
}


def _decision(
    number: int, visitor: str, hours: float, *, teaches: bool = True, **attributes: object
) -> DecisionRecord:
    named = {name.replace("_", "."): value for name, value in attributes.items()}
    context = Context(NOW_MS + int(hours * HOUR_MS), 0, "full", msgspec.convert(named, dict), (), ())
    return DecisionRecord(f"d{number}", SITE, "pop", "b", 1, "", (), visitor, context, (), (), teaches)


def _event(number: int, kind: str, item: str, visitor: str, hours: float) -> Event:
    return Event(f"d{number}", kind, item, 0, "", visitor, NOW_MS + int(hours * HOUR_MS))


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lake of a few visits; one event reached it twice."""
    decisions = [
        _decision(1, ANN, 0, device_type="mobile", visitor_visits=1),
        _decision(2, ANN, 5, device_type="mobile", visitor_visits=2),
        _decision(3, BOB, 5, device_type="desktop", visitor_visits=3.0, behaviour_alien=9),
        _decision(4, "", 5, device_type="desktop"),
        _decision(5, ANN, 6, teaches=False, device_type="mobile"),
    ]
    events = [
        _event(1, "view", "alien", ANN, 0),
        _event(1, "view", "alien", ANN, 0),
        _event(9, "view", "brazil", ANN, 1),
        _event(9, "view", "alien", ANN, 5.5),
        _event(9, "purchase", "alien", ANN, 6),
    ]
    paths = {DECISIONS: tmp_path / "d.parquet", EVENTS: tmp_path / "e.parquet"}
    encoded = [(record, msgspec.msgpack.encode(record)) for record in (*decisions, *events)]
    rows = to_rows(encoded, "pop")
    for kind, path in paths.items():
        write(path, kind, rows[kind])
    monkeypatch.setattr(lake, "files", lambda _root, _site, kind: [paths[kind]])
    return tmp_path


def test_a_row_is_of_the_past_and_its_label_of_what_followed(root: Path, tmp_path: Path) -> None:
    workspace = read_workspace(make_workspace(tmp_path / "w", CHANGES))
    table = training_table(workspace, root, Outcome("purchase", 2 * 3600)).to_pydict()
    assert table["id"] == ["d1", "d2", "d3"]
    # Bob's was logged; Ann's is counted from the views before, and from the page's own.
    assert table["behaviour.alien"] == [1, 1, 9]
    assert table["device.type"] == ["mobile", "mobile", "desktop"]
    assert table["visitor.visits"] == [1, 2, 3]
    assert table["label"] == [0, 1, 0]


def test_without_a_label_all_decisions_that_teach_are_there(root: Path, tmp_path: Path) -> None:
    workspace = read_workspace(make_workspace(tmp_path / "w", CHANGES))
    table = training_table(workspace, root).to_pydict()
    assert sorted(table["id"]) == ["d1", "d2", "d3", "d4"]
    assert dict(zip(table["id"], table["behaviour.alien"], strict=True))["d4"] is None
    assert "label" not in table


def test_from_the_command_to_a_trained_model(root: Path, tmp_path: Path) -> None:
    folder = make_workspace(tmp_path / "w", CHANGES)
    out = folder / "data" / "visits.parquet"
    arguments = [
        "features",
        str(folder),
        "--log",
        str(root),
        "-o",
        str(out),
        "--label",
        "purchase",
        "--within",
        "2",
    ]
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0
    assert "3 rows, id, visitor, at_ms" in done.output
    assert pq.read_table(out).num_rows == 3
    (trained,) = train_predictions(read_workspace(folder))
    assert trained.model.card["rows"] == 3


def test_a_lake_without_decisions_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake, "files", lambda _root, _site, _kind: [])
    workspace = read_workspace(make_workspace(tmp_path / "w", CHANGES))
    with pytest.raises(ConfigError, match="holds no decision of site 'films'"):
        training_table(workspace, tmp_path)


def test_a_value_of_another_type_is_missing() -> None:
    records = [
        _decision(1, ANN, 0, a="x", b=True, c=2),
        _decision(2, ANN, 0, a=1, b="x", c=True),
        _decision(3, ANN, 0),
    ]
    table = decision_table(records, {"a": "string", "b": "boolean", "c": "number"}).to_pydict()
    assert [table[name] for name in "abc"] == [["x", None, None], [True, None, None], [2.0, None, None]]


def test_a_table_of_no_events_has_its_columns() -> None:
    assert event_table([]).column_names == ["decision", "visitor", "kind", "item", "at_ms"]

"""Views in the lake become interactions: of those who let themselves be remembered, and no others."""

from pathlib import Path

import pytest

from edge.decide.types import Event
from edge.errors import ConfigError
from origin.lake import reader as lake
from origin.lake.learn import Interaction, lake_interactions
from origin.lake.tables import EVENTS, to_rows, write

SITE = "films"
ANN, BOB = "0a" * 16, "0b" * 16


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lake of two files, in the order of their commits."""
    batches = [
        [
            Event("d1", "view", "7", 0, "", ANN, 1_767_225_600_999),
            Event("d2", "view", "8", 0, "", "", 1_767_225_601_000),
            Event("d1", "impression", "9", 0, "trending", "", 1_767_225_602_000),
        ],
        [Event("d3", "view", "7", 0, "", BOB, 1_767_225_500_000)],
    ]
    paths = []
    for number, events in enumerate(batches):
        paths.append(tmp_path / f"{number}.parquet")
        write(paths[-1], EVENTS, to_rows([(event, b"") for event in events], "frankfurt")[EVENTS])
    monkeypatch.setattr(lake, "files", lambda _root, _site, _kind: paths)
    return tmp_path


def test_views_of_remembered_visitors_teach_and_nothing_else_does(root: Path) -> None:
    assert list(lake_interactions(root, SITE)) == [
        Interaction(ANN, "7", 1_767_225_600),
        Interaction(BOB, "7", 1_767_225_500),
    ]


def test_a_folder_of_something_else_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no data folder of an origin"):
        list(lake_interactions(tmp_path, SITE))

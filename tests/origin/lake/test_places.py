"""Places of lists are counted from what was shown and clicked, and views know in which place they began."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from edge.decide.types import Event
from origin.commands.root import app
from origin.lake import reader as lake
from origin.lake.places import LEAST_CLICKS, PlacedView, placed_views, read_places
from origin.lake.tables import DECISIONS, EVENTS, SCHEMAS, to_rows, write

SITE, ANN, BOB = "films", "0a" * 16, "0b" * 16
NOW_MS = 1_767_225_600_000
PAGES = 4 * LEAST_CLICKS
"""Two things in turn; the first place is clicked on each fourth page, the second on each eighth."""


def _decision(number: int) -> dict[str, Any]:
    items = ["7", "8"] if number % 2 else ["8", "7"]
    slot = {"placement": "trending", "policy": "p", "items": items, "candidates": "c", "propensity": 1.0}
    row: dict[str, Any] = dict.fromkeys(SCHEMAS[DECISIONS].names)
    return {**row, "id": f"d{number}", "slots": [slot], "teaches": number != PAGES}


def _clicks() -> list[Event]:
    found = []
    for number in range(PAGES):
        items = ["7", "8"] if number % 2 else ["8", "7"]
        for place, every in ((0, 4), (1, 8)):
            if number // 2 % every == 0:
                who = ANN if (number, place) == (0, 1) else BOB
                found.append(Event(f"d{number}", "click", items[place], 0, "trending", who, NOW_MS))
    return found


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    views = [
        Event("e1", "view", "8", 0, "", ANN, NOW_MS + 1000),
        Event("e2", "view", "7", 0, "", ANN, NOW_MS + 60_000),
        Event("e3", "view", "7", 0, "", ANN, NOW_MS + 86_400_000),
    ]
    kept = {DECISIONS: tmp_path / "decisions.parquet", EVENTS: tmp_path / "events.parquet"}
    write(kept[DECISIONS], DECISIONS, [_decision(number) for number in range(PAGES + 1)])
    events = to_rows([(event, b"") for event in [*_clicks(), *views]], "frankfurt")[EVENTS]
    write(kept[EVENTS], EVENTS, events)
    monkeypatch.setattr(lake, "files", lambda _root, _site, kind: [kept[kind]])
    monkeypatch.setattr(lake, "check_lake", lambda _root: None)
    (tmp_path / "sites" / SITE).mkdir(parents=True)
    return tmp_path


def test_places_are_counted_and_compared(root: Path) -> None:
    first, second = read_places(root, SITE)
    assert (first.place, first.shown, first.clicked, first.chance) == (1, PAGES, PAGES // 4, 1)
    assert (second.shown, second.clicked) == (PAGES, PAGES // 8)
    assert second.chance == pytest.approx(0.5, abs=0.01)


def test_few_clicks_say_nothing_of_places(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("origin.lake.places.LEAST_CLICKS", PAGES)
    assert [place.chance for place in read_places(root, SITE)] == [1, 1]


def test_a_view_has_the_chance_of_the_place_where_its_visitor_clicked_before(root: Path) -> None:
    places = read_places(root, SITE)
    found = list(placed_views(root, SITE, places))
    assert found == [
        PlacedView(ANN, "8", NOW_MS // 1000 + 1, 1),
        PlacedView(ANN, "7", NOW_MS // 1000 + 60, round(places[1].chance, 6)),
        PlacedView(ANN, "7", NOW_MS // 1000 + 86_400, 1),
    ]


def test_the_command_writes_what_models_read(root: Path) -> None:
    out = root / "views.csv"
    ran = CliRunner().invoke(app, ["views", str(root), "-o", str(out)])
    assert ran.exit_code == 0, ran.output
    assert out.read_text().splitlines()[:2] == [
        "user,item,timestamp,noticed",
        f"{ANN},8,{NOW_MS // 1000 + 1},1.0",
    ]
    assert "3 views" in ran.output

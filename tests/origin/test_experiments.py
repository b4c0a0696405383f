"""The lake knows variations: reports count them, and a log tells what an experiment would change."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from edge.decide.types import Context, DecisionRecord, Event, Record, Slot
from edge.events import spool
from origin.lake import reader as lake
from origin.lake.replay import compare, load_engine, replay
from origin.lake.report import CampaignCounts, report
from origin.lake.tables import DECISIONS
from origin.server.service import open_origin
from origin.server.settings import Settings
from origin.store.values import Segment
from tests.origin.world import Keys
from tests.workspaces.make import EXPERIMENTS, make_bundle

UNITS = tuple(f"{n:032x}" for n in range(300))


def record(number: int, slot: Slot, **more: Any) -> DecisionRecord:
    context = Context(1_800_000_000_000, 1, "full", {}, (), ("hero",))
    return DecisionRecord(f"{number:032x}", "films", "lab", "b", 1, "", (), "v", context, (slot,), **more)


@pytest.mark.anyio
async def test_a_report_counts_variations_that_show_nothing_too(settings: Settings, keys: Keys) -> None:
    drawn = {"propensity": 0.5, "experiment": "words"}
    records: list[Record] = [
        record(1, Slot("hero", "c", content="warm", variation="warm", **drawn), excluded=("quiet:held-out",)),
        record(2, Slot("hero", "c", content="warm", variation="warm", **drawn)),
        record(3, Slot("hero", "c", variation="control", **drawn)),
        record(4, Slot("hero", "c", content="warm", variation="warm", **drawn), teaches=False),
        record(5, Slot("hero", "other", content="x")),
        Event(f"{1:032x}", "impression", "warm", 0, "hero", "v", 1),
        Event(f"{1:032x}", "click", "warm", 0, "hero", "v", 2),
    ]
    async with open_origin(settings, [keys.origin]) as origin:
        await origin.ingest.take(Segment("films", "lab", "s", 1), 0, b"".join(map(spool.frame, records)))
    root = Path(settings.data)
    found = report(root, "films")
    assert found.campaigns == {"c": CampaignCounts(3, 1, 1), "other": CampaignCounts(1, 0, 0)}
    assert found.variations == {
        "words/warm": CampaignCounts(2, 1, 1),
        "words/control": CampaignCounts(1, 0, 0),
    }
    rows = list(lake.rows(root, "films", DECISIONS, ["excluded", "slots"]))
    assert rows[0]["excluded"] == ["quiet:held-out"]
    assert rows[2]["slots"][0]["variation"] == "control"
    assert next(iter(lake.decisions(root, "films"))) == records[0]


def test_a_log_of_before_tells_what_an_experiment_would_change(tmp_path: Path) -> None:
    before = load_engine(make_bundle(tmp_path / "before"))
    after = load_engine(make_bundle(tmp_path / "after", EXPERIMENTS))
    records = []
    for number, unit in enumerate(UNITS):
        context = Context(0, 0, "full", {"geo.country": "DE"}, (), ("hero",))
        slots = before.decide(context).slots
        records.append(
            DecisionRecord(f"{number:032x}", "films", "lab", before.id, 1, "", (), unit, context, slots)
        )
    assert replay({before.id: before}, records).different == 0
    found = compare(after, records)
    # Nine of ten take part, and some are held out.
    assert 0.7 < found.different / len(records) < 0.9
    assert {new for _, _, new in found.by_placement} == {"words", ""}
    nobody = [replace(one, visitor="") for one in records]
    assert compare(after, nobody).different == 0

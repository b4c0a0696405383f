"""Replay: a log's decisions again, exactly; and what another bundle would change."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from edge.decide.engine import Engine
from edge.decide.types import Context, DecisionRecord, Slot
from edge.errors import BundleError, ConfigError
from edge.events import spool
from origin.lake.replay import compare, load_engine, load_engines, read_log, replay, replay_files
from tests.workspaces.make import BANDITS, FILES, make_bundle

ALL = ("hero", "recommended", "trending")


def logged(engine: Engine, count: int, killed: tuple[str, ...] = ()) -> list[DecisionRecord]:
    """What an edge would have written down for visitors on telephones and elsewhere."""
    records = []
    for number in range(count):
        device = "mobile" if number % 3 == 0 else "desktop"
        history = ("alien", "dune")[: number % 3]
        context = Context(1_800_000_000_000, number, "full", {"device.type": device}, history, ALL)
        slots = engine.decide(context, killed).slots
        records.append(
            DecisionRecord(f"{number:032x}", "films", "lab", engine.id, 1, "", killed, "", context, slots)
        )
    return records


def write_log(folder: Path, records: Sequence[DecisionRecord]) -> Path:
    folder.mkdir(parents=True)
    (folder / "00000001.seg").write_bytes(b"".join(map(spool.frame, records)) + b"torn")
    return folder


def test_every_decision_is_the_same_again(bundle: Path, tmp_path: Path) -> None:
    engine = load_engine(bundle)
    records = logged(engine, 600) + logged(engine, 5, killed=("welcome", "popular"))
    assert len({msgspec.msgpack.encode(record.slots) for record in records}) > 3
    log = write_log(tmp_path / "spool/0123456789abcdef", records)
    for path in (tmp_path / "spool", log / "00000001.seg"):
        found = replay_files(bundle, path)
        assert (found.own.decided, found.own.different, found.failed) == (605, 0, False)


def test_a_changed_slot_is_found(bundle: Path) -> None:
    engine = load_engine(bundle)
    records = logged(engine, 4)
    bent = msgspec.structs.replace(records[1], slots=(Slot("hero", "other", content="x"),))
    result = replay({engine.id: engine}, [records[0], bent, *records[2:]])
    assert (result.decided, result.different) == (4, 1)
    assert result.examples[0].record == bent
    assert result.by_placement["hero", "other", "welcome"] == 1
    assert result.by_placement["trending", "", "popular"] == 1


def test_a_placement_that_missed_its_deadline_is_no_difference(bundle: Path) -> None:
    engine = load_engine(bundle)
    (record,) = logged(engine, 1)
    kept = tuple(slot for slot in record.slots if slot.placement != "recommended")
    late = msgspec.structs.replace(record, slots=kept, missed=("recommended",))
    assert replay({engine.id: engine}, [late]).different == 0
    assert replay({engine.id: engine}, [msgspec.structs.replace(late, missed=())]).different == 1


def test_decisions_of_other_bundles_are_counted_apart(bundle: Path, other_bundle: Path) -> None:
    one, two = load_engine(bundle), load_engine(other_bundle)
    assert one.id != two.id
    records = [*logged(one, 3), *logged(two, 2)]
    result = replay({one.id: one}, records)
    assert (result.decided, result.different, dict(result.others)) == (3, 0, {two.id: 2})
    assert replay({one.id: one, two.id: two}, records).decided == 5


def test_against_another_bundle_it_says_whose_page_changes(
    bundle: Path, other_bundle: Path, tmp_path: Path
) -> None:
    engine = load_engine(bundle)
    log = write_log(tmp_path / "log", logged(engine, 30))
    found = replay_files(bundle, log, other_bundle, keep=2)
    assert found.against is not None
    assert not found.failed
    assert (found.against.decided, found.against.different) == (30, 10)
    assert dict(found.against.by_placement) == {("hero", "mobile-hero", "mobile-hero"): 10}
    assert len(found.against.examples) == 2
    assert compare(engine, logged(engine, 3)).different == 0


def test_attributes_that_the_log_does_not_hold_are_named(bundle: Path, tmp_path: Path) -> None:
    rules = FILES["rules/audiences.yaml"].replace("device.type: mobile", "utm.campaign: spring")
    reads_more = make_bundle(tmp_path, {"rules/audiences.yaml": rules})
    log = write_log(tmp_path / "log", logged(load_engine(bundle), 3))
    assert replay_files(bundle, log, reads_more).unrecorded == ("utm.campaign",)


def test_a_folder_of_bundles_replays_a_log_of_several(
    bundle: Path, other_bundle: Path, tmp_path: Path
) -> None:
    for name, folder in (("a", bundle), ("b", other_bundle)):
        (tmp_path / "bundles").mkdir(exist_ok=True)
        (tmp_path / "bundles" / name).symlink_to(folder)
    engines = load_engines(tmp_path / "bundles")
    log = write_log(tmp_path / "log", [r for engine in engines.values() for r in logged(engine, 4)])
    assert replay_files(tmp_path / "bundles", log).own.decided == 8


def test_what_is_no_bundle_or_no_log_is_named(bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="nearside compile"):
        replay_files(tmp_path, tmp_path)
    with pytest.raises(ConfigError, match="neither an origin's data folder"):
        read_log(tmp_path, "films")
    empty = write_log(tmp_path / "log", [])
    assert replay_files(bundle, empty).failed


def test_another_probability_alone_changes_no_page(tmp_path: Path) -> None:
    engine = load_engine(make_bundle(tmp_path / "a", BANDITS))
    rules = BANDITS["rules/bandits.yaml"]
    changed = rules.replace("weight: 0.62", "weight: 0.57").replace("weight: 0.33", "weight: 0.38")
    assert changed != rules
    other = load_engine(make_bundle(tmp_path / "b", {**BANDITS, "rules/bandits.yaml": changed}))
    records = logged(engine, 200)
    arms = [
        tuple(
            {slot.placement: slot.variation for slot in decided}.get("hero")
            for decided in (record.slots, other.decide(record.context).slots)
        )
        for record in records
    ]
    flipped = sum(before != after for before, after in arms)
    assert 0 < flipped < 40
    found = compare(other, records)
    assert (found.decided, found.different) == (200, flipped)
    assert found.by_placement["hero", "greet", "greet"] == flipped

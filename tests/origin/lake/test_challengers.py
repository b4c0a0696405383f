"""Challengers are compared over the decisions that they were tried on, by what was clicked there."""

import json
import re
from collections.abc import Sequence
from math import log2
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner

from edge.decide.types import Context, DecisionRecord, Event, Record, Shadow, Slot
from edge.events import spool
from origin.commands.root import app
from origin.lake import reader as lake
from origin.lake.challengers import Mean, duel_lines, duels, ndcg
from origin.lake.tables import to_rows, write
from origin.server import ingest

SITE = "films"


def _decision(number: int, items: Sequence[str], *, teaches: bool = True) -> DecisionRecord:
    slot = Slot("recommended", "for-you", items=tuple(items), candidates="mine", card="film")
    context = Context(1_767_225_600_000 + number, number, "full", {}, (), ("recommended",))
    return DecisionRecord(f"d{number}", SITE, "p", "b", 1, "", (), "", context, (slot,), teaches=teaches)


def _shadow(number: int, items: Sequence[str]) -> Shadow:
    return Shadow(f"d{number}", "recommended", "mine", "other", tuple(items), 1_767_225_600_000 + number)


def _click(number: int, item: str) -> Event:
    return Event(f"d{number}", "click", item, 0, "recommended", "", 1_767_225_601_000)


RECORDS: list[Record] = [
    _decision(1, "abcd"), _shadow(1, "abcd"), _click(1, "b"),
    _decision(2, "abcd"), _shadow(2, "dxyz"), _click(2, "d"), _click(2, "d"),
    _decision(3, "abcd"), _shadow(3, "wxyz"), _click(3, "a"),
    _decision(4, "abcd"), _shadow(4, "bacd"),
    _decision(5, "abcd"), _click(5, "a"),
    _decision(6, "abcd", teaches=False), _shadow(6, "abcd"), _click(6, "a"),
]  # fmt: skip


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    rows = to_rows([(record, msgspec.msgpack.encode(record)) for record in RECORDS], "p")
    for kind, found in rows.items():
        write(tmp_path / f"{kind}.parquet", kind, found)
    monkeypatch.setattr(lake, "files", lambda _root, _site, kind: [tmp_path / f"{kind}.parquet"])
    return tmp_path


def test_agreement_and_clicks_are_of_what_was_tried(root: Path) -> None:
    (duel,) = duels(root, SITE)
    assert (duel.recommender, duel.challenger, duel.decisions) == ("mine", "other", 4)
    assert (duel.same, duel.first) == (1, 1)
    assert duel.overlap.value == pytest.approx((1 + 1 / 4 + 0 + 1) / 4)
    assert (duel.clicks, duel.kept) == (3, 2)
    assert duel.ctr == pytest.approx(3 / 4)
    assert duel.would_be_ctr == pytest.approx(2 / 4)
    second, fourth = 1 / log2(3), 1 / log2(5)
    assert duel.shown_ndcg.value == pytest.approx((second + fourth + 1) / 3)
    assert duel.tried_ndcg.value == pytest.approx((second + 1 + 0) / 3)
    assert duel.gain.value == pytest.approx((1 - fourth - 1) / 3)
    assert duel.gain.margin > 0


def test_the_command_tells_it(root: Path) -> None:
    result = CliRunner().invoke(app, ["challengers", str(root), "--site", SITE])
    assert result.exit_code == 0, result.output
    assert "mine against other, on 4 decisions\n" in result.output
    assert "  the same list 25.0%, the same first item 25.0%\n" in result.output
    assert "the challenger lists 66.7% of them, too: at least 0.5000 a decision\n" in result.output
    told = json.loads(CliRunner().invoke(app, ["challengers", str(root), "--site", SITE, "--json"]).output)
    assert told[0]["decisions"] == 4
    assert told[0]["would_be_ctr"] == 0.5
    assert set(told[0]["gain"]) == {"mean", "margin"}


def test_the_page_about_it_shows_what_it_prints(root: Path) -> None:
    text = (Path(__file__).resolve().parents[3] / "docs" / "recommenders.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```\n(mine against.*?)```", text, re.DOTALL)
    told = [line.replace("against other", "against also") for line in duel_lines(duels(root, SITE))]
    assert told[:-1] == shown.splitlines()


def test_nothing_tried_is_said(root: Path) -> None:
    assert list(duel_lines([])) == ["no challenger was tried yet"]


def test_gain_at_the_top_counts_most() -> None:
    assert ndcg(["a", "b", "c"], {"a"}) == 1
    assert ndcg(["a", "b", "c"], {"c"}) == pytest.approx(0.5)
    assert ndcg(["a", "b", "c"], {"a", "b"}) == 1
    assert ndcg(["a", "b", "c"], {"x"}) == 0


def test_the_interval_of_a_mean() -> None:
    mean = Mean()
    for value in (0.0, 1.0, 0.0, 1.0):
        mean.add(value)
    assert mean.value == 0.5
    assert mean.margin == pytest.approx(1.96 * (1 / 3) ** 0.5 / 2)
    assert (Mean().value, Mean().margin) == (0, 0)


def test_shadows_are_taken_into_the_lake_with_what_they_belong_to(tmp_path: Path) -> None:
    data = b"".join(spool.frame(record) for record in RECORDS)
    batch = ingest.read_batch(memoryview(data), SITE)
    assert batch.fault is None
    assert [record for record, _ in batch.records] == RECORDS
    too_late = spool.frame(msgspec.structs.replace(_shadow(1, "a"), now_ms=2**63))
    assert ingest.read_batch(memoryview(too_late), SITE).fault == ("record", "a number is out of range")

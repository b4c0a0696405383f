"""What people are told of bandits: draws in words, changes, shares, and each arm in a report."""
# ruff: noqa: E501 -- the table of changes reads best with one in a line

import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from edge.bundle.reader import open_bundle
from edge.decide.types import Context, DecisionRecord, Record
from edge.events import spool
from origin.commands.root import app
from origin.diff.bundles import diff
from origin.explain.inspection import inspect_bundle
from origin.lake.replay import load_engine
from origin.lake.replay import replay as again
from origin.lake.report import report
from origin.server.service import open_origin
from origin.server.settings import Settings
from origin.store.values import Segment
from tests.origin.world import Keys
from tests.workspaces.make import BANDITS, FILES, make_bundle

RULES = BANDITS["rules/bandits.yaml"]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small workspace with bandits, compiled."""
    return make_bundle(tmp_path_factory.mktemp("drawn"), BANDITS)


def told(bundle: Path, folder: Path, *options: str, **given: object) -> str:
    file = folder / "context.json"
    file.write_text(json.dumps(given), encoding="utf-8")
    result = CliRunner().invoke(app, ["decide", str(bundle), "--context", str(file), *options])
    assert result.exit_code == 0, result.output
    return result.output


def records(bundle: Path, count: int) -> list[DecisionRecord]:
    engine = load_engine(bundle)
    found = []
    for seed in range(count):
        context = Context(0, seed, "contextual", {}, (), ("hero", "trending"))
        slots = engine.decide(context).slots
        found.append(DecisionRecord(f"{seed:032x}", "films", "lab", engine.id, 1, "", (), "", context, slots))
    return found


def test_the_draw_is_told(drawn: Path, tmp_path: Path) -> None:
    document = json.loads(told(drawn, tmp_path, seed=11, tier="contextual"))
    hero = next(slot for slot in document["slots"] if slot["placement"] == "hero")
    assert hero["experiment"] == "greeting"
    text = told(drawn, tmp_path, "--explain", seed=11, tier="contextual")
    shows = f"content {hero['content']}" if "content" in hero else "the default"
    part = f"(bandit greeting, arm {hero['variation']}, of probability {hero['propensity']:g})"
    assert f"hero: campaign greet shows {shows} {part}\n" in text
    place = load_engine(drawn).chooser
    assert place is not None
    context = Context(0, 11, "contextual", {}, (), ("hero",))
    drew = f"hero drew {place.bandits[0].place(context, 'hero'):.6f}: arm {hero['variation']}"
    parts = "of warm 0 to 0.62, cool 0.62 to 0.95, quiet 0.95 to 1"
    assert f"bandit greeting: {drew}; by the seed 11, {parts}\n" in text
    assert "bandit lists: recommended drew 0." in text


def test_a_bandit_that_does_not_win_or_is_forced_is_told(drawn: Path, tmp_path: Path) -> None:
    text = told(drawn, tmp_path, "--explain", placements=["recommended"])
    assert "bandit greeting: not drawn, as none of its campaigns wins a placement\n" in text
    text = told(drawn, tmp_path, "--explain", forced={"greeting": "quiet"})
    assert "bandit greeting: arm quiet, as a tester demands\n" in text


def test_a_bundle_tells_its_shares(drawn: Path) -> None:
    found = inspect_bundle(drawn)["experiments"]
    assert found == {
        "greeting": {"warm": 0.62, "cool": 0.33, "quiet": 0.05},
        "lists": {"words": 0.5, "items": 0.5},
    }
    result = CliRunner().invoke(app, ["inspect", str(drawn)])
    assert "greeting: warm 62.0%, cool 33.0%, quiet 5.0%\n" in result.output


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("weight: 0.62", "weight: 0.57", None),
        ("floor: 0.05", "floor: 0.02", "bandit greeting: floor 0.05 → 0.02"),
        ("{content: cool}}", "{content: app}}", "bandit greeting, arm cool in hero: content cool → content app"),
        ("limit: 2", "limit: 1", "bandit lists, arm items in trending: 2 items of popular as film → 1 items of"),
        ("show: {bandit: greeting}", "show: {content: app}", "bandit removed: greeting"),
    ],
)  # fmt: skip
def test_changes_are_told(drawn: Path, tmp_path: Path, old: str, new: str, said: str | None) -> None:
    rules = RULES.replace(old, new)
    if said is None:
        rules = rules.replace("weight: 0.33", "weight: 0.38")
        said = "bandit greeting: warm 62.0%, cool 33.0%, quiet 5.0% → warm 57.0%, cool 38.0%, quiet 5.0%"
    other = make_bundle(tmp_path, {**BANDITS, "rules/bandits.yaml": rules})
    found = diff(open_bundle(drawn, "films"), open_bundle(other, "films")).changes
    assert said in "\n".join(found["experiments"])


def test_a_log_is_replayed_and_a_changed_arm_is_found(drawn: Path) -> None:
    log = records(drawn, 200)
    engines = {log[0].bundle: load_engine(drawn)}
    assert again(engines, log).different == 0
    reseeded = [replace(one, context=replace(one.context, seed=one.context.seed + 1000)) for one in log]
    assert again(engines, reseeded).different > 50


def test_a_default_is_told_and_its_change(drawn: Path, tmp_path: Path) -> None:
    site = FILES["site.yaml"].replace("[hero,", "[{name: hero, default: warm},")
    other = make_bundle(tmp_path, {**BANDITS, "site.yaml": site})
    context = {"placements": ["hero"]}
    killed = ["--kill", "greet", "--kill", "welcome"]
    text = told(other, tmp_path, "--explain", *killed, **context)
    assert text.startswith("hero: the default, content warm\n")
    document = json.loads(told(other, tmp_path, *killed, **context))
    assert document["slots"] == [
        {"placement": "hero", "campaign": "$default", "content": "warm", "propensity": 1.0}
    ]
    found = diff(open_bundle(drawn, "films"), open_bundle(other, "films")).changes
    assert found["site"] == ["default of hero: the site's own → content warm"]


@pytest.mark.anyio
async def test_a_report_counts_arms(settings: Settings, keys: Keys, drawn: Path) -> None:
    log: list[Record] = [*records(drawn, 60)]
    async with open_origin(settings, [keys.origin]) as origin:
        await origin.ingest.take(Segment("films", "lab", "s", 1), 0, b"".join(map(spool.frame, log)))
    found: Any = report(Path(settings.data), "films").variations
    assert found.keys() == {f"greeting/{arm}" for arm in ("warm", "cool", "quiet")} | {
        "lists/words",
        "lists/items",
    }
    assert sum(counts.shown for counts in found.values()) == 120

"""What people are told where a placement shows the best: how values were counted, and what changes."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edge.bundle.reader import open_bundle
from edge.decide.types import Context, DecisionRecord
from origin.audience.whom import Whom
from origin.commands.root import app
from origin.diff.bundles import diff
from origin.explain.inspection import inspect_bundle
from origin.explain.rules_view import View
from origin.lake.replay import load_engine, replay
from tests.workspaces.make import FILES, make_bundle

SITE = FILES["site.yaml"].replace("[hero,", "[{name: hero, choose: best, default: app},")
RULES = """\
campaigns:
  - {id: steady, placement: hero, value: 2.5, show: {content: welcome}}
  - {id: keen, placement: hero, value: {base: -1, plus: {visitor.visits: 1.5}}, show: {content: summer}}
  - {id: never, placement: hero, priority: 9, value: {plus: {visitor.new: -2}}, show: {content: app}}
holdouts:
  - {id: out, share: 1, of: keen}
"""


def compiled(folder: Path, rules: str = RULES, site: str = SITE) -> Path:
    return make_bundle(
        folder, {"site.yaml": site, "rules/campaigns.yaml": rules, "rules/audiences.yaml": None}
    )


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return compiled(tmp_path_factory.mktemp("best"))


def told(bundle: Path, folder: Path, *options: str, **given: object) -> str:
    file = folder / "context.json"
    file.write_text(json.dumps({"placements": ["hero"], **given}), encoding="utf-8")
    result = CliRunner().invoke(app, ["decide", str(bundle), "--context", str(file), "--explain", *options])
    assert result.exit_code == 0, result.output
    return result.output


def test_how_each_value_was_counted_is_told(bundle: Path, tmp_path: Path) -> None:
    text = told(bundle, tmp_path, attributes={"visitor.visits": 3, "visitor.new": True})
    assert text.startswith("hero: campaign keen shows content summer; it shows the best by value\n")
    assert "  keen, priority 0, value 3.5 (-1 + 1.5 × 3 of visitor.visits): wins\n" in text
    assert "  steady, priority 0, value 2.5: holds, and keen is stronger\n" in text
    assert "  never, priority 9, value -2 (0 - 2 × 1 of visitor.new): holds, and keen is stronger\n" in text


def test_to_what_the_best_lost_is_told(bundle: Path, tmp_path: Path) -> None:
    text = told(bundle, tmp_path, attributes={"visitor.visits": 3}, unit="a" * 32)
    assert text.startswith("hero: campaign steady")
    assert (
        "value 3.5 (-1 + 1.5 × 3 of visitor.visits): holds, but holdout out holds the visitor out\n" in text
    )


def test_a_bundle_tells_its_values(bundle: Path) -> None:
    found = inspect_bundle(bundle)
    assert found["values"] == {
        "hero": {"keen": "-1 + 1.5 × visitor.visits", "never": "0 - 2 × visitor.new", "steady": "2.5"}
    }
    assert found["defaults"] == {"hero": "content app"}
    output = CliRunner().invoke(app, ["inspect", str(bundle)]).output
    assert "hero shows the best by value: steady 2.5, never 0 - 2 × visitor.new, keen -1 + " in output
    assert "hero shows content app by default\n" in output


def test_changes_are_told(bundle: Path, tmp_path: Path) -> None:
    one = open_bundle(bundle, "films")
    dearer = compiled(tmp_path / "dearer", RULES.replace("value: 2.5", "value: 4"))
    found = diff(one, open_bundle(dearer, "films"))
    assert found.changes["campaigns"] == ["value of steady in hero: 2.5 → 4"]
    first = compiled(tmp_path / "first", site=SITE.replace("choose: best", "choose: first"))
    found = diff(one, open_bundle(first, "films"))
    assert found.changes["campaigns"] == [
        "hero shows the first campaign by priority, no longer the best by value"
    ]
    assert diff(open_bundle(first, "films"), one).changes["campaigns"] == [
        "hero shows the best campaign by value, no longer the first by priority"
    ]
    assert found.changed_contexts > 0


def test_who_asks_how_many_is_told_that_values_are_read(bundle: Path) -> None:
    view = View(open_bundle(bundle, "films"))
    assert view.written is not None
    whom = Whom(view)
    reads = {c.id: whom.reads_of_campaign(n) for n, c in enumerate(view.written.campaigns)}
    assert reads["steady"] == {"visitor.visits", "visitor.new"}


def test_a_log_is_replayed(bundle: Path) -> None:
    engine = load_engine(bundle)
    log = []
    for number in range(40):
        context = Context(0, number, "contextual", {"visitor.visits": number / 10}, (), ("hero",))
        slots = engine.decide(context).slots
        log.append(DecisionRecord(f"{number:032x}", "films", "lab", engine.id, 1, "", (), "", context, slots))
    assert len({record.slots for record in log}) == 2
    found = replay({engine.id: engine}, log)
    assert (found.decided, found.different) == (40, 0)

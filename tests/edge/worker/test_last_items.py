"""The items that a visitor looked at, as a list that rules may ask: in pages, for apps, in the record."""

from pathlib import Path
from typing import Any

import pytest

from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from tests.edge.worker.conftest import Worker
from tests.workspaces.make import SITE, make_bundle

DECIDE = "/_nearside/decide"
RULES = """\
campaigns:
  - id: space
    audience: {visitor.last_items: {$in: [alien, dune]}}
    placement: hero
    priority: 99
    show: {content: app}
"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder = make_bundle(tmp_path_factory.mktemp("last"), {"rules/space.yaml": RULES})
    return Engine.load(open_bundle(folder, SITE))


@pytest.fixture
def worker(tmp_path: Path, engine: Engine) -> Worker:
    return Worker(tmp_path, engine)


@pytest.mark.parametrize(("tier", "campaigns"), [("session", ["space"]), ("contextual", ["welcome"])])
def test_pages_see_what_was_viewed_before(
    worker: Worker, engine: Engine, tier: str, campaigns: list[str]
) -> None:
    cookie = f"consent={tier}"
    for path in ("/film/heat", "/film/alien", "/film/fargo", "/"):
        answer = worker.get(path, {"cookie": cookie})
        if answer.value("set-cookie"):
            cookie = f"consent={tier}; {answer.value('set-cookie').partition(';')[0]}"
    records = worker.decisions()
    assert [slot.policy for slot in records[-1].slots if slot.placement == "hero"] == campaigns
    seen = [record.context.attributes.get("visitor.last_items") for record in records]
    expected: list[Any] = [None, ["heat"], ["alien", "heat"], ["fargo", "alien", "heat"]]
    assert seen == (expected if tier == "session" else [None] * 4)
    # What was written down decides alike again.
    assert [engine.decide(record.context).slots for record in records] == [r.slots for r in records]


@pytest.mark.parametrize(
    ("items", "status", "campaign"),
    [
        (["heat", "dune"], 200, "space"),
        (["heat"], 200, "welcome"),
        ([], 200, "welcome"),
        (["heat", 3], 400, ""),
        ("dune", 400, ""),
        (["x" * 600], 413, ""),
        (["x"] * 2_000, 413, ""),
    ],
)
def test_apps_may_say_them(worker: Worker, items: Any, status: int, campaign: str) -> None:
    answer = worker.post(DECIDE, {"placements": ["hero"], "attributes": {"visitor.last_items": items}})
    assert answer.status == status
    if status == 200:
        assert [slot["campaign"] for slot in answer.json["slots"]] == [campaign]

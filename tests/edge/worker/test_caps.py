"""Frequency caps from a workspace to the page: shown so often, then not, then again."""

from pathlib import Path

import pytest

from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from edge.visitor.events import MAX_CAPS_BYTES
from edge.worker.active import Active
from tests.edge.worker.browser import DAY_MS, HOUR_MS, Browser
from tests.edge.worker.conftest import PAGE, Said, Worker
from tests.workspaces.make import SITE, make_bundle

RULES = """\
campaigns:
  - id: teaser
    placement: hero
    priority: 9
    cap: [{impressions: 3, days: 7}, {impressions: 2, per: visit}]
    until: click
    show: {content: app}
  - id: often
    placement: hero
    show: {content: welcome}
  - id: list
    placement: recommended
    cap: {impressions: 2, days: 1}
    priority: 5
    show: {recommender: taste, card: film, limit: 4}
  - id: rare
    placement: trending
    recency: {hours: 24}
    show: {content: summer}
"""
TRENDING = PAGE + b'<p data-placement="trending">x</p>'


def load(folder: Path, rules: str) -> Engine:
    return Engine.load(open_bundle(make_bundle(folder, {"rules/campaigns.yaml": rules}), SITE))


@pytest.fixture(scope="module")
def capping(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return load(tmp_path_factory.mktemp("capping"), RULES)


@pytest.fixture
def browser(tmp_path: Path, capping: Engine, monkeypatch: pytest.MonkeyPatch) -> Browser:
    browser = Browser(Worker(tmp_path, capping), monkeypatch)
    browser.worker.site.says[b"/"] = Said(TRENDING)
    return browser


def hero(browser: Browser) -> str:
    return {"teaser": "teaser", "often": "often"}[browser.page()[0]]


def test_three_times_in_seven_days_and_again(browser: Browser) -> None:
    for day in range(3):
        assert hero(browser) == "teaser", day
        browser.saw()
        browser.now_ms += DAY_MS
    assert hero(browser) == "often"
    assert browser.read()["cap.teaser.7d"] == 3
    # The first was 7 days ago, and at most a fifteenth more.
    browser.now_ms += 4 * DAY_MS + 12 * HOUR_MS
    assert hero(browser) == "teaser"
    assert browser.read()["cap.teaser.7d"] == 2


def test_twice_in_a_visit(browser: Browser) -> None:
    for _ in range(2):
        assert hero(browser) == "teaser"
        browser.saw()
    assert hero(browser) == "often"
    browser.now_ms += HOUR_MS // 4
    assert hero(browser) == "often"
    browser.now_ms += HOUR_MS
    assert hero(browser) == "teaser"


def test_what_did_not_come_into_view_does_not_count(browser: Browser) -> None:
    for _ in range(5):
        assert hero(browser) == "teaser"


def test_it_ends_with_a_click(browser: Browser) -> None:
    hero(browser)
    browser.saw(kind="click")
    assert hero(browser) == "often"
    browser.now_ms += 100 * DAY_MS
    assert hero(browser) == "often"


def test_all_items_of_a_list_are_one_impression_of_its_campaign(browser: Browser) -> None:
    for _ in range(2):
        assert "list" in browser.page()
        (slot,) = [slot for slot in browser.worker.decisions()[-1].slots if slot.policy == "list"]
        for item in slot.items:
            browser.saw(item, "recommended")
    assert "list" not in browser.page()
    assert browser.read()["cap.list.1d"] == 2


def test_once_a_day(browser: Browser) -> None:
    assert "rare" in browser.page()
    browser.saw("summer", "trending")
    browser.now_ms += DAY_MS - 60_000
    assert "rare" not in browser.page()
    browser.now_ms += 60_000
    assert "rare" in browser.page()


@pytest.mark.parametrize("consent", ["contextual", ""])
def test_without_a_state_what_is_capped_is_not_shown(browser: Browser, consent: str) -> None:
    browser.jar["consent"] = consent or "contextual"
    assert browser.page() == ["often"]


def test_in_a_session_it_is(browser: Browser) -> None:
    browser.jar["consent"] = "session"
    for _ in range(2):
        assert hero(browser) == "teaser"
        browser.saw()
    assert hero(browser) == "often"


def test_a_bundle_compiled_anew_goes_on_counting(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever else was added, and even where the campaign was away in between."""
    for _ in range(2):
        hero(browser)
        browser.saw()
    counted = browser.events().caps
    more = "placement: trending, cap: {impressions: 9, days: 2}, show: {content: app}"
    others = "".join(f"  - {{id: more{n}, {more}}}\n" for n in range(9))
    folder = tmp_path_factory.mktemp("anew")
    without = RULES.replace("id: teaser", "id: tease") + others
    browser.worker.holder.active = Active(load(folder / "without", without), 8)
    assert browser.page()[0] == "tease"
    browser.saw()
    assert counted in browser.events().caps
    browser.worker.holder.active = Active(load(folder / "with", RULES + others), 9)
    browser.now_ms += HOUR_MS
    assert hero(browser) == "teaser"
    assert browser.read()["cap.teaser.7d"] == 2


def test_the_campaign_that_was_longest_not_shown_is_forgotten_first(browser: Browser, tmp_path: Path) -> None:
    many = "campaigns:\n" + "".join(
        f"  - {{id: c{n:03}, placement: trending, priority: {200 - n}, show: {{content: app}},"
        f" cap: {{impressions: 1, days: 300}}}}\n"
        for n in range(100)
    )
    browser.worker.holder.active = Active(load(tmp_path, many), 8)
    for n in range(60):
        shown = browser.page()[0]
        browser.saw("app", "trending")
        assert len(browser.events().caps) <= MAX_CAPS_BYTES
        if shown != f"c{n:03}":
            break
        browser.now_ms += 60_000
    # Thirty were kept; then the first one came round again.
    assert (n, shown) == (31, "c000")
    assert len(browser.jar["nearside-e"]) < 700


def test_a_replay_needs_no_cookie(browser: Browser, capping: Engine) -> None:
    for _ in range(5):
        hero(browser)
        browser.saw()
    records = browser.worker.decisions()
    assert [capping.decide(record.context).slots for record in records] == [r.slots for r in records]

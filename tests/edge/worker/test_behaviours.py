"""Behaviours from a workspace to the page: what a visitor did in time changes what is shown, and reverts."""

from pathlib import Path

import pytest

from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from edge.decide.types import DecisionRecord
from edge.pages.plan import scan
from edge.visitor.cookie import MAX_COOKIE_BYTES
from edge.worker.attributes.facts import Request
from edge.worker.turn.personalize import personalize
from edge.worker.turn.view import PageView
from tests.edge.worker.conftest import PAGE, Worker
from tests.workspaces.make import FILES, SITE, make_bundle

NOW_MS = 1_750_000_000_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS

BEHAVIOURS = """\
behaviours:
  crime: {where: {item.genre: crime}, window: 7d}
  genres: {measure: distinct, of: item.genre, window: 30d}
  offers: {event: page, path: "/offers/**", window: 1d}
  left: {event: page, path: /basket, measure: recency, window: 7d}
  share: {where: {item.genre: {$in: [crime, noir]}}, measure: rate, window: 7d}
  minutes: {measure: sum, of: item.minutes, window: 7d}
"""
RULES = """\
campaigns:
  - id: for-crime
    audience: {behaviour.crime: {$gte: 3}}
    placement: hero
    show: {content: app}
  - id: all-else
    audience:
      $or:
        - {behaviour.genres: {$gte: 3}}
        - {behaviour.offers: {$gt: 1}}
        - {behaviour.left: {$gte: 1, $lt: 100}}
        - {behaviour.share: {$gt: 0.9}}
        - {behaviour.minutes: {$gt: 200}}
    placement: trending
    show: {content: app}
"""
MINUTES = ("117", "142", "102", "155", "124", "98", "", "170.6")
CATALOG = "\n".join(
    f"{line},{more}"
    for line, more in zip(FILES["catalogs/films.csv"].splitlines(), ("minutes", *MINUTES), strict=True)
)
CHANGES = {
    "site.yaml": FILES["site.yaml"] + BEHAVIOURS,
    "rules/campaigns.yaml": RULES,
    "catalogs/films.csv": CATALOG,
}


@pytest.fixture(scope="module")
def counting(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder = make_bundle(tmp_path_factory.mktemp("counting"), CHANGES)
    return Engine.load(open_bundle(folder, SITE))


class Visitor:
    """Keeps the cookie from page to page."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.cookie = b"consent=full"

    def visit(self, path: str, now_ms: int, consent: bytes = b"full") -> DecisionRecord:
        headers = {b"cookie": self.cookie.replace(b"consent=full", b"consent=" + consent)}
        view = PageView(Request(path, b"", headers), scan(PAGE), PAGE)
        personalize([view], self.worker.holder.active, self.worker.desk, now_ms)
        if view.set_cookie:
            value = view.set_cookie.partition(b";")[0]
            assert len(value) <= MAX_COOKIE_BYTES + len("nearside=")
            self.cookie = b"consent=full; " + value
        return self.worker.decisions()[-1]


@pytest.fixture
def visitor(tmp_path: Path, counting: Engine) -> Visitor:
    return Visitor(Worker(tmp_path, counting))


def shown(record: DecisionRecord) -> list[str]:
    return [slot.policy for slot in record.slots]


def test_a_category_viewed_three_times_in_seven_days_changes_the_page_and_reverts(visitor: Visitor) -> None:
    assert shown(visitor.visit("/film/fargo", NOW_MS)) == []
    assert shown(visitor.visit("/film/alien", NOW_MS + DAY_MS)) == []
    assert shown(visitor.visit("/film/heat", NOW_MS + 2 * DAY_MS)) == []
    record = visitor.visit("/film/fargo", NOW_MS + 6 * DAY_MS)
    assert shown(record) == ["for-crime"]
    assert record.context.attributes["behaviour.crime"] == 3
    assert shown(visitor.visit("/", NOW_MS + 6 * DAY_MS)) == ["for-crime"]
    # The first one is out of the window, by at most one bucket of 11 hours and 12 minutes.
    record = visitor.visit("/", NOW_MS + 7 * DAY_MS + 12 * HOUR_MS)
    assert shown(record) == []
    assert record.context.attributes["behaviour.crime"] == 2


def test_every_measure_counts_what_it_says(visitor: Visitor) -> None:
    pages = ("/film/fargo", "/film/heat", "/film/gilda", "/film/alien", "/offers/a", "/offers/b/c", "/basket")
    for minute, path in enumerate(pages):
        visitor.visit(path, NOW_MS + minute * 60_000)
    found = visitor.visit("/", NOW_MS + 6 * 60_000 + HOUR_MS).context.attributes
    assert {name: value for name, value in found.items() if name.startswith("behaviour.")} == {
        "behaviour.crime": 2,
        "behaviour.genres": 3,
        "behaviour.left": 1.0,
        "behaviour.minutes": 98 + 171 + 117,
        "behaviour.offers": 2,
        "behaviour.share": 0.75,
    }


def test_of_a_visitor_who_is_not_known_nothing_is_counted(visitor: Visitor) -> None:
    for _ in range(4):
        record = visitor.visit("/film/fargo", NOW_MS, consent=b"contextual")
    assert shown(record) == []
    assert record.context.attributes["behaviour.crime"] == 0
    # Never is longer ago than any bound: "within the last hour" does not hold for strangers.
    assert record.context.attributes["behaviour.left"] == 1_000_000


def test_an_older_cookie_has_counted_nothing(visitor: Visitor) -> None:
    visitor.cookie = b"consent=full; " + visitor.worker.cookie("heat", "fargo").encode()
    assert visitor.visit("/film/fargo", NOW_MS).context.attributes["behaviour.crime"] == 1

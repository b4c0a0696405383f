"""What visitors do on a page, from the page to the event cookie and the next page."""

from pathlib import Path

import pytest

from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from edge.visitor.cookie import MAX_COOKIE_BYTES
from edge.visitor.events import MAX_REPORTED
from tests.edge.worker.browser import DAY_MS, HOUR_MS, Browser
from tests.edge.worker.conftest import Said, Worker
from tests.workspaces.make import FILES, SITE, make_bundle

BEHAVIOURS = """\
events: [signup]
behaviours:
  bought: {event: purchase, window: 30d}
  spent: {event: purchase, measure: sum, of: value, window: 30d}
  crime-carts: {event: cart, where: {item.genre: crime}, window: 7d}
  left-cart: {event: cart, measure: recency, window: 7d, until: purchase}
  click-rate: {event: click, measure: rate, of: impression, last: 50}
  signed-up: {event: signup, measure: recency, window: 30d}
  seen: {event: impression, measure: distinct, window: 1d}
"""
RULES = """\
campaigns:
  - id: thanks
    audience: {behaviour.bought: {$gt: 3}}
    placement: hero
    priority: 5
    show: {content: app}
  - id: your-cart
    audience: {behaviour.left-cart: {$gte: 1, $lt: 168}}
    placement: hero
    priority: 4
    show: {content: welcome}
  - id: others
    placement: hero
    show: {content: summer}
  - id: for-you
    placement: recommended
    show: {recommender: taste, card: film, limit: 4}
  - id: bored
    audience: {behaviour.click-rate: {$lt: 0.02, $exists: true}, behaviour.seen: {$gte: 4}}
    placement: recommended
    priority: 1
    show: {recommender: popular, card: film, limit: 2}
  - id: all-else
    audience:
      $or:
        - {behaviour.spent: {$gt: 100}}
        - {behaviour.crime-carts: {$gt: 1}}
        - {behaviour.signed-up: {$lt: 1}}
    placement: trending
    show: {content: app}
"""
CHANGES = {"site.yaml": FILES["site.yaml"] + BEHAVIOURS, "rules/campaigns.yaml": RULES}


@pytest.fixture(scope="module")
def hearing(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    folder = make_bundle(tmp_path_factory.mktemp("hearing"), CHANGES)
    return Engine.load(open_bundle(folder, SITE))


@pytest.fixture
def browser(tmp_path: Path, hearing: Engine, monkeypatch: pytest.MonkeyPatch) -> Browser:
    return Browser(Worker(tmp_path, hearing), monkeypatch)


def test_more_than_three_purchases_change_the_page_and_it_reverts(browser: Browser) -> None:
    assert browser.page()[0] == "others"
    for n in range(4):
        browser.did("purchase", "heat", value=30, n=n)
        browser.now_ms += DAY_MS // 100
    assert browser.page() == ["thanks", "for-you"]
    assert (browser.read()["behaviour.bought"], browser.read()["behaviour.spent"]) == (4, 120)
    browser.now_ms += 33 * DAY_MS
    assert browser.page()[0] == "others"
    assert [(event.kind, event.item, event.value) for event in browser.worker.events()][:1] == [
        ("purchase", "heat", 30.0)
    ]


def test_put_in_the_cart_and_not_bought_for_an_hour(browser: Browser) -> None:
    browser.page()
    browser.did("cart", "heat")
    assert browser.page()[0] == "others"
    browser.now_ms += HOUR_MS
    assert browser.page()[0] == "your-cart"
    browser.did("purchase", "heat")
    assert browser.page()[0] == "others"
    assert browser.read()["behaviour.crime-carts"] == 1


def test_clicked_less_than_two_of_a_hundred_of_the_last_fifty_things_shown(browser: Browser) -> None:
    """Another recommender, with fewer cards, for who does not click; and back after a click."""
    for _ in range(13):
        assert browser.page()[1] == ("for-you" if not browser.jar.get("nearside-e") else "bored")
        slot = browser.worker.decisions()[-1].slots[1]
        for item in slot.items:
            browser.saw(item, "recommended")
    item = browser.worker.decisions()[-1].slots[1].items[0]
    browser.saw(item, "recommended", kind="click")
    assert browser.page()[1] == "for-you"
    assert 0.02 <= browser.read()["behaviour.click-rate"] < 0.04


def test_a_request_sent_again_counts_nothing_more(browser: Browser) -> None:
    browser.page()
    events = [{"kind": "purchase", "item": "heat", "n": n} for n in range(MAX_REPORTED)]
    for _ in range(4):
        assert browser.report(*events).status == 204
    browser.page()
    assert browser.read()["behaviour.bought"] == MAX_REPORTED
    assert browser.worker.count('nearside_reported_events_total{outcome="repeated"}') == 3 * MAX_REPORTED
    assert browser.worker.count('nearside_reported_events_total{outcome="counted"}') == MAX_REPORTED


def test_a_thing_counts_once_for_a_page(browser: Browser) -> None:
    browser.page()
    for n in range(5):
        browser.report({"kind": "impression", "placement": "hero", "n": n})
    browser.page()
    assert browser.read()["behaviour.seen"] == 1


def test_a_click_and_the_next_page_at_once_lose_nothing(browser: Browser) -> None:
    """The answer to the click comes after the page's, and neither writes the other's cookie."""
    browser.page("/film/heat")
    before = dict(browser.jar)
    browser.page("/film/alien")
    page_after = browser.jar["nearside"]
    browser.jar = before
    browser.did("cart", "heat")
    assert browser.jar["nearside"] == before["nearside"]
    browser.jar["nearside"] = page_after
    browser.now_ms += 2 * HOUR_MS
    assert browser.page()[0] == "your-cart"
    assert browser.worker.decisions()[-1].context.history == ("alien", "heat")


def test_two_tabs_at_once_lose_one_request_at_most(browser: Browser) -> None:
    browser.page()
    browser.did("purchase", n=0)
    before, token = dict(browser.jar), browser.token
    browser.did("purchase", n=1)
    browser.jar = before
    browser.report({"kind": "purchase", "n": 2}, token=token)
    browser.page()
    assert browser.read()["behaviour.bought"] == 2


@pytest.mark.parametrize("consent", ["none", "contextual"])
def test_without_consent_to_a_state_nothing_is_set(browser: Browser, consent: str) -> None:
    browser.page()
    browser.did("cart")
    browser.jar["consent"] = consent
    assert browser.report({"kind": "cart", "n": 1}).values("set-cookie") == []
    assert browser.worker.count('nearside_reported_events_total{outcome="withheld"}') == 1
    # The next page takes both away.
    answer = browser.worker.get("/", {"cookie": f"consent={consent}; nearside=a; nearside-e=b"})
    assert sorted(value.partition("=")[0] for value in answer.values("set-cookie")) == [
        "nearside",
        "nearside-e",
    ]


def test_a_session_is_counted_until_it_ends(browser: Browser) -> None:
    browser.jar["consent"] = "session"
    browser.page()
    answer = browser.report({"kind": "cart"})
    (kept,) = answer.values("set-cookie")
    assert "Max-Age" not in kept
    assert browser.events().of == b""


def test_who_takes_consent_back_is_another_visitor(browser: Browser) -> None:
    browser.page()
    browser.did("cart", "heat")
    browser.now_ms += 2 * HOUR_MS
    assert browser.page()[0] == "your-cart"
    browser.jar["consent"] = "session"
    assert browser.page()[0] == "others"
    browser.jar.pop("nearside")
    browser.jar["consent"] = "full"
    assert browser.page()[0] == "others"


def test_who_comes_without_a_state_gets_none_from_a_report(browser: Browser) -> None:
    """An app that reports, or a browser that keeps no cookies."""
    browser.page()
    del browser.jar["nearside"]
    assert browser.report({"kind": "cart"}).values("set-cookie") == []


@pytest.mark.parametrize("sealed", ["x", "A" * 4000, ""])
def test_an_event_cookie_that_was_made_up_counts_as_none(browser: Browser, sealed: str) -> None:
    browser.page()
    browser.did("cart")
    browser.jar["nearside-e"] = sealed
    browser.now_ms += 2 * HOUR_MS
    assert browser.page()[0] == "others"
    # The two cookies can't stand for each other.
    browser.jar["nearside-e"] = browser.jar["nearside"]
    assert browser.page()[0] == "others"


def test_a_page_that_shows_defaults_may_report_too(browser: Browser) -> None:
    browser.worker.site.says[b"/checkout"] = Said(b'<h1>Done</h1><i data-placement="trending">Bye</i>')
    for turn, coding in enumerate(("identity", "gzip"), 1):
        assert browser.page("/checkout", **{"accept-encoding": coding}) == []
        assert browser.html.endswith(b'"></template>Bye</i>')
        browser.did("purchase")
        browser.page()
        assert browser.read()["behaviour.bought"] == turn


def test_a_default_that_stands_twice_stays_as_it_is(browser: Browser) -> None:
    twice = b'<i data-placement="trending">One</i><i data-placement="trending">Two</i>'
    browser.worker.site.says[b"/checkout"] = Said(twice)
    assert browser.page("/checkout") == []
    assert (browser.html, browser.token) == (twice, "")


def test_the_site_never_sees_the_event_cookie(browser: Browser) -> None:
    browser.page()
    browser.did("cart")
    browser.page("/x")
    assert browser.worker.site.heard[-1].values(b"cookie") == [b"consent=full"]


def test_the_event_cookie_stays_small(browser: Browser) -> None:
    browser.page()
    for n in range(60):
        browser.now_ms += DAY_MS // 2
        browser.page("/film/heat")
        browser.report(
            *[{"kind": kind, "item": "heat", "value": 9, "n": n} for kind in ("cart", "purchase", "signup")],
            {"kind": "impression", "placement": "hero"},
        )
    assert len(browser.jar["nearside-e"]) < MAX_COOKIE_BYTES // 2


def test_a_bundle_that_counts_nothing_sets_and_opens_nothing(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = Browser(worker, monkeypatch)
    browser.page()
    assert browser.report({"kind": "purchase", "item": "heat"}).values("set-cookie") == []
    browser.jar["nearside-e"] = "broken"
    browser.page()
    assert worker.count("nearside_cookies_refused_total") == 0


def test_events_without_room_are_not_counted(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    browser.page()

    def full(_: object) -> int:
        raise OSError(28, "no space")

    monkeypatch.setattr(browser.worker.spool, "append", full)
    answer = browser.report({"kind": "cart"})
    assert (answer.status, answer.values("set-cookie")) == (429, [])

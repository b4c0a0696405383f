"""What a visitor bought is in no list from the next page on, as far as they agreed to that."""

from pathlib import Path

import pytest

from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from edge.visitor.cookie import MAX_COOKIE_BYTES, CookieBox
from edge.visitor.events import MAX_BOUGHT, MAX_BOUGHT_BYTES, EventState, with_bought
from tests.edge.worker.browser import Browser
from tests.edge.worker.conftest import Worker
from tests.workspaces.make import FILES, SITE, make_bundle

CHANGES = {
    "rules/campaigns.yaml": """\
campaigns:
  - {id: for-you, placement: recommended, show: {recommender: mine, card: film, limit: 4}}
  - {id: buyers, audience: {visitor.bought: {$in: [heat]}}, placement: hero, show: {content: app}}
""",
    "recommenders/mine.yaml": "model: taste\nleave_out: visitor.bought\n",
}
PURPOSES = "consent: {cookie: consent, purposes: {shop: {}}, events: {purchase: shop}}"


def load(folder: Path, changes: dict[str, str] | None = None) -> Engine:
    return Engine.load(open_bundle(make_bundle(folder, {**CHANGES, **(changes or {})}), SITE))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return load(tmp_path_factory.mktemp("bought"))


def listed(browser: Browser) -> tuple[str, ...]:
    return next(slot.items for slot in browser.worker.decisions()[-1].slots if slot.candidates)


def test_what_was_bought_is_not_listed_again(
    tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = Browser(Worker(tmp_path, engine), monkeypatch)
    browser.page()
    before = listed(browser)
    browser.did("purchase", before[1])
    browser.did("purchase", "heat", n=1)
    browser.did("cart", before[0])
    browser.did("purchase", "", n=2)
    assert browser.page()[0] in {"buyers", "for-you"}
    after = listed(browser)
    assert browser.read()["visitor.bought"] == ["heat", before[1]]
    assert before[1] not in after
    assert before[0] in after
    assert len(after) == len(before)
    # What was written down decides alike again.
    for record in browser.worker.decisions():
        assert engine.decide(record.context).slots == record.slots


def test_it_is_kept_only_where_something_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    behaviours = "behaviours: {bought: {event: purchase, window: 30d}}\n"
    buyers = "{id: a, audience: {behaviour.bought: {$gt: 0}}, placement: hero, show: {content: app}}"
    changes = {
        "site.yaml": FILES["site.yaml"] + behaviours,
        "rules/campaigns.yaml": f"campaigns:\n  - {buyers}\n",
        "recommenders/mine.yaml": "model: taste\n",
    }
    browser = Browser(Worker(tmp_path, load(tmp_path / "bundle", changes)), monkeypatch)
    browser.page()
    browser.did("purchase", "heat")
    held = browser.worker.desk.cookies.open_events(browser.jar["nearside-e"].encode())
    assert (held.bought, bool(held.behaviours)) == ((), True)


def test_who_withdraws_the_purpose_has_bought_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = FILES["site.yaml"].replace("consent: {cookie: consent, default: contextual}", PURPOSES)
    engine = load(tmp_path / "bundle", {"site.yaml": site})
    worker = Worker(tmp_path, engine)
    kept = worker.holder.active.keeping
    state = EventState(bought=("heat",))
    granted = worker.holder.active.reader.consent.bits(("shop",))
    assert kept.under(granted).events(state).bought == ("heat",)
    assert kept.under(0).events(state).bought == ()


def test_the_last_come_first_and_the_oldest_make_room() -> None:
    assert with_bought(("a", "b"), ["c", "b", "d"]) == ("d", "b", "c", "a")
    assert with_bought((), []) == ()
    many = with_bought((), [f"i{n}" for n in range(200)])
    assert (len(many), many[0]) == (MAX_BOUGHT, "i199")
    long = with_bought((), [f"{n:060}" for n in range(20)])
    assert long[0] == f"{19:060}"
    assert sum(len(item) + 1 for item in long) <= MAX_BOUGHT_BYTES


def test_a_full_cookie_keeps_what_was_bought_last() -> None:
    box = CookieBox(SITE, [(1, b"k" * 32)])
    bought = with_bought((), [f"item-{n:04}" for n in range(60)])
    full = EventState(1, b"of", b"b" * 700, b"c" * 300, b"r" * 64, bought)
    sealed = box.seal_events(full)
    assert len(sealed) <= MAX_COOKIE_BYTES
    assert box.open_events(sealed).bought == bought[: len(box.open_events(sealed).bought)]
    half = EventState(1, b"of", b"b" * 300, b"c" * 100, b"r" * 64, bought)
    assert box.open_events(box.seal_events(half)).bought == bought

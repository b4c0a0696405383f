"""Layouts and redirects on the page path: what visitors get, what is written down, and that it replays."""

import gzip
import json
import os
import re
from pathlib import Path

import pytest

from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from edge.rules.bucketing import bucket
from edge.worker.turn import whole_page
from origin.lake.replay import replay
from tests.edge.worker.conftest import HTML, Answer, Said, Worker
from tests.workspaces.make import ACTIONS, SITE, make_bundle

OFFERS = b'<section data-block="offers">Offers <b data-placement="trending">t</b></section>'
NEWS = b'<article data-block="news">News</article>'
ABOUT = b'<aside data-block="about">About <i data-placement="hero">h</i></aside>'
PAGE = (
    b"<main>\xff" + OFFERS + b"<hr>" + NEWS + b"\n" + ABOUT + b'<p data-placement="recommended">r</p></main>'
)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """The small workspace with layouts and redirects."""
    return Engine.load(open_bundle(make_bundle(tmp_path_factory.mktemp("actions"), ACTIONS), SITE))


@pytest.fixture
def worker(tmp_path: Path, engine: Engine) -> Worker:
    """A worker with it, before a site with blocks."""
    worker = Worker(tmp_path, engine)
    for path in (
        "/",
        "/old",
        "/old/",
        "/OLD",
        "/shop",
        "/landing",
        "/new-landing",
        "/film/alien",
        "/film/alien?from=old",
    ):
        worker.site.says[path.encode()] = Said(PAGE)
    return worker


def of(country: str, *parts: str) -> dict[str, str]:
    return {"x-geo-country": country, "cookie": "; ".join(("consent=contextual", *parts))}


def visitor(experiment: str, low: float, high: float) -> bytes:
    """One whose place in an experiment is there, and whom no holdout holds."""
    while True:
        raw = os.urandom(16)
        held = any((bucket(seed, raw.hex(), 2) or 0.0) < 0.1 for seed in ("stays", "never"))
        if not held and low <= (bucket(experiment, raw.hex(), 2) or 0.0) < high:
            return raw


def full(worker: Worker, country: str, raw: bytes, *parts: str) -> dict[str, str]:
    cookies = ("consent=full", worker.cookie(visitor=raw), *parts)
    return {"x-geo-country": country, "cookie": "; ".join(cookies)}


def led(answer: Answer) -> bool:
    return any(value.startswith("nearside-led=1;") for value in answer.values("set-cookie"))


def replays(worker: Worker, engine: Engine) -> bool:
    again = replay({engine.id: engine}, worker.decisions())
    return again.decided == len(worker.decisions()) > 0 and again.different == 0


def test_blocks_change_places_and_placements_in_them_are_filled(worker: Worker, engine: Engine) -> None:
    answer = worker.get("/", of("DE"))
    body = answer.body
    assert body.index(NEWS) < body.index(b"<hr>") < body.index(b"Offers")
    assert b">t<" not in body  # the list of popular films is in the block that moved
    assert body.count(b"data-nearside=") == 1
    assert body.startswith(b"<main>\xff" + NEWS + b"<hr>" + OFFERS[: OFFERS.index(b"t</b>")])
    (record,) = worker.decisions()
    assert [
        (slot.placement, slot.policy, slot.content)
        for slot in record.slots
        if slot.placement == "page.layout"
    ] == [("page.layout", "readers", "news-first")]
    assert "page.layout" in record.context.placements
    assert replays(worker, engine)
    assert worker.count('nearside_pages_total{kind="personalized"}') == 1


def test_what_stands_in_a_hidden_block_is_neither_shown_nor_recorded(worker: Worker, engine: Engine) -> None:
    answer = worker.get("/", of("FR"))
    assert answer.body.startswith(b"<main>\xff<hr>" + NEWS + b'\n<p data-placement="recommended">')
    assert b'data-block="offers' not in answer.body
    (record,) = worker.decisions()
    assert set(record.context.placements) == {"recommended", "page.layout", "page.redirect"}
    assert {slot.placement for slot in record.slots} == {"recommended", "page.layout"}
    assert replays(worker, engine)


def test_a_page_without_blocks_asks_for_no_layout(worker: Worker) -> None:
    worker.site.says[b"/"] = Said(b'<p data-placement="hero">h</p>')
    answer = worker.get("/", of("DE"))
    assert b"Welcome" in answer.body
    (record,) = worker.decisions()
    assert record.context.placements == ("hero", "page.redirect")


def test_a_layout_without_a_placement_is_a_personalized_page(worker: Worker) -> None:
    worker.site.says[b"/"] = Said(b"<b data-block=offers>1</b>-<b data-block=news>2</b>")
    answer = worker.get("/", of("DE"))
    assert answer.body == b"<b data-block=news>2</b>-<b data-block=offers>1</b>"
    assert answer.value("cache-control") == "private, no-store"


def test_variations_lay_out_and_stick(worker: Worker, engine: Engine) -> None:
    control, short, mixed = (visitor("blocks", *part) for part in ((0, 0.33), (0.34, 0.66), (0.67, 0.99)))
    assert worker.get("/", full(worker, "AT", control)).body.startswith(b"<main>\xff" + OFFERS[:20])
    answer = worker.get("/", full(worker, "AT", short))
    assert answer.body.startswith(b"<main>\xff" + NEWS + b"<hr>" + OFFERS[:20])
    assert b"About" not in answer.body
    assert worker.state(answer).assigned == (("blocks", 1, "short"),)
    both = worker.get("/", full(worker, "AT", mixed)).body
    assert both.startswith(b"<main>\xff" + NEWS)
    assert b"Take films along" in both
    assert [
        slot.variation for r in worker.decisions() for slot in r.slots if slot.placement == "page.layout"
    ] == [
        "control",
        "short",
        "mixed",
    ]
    assert replays(worker, engine)


def test_a_killed_or_held_out_campaign_leaves_the_page_as_it_is(worker: Worker) -> None:
    worker.kill("readers", "moved")
    assert worker.get("/", of("DE")).body.startswith(b"<main>\xff" + OFFERS[:20])
    assert worker.get("/old", of("DE")).status == 200


def test_a_redirect_is_private_temporary_and_recorded_as_all_that_was_shown(
    worker: Worker, engine: Engine
) -> None:
    answer = worker.get("/old?utm_source=mail&from=x", of("DE"))
    assert (answer.status, answer.body, answer.value("content-length")) == (302, b"", "0")
    assert answer.value("location") == "/film/alien?from=old&utm_source=mail"
    assert answer.value("cache-control") == "private, no-store"
    assert led(answer)
    (record,) = worker.decisions()
    (slot,) = record.slots
    assert (slot.placement, slot.policy, slot.content) == ("page.redirect", "moved", "/film/alien?from=old")
    assert replays(worker, engine)
    assert worker.count('nearside_pages_total{kind="redirected"}') == 1
    assert worker.count('nearside_pages_total{kind="personalized"}') == 0
    assert worker.count('nearside_pages_total{kind="default"}') == 0


def test_who_is_led_away_from_an_item_has_not_viewed_it(worker: Worker) -> None:
    engine = worker.holder.active.engine
    assert isinstance(engine, Engine)
    worker.site.says[b"/film/dune"] = Said(PAGE)
    seen = worker.get("/film/dune", full(worker, "DE", visitor("landing", 0, 1)))
    assert worker.state(seen).items == ("dune",)
    assert [event.item for event in worker.events()] == ["dune"]
    answer = worker.get("/old", full(worker, "DE", raw := visitor("landing", 0, 1)))
    assert answer.status == 302
    state = worker.state(answer)
    assert (state.visitor, state.items, state.visits) == (raw, (), 4)
    assert len(worker.events()) == 1


def test_a_new_visitor_keeps_their_id_and_variation_over_the_redirect(worker: Worker) -> None:
    for _ in range(20):
        answer = worker.get("/landing", {"cookie": "consent=full"})
        (record,) = worker.decisions()[-1:]
        assert worker.state(answer).visitor.hex() == record.visitor != ""
        arms = [slot.variation for slot in record.slots if slot.placement == "page.redirect"]
        held = any(reason.endswith("held-out") for reason in record.excluded)
        assert answer.status == (302 if arms == ["new"] else 200)
        assert held or arms in (["old"], ["new"])


def test_the_site_itself_may_allow_another_host_which_is_told_nothing(worker: Worker) -> None:
    answer = worker.get("/shop?secret=1", of("DE"))
    assert (answer.status, answer.value("location")) == (302, "https://shop.example.com/films")


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_nobody_without_consent_is_redirected(method: str, worker: Worker) -> None:
    answer = worker.get("/old", {"cookie": "consent=none"}, method=method)
    assert answer.status == 200
    assert worker.records() == []


def test_head_is_answered_as_get_is_and_leaves_no_trace(worker: Worker) -> None:
    answer = worker.get("/old", full(worker, "DE", visitor("landing", 0, 1)), method="HEAD")
    assert (answer.status, answer.body) == (302, b"")
    assert answer.value("location") == "/film/alien?from=old"
    assert not [value for value in answer.values("set-cookie") if value.startswith("nearside=")]
    assert worker.records() == []
    assert worker.count("nearside_pages_total") == 0
    assert worker.get("/film/dune", of("DE"), method="HEAD").status == 200
    assert worker.site.heard[-1].method == "HEAD"


@pytest.mark.parametrize(
    ("path", "said"),
    [("/old", Said(b"{}", (("content-type", "application/json"),))), ("/old", Said(PAGE, (HTML,), 404))],
)
def test_only_pages_lead_elsewhere(path: str, said: Said, worker: Worker) -> None:
    worker.site.says[path.encode()] = said
    for method in ("GET", "HEAD"):
        assert worker.get(path, of("DE"), method=method).status == said.status
    assert worker.get(path, {**of("DE"), "content-length": "0"}, method="POST").status == said.status


def test_a_page_that_a_redirect_leads_to_leads_nowhere(worker: Worker, engine: Engine) -> None:
    assert engine.page.is_target("any", "/film/alien/", {"from": "old", "more": "1"})
    assert not engine.page.is_target("any", "/film/alien", {"from": "new"})
    assert engine.page.is_target("shop.example.com", "/films", {})
    assert not engine.page.is_target("www.example.com", "/films", {})
    worker.get("/New-Landing/", of("DE"))
    (record,) = worker.decisions()
    assert "page.redirect" not in record.context.placements


def test_who_was_just_led_is_not_led_again_and_then_may_be(worker: Worker, engine: Engine) -> None:
    """The site may lead from where we led back to where we lead from: that ends with the second answer."""
    arrived = worker.get("/old", of("DE", "nearside-led=1"))
    assert arrived.status == 200
    assert [value.partition(";")[0] for value in arrived.values("set-cookie")] == ["nearside-led=1"]
    assert "Max-Age=0" in arrived.value("set-cookie")
    assert arrived.value("cache-control") == "private, no-store"
    (heard,) = worker.site.heard
    assert heard.values(b"cookie") == [b"consent=contextual"]
    assert worker.get("/old", of("DE")).status == 302
    assert replays(worker, engine)


def test_the_visitors_own_words_never_say_where_they_are_led() -> None:
    assert whole_page.location("/sale#top", b"a=1&b=2") == b"/sale?a=1&b=2#top"
    assert whole_page.location("/sale?a=9", b"a=1&b=2&&c") == b"/sale?a=9&b=2&c"
    for hostile in (b"a=1\r\nset-cookie: x", b"a=<b>", b"a=\xff", b"a=1#x", b"a b", b"a=" + b"1" * 4000):
        assert whole_page.location("/sale", hostile) == b"/sale"
    assert whole_page.location("https://a.example/x", b"a=1") == b"https://a.example/x"


@pytest.mark.parametrize("country", ["DE", "FR", "AT"])
def test_a_compressed_page_is_the_same_page(country: str, worker: Worker) -> None:
    shared = (HTML, ("cache-control", "public, max-age=60"))
    worker.site.says[b"/"] = Said(PAGE + b"<p>filler</p>" * 200, shared)
    mixed = full(worker, country, visitor("blocks", 0.67, 0.99))
    plain = worker.get("/", mixed)
    for _ in range(20):  # the first few are packed quickly, later ones thoroughly
        coded = worker.get("/", {**mixed, "accept-encoding": "gzip"})
        assert coded.value("content-encoding") == "gzip"
        token = re.compile(rb'data-nearside="[^"]*"')
        assert token.sub(b"", gzip.decompress(coded.body)) == token.sub(b"", plain.body)


def test_a_kept_page_is_laid_out_and_led_for_each_visitor(worker: Worker, engine: Engine) -> None:
    kept = (HTML, ("cache-control", "public, max-age=60"))
    worker.site.says[b"/"] = worker.site.says[b"/old"] = Said(PAGE, kept)
    for _ in range(2):
        assert worker.get("/", of("DE")).body.startswith(b"<main>\xff" + NEWS)
        assert worker.get("/", of("US")).body.startswith(b"<main>\xff" + OFFERS[:20])
        assert worker.get("/old", of("AT")).status == 200
        for method in ("GET", "HEAD"):
            answer = worker.get("/old", of("DE"), method=method)
            assert (answer.status, answer.value("cache-control")) == (302, "private, no-store")
    assert [heard.target for heard in worker.site.heard] == [b"/", b"/old"]
    assert replays(worker, engine)


def test_a_hidden_placement_asks_again_until_nothing_hidden_is_asked(tmp_path: Path) -> None:
    """One group has a layout, which wins by hiding its rival; what is recorded is what is seen."""
    rules = """\
campaigns:
- {id: layout, exclusive: one, show: {layout: {hide: about}}}
- {id: hero, exclusive: one, placement: hero, priority: 5, show: {content: app}}
- {id: other, priority: -5, show: {layout: {hide: offers}}}
"""
    bundle = make_bundle(tmp_path, {**ACTIONS, "rules/page.yaml": rules, "rules/campaigns.yaml": None})
    engine = Engine.load(open_bundle(bundle, SITE))
    worker = Worker(tmp_path / "worker", engine)
    worker.site.says[b"/"] = Said(PAGE)
    answer = worker.get("/", of("DE"))
    (record,) = worker.decisions()
    assert [(slot.placement, slot.policy) for slot in record.slots] == [
        ("hero", "hero"),
        ("page.layout", "other"),
    ]
    assert b"Offers" not in answer.body
    assert "trending" not in record.context.placements
    assert replays(worker, engine)


def test_a_layout_is_a_flag_and_a_redirect_is_none(worker: Worker) -> None:
    body = json.dumps({"context": {"targetingKey": "x", "geo.country": "FR", "url.path": "/shop"}}).encode()
    answer = worker.get(
        "/ofrep/v1/evaluate/flags", {"content-length": str(len(body))}, method="POST", body=[body]
    )
    flags = {flag["key"]: flag.get("value") for flag in answer.json["flags"]}
    assert flags["page.layout"] == {
        "campaign": "no-hero",
        "layout": "hide offers, about",
        "blocks": {"hide": ["offers", "about"]},
    }
    assert flags["hero"]["content"] == "welcome"
    assert "page.redirect" not in flags
    record = worker.decisions()[-1]
    assert "page.redirect" not in record.context.placements


def test_apps_are_told_layouts_and_redirects_in_words(worker: Worker) -> None:
    ask = {"placements": ["page.layout", "hero"], "attributes": {"geo.country": "FR"}}
    layout, hero = worker.post("/_nearside/decide", ask).json["slots"]
    assert layout == {
        "placement": "page.layout",
        "campaign": "no-hero",
        "propensity": 1.0,
        "layout": "hide offers, about",
        "blocks": {"hide": ["offers", "about"]},
    }
    assert hero["content"] == "welcome"
    ask = {"placements": ["page.redirect", "hero"], "attributes": {"url.path": "/shop"}}
    (slot,) = worker.post("/_nearside/decide", ask).json["slots"]
    assert slot["redirect"] == "https://shop.example.com/films"
    assert "html" not in slot

"""The page path: personalized where it may be, the site's own bytes everywhere else, never a 500."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from edge.decide.engine import Engine
from edge.decide.types import CONSENT_TIERS
from tests.edge.worker.conftest import HTML, MAX_PAGE_BYTES, PAGE, Said, Worker

CONSENT_PAGE = Path(__file__).resolve().parents[3] / "docs/consent.md"
FULL = {"cookie": "consent=full"}
TEMPLATE = re.compile(rb'<template data-nearside="[^"]+"></template>')


def cached(seconds: int = 60, *more: tuple[str, str]) -> Said:
    return Said(headers=(HTML, ("cache-control", f"max-age={seconds}"), *more))


def test_without_a_bundle_the_page_is_the_sites(empty_worker: Worker) -> None:
    empty_worker.site.says[b"/"] = Said(headers=(HTML, ("etag", '"1"')))
    answer = empty_worker.get("/", FULL)
    assert (answer.status, answer.body) == (200, PAGE)
    assert answer.value("etag") == '"1"'
    assert not answer.values("set-cookie")
    assert not empty_worker.records()


def test_a_personalized_page_differs_in_its_placements_alone(worker: Worker) -> None:
    answer = worker.get("/", FULL)
    assert answer.value("content-length") == str(len(answer.body))
    before, middle, after = re.split(rb"the default|<i>nothing yet</i>", PAGE)
    assert answer.body.startswith(before)
    assert answer.body.endswith(after)
    assert middle in answer.body
    assert b"Welcome to <em>our</em> films" in answer.body
    assert answer.body.count(b'class="card"') == 4
    assert len(TEMPLATE.findall(answer.body)) == 1


def test_what_a_personalized_page_says_of_itself(worker: Worker) -> None:
    said = [
        ("etag", '"1"'), ("last-modified", "x"), ("cache-control", "public, max-age=60"), ("expires", "x"),
        ("age", "3"), ("accept-ranges", "bytes"), ("x-accel-expires", "60"), ("cdn-cache-control", "x"),
        ("surrogate-control", "max-age=9"), ("content-security-policy", "default-src 'self'"),
    ]  # fmt: skip
    worker.site.says[b"/"] = Said(headers=(HTML, *said))
    answer = worker.get("/", FULL)
    kept = {name.decode() for name, _ in answer.headers}
    wanted = {"content-type", "content-security-policy", "cache-control", "content-length", "set-cookie"}
    assert kept == wanted | {"server-timing", "date"}
    assert answer.values("cache-control") == ["private, no-store"]


def test_cookies_of_the_site_are_all_passed_on(worker: Worker) -> None:
    worker.site.says[b"/"] = Said(headers=(HTML, ("set-cookie", "a=1"), ("set-cookie", "b=2; HttpOnly")))
    answer = worker.get("/", FULL)
    assert answer.values("set-cookie")[:2] == ["a=1", "b=2; HttpOnly"]
    assert len(answer.values("set-cookie")) == 3


@pytest.mark.parametrize(
    ("consent", "personal", "sets", "history"),
    [
        ("none", False, False, 0),
        ("contextual", True, False, 0),
        ("session", True, True, 1),
        ("full", True, True, 1),
        ("nonsense", False, False, 0),
    ],
)
def test_consent_bounds_what_is_done(
    worker: Worker, consent: str, personal: bool, sets: bool, history: int
) -> None:
    worker.site.says[b"/film/alien"] = Said()
    answer = worker.get("/film/alien", {"cookie": f"consent={consent}"})
    assert (answer.body != PAGE) == personal
    assert ("no-store" in answer.value("cache-control")) == personal
    assert bool(answer.values("set-cookie")) == sets
    assert len(worker.decisions()) == int(personal)
    assert len(worker.events()) == int(personal)
    if personal:
        (decision,) = worker.decisions()
        assert len(decision.context.history) == history
        assert bool(decision.visitor) == (consent == "full")
        assert ("visitor.visits" in decision.context.attributes) == sets
    if sets:
        assert bool(worker.state(answer).visitor) == (consent == "full")
        assert ("Max-Age" in answer.value("set-cookie")) == (consent == "full")


@pytest.mark.parametrize("tier", CONSENT_TIERS)
def test_what_is_written_down_of_a_page_is_what_visitors_are_told(worker: Worker, tier: str) -> None:
    told = re.search(rf"^\| `{tier}` \|.*\| (.+) \|$", CONSENT_PAGE.read_text(encoding="utf-8"), re.M)
    worker.site.says[b"/film/alien"] = Said()
    worker.get("/film/alien", {"cookie": f"consent={tier}"})

    written = "nothing"
    if records := worker.records():
        what = ["the decision"] * len(worker.decisions()) + ["what was viewed"] * len(worker.events())
        known = {bool(record.visitor) for record in records}
        whose = {(True,): "with the visitor's id", (False,): "without an id"}[tuple(known)]
        written = f"{' and '.join(what)}, {whose}"
    assert told is not None
    assert told[1] == written


def test_a_consent_in_a_second_cookie_header_counts(worker: Worker) -> None:
    """Fronts may split the header; the first is not overlooked."""
    answer = worker.get("/", [("cookie", "consent=none"), ("cookie", "theme=dark")])
    assert answer.body == PAGE
    assert not worker.records()


@pytest.mark.parametrize("consent", ["none", "contextual"])
def test_consent_taken_back_erases_the_state(worker: Worker, consent: str) -> None:
    answer = worker.get("/", {"cookie": f"consent={consent}; {worker.cookie('alien')}"})
    assert "Max-Age=0" in answer.value("set-cookie")
    assert "no-store" in answer.value("cache-control")
    assert all(not decision.context.history for decision in worker.decisions())


def test_reduced_to_a_session_the_identifier_ends(worker: Worker) -> None:
    answer = worker.get("/", {"cookie": f"consent=session; {worker.cookie('alien')}"})
    state = worker.state(answer)
    assert (state.visitor, state.items, state.visits) == (b"", (), 1)


def test_history_grows_and_shapes_the_next_page(worker: Worker) -> None:
    first = worker.get("/film/casablanca", FULL)
    cookie = first.value("set-cookie").partition(";")[0]
    second = worker.get("/", {"cookie": f"consent=full; {cookie}"})
    assert worker.state(second).items == ("casablanca",)
    assert re.findall(rb'data-item="(\w+)"', second.body)[0] == b"gilda"
    assert worker.state(second).visitor == worker.state(first).visitor


def test_a_cookie_of_a_newer_edge_is_not_written_over(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = worker.cookie("alien")
    monkeypatch.setattr("edge.visitor.cookie.VERSION", 0)
    answer = worker.get("/", {"cookie": f"consent=full; {newer}"})
    assert not answer.values("set-cookie")
    assert "no-store" in answer.value("cache-control")


@pytest.mark.parametrize("value", ["", "x", "A" * 3000, '"quoted"', "%00"])
def test_a_cookie_that_is_none_begins_anew(worker: Worker, value: str) -> None:
    answer = worker.get("/", {"cookie": f"nearside={value}; consent=full"})
    assert worker.state(answer).visits == 1


def test_records_are_written_before_the_answer_begins(worker: Worker) -> None:
    worker.get("/", FULL)
    worker.get("/film/dune", FULL)
    assert worker.records_at_start == [1, 3]


def test_the_site_never_sees_our_cookie_nor_the_connections_headers(worker: Worker) -> None:
    headers = {
        "cookie": f"a=1; {worker.cookie()}; b=2",
        "connection": "keep-alive, x-hop",
        "x-hop": "1",
        "te": "trailers",
        "host": "films.example",
        "x-forwarded-for": "198.51.100.7",
        "accept": "text/html",
        "if-none-match": '"1"',
    }
    worker.get("/?q=1", headers)
    (heard,) = worker.site.heard
    assert heard.target == b"/?q=1"
    assert sorted(heard.headers) == [
        (b"accept", b"text/html"),
        (b"accept-encoding", b"identity"),
        (b"cookie", b"a=1; b=2"),
        (b"forwarded", b'for=192.0.2.1;host="films.example"'),
        (b"via", b"1.1 nearside"),
        (b"x-forwarded-for", b"198.51.100.7, 192.0.2.1"),
        (b"x-forwarded-host", b"films.example"),
    ]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_bodies_pass(worker: Worker, method: str) -> None:
    answer = worker.get("/form", {"content-length": "6"}, method=method, body=[b"abc", b"def"])
    assert worker.site.heard[0].body == b"abcdef"
    assert worker.site.heard[0].method == method
    assert answer.body == PAGE
    assert not worker.records()


def test_a_head_passes(worker: Worker) -> None:
    worker.site.says[b"/"] = Said(body=b"", headers=(HTML, ("content-length", "99")))
    answer = worker.get("/", FULL, method="HEAD")
    assert (answer.body, answer.value("content-length"), answer.ended) == (b"", "99", True)


@pytest.mark.parametrize("status", [204, 304])
def test_an_answer_without_a_body_states_no_length(worker: Worker, status: int) -> None:
    """The server would miss the body and break the connection off."""
    worker.site.says[b"/"] = Said(b"", (("content-length", "120"), ("etag", '"1"')), status)
    answer = worker.get("/")
    assert (answer.status, answer.values("content-length"), answer.value("etag")) == (status, [], '"1"')


@pytest.mark.parametrize(
    "said",
    [
        Said(headers=(("content-type", "application/json"),)),
        Said(headers=()),
        Said(status=404),
        Said(headers=(HTML, ("content-encoding", "gzip"))),
        Said(headers=(HTML, ("cache-control", "no-transform"))),
        Said(headers=(HTML, ("content-length", "9" * 5000))),
        Said([PAGE[:50], PAGE[50:]], (("content-type", "text/plain"),)),
    ],
)
def test_what_is_no_page_passes_untouched(worker: Worker, said: Said) -> None:
    worker.site.says[b"/"] = said
    answer = worker.get("/", FULL)
    assert (answer.status, answer.body, answer.ended) == (said.status, PAGE, True)
    own = (b"cache-status", b"Nearside; fwd=miss")
    passed = [field for field in answer.headers if field[0] != b"date"]
    assert passed == [*((name.encode(), value.encode()) for name, value in said.headers), own]
    assert not worker.records()
    assert worker.site.closed == 1


def test_a_page_too_large_passes_whole(worker: Worker) -> None:
    body = [PAGE] + [b"x" * 5000] * (MAX_PAGE_BYTES // 5000 + 2)
    worker.site.says[b"/"] = Said(body)
    assert worker.get("/", FULL).body == b"".join(body)
    worker.site.says[b"/"] = Said(body, (HTML, ("content-length", str(sum(map(len, body))))))
    assert worker.get("/", FULL).body == b"".join(body)
    assert not worker.records()


def test_a_site_that_is_down_is_told_as_bad_gateway(worker: Worker) -> None:
    worker.site.down = True
    answer = worker.get("/", FULL)
    assert (answer.status, answer.ended) == (502, True)
    assert worker.count("nearside_upstream_errors_total") == 1


def test_a_page_that_breaks_off_is_told_as_bad_gateway(worker: Worker) -> None:
    """Nothing was sent yet, so there is something better than an error of ours."""
    worker.site.says[b"/"] = Said([PAGE[:60], httpx.ReadError("gone")])
    answer = worker.get("/", FULL)
    assert (answer.status, answer.ended) == (502, True)
    assert worker.site.closed == 1


def test_a_file_that_breaks_off_breaks_off(worker: Worker) -> None:
    worker.site.says[b"/"] = Said([b"abc", httpx.ReadError("gone")], (("content-type", "video/mp4"),))
    answer = worker.get("/")
    assert (answer.body, answer.ended) == (b"abc", False)


def test_an_error_of_one_view_leaves_others_alone(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    worker.site.says[b"/"] = worker.site.says[b"/?bad"] = cached()
    worker.together(("/", {"cookie": "consent=none"}), ("/?bad", {"cookie": "consent=none"}))
    decide = Engine.decide_batch

    def failing(self: Engine, contexts: Any, *given: Any) -> Any:
        if any(context.attributes.get("geo.country") == "XX" for context in contexts):
            raise ZeroDivisionError
        return decide(self, contexts, *given)

    monkeypatch.setattr(Engine, "decide_batch", failing)
    bad = {"cookie": "consent=full", "x-geo-country": "XX"}
    answers = worker.together(("/", FULL), ("/?bad", bad), ("/", FULL))
    assert [answer.status for answer in answers] == [200, 200, 200]
    assert [answer.body == PAGE for answer in answers] == [False, True, False]
    assert not answers[1].values("set-cookie")
    assert worker.count('nearside_pages_total{kind="failed"}') == 1
    assert worker.count("nearside_decision_errors_total") == 2
    assert len(worker.decisions()) == 2


def test_a_full_spool_stops_no_page(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker.spool, "_max_bytes", 0)
    assert b"Welcome" in worker.get("/", FULL).body
    assert worker.count('nearside_records_dropped_total{reason="full"}') == 1


def test_a_killed_campaign_shows_no_more(worker: Worker) -> None:
    worker.kill("welcome", "no such campaign")
    answer = worker.get("/", FULL)
    assert b"the default" in answer.body
    assert worker.decisions()[0].killed == ("welcome", "no such campaign")


def test_a_client_that_leaves_ends_a_stream(worker: Worker) -> None:
    """No send tells it, and some streams of a site never end."""
    worker.site.says[b"/stream"] = Said([b"x" * 100] * 1000, (("content-type", "text/event-stream"),))
    worker.get("/stream", leaves_after=300)
    assert worker.site.streamed < 20
    assert worker.site.closed == 1


def test_a_client_that_leaves_while_sending_is_no_error_of_ours(worker: Worker) -> None:
    worker.get("/form", {"content-length": "100"}, method="POST", body=[b"abc"], leaves_after=0)
    assert worker.count('nearside_upstream_errors_total{code="client"}') == 1


@pytest.mark.parametrize(
    "target",
    [
        "/%00",
        "/%ff%fe",
        "/a%0d%0aSet-Cookie:x=1",
        "/" + "a" * 3000,
        "//x",
        "/film/%F0%9F%98%80",
        "/?%ff=%zz&&=",
    ],
)
def test_odd_targets_get_the_page(worker: Worker, target: str) -> None:
    answer = worker.get(target, FULL)
    assert answer.status == 200
    assert b"Welcome" in answer.body
    assert not any(b"\r" in value or b"\n" in value for pair in answer.headers for value in pair)
    assert worker.site.heard[0].target == target.encode()


@pytest.mark.parametrize(
    "headers",
    [
        {"x-geo-country": "\xff" * 300},
        {"x-geo-country": "A" * 100_000},
        {"accept-language": "\xff-;q=;,,"},
        {"accept-language": "*"},
        {"user-agent": "\x80" * 5000},
        {"cookie": "\xff=\xff; consent=\xff"},
        {"cookie": "consent"},
        {"x-forwarded-proto": "https\x00"},
    ],
)
def test_hostile_headers_get_a_page(worker: Worker, headers: dict[str, str]) -> None:
    answer = worker.get("/?utm_campaign=%ff%00", headers)
    assert answer.status == 200
    assert answer.body.startswith(PAGE[:60])


def test_nothing_but_http(worker: Worker) -> None:
    async def upgrade(app: Any) -> None:
        await app({"type": "websocket", "path": "/"}, None, None)

    with pytest.raises(RuntimeError):
        worker.run(upgrade)


def test_a_bot_gets_the_plain_page_and_counts_for_nothing(worker: Worker) -> None:
    worker.site.says[b"/film/alien"] = cached()
    bot = {**FULL, "user-agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"}
    for _ in range(2):  # from the site, and kept
        answer = worker.get("/film/alien", bot)
        assert (answer.status, answer.body) == (200, PAGE)
        assert not answer.values("set-cookie")
    assert not worker.records()
    assert worker.counters.snapshot()['nearside_pages_total{kind="bot"}'] == 2
    assert TEMPLATE.search(worker.get("/film/alien", FULL).body)

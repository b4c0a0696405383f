"""Beside the pages: decisions for apps and beacons; whatever is sent, an answer with a reason."""

import json
import re
from typing import Any

import pytest

from edge.decide.engine import Engine
from edge.worker.app import PageApp
from edge.worker.beside import reports
from edge.worker.beside import routes as beside
from tests.edge.worker.conftest import Answer, Worker

DECIDE, EVENTS = "/_nearside/decide", "/_nearside/events"


AGREED = {"cookie": "consent=full"}


def token_of(worker: Worker) -> str:
    page = worker.get("/", AGREED).body
    found = re.search(rb'data-nearside="([^"]+)"', page)
    assert found
    return found[1].decode()


def click(item: str = "welcome", placement: str = "hero", **more: Any) -> dict[str, Any]:
    return {"kind": "click", "item": item, "placement": placement, **more}


def test_an_app_gets_a_decision(worker: Worker) -> None:
    ask = {
        "placements": ["hero", "recommended", "hero"],
        "attributes": {"device.type": "mobile", "visitor.visits": 2},
        "history": ["casablanca", "casablanca", "nobody"],
        "tier": "full",
    }
    answer = worker.post(DECIDE, ask)
    assert answer.status == 200
    assert answer.value("cache-control") == "no-store"
    assert [slot["placement"] for slot in answer.json["slots"]] == ["hero", "recommended"]
    assert answer.json["slots"][0]["content"] == "app"
    assert answer.json["slots"][1]["items"][0] == "gilda"
    (record,) = worker.decisions()
    assert (record.id, record.teaches, record.visitor) == (answer.json["decision"], False, "")
    assert record.context.history == ("casablanca", "nobody")
    events = [click("gilda", "recommended")]
    assert worker.post(EVENTS, {"token": answer.json["token"], "events": events}).status == 204


@pytest.mark.parametrize("tier", ["none", "contextual"])
def test_consent_holds_for_apps_too(worker: Worker, tier: str) -> None:
    worker.post(DECIDE, {"placements": ["recommended"], "history": ["casablanca"], "tier": tier})
    assert [record.context.history for record in worker.decisions()] == ([] if tier == "none" else [()])


def test_without_a_bundle_nothing_is_decided(empty_worker: Worker) -> None:
    answer = empty_worker.post(DECIDE, {"placements": ["hero"]})
    assert (answer.status, answer.json["slots"]) == (200, [])


def test_an_error_in_a_decision_is_an_empty_answer(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Engine, "decide", failing)
    answer = worker.post(DECIDE, {"placements": ["hero"]})
    assert (answer.status, answer.json["slots"]) == (200, [])
    assert worker.count("nearside_decision_errors_total") == 1


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "malformed"),
        (b"{", 400, "malformed"),
        (b"[]", 400, "malformed"),
        (b"null", 400, "malformed"),
        (b"\xff\xfe", 400, "malformed"),
        (b'{"placements": ["\xff"]}', 400, "malformed"),
        (b'{"placements": ["\\ud800"]}', 400, "malformed"),
        (b"[" * 60_000, 400, "malformed"),
        ({"placements": "hero"}, 400, "malformed"),
        ({"placements": ["hero"], "more": 1}, 400, "malformed"),
        ({"placements": ["hero"], "attributes": {"device.type": None}}, 400, "malformed"),
        (b'{"placements": [], "attributes": {"visitor.visits": 1e999}}', 400, "malformed"),
        (b'{"placements": [], "attributes": {"visitor.visits": NaN}}', 400, "malformed"),
        (b'{"placements": [], "attributes": {"visitor.visits": 1' + b"0" * 400 + b"}}", 400, "malformed"),
        ({"placements": ["footer"]}, 400, "placement"),
        ({"placements": [], "tier": "everything"}, 400, "tier"),
        ({"placements": [], "attributes": {"weather": "fine"}}, 400, "attribute"),
        ({"placements": [], "attributes": {"device.type": 7}}, 400, "attribute"),
        ({"placements": [], "attributes": {"visitor.visits": True}}, 400, "attribute"),
        ({"placements": [], "attributes": {"visitor.visits": "7"}}, 400, "attribute"),
        ({"placements": [], "attributes": {"visitor.new": 1}}, 400, "attribute"),
        ({"placements": ["hero"] * 65}, 413, "too-large"),
        ({"placements": [], "history": ["a"] * 1025}, 413, "too-large"),
        ({"placements": [], "history": ["a" * 513]}, 413, "too-large"),
        ({"placements": [], "attributes": {"device.type": "a" * 513}}, 413, "too-large"),
        (b'{"placements": ["' + b"a" * beside.MAX_DECIDE_BYTES + b'"]}', 413, "too-large"),
    ],
)
def test_what_can_not_be_decided_is_told_with_its_reason(
    worker: Worker, body: Any, status: int, code: str
) -> None:
    answer = worker.post(DECIDE, body)
    assert (answer.status, answer.json["error"]["code"]) == (status, code)
    assert worker.count(f'nearside_refused_requests_total{{route="decide",code="{code}"}}') == 1
    assert not worker.records()


def test_the_largest_decision_is_recorded(worker: Worker) -> None:
    """A record that no reader takes would be lost, whoever asked for it."""
    history = [f"{number:04d}" + "x" * 50 for number in range(1000)]
    answer = worker.post(DECIDE, {"placements": ["hero"], "history": history, "tier": "full"})
    assert answer.status == 200
    assert len(worker.decisions()) == 1


def test_a_beacon_reports_what_its_page_showed(worker: Worker) -> None:
    events = [click(), click(n=1), {**click(), "kind": "impression"}]
    assert worker.post(EVENTS, {"token": token_of(worker), "events": events}, AGREED).status == 204
    (decision,) = worker.decisions()
    assert [(event.decision, event.kind, event.item, event.n) for event in worker.events()] == [
        (decision.id, "click", "welcome", 0),
        (decision.id, "click", "welcome", 1),
        (decision.id, "impression", "welcome", 0),
    ]


@pytest.mark.parametrize(
    ("events", "status", "code"),
    [
        ([], 400, "events"),
        ([click()] * 33, 400, "events"),
        ([click("nobody")], 403, "not-shown"),
        ([click(placement="recommended")], 403, "not-shown"),
        ([click("nobody"), {"kind": "signup"}], 403, "not-shown"),
        ([{"kind": "signup"}, click("nobody")], 400, "kind"),
        ([{**click(), "kind": "purchase"}], 400, "placement"),
        ([{"kind": "purchase", "item": "nothing"}], 400, "item"),
        ([{"kind": "purchase", "value": -1}], 400, "value"),
        ([{"kind": "purchase", "value": 1e10}], 400, "value"),
        ([{"kind": "purchase", "value": "1"}], 400, "malformed"),
        ([{**click(), "kind": "view"}], 400, "kind"),
        ([{"kind": "dwell", "value": 1800.1}], 400, "value"),
        ([{"kind": "dwell", "value": -1}], 400, "value"),
        ([{"kind": "scroll", "value": 101}], 400, "value"),
        ([{"kind": "scroll", "value": 50, "n": 1}], 400, "n"),
        ([{"kind": "scroll", "item": "welcome"}], 400, "placement"),
        ([{"kind": "dwell", "placement": "hero"}], 400, "placement"),
        ([click(n=-1)], 400, "n"),
        ([click(n=reports.MAX_REPEATS)], 400, "n"),
        ([click(n=10**30)], 400, "n"),
        ([click(n="1")], 400, "malformed"),
        ([click(more=1)], 400, "malformed"),
        ([{"item": "welcome"}], 400, "malformed"),
        ([click("x" * beside.MAX_BEACON_BYTES)], 413, "too-large"),
    ],
)
def test_what_no_event_of_a_beacon_may_say_is_refused(
    worker: Worker, events: Any, status: int, code: str
) -> None:
    answer = worker.post(EVENTS, {"token": token_of(worker), "events": events}, AGREED)
    assert (answer.status, answer.json["error"]["code"]) == (status, code)
    assert not worker.events()


def test_of_a_beacon_that_says_more_than_its_page_showed_the_rest_is_taken(worker: Worker) -> None:
    events = [click(), click("nobody"), {"kind": "signup"}, {"kind": "click", "placement": "trending"}]
    assert worker.post(EVENTS, {"token": token_of(worker), "events": events}, AGREED).status == 204
    assert [event.item for event in worker.events()] == ["welcome"]
    assert worker.count('nearside_refused_events_total{code="not-shown"}') == 1
    assert worker.count('nearside_refused_events_total{code="kind"}') == 1


def test_a_page_tells_how_long_and_how_far_down_it_was_looked_at(worker: Worker) -> None:
    events = [{"kind": "dwell", "value": 12.5}, {"kind": "scroll", "value": 80}]
    beacon = {"token": token_of(worker), "events": events}
    assert worker.post(EVENTS, beacon, {"cookie": "consent=full"}).status == 204
    found = [(event.kind, event.item, event.placement, event.value) for event in worker.events()]
    assert found == [("dwell", "", "", 12.5), ("scroll", "", "", 80)]
    assert {event.visitor for event in worker.events()} == {""}


def test_of_a_content_the_item_may_be_left_out(worker: Worker) -> None:
    events = [{"kind": "impression", "placement": place} for place in ("hero", "recommended", "nowhere")]
    assert worker.post(EVENTS, {"token": token_of(worker), "events": events}, AGREED).status == 204
    assert [(event.kind, event.item) for event in worker.events()] == [("impression", "welcome")]


def test_a_page_may_report_so_much_and_no_more(worker: Worker) -> None:
    token = token_of(worker)
    body = json.dumps({"token": token, "events": [click(n=n) for n in range(32)]}).encode()

    async def asks(app: PageApp) -> list[Answer]:
        return [await worker.ask(app, EVENTS, AGREED, method="POST", body=[body]) for _ in range(17)]

    answers = worker.run(asks)
    assert [answer.status for answer in answers] == [204] * 16 + [429]
    assert answers[-1].json["error"]["code"] == "too-many"
    assert len(worker.events()) == reports.MAX_PAGE_EVENTS


@pytest.mark.parametrize("token", ["", "x", "ü", "A" * 5000, "AAAA" * 20])
def test_a_token_that_was_made_up_is_refused(worker: Worker, token: str) -> None:
    answer = worker.post(EVENTS, {"token": token, "events": [click()]}, AGREED)
    assert (answer.status, answer.json["error"]["code"]) == (403, "token")


def test_a_page_too_old_may_not_report(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    token = token_of(worker)
    now_ns = beside.time.time_ns()
    monkeypatch.setattr(beside.time, "time_ns", lambda: now_ns + 3_601 * 10**9)
    answer = worker.post(EVENTS, {"token": token, "events": [click()]}, AGREED)
    assert (answer.status, answer.json["error"]["code"]) == (403, "token-expired")


def test_events_that_find_no_room_are_to_be_sent_again(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = token_of(worker)

    def full(_: Any) -> int:
        raise OSError(28, "no space")

    monkeypatch.setattr(worker.spool, "append", full)
    assert worker.post(EVENTS, {"token": token, "events": [click()]}, AGREED).status == 429
    assert worker.count('nearside_records_dropped_total{reason="disk"}') == 1


def test_an_event_has_its_value_in_the_spool(worker: Worker) -> None:
    events = [{"kind": "purchase", "item": "heat", "value": 12.5}, click(value=3)]
    assert worker.post(EVENTS, {"token": token_of(worker), "events": events}, AGREED).status == 204
    assert [(event.kind, event.value) for event in worker.events()] == [("purchase", 12.5), ("click", 0)]


def test_the_script_is_served(worker: Worker) -> None:
    answer = worker.get("/_nearside/n.js")
    assert (answer.status, answer.value("content-type")) == (200, "text/javascript; charset=utf-8")
    assert b"sendBeacon" in answer.body


@pytest.mark.parametrize(
    ("target", "method", "status"),
    [
        ("/_nearside/", "GET", 404),
        ("/_nearside/x", "GET", 404),
        (DECIDE, "GET", 405),
        ("/_nearside/%00", "GET", 404),
    ],
)
def test_what_is_not_there(worker: Worker, target: str, method: str, status: int) -> None:
    assert worker.get(target, method=method).status == status
    assert not worker.site.heard


@pytest.mark.parametrize("target", [DECIDE, EVENTS])
def test_a_client_that_leaves_while_sending_is_no_error_of_ours(worker: Worker, target: str) -> None:
    answer = worker.get(target, {"content-length": "9"}, method="POST", body=[b"{"], leaves_after=0)
    assert answer.status == 400

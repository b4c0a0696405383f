"""Pages that do not come through the edge ask for decisions: who may, what counts, and what is never used."""

import asyncio
import gzip
from pathlib import Path
from typing import Any

import pytest

from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from edge.decide.types import DecisionRecord
from edge.worker.app import PageApp
from edge.worker.beside import routes as beside
from edge.worker.beside.routes import make_beside
from edge.worker.turn.turn import Turn
from tests.edge.worker.chromium import AGENT
from tests.edge.worker.conftest import MAX_PAGE_BYTES, Answer, Worker
from tests.workspaces.make import FILES, SITE, make_bundle

SITE_URL = "https://www.films.example"
DECIDE = "/_nearside/decide"
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148"


class Client(Worker):
    """A worker that one other site's pages may ask."""

    def run(self, asks: Any) -> Any:
        async def main() -> Any:
            beside = make_beside(self.holder, self.desk, (), (SITE_URL,))
            app = PageApp(self.site, self.cache, Turn(self.holder, self.desk), beside, MAX_PAGE_BYTES)  # type: ignore[arg-type]
            return await asks(app)

        return asyncio.run(main())

    def asks(self, origin: str = SITE_URL, agent: str = AGENT, **more: Any) -> Answer:
        page = {"url": SITE_URL + "/", "cookies": {"consent": "full"}, **more.pop("page", {})}
        ask = {"placements": ["hero", "recommended"], "page": page, **more}
        return self.post(DECIDE, ask, {"origin": origin, "user-agent": agent})

    def last(self) -> DecisionRecord:
        return self.decisions()[-1]


@pytest.fixture
def client(tmp_path: Any, engine: Engine) -> Client:
    return Client(tmp_path, engine)


def campaigns(answer: Answer) -> list[str]:
    return [slot["campaign"] for slot in answer.json["slots"]]


def test_its_context_is_that_of_the_page(client: Client) -> None:
    assert campaigns(client.asks()) == ["welcome", "for-you"]
    answer = client.asks(agent=PHONE, history=["casablanca"], page={"url": f"{SITE_URL}/film/dune?x=1#y"})
    assert campaigns(answer) == ["mobile-hero", "for-you"]
    assert (answer.json["item"], answer.json["tier"]) == ("dune", "session")
    record = client.last()
    assert (record.teaches, record.visitor, record.context.unit) == (False, "", "")
    assert (record.context.tier, record.context.history) == ("session", ("casablanca",))
    read = record.context.attributes
    assert read["device.type"] == "mobile"
    assert "visitor.visits" not in read


def test_who_opted_out_gets_the_pages_own_defaults(client: Client) -> None:
    for value in ("1", ""):
        answer = client.asks(page={"cookies": {"consent": "full", "nearside-off": value}})
        assert (answer.json["tier"], answer.json["slots"]) == ("none", [])


@pytest.mark.parametrize(("cookies", "tier"), [({}, "contextual"), ({"consent": "contextual"}, "contextual")])
def test_below_a_session_nothing_of_the_visitor_counts(
    client: Client, cookies: dict[str, str], tier: str
) -> None:
    answer = client.asks(history=["casablanca"], page={"cookies": cookies, "url": f"{SITE_URL}/film/dune"})
    assert (answer.json["tier"], answer.json["item"]) == (tier, "")
    assert client.last().context.history == ()


def test_without_consent_and_for_bots_nothing_is_decided(client: Client) -> None:
    assert client.asks(page={"cookies": {"consent": "none"}}).json["slots"] == []
    assert client.asks(agent="Googlebot/2.1").json["slots"] == []
    assert client.post(DECIDE, {"placements": ["hero"], "page": {"url": SITE_URL}}, {
        "origin": SITE_URL, "user-agent": AGENT, "cookie": "consent=full"
    }).json["tier"] == "contextual"  # fmt: skip
    assert "token" not in client.asks(page={"cookies": {"consent": "none"}}).json
    assert len(client.decisions()) == 1


def test_a_cookie_of_ours_tells_nothing_here(client: Client) -> None:
    ours = client.cookie("casablanca").partition("=")[2]
    client.asks(page={"cookies": {"consent": "full", "nearside": ours}})
    assert client.last().context.history == ()
    assert client.last().visitor == ""


def test_a_campaign_with_a_cap_rests_as_nothing_is_counted_here(tmp_path: Path) -> None:
    rules = FILES["rules/campaigns.yaml"].replace(
        "placement: hero\n    show", "placement: hero\n    cap: {impressions: 3, days: 7}\n    show"
    )
    folder = make_bundle(tmp_path / "bundle", {"rules/campaigns.yaml": rules})
    client = Client(tmp_path / "spool", Engine.load(open_bundle(folder, SITE)))
    assert campaigns(client.asks()) == ["for-you"]
    stated = client.post(DECIDE, {"placements": ["hero"], "tier": "full"})
    assert campaigns(stated) == ["welcome"]


def test_placements_that_the_bundle_has_not_are_left_alone(client: Client) -> None:
    assert campaigns(client.asks(placements=["footer", "hero"])) == ["welcome"]


def test_only_origins_that_are_named_may_ask_and_read(client: Client) -> None:
    answer = client.asks()
    assert answer.value("access-control-allow-origin") == SITE_URL
    assert answer.value("access-control-allow-credentials") == ""
    assert "origin" in answer.value("vary").lower()
    for origin in ("https://evil.example", "null", "", f"{SITE_URL}.evil.example"):
        refused = client.asks(origin=origin)
        assert (refused.status, refused.json["error"]["code"]) == (403, "foreign")
        assert refused.value("access-control-allow-origin") == ""
    assert client.count('nearside_refused_requests_total{route="decide",code="foreign"}') == 4
    assert len(client.decisions()) == 1


@pytest.mark.parametrize(("origin", "status"), [(SITE_URL, 200), ("https://evil.example", 400)])
def test_a_preflight_is_answered(client: Client, origin: str, status: int) -> None:
    fields = {"origin": origin, "access-control-request-method": "POST"}
    answer = client.get(
        DECIDE, {**fields, "access-control-request-headers": "content-type"}, method="OPTIONS"
    )
    assert answer.status == status
    assert answer.value("access-control-allow-origin") == (origin if status == 200 else "")
    assert "*" not in answer.value("access-control-allow-origin")
    assert answer.value("access-control-allow-credentials") == ""


def test_an_edge_that_allows_nobody_answers_no_page_from_elsewhere(worker: Worker) -> None:
    ask = {"placements": ["hero"], "page": {"url": SITE_URL}}
    assert worker.post(DECIDE, ask, {"origin": SITE_URL}).status == 403
    assert worker.post(DECIDE, ask).status == 403
    assert not worker.records()


@pytest.mark.parametrize(
    "wrong",
    [
        {"page": {"url": "about:blank"}},
        {"page": {"url": "https://"}},
        {"page": {"url": "https://[::1"}},
        {"page": {"url": SITE_URL + "/\u00e4"}},
        {"page": {"url": SITE_URL + "/" + "a" * 9000}},
        {"page": {"referrer": "https://\u00e4"}},
        {"page": {"cookies": {"consent": "full; nearside=x"}}},
        {"page": {"cookies": {"consent": "\u4e2d"}}},
        {"page": {"cookies": {f"c{number}": "" for number in range(17)}}},
        {"attributes": {"device.type": "mobile"}},
        {"purposes": []},
    ],
)
def test_what_no_page_would_say_is_refused(client: Client, wrong: dict[str, Any]) -> None:
    answer = client.asks(**wrong)
    assert (answer.status, answer.json["error"]["code"]) == (400, "page")
    assert not client.records()


def test_what_such_a_page_showed_is_reported_as_from_pages(client: Client) -> None:
    token = client.asks().json["token"]
    beacon = {"token": token, "events": [{"kind": "impression", "placement": "hero"}]}
    answer = client.post("/_nearside/events", beacon, {"origin": SITE_URL})
    assert (answer.status, answer.value("set-cookie")) == (204, "")
    assert answer.value("access-control-allow-origin") == SITE_URL
    assert [(event.kind, event.item) for event in client.events()] == [("impression", "welcome")]


def test_the_script_is_small() -> None:
    script = (Path(beside.__file__).parent / "client.js").read_bytes()
    assert len(gzip.compress(script, 9)) < 1_400

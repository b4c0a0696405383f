"""Sites that render for visitors themselves are told what was decided; nobody else sees their pages."""

import asyncio
import base64
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from edge.keys import load_keys
from edge.settings import Settings
from edge.worker.active import Active
from edge.worker.app import PageApp
from edge.worker.beside.routes import make_beside
from edge.worker.main import make_signals
from edge.worker.turn.signals import Signals
from edge.worker.turn.turn import Turn
from origin.keys import new_keys
from tests.edge.worker.chromium import AGENT
from tests.edge.worker.conftest import HTML, MAX_PAGE_BYTES, PAGE, Answer, Heard, Said, Worker
from tests.workspaces.make import SITE, make_bundle

KEY = (3, b"s" * 32)
DOC = (Path(__file__).resolve().parents[4] / "docs/beside.md").read_text(encoding="utf-8")
PUBLIC = ("cache-control", "public, max-age=600")
ASK = {"accept": "text/html", "cookie": "consent=full", "user-agent": AGENT}
PHONE = {**ASK, "user-agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Mobile/15E148"}


class Cms(Worker):
    """A worker whose site renders the hero itself."""

    names = ("hero", "unheard-of")

    def run(self, asks: Any) -> Any:
        async def main() -> Any:
            turn = Turn(self.holder, self.desk, Signals(self.names, SITE, KEY))
            beside = make_beside(self.holder, self.desk)
            return await asks(PageApp(self.site, self.cache, turn, beside, MAX_PAGE_BYTES))  # type: ignore[arg-type]

        return asyncio.run(main())

    def told(self) -> Any:
        (signals,) = self.site.heard[-1].values(b"nearside-signals")
        return json.loads(signals)


@pytest.fixture
def cms(tmp_path: Path, engine: Engine) -> Cms:
    worker = Cms(tmp_path, engine)
    worker.site.says[b"/"] = Said(PAGE.replace(b"the default", b"as the site renders it"), (HTML, PUBLIC))
    return worker


def test_the_site_is_told_what_to_render_and_the_edge_does_the_rest(cms: Cms) -> None:
    answer = cms.get("/", PHONE)
    (record,) = cms.decisions()
    assert cms.told() == {
        "decision": record.id,
        "tier": "full",
        "slots": {"hero": {"campaign": "mobile-hero", "content": "app"}},
    }
    assert b"as the site renders it" in answer.body
    assert b'class="card"' in answer.body
    assert [slot.placement for slot in record.slots] == ["hero", "recommended"]
    assert record.context.placements == ("hero", "recommended")
    assert record.visitor


def test_one_token_covers_what_the_site_rendered_too(cms: Cms) -> None:
    page = cms.get("/", ASK).body
    token = re.search(rb'data-nearside="([^"]+)"', page)
    assert token
    events = [{"kind": "click", "placement": "hero", "item": "welcome"}]
    beacon = {"token": token[1].decode(), "events": events}
    assert cms.post("/_nearside/events", beacon, {"cookie": "consent=full"}).status == 204
    assert [event.decision for event in cms.events()] == [cms.told()["decision"]]


def test_a_page_of_nothing_else_carries_the_token_in_what_the_site_rendered(cms: Cms) -> None:
    cms.site.says[b"/"] = Said(b'<!doctype html><div data-placement="hero">its own</div>')
    page = cms.get("/", ASK).body
    assert re.search(
        rb'<div data-placement="hero"><template data-nearside="[^"]+"></template>its own</div>', page
    )
    assert len(cms.decisions()) == 1


def test_a_record_is_decided_again_as_it_was(cms: Cms, engine: Engine) -> None:
    cms.get("/", {**ASK, "cookie": "consent=full; " + cms.cookie("casablanca")})
    (record,) = cms.decisions()
    assert engine.decide(record.context, record.killed).slots == record.slots
    assert record.context.history == ("casablanca",)


def test_nobody_else_is_shown_such_a_page(cms: Cms) -> None:
    for _ in range(2):
        answer = cms.get("/", PHONE)
        assert answer.values("cache-control") == ["private, no-store"]
    assert len(cms.site.heard) == 2
    cms.get("/", ASK)
    assert len(cms.site.heard) == 3
    assert cms.told()["slots"]["hero"]["campaign"] == "welcome"


def test_who_agreed_to_nothing_shares_a_page_of_their_own(cms: Cms) -> None:
    cms.get("/", ASK)
    for _ in range(2):
        answer = cms.get("/", {**ASK, "cookie": "consent=none"})
        assert answer.values("cache-control") == [PUBLIC[1]]
    assert len(cms.site.heard) == 2
    assert cms.site.heard[-1].values(b"nearside-signals") == []
    cms.get("/", {**ASK, "user-agent": "Googlebot/2.1"})
    assert len(cms.site.heard) == 2
    cms.get("/", ASK)
    assert len(cms.site.heard) == 3


@pytest.mark.parametrize(
    "said",
    [
        Said(
            b"x" * (MAX_PAGE_BYTES + 1), (HTML, PUBLIC, ("etag", '"a"'), ("surrogate-control", "max-age=9"))
        ),
        Said(b"", (PUBLIC, ("location", "/elsewhere")), 302),
        Said(b"{}", (("content-type", "application/json"), PUBLIC)),
        Said(PAGE, (HTML, PUBLIC), 404),
    ],
)
def test_whatever_the_site_answers_to_signals_is_kept_by_nobody(cms: Cms, said: Said) -> None:
    cms.site.says[b"/"] = said
    for _ in range(2):
        answer = cms.get("/", ASK)
        assert answer.values("cache-control") == ["private, no-store"]
        assert answer.values("etag") + answer.values("surrogate-control") == []
    assert len(cms.site.heard) == 2
    assert not cms.decisions()


@pytest.mark.parametrize("how", [{}, {"method": "POST"}, {"accept": "*/*"}])
def test_what_a_client_says_of_signals_never_reaches_the_site(cms: Cms, how: dict[str, str]) -> None:
    forged = [("nearside-signals", "{}"), ("nearside-signature", "3.0.x"), ("nearside-signals", "[]")]
    forged += [("nearside_signals", "{}"), ("nearside_signature", "3.0.x")]
    fields = [*{**ASK, "accept": how.get("accept", ASK["accept"])}.items(), *forged]
    cms.get("/", fields, method=how.get("method", "GET"))
    heard: Heard = cms.site.heard[-1]
    sent = heard.values(b"nearside-signals") + heard.values(b"nearside-signature")
    assert len(sent) == (0 if how else 2)
    assert heard.values(b"nearside_signals") + heard.values(b"nearside_signature") == []
    assert not {b"{}", b"[]", b"3.0.x"} & set(sent)


def test_without_signals_the_headers_are_dropped_and_select_nothing(worker: Worker) -> None:
    worker.site.says[b"/"] = Said(PAGE, (HTML, PUBLIC, ("vary", "Nearside-Signals")))
    for _ in range(2):
        worker.get("/", {**ASK, "nearside-signals": "{}"})
    assert [heard.values(b"nearside-signals") for heard in worker.site.heard] == [[], []]


def test_a_page_ends_on_the_revision_on_which_it_began(cms: Cms, tmp_path: Path) -> None:
    other = Engine.load(
        open_bundle(make_bundle(tmp_path / "other", {"content/app.html": "<p>New</p>"}), SITE)
    )
    before = cms.holder.active
    send = cms.site.send

    async def swapping(*given: Any) -> Any:
        cms.holder.active = Active(other, 8)
        return await send(*given)

    cms.site.send = swapping  # type: ignore[method-assign]
    cms.get("/", PHONE)
    (record,) = cms.decisions()
    assert (record.bundle, record.revision) == (before.engine.id, 7)
    assert record.id == cms.told()["decision"]


def test_what_the_site_was_told_stands_where_the_page_would_take_it_back(tmp_path: Path) -> None:
    rules = """\
campaigns:
  - {id: quiet, placement: hero, exclusive: loud, show: {content: welcome}}
  - id: noisy
    placement: recommended
    priority: 30
    exclusive: loud
    show: {recommender: popular, card: film, limit: 2}
"""
    engine = Engine.load(open_bundle(make_bundle(tmp_path / "b", {"rules/campaigns.yaml": rules}), SITE))
    cms = Cms(tmp_path / "spool", engine)
    page = cms.get("/", ASK).body
    assert cms.told()["slots"]["hero"]["campaign"] == "quiet"
    (record,) = cms.decisions()
    assert [slot.policy for slot in record.slots] == ["quiet"]
    assert engine.decide(record.context).slots == record.slots
    assert b"nothing yet" in page
    assert b"data-nearside" in page


def test_a_decision_that_fails_is_a_request_without_signals(
    cms: Cms, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(Engine, "decide", failing)
    assert cms.get("/", ASK).status == 200
    assert cms.site.heard[-1].values(b"nearside-signals") == []
    assert cms.count("nearside_decision_errors_total") == 1


def test_signals_that_are_too_long_are_not_sent(cms: Cms, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.worker.turn.signals.MAX_SIGNALS_BYTES", 20)
    assert b"Welcome to" in cms.get("/", ASK).body
    assert cms.site.heard[-1].values(b"nearside-signals") == []
    assert cms.count('nearside_signals_total{outcome="too-long"}') == 1


def test_the_signature_is_as_the_page_for_sites_says() -> None:
    """Its example is run as a site would run it."""
    (code,) = re.findall(r"```python\n(.*?)```", DOC, re.DOTALL)
    site: dict[str, Any] = {}
    exec(code, site)
    vector = json.loads(re.findall(r"```json\n(.*?)```", DOC, re.DOTALL)[0])
    keys = {int(number): key for number, key in vector["keys"].items()}
    told, signature = vector["Nearside-Signals"], vector["Nearside-Signature"]
    now_s = int(signature.split(".")[1])
    read = site["signals"](told, signature, vector["site"], keys, now_s)
    assert read["slots"]["hero"]["content"] == "app"
    for forged in (told.replace("app", "welcome"), told + " "):
        assert site["signals"](forged, signature, vector["site"], keys, now_s) is None
    for wrong in ("", "1.x.y", signature.replace("1.", "2.", 1), signature[:-2]):
        assert site["signals"](told, wrong, vector["site"], keys, now_s) is None
    assert site["signals"](told, signature, "other", keys, now_s) is None
    assert site["signals"](told, signature, vector["site"], keys, now_s + 301) is None
    ours = Signals(["hero"], vector["site"], (1, base64.b64decode(keys[1])))
    assert ours.sign(told.encode(), now_s).decode() == signature


def test_a_worker_takes_placements_from_its_settings(tmp_path: Path) -> None:
    new_keys(tmp_path / "keys", SITE)
    keys = load_keys(tmp_path / "keys/edge.json")
    assert make_signals(Settings(signals="hero, list"), keys)
    assert not make_signals(Settings(), keys)


def test_time_is_in_the_signature(cms: Cms) -> None:
    answer: Answer = cms.get("/", ASK)
    assert answer.status == 200
    (signature,) = cms.site.heard[-1].values(b"nearside-signature")
    number, seconds, _ = signature.split(b".")
    assert (number, abs(int(seconds) - time.time()) < 60) == (b"3", True)

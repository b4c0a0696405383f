"""The visitor's own page: says what is known and why, and what they wish holds from the next request on."""

import html
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from msgspec.structs import replace

from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from edge.visitor.state import VisitorState
from edge.visitor.wishes import MAX_LIKED, MAX_MUTED_ITEMS, Wishes
from tests.edge.decide.test_about import TITLED
from tests.edge.worker.conftest import Answer, Worker
from tests.workspaces.make import SITE, make_bundle

FULL = "consent=full"
HOST = {"host": "films.example"}
FORM = {"content-type": "application/x-www-form-urlencoded", "sec-fetch-site": "same-origin"}
BEHAVING: Mapping[str, str] = {
    **TITLED,
    "site.yaml": TITLED["site.yaml"]
    + "behaviours:\n  crime: {where: {item.genre: crime}, window: 7d}\n  pages: {event: page, window: 1h}\n",
    "rules/more.yaml": """\
experiments:
  - id: words
    variations: [{key: a, weight: 1, show: {content: app}}]
campaigns:
  - id: tried
    audience: {behaviour.crime: {$gte: 1}}
    placement: trending
    priority: 90
    cap: {impressions: 5, days: 7}
    show: {experiment: words}
""",
}


@pytest.fixture(scope="module")
def titled(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    return Engine.load(open_bundle(make_bundle(tmp_path_factory.mktemp("me"), BEHAVING), SITE))


@pytest.fixture
def worker(tmp_path: Path, titled: Engine) -> Iterator[Worker]:
    worker = Worker(tmp_path, titled)
    yield worker
    worker.spool.close()


class Browser:
    """Keeps cookies as a browser does."""

    def __init__(self, worker: Worker, consent: str = FULL) -> None:
        self.worker = worker
        self.jar = dict([consent.split("=")]) if consent else {}

    def get(self, target: str, **headers: str) -> Answer:
        return self._sent(target, {**HOST, "accept": "text/html", **self._cookie(), **headers})

    def do(self, do: str, page: str = "/", *, token: str = "", **headers: str) -> Answer:
        token = token or self.token()
        body = urlencode({"token": token, "do": do, "page": page}).encode()
        sent = {**HOST, **FORM, **self._cookie(), "content-length": str(len(body)), **headers}
        return self._sent("/_nearside/me", sent, method="POST", body=[body])

    def token(self) -> str:
        return re.findall(r'name="token" value="([^"]+)"', self.me())[0]

    def me(self, query: str = "", **headers: str) -> str:
        answer = self.get("/_nearside/me" + query, **headers)
        assert answer.status == 200
        return answer.body.decode()

    def wishes(self) -> Wishes:
        return self.worker.desk.cookies.open_wishes(self.jar["nearside-me"].encode())

    def _cookie(self) -> dict[str, str]:
        return {"cookie": "; ".join(f"{k}={v}" for k, v in self.jar.items())} if self.jar else {}

    def _sent(self, target: str, headers: dict[str, str], **more: Any) -> Answer:
        answer = self.worker.get(target, headers, **more)
        for line in answer.values("set-cookie"):
            name, _, rest = line.partition("=")
            value = rest.partition(";")[0]
            if value and "Max-Age=0" not in line:
                self.jar[name] = value
            else:
                self.jar.pop(name, None)
        return answer


def _words(page: str) -> str:
    """What a person reads."""
    return html.unescape(
        re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", re.sub(r"<style>.*?</style>", "", page)))
    )


def test_it_tells_what_is_kept_and_from_what(worker: Worker) -> None:
    browser = Browser(worker)
    for path in ("/film/heat", "/film/dune", "/film/dune"):
        browser.get(path)
    text = _words(browser.me("?page=/film/dune"))
    assert "1 visit" in text and "2 items that you viewed" in text
    assert text.index("Dune, Part One") < text.index("Heat")
    assert "crime: 1 time in the last 7 days" in text
    assert "the site's own cookie says so" in text
    assert "words: variation “a”" in text
    assert "campaign “for-you” is for everyone; the list goes by what you viewed and liked" in text
    assert "the campaign “tried” is for behaviour.crime is at least 1" in text
    assert "visitor.visits" in text and "your cookie of this site" in text


def test_looking_at_it_changes_nothing(worker: Worker) -> None:
    browser = Browser(worker)
    browser.get("/film/heat")
    before, records = dict(browser.jar), len(worker.records())
    assert browser.get("/_nearside/me").values("set-cookie") == []
    assert browser.jar == before and len(worker.records()) == records


def test_it_is_private_and_runs_nothing(worker: Worker) -> None:
    answer = Browser(worker).get("/_nearside/me")
    assert answer.value("cache-control") == "private, no-store"
    policy = answer.value("content-security-policy")
    assert "default-src 'none'" in policy and "form-action 'self'" in policy
    assert "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert b"<script" not in answer.body and b"style=" not in answer.body


@pytest.mark.parametrize(
    ("consent", "said"),
    [
        ("consent=none", "Nothing is known of you"),
        ("consent=contextual", "nothing is kept of you"),
        ("consent=session", "without an id"),
        ("", "nobody has asked you yet"),
    ],
)
def test_it_is_honest_about_each_tier(worker: Worker, consent: str, said: str) -> None:
    browser = Browser(worker, consent)
    browser.get("/film/heat")
    text = _words(browser.me())
    assert said in text
    assert ("Heat" in text.partition("Why the page")[0]) == (consent == "consent=session")


def test_programs_are_told_that_they_are_programs(worker: Worker) -> None:
    text = _words(Browser(worker).me(**{"user-agent": "Googlebot/2.1"}))
    assert "You look like a program" in text and "What is kept" not in text


def test_a_worker_without_a_bundle_knows_nobody(empty_worker: Worker) -> None:
    assert "Nothing is known of you" in _words(Browser(empty_worker).me())


@pytest.mark.parametrize("do", ["mute-item fargo", "mute-topic crime"])
def test_what_is_muted_is_gone_with_the_next_request_and_comes_back(worker: Worker, do: str) -> None:
    browser = Browser(worker)
    browser.get("/film/alien")
    assert b'data-item="fargo"' in browser.get("/").body
    answer = browser.do(do, "/film/alien?x=1")
    assert answer.status == 303
    assert (
        answer.value("location")
        == f"/_nearside/me?done={do.split(maxsplit=1)[0]}&page=%2Ffilm%2Falien%3Fx%3D1"
    )
    page = browser.get("/").body
    assert b'data-item="fargo"' not in page
    assert page.count(b"data-item") == 4  # the list is as long as it was
    muted = worker.decisions()[-1].context.muted
    assert muted == browser.wishes().muted and muted
    assert "What you want no more of" in _words(browser.me())
    browser.do(do.replace("mute", "back"))
    assert b'data-item="fargo"' in browser.get("/").body


def test_every_record_replays(worker: Worker, titled: Engine) -> None:
    browser = Browser(worker)
    for path, do in (
        ("/film/alien", "mute-item fargo"),
        ("/film/heat", "like dune"),
        ("/", "mute-topic crime"),
    ):
        browser.get(path)
        browser.do(do)
    browser.get("/")
    assert len(worker.decisions()) == 4
    for record in worker.decisions():
        assert titled.decide(record.context).slots == record.slots


def test_a_liked_item_counts_as_the_last_viewed(worker: Worker) -> None:
    browser = Browser(worker)
    browser.get("/film/heat")
    browser.do("like casablanca")
    browser.get("/")
    assert worker.decisions()[-1].context.history == ("casablanca", "heat")
    assert worker.state(browser.get("/")).items == ("heat",)
    assert "Casablanca" in _words(browser.me()).partition("What you liked")[2]
    browser.do("mute-item casablanca")
    assert browser.wishes().liked == ()


def test_erasing_makes_a_new_visitor(worker: Worker) -> None:
    browser = Browser(worker)
    browser.get("/film/heat")
    browser.do("mute-item fargo")
    before = worker.decisions()[-1].visitor
    browser.do("reset")
    assert set(browser.jar) == {"consent"}
    assert "Nothing yet" in _words(browser.me())
    browser.get("/")
    record = worker.decisions()[-1]
    assert record.visitor != before and not record.context.history and not record.context.muted


def test_who_opts_out_is_nobody_until_they_opt_in_again(worker: Worker) -> None:
    browser = Browser(worker)
    browser.get("/film/heat")
    done = browser.do("opt-out")
    assert browser.jar == {"consent": "full", "nearside-off": "1"}
    (said,) = [value for value in done.values("set-cookie") if value.startswith("nearside-off=1")]
    assert "HttpOnly" not in said  # pages beside the edge read it
    decisions = len(worker.decisions())
    page = browser.get("/film/dune")
    assert page.values("set-cookie") == [] and b'class="card"' not in page.body
    assert len(worker.decisions()) == decisions
    assert worker.count("nearside_opted_out_total") == 1
    text = _words(browser.me())
    assert "you opted out on this page" in text and "Opt in again" in text
    browser.do("opt-in")
    browser.get("/film/dune")
    assert worker.decisions()[-1].context.tier == "full"


def test_the_site_sees_none_of_these_cookies(worker: Worker) -> None:
    browser = Browser(worker)
    browser.get("/film/heat")
    browser.do("mute-item fargo")
    browser.jar["nearside-off"] = "1"
    browser.get("/other")
    assert worker.site.heard[-1].values(b"cookie") == [b"consent=full"]


def test_withdrawn_consent_erases_wishes(worker: Worker) -> None:
    browser = Browser(worker)
    browser.get("/film/heat")
    browser.do("mute-item fargo")
    browser.jar["consent"] = "none"
    browser.get("/")
    assert set(browser.jar) == {"consent"}


def test_wishes_end_with_the_id_that_they_were_made_under(worker: Worker) -> None:
    browser = Browser(worker)
    browser.get("/film/heat")
    browser.do("mute-item fargo")
    browser.jar["nearside"] = worker.cookie("alien", visitor=b"o" * 16).partition("=")[2]
    browser.get("/")
    assert not worker.decisions()[-1].context.muted
    del browser.jar["nearside"]
    browser.get("/")
    assert "nearside-me" not in browser.jar


def test_a_session_has_wishes_that_end_with_it(worker: Worker) -> None:
    browser = Browser(worker, "consent=session")
    browser.get("/film/alien")
    (line,) = [v for v in browser.do("mute-item fargo").values("set-cookie") if v.startswith("nearside-me=")]
    assert "Max-Age" not in line
    browser.get("/")
    assert worker.decisions()[-1].context.muted.items == ("fargo",)
    browser.jar["consent"] = "full"  # the same visitor, who agreed to more
    browser.get("/")
    assert worker.decisions()[-1].context.muted.items == ("fargo",)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "same-origin"}, 303),
        ({"sec-fetch-site": "cross-site", "origin": "https://films.example"}, 403),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "https://films.example"}, 303),
        ({}, 303),
        ({"content-type": "text/plain"}, 400),
    ],
)
def test_other_sites_can_not_post(worker: Worker, headers: dict[str, str], status: int) -> None:
    browser = Browser(worker, "")
    token = browser.token()
    body = urlencode({"token": token, "do": "opt-out"}).encode()
    sent = {**HOST, "content-type": FORM["content-type"], "content-length": str(len(body)), **headers}
    answer = worker.get("/_nearside/me", sent, method="POST", body=[body])
    assert answer.status == status
    assert bool(answer.values("set-cookie")) == (status == 303)


@pytest.mark.parametrize("token", ["", "x", "A" * 28, "A" * 5000, "\N{SNOWMAN}", "stranger", "old"])
def test_a_form_is_one_visitors_and_of_a_while_ago_at_most(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    browser, other = Browser(worker), Browser(worker)
    browser.get("/film/heat")
    other.get("/film/heat")
    if token == "stranger":
        token = other.token()
    elif token == "old":
        import edge.worker.me.routes as module  # noqa: PLC0415

        token, now_s = browser.token(), module.time.time() + 5 * 3600
        monkeypatch.setattr(module.time, "time", lambda: now_s)
    body = urlencode({"token": token, "do": "reset"}).encode()
    sent = {**HOST, **FORM, **browser._cookie(), "content-length": str(len(body))}
    answer = worker.get("/_nearside/me", sent, method="POST", body=[body])
    assert answer.status == 403 and not answer.values("set-cookie")
    assert "That was not done" in _words(answer.body.decode())


@pytest.mark.parametrize(
    ("do", "status"),
    [
        ("", 400),
        ("mute-item", 400),
        ("mute-item nosuch", 400),
        ("mute-topic nosuch", 400),
        ("like <script>alert(1)</script>", 400),
        ("back-item nosuch", 303),
        ("reset x", 303),
    ],
)
def test_what_can_not_be_wished_is_refused_in_words(worker: Worker, do: str, status: int) -> None:
    browser = Browser(worker)
    browser.get("/film/heat")
    answer = browser.do(do)
    assert answer.status == status
    assert b"<script" not in answer.body


def test_a_visitor_without_a_state_can_not_wish(worker: Worker) -> None:
    for consent in ("consent=contextual", FULL):
        assert Browser(worker, consent).do("mute-item heat").status == 400


def test_wishes_that_find_no_room_are_refused_and_none_is_dropped() -> None:
    from edge.errors import GivenError  # noqa: PLC0415
    from edge.visitor import wishes  # noqa: PLC0415

    held = Wishes()
    for number in range(MAX_MUTED_ITEMS):
        held = wishes.mute_item(held, f"item{number}")
    with pytest.raises(GivenError, match="take one of them back first"):
        wishes.mute_item(held, "one-more")
    assert wishes.mute_item(held, "item3").muted.items[-1] == "item3"
    for number in range(MAX_LIKED):
        held = wishes.like(held, f"liked{number}")
    with pytest.raises(GivenError):
        wishes.like(held, "one-more")
    with pytest.raises(GivenError, match="no room for more"):
        wishes.mute_topic(held, "t" * 700)


HOSTILE = "\"><script>alert(1)</script>&'"


def test_everything_is_escaped(worker: Worker) -> None:
    browser = Browser(worker)
    browser.get("/film/eva")
    target = urlencode({"page": f"/{HOSTILE}?q={HOSTILE}", "done": HOSTILE})
    page = browser.me("?" + target, **{"accept-language": HOSTILE, "x-geo-country": HOSTILE})
    assert "<script" not in page and "Eva &lt;script&gt;" in page


@pytest.mark.parametrize(
    ("query", "referer", "shown"),
    [
        ("?page=/film/heat", "", "/film/heat"),
        ("?page=//evil.example/x", "", "/"),
        ("?page=https://evil.example/x", "", "/"),
        ("?page=/_nearside/me", "", "/"),
        ("?page=/%0d%0aset-cookie:x", "", "/"),
        ("", "https://films.example/film/dune?a=b", "/film/dune?a=b"),
        ("", "https://evil.example/film/dune", "/"),
        ("", "http://[", "/"),
    ],
)
def test_the_page_that_is_explained(worker: Worker, query: str, referer: str, shown: str) -> None:
    text = _words(Browser(worker).me(query, **({"referer": referer} if referer else {})))
    assert f"Why the page {shown} looks so" in text


def test_a_form_is_bounded(worker: Worker) -> None:
    browser = Browser(worker)
    assert browser.do("reset " + "x" * 20_000, token="x").status == 413
    body = b"token=%ff&do=reset"
    sent = {**HOST, **FORM, "content-length": str(len(body))}
    assert worker.get("/_nearside/me", sent, method="POST", body=[body]).status == 400


def test_a_state_of_a_newer_edge_keeps_its_wishes(worker: Worker) -> None:
    browser = Browser(worker)
    browser.get("/film/alien")
    browser.do("mute-item fargo")
    newer = replace(VisitorState(visitor=b"v" * 16), version=9)
    browser.jar["nearside"] = worker.desk.cookies.seal(newer).decode()
    browser.get("/")
    assert worker.decisions()[-1].context.muted.items == ("fargo",)
    assert "nearside-me" in browser.jar


def test_two_cookies_of_one_visitor_are_one_visitor(worker: Worker) -> None:
    first, second = worker.cookie("alien"), worker.cookie("dune")
    stranger = worker.cookie("heat", visitor=b"x" * 16, visits=1)
    answer = worker.get("/", {"cookie": f"{FULL}; {first}; {second}"})
    assert set(worker.state(answer).items) == {"alien", "dune"}
    assert worker.state(answer).visitor == b"v" * 16
    answer = worker.get("/", {"cookie": f"{FULL}; {first}; {stranger}; nearside=forged"})
    assert worker.state(answer).items in {("alien",), ("heat",)}
    assert worker.count('nearside_cookies_refused_total{code="cookie"}') == 1

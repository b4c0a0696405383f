"""The cache in front of the site: what it answers, asks, shares and forgets."""

import asyncio
from typing import Any

import httpx
import pytest

from edge.worker.app import PageApp
from tests.edge.worker.conftest import HTML, MAX_KEPT_BYTES, PAGE, Answer, Said, Worker
from tests.edge.worker.test_kept import FULL, later

CSS = ("content-type", "text/css")
DATED = ("last-modified", "Sun, 06 Nov 1994 08:49:37 GMT")
NONE = {"cookie": "consent=none"}


def file(
    *more: tuple[str, str], body: Any = b"0123456789", control: str = "max-age=60", status: int = 200
) -> Said:
    parts = body if isinstance(body, list) else [body]
    length = ("content-length", str(sum(map(len, parts))))
    return Said(body, (CSS, length, ("cache-control", control), *more), status)


def status_of(answer: Answer) -> str:
    return answer.value("cache-status").removeprefix("Nearside; ")


def test_a_file_is_kept_and_told_so(worker: Worker) -> None:
    worker.site.says[b"/a.css"] = file(("etag", '"1"'), ("x", "y"))
    first = worker.get("/a.css")
    later(worker, 5)
    second = worker.get("/a.css", {"cookie": "sid=1"})
    assert [status_of(first), status_of(second)] == ["fwd=miss; stored", "hit"]
    assert (second.body, second.value("age"), second.value("x")) == (b"0123456789", "5", "y")
    assert len(worker.site.heard) == 1
    assert worker.count('nearside_cache_total{result="hit"}') == 1


def test_a_stream_of_unknown_length_is_kept_once_it_ended(worker: Worker) -> None:
    worker.site.says[b"/a"] = Said([b"ab", b"cd"], (CSS, ("cache-control", "max-age=60")))
    assert [worker.get("/a").body for _ in range(2)] == [b"abcd"] * 2
    assert len(worker.site.heard) == 1


@pytest.mark.parametrize(
    "body",
    [[b"x" * 60_000] * 2, [b"ab", httpx.ReadError("gone")]],
    ids=["too large", "broken off"],
)
def test_what_is_not_whole_or_too_large_is_not_kept(worker: Worker, body: list[Any]) -> None:
    assert MAX_KEPT_BYTES < 120_000
    worker.site.says[b"/a"] = Said(body, (CSS, ("cache-control", "max-age=60")))
    for _ in range(2):
        worker.get("/a")
    assert len(worker.site.heard) == 2


def test_who_leaves_in_the_middle_leaves_nothing_behind(worker: Worker) -> None:
    worker.site.says[b"/a"] = Said([b"x" * 100] * 50, (CSS, ("cache-control", "max-age=60")))
    worker.get("/a", leaves_after=200)
    assert len(worker.get("/a").body) == 5000
    assert len(worker.site.heard) == 2


@pytest.mark.parametrize(
    ("asked", "status", "body"),
    [
        ({"if-none-match": '"1"'}, 304, b""),
        ({"if-modified-since": DATED[1]}, 304, b""),
        ({"if-none-match": '"2"'}, 200, b"0123456789"),
        ({"range": "bytes=2-4"}, 206, b"234"),
        ({"range": "bytes=90-"}, 416, b""),
        ({"range": "bytes=2-4", "if-range": '"2"'}, 200, b"0123456789"),
    ],
)
def test_clients_conditions_and_ranges_are_answered(
    worker: Worker, asked: dict[str, str], status: int, body: bytes
) -> None:
    worker.site.says[b"/a"] = file(("etag", '"1"'), DATED)
    worker.get("/a")
    answer = worker.get("/a", asked)
    assert (answer.status, answer.body) == (status, body)
    assert len(worker.site.heard) == 1


def test_a_head_is_answered_from_what_a_get_left(worker: Worker) -> None:
    worker.site.says[b"/a"] = file()
    worker.site.says[b"/"] = Said(headers=(HTML, ("cache-control", "max-age=60")))
    for target, length in (("/a", 10), ("/", len(PAGE))):
        worker.get(target)
        answer = worker.get(target, method="HEAD")
        assert (answer.status, answer.body, answer.value("content-length")) == (200, b"", str(length))
    assert len(worker.site.heard) == 2


def test_what_is_stale_is_asked_about(worker: Worker) -> None:
    worker.site.says[b"/a"] = file(("etag", '"1"'), DATED)
    worker.get("/a")
    later(worker, 61)
    worker.site.says[b"/a"] = Said(b"", (("etag", '"1"'), ("x", "new"), ("cache-control", "max-age=60")), 304)
    answer = worker.get("/a", {"if-none-match": '"of the client"'})
    assert (answer.status, answer.body, answer.value("x")) == (200, b"0123456789", "new")
    assert status_of(answer) == "fwd=stale; fwd-status=304; stored"
    asked = worker.site.heard[1]
    assert asked.values(b"if-none-match") == [b'"1"']
    assert asked.values(b"if-modified-since") == [DATED[1].encode()]
    assert status_of(worker.get("/a")) == "hit"


def test_a_page_is_asked_about_and_stays_cut(worker: Worker) -> None:
    worker.site.says[b"/"] = Said(headers=(HTML, ("etag", '"1"'), ("cache-control", "no-cache")))
    first = worker.get("/", FULL)
    worker.site.says[b"/"] = Said(b"", (("etag", '"1"'),), 304)
    assert b"Welcome" in first.body
    assert b"Welcome" in worker.get("/", FULL).body
    assert worker.get("/", NONE).body == PAGE
    assert len(worker.site.heard) == 3


def test_a_304_of_another_response_makes_the_site_send_it(worker: Worker) -> None:
    worker.site.says[b"/a"] = file(("etag", '"1"'))
    worker.get("/a")
    later(worker, 61)
    worker.site.says[b"/a"] = Said(b"", (("etag", '"2"'),), 304)
    assert worker.get("/a").status == 304
    assert worker.site.heard[2].values(b"if-none-match") == []


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize(("control", "served"), [("max-age=1", 200), ("max-age=1, stale-if-error=0", 0)])
def test_an_error_of_the_site_does_not_replace_what_is_kept(
    worker: Worker, status: int, control: str, served: int
) -> None:
    worker.site.says[b"/a"] = file(control=control)
    worker.get("/a")
    later(worker, 10)
    worker.site.says[b"/a"] = Said(b"oops", status=status)
    assert worker.get("/a").status == (served or status)
    worker.site.says[b"/a"] = file(body=b"well again")
    assert worker.get("/a").body == b"well again"


def test_nothing_is_stale_for_ever(worker: Worker) -> None:
    worker.site.says[b"/a"] = file()
    worker.get("/a")
    worker.site.down = True
    later(worker, 86_400)
    assert worker.get("/a").status == 200
    later(worker, 90)
    assert worker.get("/a").status == 502


def test_while_it_is_asked_anew_the_stale_one_is_shown(worker: Worker) -> None:
    worker.site.says[b"/a"] = file(("etag", '"1"'), control="max-age=60, stale-while-revalidate=30")
    worker.get("/a")
    later(worker, 70)
    worker.site.says[b"/a"] = file(body=b"new")

    async def story(app: PageApp) -> list[Answer]:
        answers = [await worker.ask(app, "/a", {"cookie": "sid=1"}) for _ in range(2)]
        for _ in range(20):
            await asyncio.sleep(0)
        return [*answers, await worker.ask(app, "/a")]

    answers = worker.run(story)
    assert [answer.body for answer in answers] == [b"0123456789"] * 2 + [b"new"]
    assert status_of(answers[0]) == "hit; detail=stale"
    assert len(worker.site.heard) == 2
    assert worker.site.heard[1].values(b"cookie") == []
    assert worker.site.heard[1].values(b"if-none-match") == [b'"1"']


@pytest.mark.parametrize("outcome", ["down", "error", "private", "304"])
def test_however_asking_anew_ends(worker: Worker, outcome: str) -> None:
    worker.site.says[b"/a"] = file(("etag", '"1"'), control="max-age=60, stale-while-revalidate=30")
    worker.get("/a")
    later(worker, 70)
    worker.site.down = outcome == "down"
    if outcome != "down":
        worker.site.says[b"/a"] = {
            "error": Said(b"oops", status=500),
            "private": file(control="private"),
            "304": Said(b"", (("cache-control", "max-age=60, stale-while-revalidate=30"),), 304),
        }[outcome]

    async def story(app: PageApp) -> Answer:
        await worker.ask(app, "/a")
        for _ in range(20):
            await asyncio.sleep(0)
        return await worker.ask(app, "/a")

    found = {"down": "hit; detail=stale", "error": "hit; detail=stale", "private": "fwd=miss", "304": "hit"}
    assert status_of(worker.run(story)) == found[outcome]


def test_requests_for_the_same_wait_for_one_answer(worker: Worker) -> None:
    worker.site.says[b"/a"] = file()
    worker.site.says[b"/"] = Said(headers=(HTML, ("cache-control", "max-age=60")))
    answers = worker.together(*[("/a", {})] * 20, *[("/", FULL)] * 20)
    assert len(worker.site.heard) == 2
    assert [status_of(answer) for answer in answers[:20]] == ["fwd=miss; stored"] + [
        "fwd=miss; collapsed"
    ] * 19
    assert len({answer.body for answer in answers[20:]}) == 20  # each has a token of its own


def test_requests_for_what_nobody_may_share_go_each_alone(worker: Worker) -> None:
    worker.site.says[b"/a"] = file(control="private")
    answers = worker.together(*[("/a", {})] * 5)
    assert [answer.status for answer in answers] == [200] * 5
    assert len(worker.site.heard) == 5


def test_other_variants_do_not_wait_for_the_first(worker: Worker) -> None:
    worker.site.says[b"/a"] = file(("vary", "accept-language"))
    worker.together(("/a", {"accept-language": "en"}), ("/a", {"accept-language": "de"}))
    assert len(worker.site.heard) == 2
    worker.together(("/a", {"accept-language": "EN"}), ("/a", {"accept-language": "de"}))
    assert len(worker.site.heard) == 2


def test_who_waits_for_a_site_that_fails_is_told_like_the_first(worker: Worker) -> None:
    worker.site.down = True
    assert [answer.status for answer in worker.together(*[("/a", {})] * 3)] == [502] * 3


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "M-SEARCH"])
@pytest.mark.parametrize(("status", "asked"), [(200, 3), (303, 3), (404, 2), (500, 2)])
def test_what_changes_something_forgets_what_it_may_have_changed(
    worker: Worker, method: str, status: int, asked: int
) -> None:
    worker.site.says[b"/a"] = file()
    worker.get("/a")
    worker.site.says[b"/a"] = file(status=status)
    worker.get("/a", {"content-length": "0"}, method=method)
    worker.site.says[b"/a"] = file()
    worker.get("/a")
    assert len(worker.site.heard) == asked


@pytest.mark.parametrize(
    ("location", "asked"),
    [
        ("/b", 3), ("http://films.example/b", 3), ("b", 3), ("http://evil.example/b", 2),
        ("//evil.example/b", 2), ("/c", 2), ("http://[", 2),
    ],
)  # fmt: skip
def test_what_an_answer_names_is_forgotten_too_if_it_is_of_this_site(
    worker: Worker, location: str, asked: int
) -> None:
    host = {"host": "films.example"}
    worker.site.says[b"/b"] = file()
    worker.get("/b", host)
    worker.site.says[b"/a"] = Said(b"", (("location", location),), 201)
    worker.get("/a", {"content-length": "0", **host}, method="POST")
    worker.get("/b", host)
    assert len(worker.site.heard) == asked


def test_what_was_asked_before_a_purge_is_not_kept_after_it(worker: Worker) -> None:
    """A purge must not lose the race against an answer that was under way."""
    worker.site.says[b"/a"] = Said(
        [b"ab"] * 20, (CSS, ("cache-control", "max-age=60"), ("content-length", "40"))
    )

    async def story(app: PageApp) -> None:
        asking = asyncio.create_task(worker.ask(app, "/a"))
        for _ in range(5):
            await asyncio.sleep(0)
        worker.cache.purge_target(b"/a")
        await asking
        await worker.ask(app, "/a")

    worker.run(story)
    assert len(worker.site.heard) == 2


def test_surrogate_keys_purge_what_carries_them(worker: Worker) -> None:
    worker.site.says[b"/a"] = file(("surrogate-key", "films home"))
    worker.site.says[b"/b"] = file(("cache-tag", "films,  series"))
    worker.site.says[b"/c"] = file(("surrogate-key", "home"))
    for target in ("/a", "/b", "/c"):
        worker.get(target)
    assert worker.cache.purge_tag(b"films") == 2
    for target in ("/a", "/b", "/c"):
        worker.get(target)
    assert len(worker.site.heard) == 5


@pytest.mark.parametrize("cookie", ["sid-of-session=1", "a=1; sid-of-session=x", "a=1;sid-of-session="])
def test_known_visitors_go_past_the_cache(worker: Worker, cookie: str) -> None:
    worker.site.says[b"/a"] = file(control="public, max-age=60")
    for headers in ({}, {"cookie": cookie}, {"cookie": cookie}, {"cookie": "xsid-of-session=1"}):
        worker.get("/a", headers)
    assert len(worker.site.heard) == 3


@pytest.mark.parametrize("control", ["max-age=60", "public, s-maxage=60, stale-while-revalidate=60"])
def test_what_sets_a_cookie_is_for_one_visitor(worker: Worker, control: str) -> None:
    worker.site.says[b"/"] = Said(headers=(HTML, ("set-cookie", "sid=1"), ("cache-control", control)))
    assert [worker.get("/", NONE).values("set-cookie") for _ in range(2)] == [["sid=1"]] * 2
    assert len(worker.site.heard) == 2


def test_who_wants_only_what_is_kept_does_not_bother_the_site(worker: Worker) -> None:
    worker.site.says[b"/a"] = file()
    asked = {"cache-control": "only-if-cached"}
    assert worker.get("/a", asked).status == 504
    worker.get("/a")
    assert worker.get("/a", asked).status == 200
    assert len(worker.site.heard) == 1


def test_an_answer_without_a_date_gets_one(worker: Worker) -> None:
    worker.site.says[b"/a"] = file()
    dates = [worker.get("/a").values("date") for _ in range(2)]
    assert dates[0] == dates[1]
    assert len(dates[0]) == 1


def test_a_visitor_who_goes_past_the_cache_keeps_nobody_waiting(worker: Worker) -> None:
    worker.site.says[b"/a"] = file(control="public, max-age=60")
    answers = worker.together(("/a", {"cookie": "sid-of-session=1"}), ("/a", {}))
    assert [status_of(answer) for answer in answers] == ["fwd=miss", "fwd=miss; stored"]


def test_what_must_not_be_kept_is_asked_for_each_time(worker: Worker) -> None:
    worker.site.says[b"/a"] = file()
    assert worker.get("/a", {"cache-control": "no-store"}).status == 200
    worker.get("/a")
    assert len(worker.site.heard) == 2


def test_a_personalized_page_has_no_conditions(worker: Worker) -> None:
    """What a browser knows of the plain page does not stand for the one that is made for it."""
    said = (HTML, ("etag", '"1"'), DATED, ("cache-control", "max-age=60"))
    worker.site.says[b"/"] = Said(headers=said)
    asked = {"if-none-match": '"1"', "if-modified-since": DATED[1], "range": "bytes=0-5"}
    for _ in range(2):
        personal = worker.get("/", {**FULL, "accept": "text/html", **asked})
        assert (personal.status, personal.values("etag")) == (200, [])
        assert b"Welcome" in personal.body
        assert personal.value("cache-control") == "private, no-store"
    plain = worker.get("/", {**NONE, "if-none-match": '"1"'})
    assert (plain.status, plain.body, plain.value("etag")) == (304, b"", '"1"')
    assert worker.get("/", {**NONE, "range": "bytes=0-8"}).body == PAGE[:9]

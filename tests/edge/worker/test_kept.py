"""Which plain pages are kept for others, and what of a request decides it."""

import httpx
import pytest

from tests.edge.worker.conftest import HTML, PAGE, Said, Worker

FULL = {"cookie": "consent=full"}


def cached(seconds: int = 60, *more: tuple[str, str]) -> Said:
    return Said(headers=(HTML, ("cache-control", f"max-age={seconds}"), *more))


def later(worker: Worker, seconds: float) -> None:
    worker.clock.now_s += seconds


def test_stale_is_shown_when_the_site_is_down(worker: Worker) -> None:
    worker.site.says[b"/"] = cached()
    worker.get("/", FULL)
    later(worker, 61)
    worker.site.says[b"/"] = Said([PAGE[:60], httpx.ReadError("gone")])
    assert b"our" in worker.get("/", FULL).body
    worker.site.down = True
    answer = worker.get("/", FULL)
    assert answer.status == 200
    assert b"Welcome" in answer.body
    assert worker.get("/other").status == 502


def test_what_must_be_revalidated_is_not_shown_stale(worker: Worker) -> None:
    worker.site.says[b"/"] = Said(headers=(HTML, ("cache-control", "max-age=60, must-revalidate")))
    worker.get("/")
    later(worker, 61)
    worker.site.down = True
    assert worker.get("/").status == 502


def test_a_kept_page_is_personalized_for_each(worker: Worker) -> None:
    worker.site.says[b"/"] = cached()
    answers = [
        worker.get("/", {"cookie": "consent=full", "user-agent": "iPhone Mobi"}),
        worker.get("/", FULL),
        worker.get("/", {"cookie": "consent=none"}),
    ]
    assert len(worker.site.heard) == 1
    assert b"the app" in answers[0].body
    assert b"Welcome" in answers[1].body
    assert answers[2].body == PAGE
    ids = {decision.id for decision in worker.decisions()}
    assert len(ids) == 2


def test_a_kept_plain_page_tells_its_age(worker: Worker) -> None:
    worker.site.says[b"/"] = cached(60, ("age", "5"))
    none = {"cookie": "consent=none"}
    assert worker.get("/", none).values("age") == ["5"]
    later(worker, 20)
    assert worker.get("/", none).values("age") == ["25"]
    later(worker, 20)  # on top: 40 s, and 5 before
    assert worker.get("/", none).values("age") == ["45"]
    assert len(worker.site.heard) == 1
    later(worker, 20)
    assert worker.get("/", none).values("age") == ["5"]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"cookie": "sid=1"}, {}),
        ({"authorization": "Basic x"}, {}),
        ({}, {"authorization": "Basic x"}),
        ({"range": "bytes=0-5"}, {}),
        ({"content-length": "0"}, {}),
        ({"x-forwarded-host": "evil.example"}, {}),
        ({"x-forwarded-proto": "http"}, {"x-forwarded-proto": "https"}),
        ({"x-forwarded-host": "a"}, {"x-forwarded-proto": "a"}),
    ],
)
def test_what_was_made_for_one_is_not_kept_for_another(
    worker: Worker, first: dict[str, str], second: dict[str, str]
) -> None:
    worker.site.says[b"/"] = cached()
    worker.get("/", first)
    worker.get("/", second)
    assert len(worker.site.heard) == 2


@pytest.mark.parametrize("first", [{"cookie": "consent=full"}, {"x-forwarded-proto": "https"}, {}])
def test_what_was_made_for_all_is_kept(worker: Worker, first: dict[str, str]) -> None:
    worker.site.says[b"/"] = cached()
    for _ in range(2):
        worker.get("/", first)
    assert len(worker.site.heard) == 1


@pytest.mark.parametrize("control", ["public, max-age=60", "s-maxage=60"])
def test_a_site_may_say_that_a_page_is_for_all_whoever_asked(worker: Worker, control: str) -> None:
    worker.site.says[b"/"] = Said(headers=(HTML, ("cache-control", control)))
    for _ in range(2):
        worker.get("/", {"cookie": "sid=1"})
    assert len(worker.site.heard) == 1


@pytest.mark.parametrize(
    "name", ["x-original-url", "x-rewrite-url", "x-http-method-override", "forwarded", "x-host"]
)
def test_what_would_make_another_page_of_the_url_does_not_reach_the_site(worker: Worker, name: str) -> None:
    worker.get("/", {name: "/admin"})
    assert not any(b"admin" in value for _, value in worker.site.heard[0].headers)


def test_a_purge_forgets_all_that_was_kept_of_a_url(worker: Worker) -> None:
    worker.site.says[b"/"] = worker.site.says[b"/?a=1"] = cached()
    worker.get("/")
    worker.get("/", {"x-forwarded-proto": "https"})
    worker.get("/?a=1")
    assert worker.cache.purge_target(b"/") == 2
    assert worker.cache.purge_target(b"/") == 0
    assert worker.cache.purge_all() == 1

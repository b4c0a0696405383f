"""Pages leave compressed for those who accept it, and are the same pages."""

import gzip
import re
import zlib
from typing import Any

import brotli
import pytest
import zstandard

from edge.pages.packing import WHOLE
from edge.pages.stitch import deflated
from edge.worker.site.coding import MIN_CODED_BYTES
from edge.worker.site.decoding import decoded
from tests.edge.worker.conftest import HTML, MAX_PAGE_BYTES, PAGE, Answer, Said, Worker

LONG = PAGE + b"<p>more of the page</p>\n" * 100
GZIP = {"accept-encoding": "gzip, deflate"}
FULL = {"cookie": "consent=full"}
NONE = {"cookie": "consent=none"}
TOKEN = re.compile(rb'<template data-nearside="[^"]+"></template>')


def kept(body: bytes = LONG, *more: tuple[str, str]) -> Said:
    return Said(body, headers=(HTML, ("cache-control", "public, max-age=60"), *more))


def page_of(answer: Answer) -> bytes:
    assert answer.status == 200
    assert answer.ended
    assert answer.value("content-length") == str(len(answer.body))
    assert answer.values("content-encoding") == ["gzip"]
    return gzip.decompress(answer.body)


def test_a_personalized_page_is_the_same_compressed(worker: Worker) -> None:
    worker.site.says[b"/"] = kept()
    plain = worker.get("/", FULL)
    packed = worker.get("/", FULL | GZIP)
    assert not plain.values("content-encoding")
    assert TOKEN.sub(b"", page_of(packed)) == TOKEN.sub(b"", plain.body)
    assert len(TOKEN.findall(page_of(packed))) == 1
    assert len(packed.body) < 0.6 * len(plain.body)
    assert packed.values("cache-control") == ["private, no-store"]
    assert worker.count('nearside_pages_total{kind="personalized"}') == 2


@pytest.mark.parametrize("headers", [NONE, {}])
def test_a_plain_page_too_and_shared_caches_are_told(empty_worker: Worker, headers: dict[str, str]) -> None:
    empty_worker.site.says[b"/"] = kept(LONG, ("etag", '"1"'), ("content-md5", "x"), ("age", "3"))
    for _ in range(2):
        answer = empty_worker.get("/", headers | GZIP)
        assert page_of(answer) == LONG
        assert answer.values("vary") == ["accept-encoding"]
        assert (answer.value("etag"), answer.values("content-md5")) == ('W/"1"', [])
        assert answer.value("cache-control") == "public, max-age=60"
        plain = empty_worker.get("/", headers)
        assert (plain.body, plain.values("vary"), plain.value("etag")) == (LONG, ["accept-encoding"], '"1"')
    assert len(empty_worker.site.heard) == 1


def test_what_the_site_varies_by_is_not_forgotten(empty_worker: Worker) -> None:
    empty_worker.site.says[b"/"] = kept(LONG, ("vary", "Accept-Encoding"))
    assert empty_worker.get("/", GZIP).values("vary") == ["Accept-Encoding"]


@pytest.mark.parametrize(
    ("said", "accepts"),
    [
        (kept(PAGE + b"x" * (MIN_CODED_BYTES - 1 - len(PAGE))), "gzip"),
        (kept(), "identity"),
        (kept(), "gzip;q=0, *"),
        (kept(LONG, ("cache-control", "no-transform")), "gzip"),
        (Said(LONG), "gzip"),
        (Said(LONG, headers=(HTML, ("cache-control", "private"))), "gzip"),
    ],
    ids=["small", "identity", "refused", "no-transform", "of-one-visitor", "private"],
)
def test_what_stays_plain(worker: Worker, said: Said, accepts: str) -> None:
    worker.site.says[b"/"] = said
    for cookies in (FULL, NONE):
        answer = worker.get("/", cookies | {"accept-encoding": accepts})
        assert not answer.values("content-encoding")
        assert answer.body.startswith(b"<!doctype html>")


def test_a_page_for_one_visitor_leaves_compressed_if_the_site_sent_it_so(worker: Worker) -> None:
    headers = (HTML, ("content-encoding", "gzip"), ("cache-control", "private"), ("etag", '"1"'))
    worker.site.says[b"/"] = Said(gzip.compress(LONG), headers)
    assert page_of(worker.get("/", NONE | GZIP)) == LONG
    assert b"Welcome to <em>our</em> films" in page_of(worker.get("/", FULL | GZIP))
    plain = worker.get("/", NONE)
    assert (plain.body, plain.value("etag"), plain.values("content-encoding")) == (LONG, 'W/"1"', [])


@pytest.mark.parametrize(
    ("accept", "asked", "told"),
    [
        ("text/html", "gzip, deflate, br, zstd", b"br, gzip, zstd"),
        ("*/*", "gzip;q=0.5", b"gzip"),
        ("text/html", "br", b"br"),
        ("text/html", "deflate", b"identity"),
        ("text/html", None, b"identity"),
        ("image/webp", "br, zstd", b"br, zstd"),
    ],
)
def test_the_site_is_asked_for_what_can_be_read_here(
    worker: Worker, accept: str, asked: str | None, told: bytes
) -> None:
    worker.get("/", {"accept": accept} | ({"accept-encoding": asked} if asked else {}))
    assert worker.site.heard[0].values(b"accept-encoding") == [told]


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(LONG)),
        ("deflate", zlib.compress(LONG)),
        ("GZIP", gzip.compress(LONG)),
        ("br", brotli.compress(LONG)),
        ("zstd", zstandard.compress(LONG)),
    ],
)
def test_a_page_that_came_coded_is_cut(worker: Worker, coding: str, body: bytes) -> None:
    worker.site.says[b"/"] = kept(body, ("content-encoding", coding))
    answer = worker.get("/", FULL)
    assert b"Welcome to <em>our</em> films" in answer.body
    assert not answer.values("content-encoding")


def test_a_site_that_names_no_coding_at_length_is_understood(worker: Worker) -> None:
    worker.site.says[b"/"] = kept(LONG, ("content-encoding", "identity"))
    for cookies in (FULL, NONE):
        assert b"more of the page" in page_of(worker.get("/", cookies | GZIP))


@pytest.mark.parametrize(
    ("coding", "body", "reason"),
    [
        ("br", b"\x1b\x03", "broken"),
        ("zstd", zstandard.compress(LONG)[:-4], "broken"),
        ("gzip", gzip.compress(LONG)[:-4], "broken"),
        ("gzip", b"no gzip", "broken"),
        ("gzip", gzip.compress(b"a" * (MAX_PAGE_BYTES + 1)), "size"),
        ("br", brotli.compress(b"a" * (MAX_PAGE_BYTES + 1)), "size"),
        ("zstd", zstandard.compress(b"a" * (MAX_PAGE_BYTES + 1)), "size"),
        ("gzip, br", gzip.compress(LONG), "unknown"),
    ],
)
def test_what_cannot_be_decoded_passes_as_it_came(
    worker: Worker, coding: str, body: bytes, reason: str
) -> None:
    worker.site.says[b"/"] = kept(body, ("content-encoding", coding))
    answer = worker.get("/", FULL | GZIP)
    assert (answer.body, answer.values("content-encoding")) == (body, [coding])
    assert worker.count('nearside_pages_total{kind="passed"}') == 1
    label = "other" if "," in coding else coding
    assert worker.count(f'nearside_undecoded_total{{coding="{label}",reason="{reason}"}}') == 1


@pytest.mark.parametrize(
    ("accepts", "coding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, deflate, br;q=0.5, zstd;q=0.7", "gzip"),
        ("zstd, gzip;q=0.5", "zstd"),
        ("br;q=0, gzip;q=0.5, zstd;q=0.1", "gzip"),
        ("br", "br"),
    ],
)
def test_a_plain_page_leaves_in_the_coding_that_is_liked_best(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, accepts: str, coding: str
) -> None:
    made = []
    for name, make in WHOLE.items():
        monkeypatch.setitem(
            WHOLE, name, lambda page, name=name, make=make: (made.append(name), make(page))[1]
        )
    worker.site.says[b"/"] = kept(LONG, ("etag", '"1"'))
    for _ in range(3):
        answer = worker.get("/", NONE | {"accept-encoding": accepts})
        assert (answer.values("content-encoding"), answer.value("etag")) == ([coding], 'W/"1"')
        assert (answer.value("cache-control"), answer.value("vary")) == (
            "public, max-age=60",
            "accept-encoding",
        )
        assert decoded(answer.body, coding.encode(), len(LONG)) == LONG
    assert made == [coding.encode()] * (coding != "gzip")


def test_a_page_that_keeps_its_defaults_is_the_plain_one_and_leaves_as_small(worker: Worker) -> None:
    worker.site.says[b"/film/alien"] = kept(b"<p>nothing to fill</p>" * 100)
    answer = worker.get("/film/alien", FULL | {"accept-encoding": "gzip, br"})
    assert (answer.values("content-encoding"), answer.value("cache-control")) == (["br"], "private, no-store")
    assert answer.values("set-cookie")


def test_a_personalized_page_is_stitched_whatever_is_liked_best(worker: Worker) -> None:
    worker.site.says[b"/"] = kept()
    answer = worker.get("/", FULL | {"accept-encoding": "gzip;q=0.1, br, zstd"})
    assert b"Welcome to <em>our</em> films" in page_of(answer)
    alone = worker.get("/", FULL | {"accept-encoding": "br"})
    assert b"Welcome to <em>our</em> films" in alone.body
    assert not alone.values("content-encoding")


def test_a_page_for_one_visitor_is_only_deflated(worker: Worker) -> None:
    headers = (HTML, ("content-encoding", "br"), ("cache-control", "private"))
    worker.site.says[b"/"] = Said(brotli.compress(LONG), headers)
    assert page_of(worker.get("/", NONE | {"accept-encoding": "gzip, br"})) == LONG
    assert worker.get("/", NONE | {"accept-encoding": "br"}).body == LONG


def test_a_range_is_one_of_the_plain_bytes(worker: Worker) -> None:
    worker.site.says[b"/"] = kept()
    worker.get("/", NONE)
    answer = worker.get("/", NONE | {"accept-encoding": "br", "range": "bytes=0-8"})
    assert (answer.status, answer.body, answer.values("content-encoding")) == (206, LONG[:9], [])


def test_a_failed_decision_is_the_plain_page_compressed(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: Any) -> bytes:
        raise RuntimeError("a bug")

    worker.site.says[b"/"] = kept()
    monkeypatch.setattr("edge.worker.turn.personalize.Composition", fails)
    assert page_of(worker.get("/", FULL | GZIP)) == LONG
    assert worker.count('nearside_pages_total{kind="failed"}') == 1


def test_a_token_is_never_squeezed_with_anything_else(worker: Worker) -> None:
    """Its length would tell how like it is to what an attacker put beside it."""
    worker.site.says[b"/"] = kept()
    answer = worker.get("/", FULL | GZIP)
    (token,) = TOKEN.findall(page_of(answer))
    assert token in answer.body
    assert deflated(token + token, 6) != token


def test_a_visitors_values_are_stored(worker: Worker, monkeypatch: pytest.MonkeyPatch) -> None:
    worker.site.says[b"/"] = kept()
    monkeypatch.setattr(type(worker.holder.active.engine), "tells", lambda *_: True)
    answer = worker.get("/", FULL | GZIP)
    assert b"Welcome to <em>our</em> films" in answer.body
    assert b"Welcome to <em>our</em> films" in page_of(answer)

"""Pages as sites mark and encode them: what the browser gets, and what is counted."""

import gzip
import re

import pytest

from tests.edge.worker.conftest import Answer, Said, Worker

FULL = {"cookie": "consent=full"}
NONE = {"cookie": "consent=none"}
GZIP = {"accept-encoding": "gzip"}
HERO = "Welcome to <em>our</em> films"
TOKEN = r'<template data-nearside="[^"]+"></template>'
FILLER = "<p>filler</p>" * 100


def said(page: str, *more: tuple[str, str], codec: str = "utf-8", kind: str = "") -> Said:
    kind = kind or "text/html; charset=utf-8"
    kept = (("content-type", kind), ("cache-control", "public, max-age=60"))
    return Said(page.encode(codec), (*kept, *more))


def read(answer: Answer, codec: str = "utf-8") -> str:
    coded = answer.values("content-encoding") == ["gzip"]
    return (gzip.decompress(answer.body) if coded else answer.body).decode(codec)


@pytest.mark.parametrize("accepts", [{}, GZIP])
@pytest.mark.parametrize(
    ("begin", "end"),
    [
        ("<!-- placement:hero -->", "<!-- /placement -->"),
        (
            "<!--placement:hero-->default<!--/placement:hero-->".partition("default")[0],
            "<!--/placement:hero-->",
        ),
    ],
)
def test_a_pair_of_comments_is_filled(worker: Worker, accepts: dict[str, str], begin: str, end: str) -> None:
    page = f"<!doctype html>{FILLER}{begin}<b>default</b>{end}ü"
    worker.site.says[b"/"] = said(page)
    shown = read(worker.get("/", FULL | accepts))
    inside = f'{TOKEN}<template data-nearside-placement="hero"></template>.*{re.escape(HERO)}.*'
    inside += "<template data-nearside-end></template>"
    assert re.fullmatch(f"<!doctype html>{FILLER}{begin}{inside}{end}ü", shown, re.DOTALL)
    assert read(worker.get("/", NONE | accepts)) == page


@pytest.mark.parametrize("accepts", [{}, GZIP])
def test_an_esi_tag_is_filled_and_never_reaches_a_browser(worker: Worker, accepts: dict[str, str]) -> None:
    page = f'<p>1</p>{FILLER}<esi:include src="/placement/hero"/><esi:include src="/other"/>2'
    worker.site.says[b"/"] = said(page, ("etag", '"1"'), ("content-md5", "x"))
    shown = read(worker.get("/", FULL | accepts))
    assert HERO in shown
    assert "/placement/hero" not in shown
    plain = worker.get("/", NONE | accepts)
    assert read(plain) == page.replace('<esi:include src="/placement/hero"/>', "")
    assert (plain.value("etag"), plain.values("content-md5")) == ('W/"1"', [])
    assert plain.value("content-length") == str(len(plain.body))


def test_without_a_bundle_an_esi_tag_is_gone_too(empty_worker: Worker) -> None:
    empty_worker.site.says[b"/"] = said("<p>1</p><esi:include src='/placement/hero'/>2")
    for _ in range(2):
        assert read(empty_worker.get("/")) == "<p>1</p>2"


@pytest.mark.parametrize(
    ("ask", "tag"),
    [
        ("<!-- nearside:script -->", '<script src="/_nearside/n.js" defer></script>'),
        ('<!-- nearside:script nonce="abc" -->', '<script src="/_nearside/n.js" nonce="abc" defer></script>'),
    ],
)
@pytest.mark.parametrize("accepts", [{}, GZIP])
def test_our_script_comes_where_it_is_asked_for(
    worker: Worker, ask: str, tag: str, accepts: dict[str, str]
) -> None:
    policy = "script-src 'nonce-abc' 'strict-dynamic'"
    page = f'<head>{ask}</head>{FILLER}<div data-placement="hero">default</div>'
    worker.site.says[b"/"] = said(page, ("content-security-policy", policy))
    answer = worker.get("/", FULL | accepts)
    assert read(answer).startswith(f"<head>{tag}</head>")
    assert answer.values("content-security-policy") == [policy]
    assert read(worker.get("/", NONE | accepts)) == page
    assert "/_nearside/n.js" not in read(worker.get("/", NONE | accepts))


def test_no_script_comes_that_nobody_asked_for_and_none_stands_in_the_page(worker: Worker) -> None:
    """So that a policy with nonces or hashes holds: what we put in runs nothing."""
    worker.site.says[b"/"] = said('<div data-placement="hero"></div><ul data-placement="recommended"></ul>')
    shown = read(worker.get("/", FULL))
    assert HERO in shown
    assert "<script" not in shown
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", shown)


@pytest.mark.parametrize(
    ("codec", "kind", "meta"),
    [
        ("cp1252", "text/html; charset=ISO-8859-1", ""),
        ("cp1251", "text/html; charset=windows-1251", ""),
        ("cp932", 'text/html; charset="Shift_JIS"', ""),
        ("gbk", "text/html", "<meta charset=gb2312>"),
        ("iso8859_2", "text/html", "<meta http-equiv=Content-Type content='text/html; charset=iso-8859-2'>"),
        ("ascii", "text/html", ""),
        ("utf-8", "text/html", "\ufeff"),
    ],
)
def test_fragments_come_in_the_pages_own_encoding(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, codec: str, kind: str, meta: str
) -> None:
    offer = "Größe Размер 尺寸 😀 &amp; <b>x</b>"
    pieces = [offer.encode()]
    engine = type(worker.holder.active.engine)
    monkeypatch.setattr(engine, "pieces", lambda *_: pieces)
    page = f'{meta}<p>plain</p>{FILLER}<div data-placement="hero">x</div>'
    worker.site.says[b"/"] = said(page, codec=codec, kind=kind)
    for accepts in ({}, GZIP):
        shown = read(worker.get("/", FULL | accepts), codec)
        inside = re.search(f'<div data-placement="hero">{TOKEN}(.*)</div>', shown)
        assert inside
        assert inside[1] == offer.encode(codec, "xmlcharrefreplace").decode(codec)
    assert read(worker.get("/", NONE), codec) == page


@pytest.mark.parametrize(
    ("codec", "kind"),
    [
        ("utf-16", "text/html"),
        ("utf-16le", "text/html; charset=utf-16le"),
        ("iso2022_jp", "text/html; charset=iso-2022-jp"),
    ],
)
def test_a_page_that_cannot_be_cut_stays_plain_and_is_counted(worker: Worker, codec: str, kind: str) -> None:
    page = '<div data-placement="hero">x</div>'
    worker.site.says[b"/"] = said(page, codec=codec, kind=kind)
    answer = worker.get("/", FULL)
    assert answer.body == page.encode(codec)
    wanted = 0 if codec.startswith("utf-16") else 1  # where no byte says "placement" nothing is marked
    assert worker.count('nearside_marks_left_total{reason="charset"}') == wanted


def test_marks_that_cannot_be_used_are_counted_by_reason(worker: Worker) -> None:
    worker.site.says[b"/"] = said(
        '<!-- placement:hero -->x<p data-placement="hero"><div></div></p><b data-placement="A"></b>'
    )
    for _ in range(2):
        worker.get("/", FULL)
    for reason in ("unclosed", "broken", "name"):
        assert worker.count(f'nearside_marks_left_total{{reason="{reason}"}}') == 1

"""A page is cut at its placements and nowhere else; its bytes are never changed."""

import random
import re
from pathlib import Path
from typing import Any

import lolhtml
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.pages import plan as module
from edge.pages.marks import MAX_PLACEMENTS, SCRIPT, Marker
from edge.pages.plan import scan
from edge.pages.region import MAX_REGION_BYTES, RAW_TEXT

PAIR = (b"<!-- placement:p%d -->", b"<!-- /placement -->")
START_TAG = re.compile(rb"<(div|section|ul|span|p|main|article|aside|h1|h2)(?=[\s>])")


@pytest.mark.parametrize(
    ("page", "placements", "defaults"),
    [
        (b'<div data-placement="hero">x</div>', ["hero"], [b"x"]),
        (b"<DIV DATA-PLACEMENT=hero>x</DIV >", ["hero"], [b"x"]),
        (b"<div data-placement = 'hero'></div>", ["hero"], [b""]),
        (b"<div data-placement=hero data-placement=other>x</div>", ["hero"], [b"x"]),
        (b"<div data-placement=a>1<b data-placement=b>2</b></div>", ["a"], [b"1<b data-placement=b>2</b>"]),
        (b"<b data-placement=a>1</b>-<b data-placement=a>2</b>", ["a", "a"], [b"1", b"2"]),
        (b"<template><b data-placement=a>1</b></template>", ["a"], [b"1"]),
        (b"<svg><g data-placement=a><path/></g></svg>", ["a"], [b"<path/>"]),
        (b"<div data-placement=a>\xff\x00\xfe</div>", ["a"], [b"\xff\x00\xfe"]),
        (b"<div data-placement=a>1<b data-placement=b>2</b>", ["b"], [b"2"]),
        (b"<ul><li data-placement=a>1</ul>", ["a"], [b"1"]),
        (b"<ul data-placement=a><li>1<li>2</ul>", ["a"], [b"<li>1<li>2"]),
        (b"<p data-placement=a>1<div>2</div></p><b data-placement=b>3</b>", ["b"], [b"3"]),
        (b"<ul><li data-placement=a>1<li data-placement=b>2</ul>", [], []),
        (b"<div data-placement=a><b>1<i data-placement=b>2</i></div>", ["b"], [b"2"]),
        (b"<div data-placement=a>" + b"x" * MAX_REGION_BYTES + b"x</div>", [], []),
        (b"<!-- placement:hero -->x<!-- /placement -->", ["hero"], [b"x"]),
        (b"<!--placement:hero--><b>x</b>\xff<!--/placement-->", ["hero"], [b"<b>x</b>\xff"]),
        (b"<!--\n placement:hero\t--><!-- /placement:hero -->", ["hero"], [b""]),
        (
            b"<!-- placement:a -->1<!-- placement:b -->2<!-- /placement -->3<!-- /placement -->",
            ["a"],
            [b"1<!-- placement:b -->2<!-- /placement -->3"],
        ),
        (b"<!-- placement:a -->1<!-- placement:b -->2<!-- /placement -->", ["b"], [b"2"]),
        (
            b"<!-- placement:a -->1<!-- placement:b -->2<!-- /placement:a -->",
            ["a"],
            [b"1<!-- placement:b -->2"],
        ),
        (
            b"<!-- placement:a -->1<b data-placement=b>2</b><!-- /placement -->",
            ["a"],
            [b"1<b data-placement=b>2</b>"],
        ),
        (
            b"<b data-placement=b>2<!-- placement:a -->1<!-- /placement --></b>",
            ["b"],
            [b"2<!-- placement:a -->1<!-- /placement -->"],
        ),
        (
            b"<div data-placement=a>1<!-- placement:b --></div>2<!-- /placement -->",
            ["a"],
            [b"1<!-- placement:b -->"],
        ),
        (
            b"<!-- placement:a -->1<!-- placement:B! -->2<!-- /placement -->3<!-- /placement -->",
            ["a"],
            [b"1<!-- placement:B! -->2<!-- /placement -->3"],
        ),
        (b"<tr><!-- placement:a --><td>1</td><!-- /placement --></tr>", ["a"], [b"<td>1</td>"]),
        (b'<esi:include src="/placement/hero"/>x', ["hero"], [b""]),
        (b'<p>1<esi:include alt="a>b" src="/placement/hero" onerror=continue />2</p>', ["hero"], [b""]),
        (
            b"<esi:include src=/placement/a>1<esi:include src='/placement/b'></esi:include>",
            ["a", "b"],
            [b""] * 2,
        ),
        (b"<b data-placement=a>1</b><!-- placement:a -->2<!-- /placement -->", ["a", "a"], [b"1", b"2"]),
    ],
)
def test_a_placement_is_what_stands_inside_its_element(
    page: bytes, placements: list[str], defaults: list[bytes]
) -> None:
    plan = scan(page)
    assert (list(plan.placements), list(plan.defaults)) == (placements, defaults)
    if b"<esi" not in page.lower():
        assert plan.page == page


@pytest.mark.parametrize(
    "page",
    [
        b"",
        b"data-placement",
        b"<!-- <div data-placement=a>x</div> -->",
        b"<script>'<div data-placement=a>x</div>'</script>",
        b"<style><div data-placement=a>x</div></style>",
        b"<textarea><div data-placement=a>x</div></textarea>",
        b"<noscript><div data-placement=a>x</div></noscript>",
        b"<title><div data-placement=a>x</div></title>",
        b"<img data-placement=a>x",
        b"<br data-placement=a>x</br>",
        b"<svg><g data-placement=a /></svg>",
        b"<div data-placement=a>never closed",
        b"<div data-placement=a",
        b"<div data-placement='a",
        b"<div data-placement=''>x</div>",
        b"<div data-placement=A_b>x</div>",
        b"<div data-placement=\xff>x</div>",
        b"<div data-placement=" + b"a" * 65 + b">x</div>",
        b'<a title="<div data-placement=a>x</div>">x</a>',
        b"<plaintext><div data-placement=a>x</div>",
        b"<ul><li data-placement=a>1<li>2</ul>",
        b"<!-- placement:a -->",
        b"x<!-- /placement -->",
        b"<!-- placement:a -->x<!-- /placement:b -->",
        b"<!-- placement: a -->x<!-- /placement -->",
        b"<!-- placement:A -->x<!-- /placement -->",
        b"<!-- placement:nearside:script -->x<!-- /placement -->",
        b"<!-- placement:a --><div>x<!-- /placement --></div>",
        b"<div><!-- placement:a -->x</div><!-- /placement -->",
        b"<p><!-- placement:a -->x</p>y<!-- /placement -->",
        b"<!-- placement:a --><script><!-- /placement --></script>",
        b"<textarea><!-- placement:a -->x<!-- /placement --></textarea>",
        b"<svg><![CDATA[<!-- placement:a -->x<!-- /placement -->]]></svg>",
        b"<esi:include src='/placement/A'/>",
        b"<esi:include src='/elsewhere/placement/a'/>",
        b"<esi:include src='/placement/'/>",
        b"<p><ESI:INCLUDE src='/placement/a'/>x</p>",
        b"<script><esi:include src='/placement/a'/></script>",
        *(b"<%s data-placement=a>x</%s>" % (name.encode(), name.encode()) for name in sorted(RAW_TEXT)),
    ],
)
def test_what_is_no_placement_leaves_the_page_whole(page: bytes) -> None:
    plan = scan(page)
    assert (plan.chunks, plan.placements, plan.defaults) == ((page,), (), ())


@pytest.mark.parametrize(
    "page",
    [
        b"<select><xmp><div data-placement=a>x</div></xmp></select>",
        b"<div data-placement=a>x</div><frameset><xmp>",
        b"<div data-placement=a>x</div><select><xmp><script>1</script></xmp></select>",
    ],
)
def test_markup_that_parsers_read_in_two_ways_leaves_the_page_whole(page: bytes) -> None:
    with pytest.raises(RuntimeError, match="ambiguous"):
        _parse(page)
    plan = scan(page)
    assert (plan.chunks, plan.placements, plan.defaults) == ((page,), (), ())


def _parse(page: bytes) -> None:
    rewriter = lolhtml.HTMLRewriter(lambda _chunk: None)
    Marker("x").register(rewriter)
    rewriter.write(page)
    rewriter.end()


class PanicException(BaseException):
    """Stands for what a panic in Rust becomes: no Exception."""


@pytest.mark.parametrize("error", [PanicException("index out of bounds"), ValueError("x"), RuntimeError("y")])
def test_a_parser_that_gives_up_leaves_the_page_whole(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Rewriter:
        def __init__(self, *_: Any) -> None: ...
        def on(self, *_: Any) -> None: ...
        def on_document(self, *_: Any) -> None: ...
        def write(self, _: bytes) -> None:
            raise error

    monkeypatch.setattr(module.lolhtml, "HTMLRewriter", Rewriter)
    page = b"<div data-placement=a>x</div>"
    assert scan(page).page == page


def test_text_that_looks_like_a_marker_is_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.secrets, "token_hex", lambda _: "0123456789abcdef")
    lie = b"0123456789abcdef<0;0123456789abcdef>0;"
    for page in (
        lie + b"<div data-placement=a>x</div>",
        b"<div data-placement=a>" + lie + b"x</div>" + lie,
        b"<!--" + lie + b"--><div data-placement=a>x</div>",
        b"<div data-placement=a>0123456789abcdef<99999999999999999999;</div>",
    ):
        assert scan(page).page == page
    assert scan(b"x<0;<div data-placement=a>y</div>").placements == ("a",)


def test_the_number_of_placements_is_bounded() -> None:
    page = b"<i data-placement=a>x</i>" * (MAX_PLACEMENTS + 5)
    plan = scan(page)
    assert len(plan.placements) == MAX_PLACEMENTS
    assert plan.page == page


SOUP = (
    "<!-- placement:c -->|<!-- placement:d -->|<!-- /placement -->|<!-- /placement:c -->|"
    "<!-- nearside:script -->|<esi:include src=/placement/e/>|<esi:include src=/placement/f>|</esi:include>|"
    "<div data-placement=a>|<p data-placement=b>|</div>|</p>|<script>|</script>|<!--|-->|<select>|<table>|"
    "<xmp>|<svg>|</svg>|<template>|<li data-placement=c>|</ul>|<|>|'|x|\x00|<textarea>|<br data-placement=d>|"
    "<![CDATA[|]]>|\xc3"
).encode("latin-1")


@settings(deadline=None, max_examples=300)
@given(st.lists(st.sampled_from(SOUP.split(b"|")), max_size=25))
def test_any_soup_is_given_back(parts: list[bytes]) -> None:
    page = b"".join(parts)
    plan = scan(page)
    assert plan.page == page or b"<esi" in page
    assert len(plan.chunks) == len(plan.placements) + 1 == len(plan.defaults) + 1
    filled = plan.fill(dict.fromkeys(plan.placements, b"\x00FILLED"))
    assert filled == b"\0FILLED".join(plan.chunks)


def test_real_pages_keep_every_byte_outside_their_placements(data_dir: Path) -> None:
    """Marks random elements of saved pages, fills them, and compares all that is around."""
    pages = sorted(path for path in (data_dir / "html-pages").rglob("*") if path.suffix in (".html", ".htm"))
    assert len(pages) > 50
    found = 0
    for path in pages:
        rnd = random.Random(path.name)
        body = path.read_bytes()
        starts = [match.end() for match in START_TAG.finditer(body)]
        for number, at in enumerate(sorted(rnd.sample(starts, min(5, len(starts))), reverse=True)):
            body = body[:at] + b' data-placement="p%d"' % number + body[at:]
        plan = scan(body)
        assert plan.page == body, path
        assert plan.fill(dict.fromkeys(plan.placements, b"")) == b"".join(plan.chunks), path
        for name, chunk in zip(plan.placements, plan.chunks, strict=False):
            assert re.search(rb'<\w+ data-placement="%s"[^>]*>\Z' % name.encode(), chunk), path
        found += len(plan.placements)
    assert found > len(pages)


def test_real_pages_keep_every_byte_outside_of_comment_pairs(data_dir: Path) -> None:
    """Puts pairs of comments anywhere between tags of saved pages; only what is whole is a placement."""
    found = 0
    for path in sorted((data_dir / "html-pages").rglob("*.html")):
        rnd = random.Random(path.name)
        body = path.read_bytes()
        starts = [match.start() for match in START_TAG.finditer(body)]
        for number in range(6 if starts else 0):
            at = rnd.choice(starts)
            name = START_TAG.match(body, at)[1]  # type: ignore[index]
            close = body.find(b"</%s>" % name, at) + len(name) + 3
            end = close if number % 2 and close > at else body.find(b">", rnd.randrange(at, len(body))) + 1
            body = body[:at] + PAIR[0] % number + body[at:end] + PAIR[1] + body[end:]
            starts = [match.start() for match in START_TAG.finditer(body)]
        plan = scan(body)
        assert plan.page == body, path
        assert plan.fill(dict.fromkeys(plan.placements, b"")) == b"".join(plan.chunks), path
        for name, before, after in zip(plan.placements, plan.chunks[:-1], plan.chunks[1:], strict=True):
            assert before.endswith(b"<!-- placement:%s -->" % name.encode()), path
            assert after.startswith(PAIR[1]), path
        found += len(plan.placements)
    assert found > 60


def test_what_is_left_is_named_and_why() -> None:
    page = (
        b"<!-- placement:open --><p data-placement=p>1<div>2</div></p><textarea data-placement=t></textarea>"
        b"<i data-placement=N></i><b data-placement=b></b>"
    )
    plan = scan(page)
    assert plan.placements == ("b",)
    assert sorted(plan.left) == ["open:unclosed", "p:broken", "page:name", "t:raw-text"]
    assert scan(b"<b data-placement=a>x</b>", "").left == ("page:charset",)
    assert scan(b"<b data-placement=a>x</b><select><xmp>").left == ("page:ambiguous",)
    assert scan(b"<b>x</b>", "").left == ()


def test_placements_without_an_element_are_told_apart() -> None:
    page = b"<b data-placement=a></b><!-- placement:b --><!-- /placement --><esi:include src=/placement/c />"
    assert scan(page).loose == {"b", "c"}


@pytest.mark.parametrize(
    ("comment", "tag"),
    [
        (b"<!-- nearside:script -->", b'<script src="/_nearside/n.js" defer></script>'),
        (b"<!--nearside:script-->", b'<script src="/_nearside/n.js" defer></script>'),
        (
            b'<!-- nearside:script nonce="r4nd+/=" -->',
            b'<script src="/_nearside/n.js" nonce="r4nd+/=" defer></script>',
        ),
        (b'<!-- nearside:script nonce="x" onload="y" -->', b""),
        (b'<!-- nearside:script nonce="x"><b>" -->', b""),
        (b"<!-- nearside:scripts -->", b""),
        (b"<script><!-- nearside:script --></script>", b""),
        (b"", b""),
    ],
)
def test_our_script_stands_where_the_site_asks_for_it(comment: bytes, tag: bytes) -> None:
    page = b"<head>" + comment + b"</head><b data-placement=a>x</b>" + comment
    plan = scan(page)
    assert plan.page == page
    assert plan.script == tag
    filled = plan.fill({SCRIPT: plan.script})
    assert filled == (page.replace(comment, tag, 1) if tag else page)

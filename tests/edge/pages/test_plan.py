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
from edge.pages.plan import MAX_PLACEMENTS, PagePlan, scan

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
    ],
)
def test_a_placement_is_what_stands_inside_its_element(
    page: bytes, placements: list[str], defaults: list[bytes]
) -> None:
    plan = scan(page)
    assert (list(plan.placements), list(plan.defaults)) == (placements, defaults)
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
        *(
            b"<%s data-placement=a>x</%s>" % (name.encode(), name.encode())
            for name in sorted(module.RAW_TEXT)
        ),
    ],
)
def test_what_is_no_placement_leaves_the_page_whole(page: bytes) -> None:
    assert scan(page) == PagePlan((page,), (), ())


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
    assert scan(page) == PagePlan((page,), (), ())


def _parse(page: bytes) -> None:
    rewriter = lolhtml.HTMLRewriter(lambda _chunk: None)
    rewriter.on("[data-placement]", module._Marker("x"))
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
    "<div data-placement=a>|<p data-placement=b>|</div>|</p>|<script>|</script>|<!--|-->|<select>|<table>|"
    "<xmp>|<svg>|</svg>|<template>|<li data-placement=c>|</ul>|<|>|'|x|\x00|<textarea>|<br data-placement=d>|"
    "<![CDATA[|]]>|\xc3"
).encode("latin-1")


@settings(deadline=None, max_examples=300)
@given(st.lists(st.sampled_from(SOUP.split(b"|")), max_size=25))
def test_any_soup_is_given_back(parts: list[bytes]) -> None:
    page = b"".join(parts)
    plan = scan(page)
    assert plan.page == page
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

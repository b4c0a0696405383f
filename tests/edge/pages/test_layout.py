"""Blocks are found in the one scan, and stand where a layout wants them; all else stays byte for byte."""

import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.bundle.format import Layout
from edge.pages.cut import Block
from edge.pages.layout import lay_out
from edge.pages.marks import MAX_BLOCKS
from edge.pages.plan import PagePlan, scan

PAGE = (
    b"<main>0<div data-block=a>A</div>1<p data-block=b>B<i data-placement=hero>h</i></p>2"
    b"<section data-block=c>C</section>3<b data-placement=side>s</b></main>"
)
A, B, C = (
    b"<div data-block=a>A</div>",
    b"<p data-block=b>B<i data-placement=hero>h</i></p>",
    b"<section data-block=c>C</section>",
)


def blocks(page: bytes) -> list[tuple[str, bytes]]:
    return [(block.name, page[block.start : block.end]) for block in scan(page).blocks]


@pytest.mark.parametrize(
    ("page", "found"),
    [
        (PAGE, [("a", A), ("b", B), ("c", C)]),
        (b"x<DIV DATA-BLOCK='a'>1</DIV >y", [("a", b"<DIV DATA-BLOCK='a'>1</DIV >")]),
        (b"x<img data-block=a>y", [("a", b"<img data-block=a>")]),
        (b"<svg><g data-block=a /></svg>", [("a", b"<g data-block=a />")]),
        (
            b"<div data-block=a>1<b data-block=b>2</b></div>",
            [("a", b"<div data-block=a>1<b data-block=b>2</b></div>")],
        ),
        (b"<div data-placement=p>1<b data-block=b>2</b></div>", []),
        (
            b"<div data-placement=p data-block=b>2</div>",
            [("b", b"<div data-placement=p data-block=b>2</div>")],
        ),
        (b"<div data-block=a>1<b data-block=b>2</b>", [("b", b"<b data-block=b>2</b>")]),
        (b"<ul><li data-block=a>1<li data-block=b>2</ul>", []),
        (b"<b data-block=x><p data-block=y>1</b>2</p>", [("x", b"<b data-block=x><p data-block=y>1</b>")]),
        (b"<script data-block=a>1</script><noscript><b data-block=a>1</b></noscript>", []),
        (b"<html data-block=a><body data-block=b>1</body></html>", []),
        (b"<div data-block=A_b>x</div><div data-block=''>x</div><div data-block=\xff>x</div>", []),
        (b"<!-- <div data-block=a>x</div> -->", []),
    ],
)
def test_a_block_is_an_element_with_its_tags(page: bytes, found: list[tuple[str, bytes]]) -> None:
    assert blocks(page) == found
    assert scan(page).page == page


def test_the_number_of_blocks_is_bounded() -> None:
    page = b"<i data-block=a>x</i>" * (MAX_BLOCKS + 5)
    assert len(scan(page).blocks) == MAX_BLOCKS


@pytest.mark.parametrize(
    ("layout", "order"),
    [
        (Layout("x", order=("c", "a", "b")), (C, A, B)),
        (Layout("x", order=("c", "b")), (A, C, B)),
        (Layout("x", order=("c", "missing", "a")), (C, B, A)),
        (Layout("x", order=("b", "missing")), (A, B, C)),
        (Layout("x", swap=(("a", "c"),)), (C, B, A)),
        (Layout("x", swap=(("a", "missing"),)), (A, B, C)),
        (Layout("x", hide=("a", "missing")), (b"", B, C)),
        (Layout("x", hide=("b",), swap=(("c", "a"),)), (C, b"", A)),
    ],
)
def test_blocks_stand_where_the_layout_wants_them(layout: Layout, order: tuple[bytes, ...]) -> None:
    laid = lay_out(scan(PAGE), layout)
    one, two, three = order
    page = b"<main>0%b1%b2%b3<b data-placement=side>s</b></main>" % (one, two, three)
    assert laid.page == page
    assert laid.fill({"hero": b"H", "side": b"S"}) == page.replace(b">h<", b">H<").replace(b">s<", b">S<")


def test_a_placement_goes_where_its_block_goes_and_leaves_with_it() -> None:
    plan = scan(PAGE)
    moved = lay_out(plan, Layout("x", order=("b", "a")))
    assert moved.placements == ("hero", "side")
    assert b"B<i data-placement=hero>new</i></p>1" in moved.fill({"hero": b"new"})
    hidden = lay_out(plan, Layout("x", hide=("b",)))
    assert (hidden.placements, hidden.defaults) == (("side",), (b"s",))
    assert b"new" not in hidden.fill({"hero": b"new"})


def test_a_layout_that_changes_nothing_costs_nothing() -> None:
    plan = scan(PAGE)
    assert lay_out(plan, Layout("x", order=("a", "c"), hide=("missing",))) is plan


def test_a_name_that_stands_twice_is_hidden_everywhere_and_never_moved() -> None:
    page = b"<i data-block=a>1</i><i data-block=b>2</i><i data-block=a>3</i>"
    plan = scan(page)
    assert lay_out(plan, Layout("x", order=("b", "a"))).page == page
    assert lay_out(plan, Layout("x", swap=(("b", "a"),))).page == page
    assert lay_out(plan, Layout("x", hide=("a",))).page == b"<i data-block=b>2</i>"


NAMES = st.lists(st.sampled_from("abcdef"), unique=True)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.sampled_from("abcdefxy"), max_size=9), NAMES, st.integers(0, 6), st.integers(0, 6))
def test_all_else_stays_byte_for_byte(page: list[str], names: list[str], one: int, two: int) -> None:
    """Without what is hidden, the same blocks are there, and the bytes between them are as they were."""
    one, two = min(one, two), max(one, two)
    pair = tuple(names[two : two + 2])
    layout = Layout(
        "x", tuple(names[:one]), tuple(names[one:two]), ((pair[0], pair[1]),) if len(pair) > 1 else ()
    )
    parts = [
        b"<u>%d</u><div data-block=%b><i data-placement=p%d>" % (n, name.encode(), n)
        for n, name in enumerate(page)
    ]
    whole = b"".join(part + b"x</i></div>" for part in parts) + b"end"
    plan = scan(whole)
    laid = lay_out(plan, layout)
    cut = re.compile(rb"<div data-block=(\w)>.*?</div>")
    assert cut.sub(b"", laid.page) == cut.sub(b"", whole)
    kept = sorted(match[0] for match in cut.finditer(whole) if match[1].decode() not in layout.hide)
    assert sorted(match[0] for match in cut.finditer(laid.page)) == kept
    assert sorted(laid.placements) == sorted(
        name for name in plan.placements if b"=%b>" % name.encode() in laid.page
    )


SOUP = (
    b"<div data-block=a>|<p data-block=b>|</div>|</p>|<b data-placement=c>|</b>|<script>|</script>|<!--|-->|x"
    b"|<table>|<xmp>|<svg>|</svg>|<li data-block=c>|</ul>|<|>|<br data-block=d>|</i>"
    b"|<i data-block=a data-placement=e>"
)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.sampled_from(SOUP.split(b"|")), max_size=25))
def test_any_soup_can_be_laid_out(parts: list[bytes]) -> None:
    page = b"".join(parts)
    plan = scan(page)
    assert plan.page == page
    ends = [0, *(edge for block in plan.blocks for edge in block[1:]), len(page)]
    assert ends == sorted(ends)
    hidden = lay_out(plan, Layout("x", hide=("a", "b", "c", "d")))
    gaps = zip(ends[::2], ends[1::2], strict=True)
    assert hidden.page == b"".join(page[start:end] for start, end in gaps)
    lay_out(plan, Layout("x", order=("d", "c", "b", "a")))


def test_blocks_of_real_pages(data_dir: Path) -> None:
    """Elements of many pages, marked at random, are found in the one scan; all else is untouched."""
    tag = re.compile(rb"<(section|ul|span|p|article|aside|h1|h2|h3|tr|img|a)(?=[\s>])")
    pages = sorted(p for p in (data_dir / "html-pages").rglob("*") if p.suffix in (".html", ".htm"))[:150]
    assert len(pages) > 50
    found = 0
    for number, path in enumerate(pages):
        draw = random.Random(number)

        def mark(match: re.Match[bytes], draw: random.Random = draw) -> bytes:
            where = b" data-block=%b" if draw.random() < 0.8 else b" data-placement=%b"
            return match[0] + (
                where % draw.choice([b"a", b"b", b"c", b"d", b"e"]) if draw.random() < 0.02 else b""
            )

        body = tag.sub(mark, path.read_bytes()[:400_000])
        plan = scan(body)
        assert plan.page == body, path
        found += len(plan.blocks)
        cut = Layout("x", hide=tuple("abcde"))
        assert lay_out(plan, cut).page == _without(body, plan.blocks), path
        moved = lay_out(plan, Layout("x", order=tuple("edcba")))
        assert sorted(moved.page) == sorted(body), path
        _check_plan(moved)
    assert found > 300


def _without(body: bytes, blocks: tuple[Block, ...]) -> bytes:
    for block in reversed(blocks):
        body = body[: block.start] + body[block.end :]
    return body


def _check_plan(plan: PagePlan) -> None:
    assert len(plan.chunks) == len(plan.placements) + 1 == len(plan.defaults) + 1
    for name, chunk in zip(plan.placements, plan.chunks, strict=False):
        assert chunk.endswith(b">"), name


def test_what_no_element_holds_stays_between_the_blocks_beside_it() -> None:
    esi = b'<esi:include src="/placement/e"/>'
    one, two = b"<div data-block=a>A<!-- placement:x --><!-- /placement --></div>", b"<p data-block=b>B</p>"
    plan = scan(b"<!-- nearside:script -->" + esi + one + esi + two + esi, "cp1251")
    laid = lay_out(plan, Layout("l", order=("b", "a")))
    assert laid.placements == ("nearside:script", "e", "e", "x", "e")
    filled = laid.fill({"e": b"-", "x": b"!"})
    assert filled == b"<!-- nearside:script -->-" + two + b"-" + one.replace(b"--><!--", b"-->!<!--") + b"-"
    assert (laid.codec, laid.script, laid.loose) == (plan.codec, plan.script, plan.loose)
    assert plan.script

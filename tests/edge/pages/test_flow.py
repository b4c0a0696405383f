"""A page cut as it comes is the page cut as a whole, wherever its chunks end."""

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.pages.flow import Flow, Hole, Piece
from edge.pages.plan import PagePlan, scan
from edge.pages.region import MAX_REGION_BYTES

MARKUP = [
    b"<p>", b"</p>", b"<div>", b"</div>", b"<ul><li>", b"</li></ul>", b"<b>", b"</b>", b"a &amp; \xff",
    b'<div data-placement="list">', b'<p data-placement="p">', b'<b data-placement="hero">', b"<br>",
    b"<!-- placement:one -->", b"<!-- placement:two -->", b"<!-- /placement -->", b"<!-- /placement:one -->",
    b'<esi:include src="/placement/esi"/>', b'<esi:include src="/other"/>', b"<!-- nearside:script -->",
    b'<div data-block="block">', b"<svg><g>", b"</g></svg>", b"<table><tr><td>", b"</td></tr></table>",
    b"<script>if (a<b) {}</script>", b"<!-- a > b -->", b'<i title="a<b>">', b"</i>", b"<textarea>",
    b"</textarea>", b"<select><option>", b"</select>", b"<template>", b"</template>", b"<xmp>",
    b'<li data-placement="item">',
]  # fmt: skip


def cut(page: bytes, ends: list[int]) -> tuple[Flow, list[Piece]]:
    flow, pieces = Flow(), []
    for start, end in zip([0, *ends], [*ends, len(page)], strict=True):
        pieces += flow.take(page[start:end])
    return flow, pieces + flow.end()


def filled(pieces: list[Piece]) -> bytes:
    """As the test fills it: each placement by its name."""
    return b"".join(
        b"{%s}" % piece.mark.name.encode() if isinstance(piece, Hole) else piece for piece in pieces
    )


def fill(plan: PagePlan) -> bytes:
    return plan.fill({name: b"{%s}" % name.encode() for name in plan.placements})


def raw(pieces: list[Piece]) -> bytes:
    return b"".join(piece.inside if isinstance(piece, Hole) else piece for piece in pieces)


def agree(page: bytes, plan: PagePlan, ends: list[int]) -> None:
    flow, pieces = cut(page, ends)
    assert raw(pieces) == page
    if "page:ambiguous" in plan.left:
        return  # what came before stays filled
    assert filled(pieces) == fill(plan)
    assert tuple(flow.names) == plan.placements
    holes = [piece for piece in pieces if isinstance(piece, Hole)]
    assert tuple(hole.mark.default(hole.inside) for hole in holes) == plan.defaults
    assert flow.loose == plan.loose
    assert flow.has_blocks >= bool(plan.blocks)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(MARKUP), max_size=24).map(b"".join), st.randoms(use_true_random=False))
def test_a_page_is_cut_as_the_whole_of_it(page: bytes, dice: random.Random) -> None:
    ends = sorted(dice.choices(range(len(page) + 1), k=dice.randrange(6)))
    agree(page, scan(page), ends)


def marked(page: bytes, dice: random.Random) -> bytes:
    """A real page with marks in some of its elements."""
    names = iter(range(10_000))

    def mark(tag: bytes) -> bytes:
        return b'%s data-placement="p%d"' % (tag, next(names) % 60) if dice.random() < 0.02 else tag

    for tag in (b"<div", b"<p", b"<li", b"<span", b"<td"):
        first, *rest = page.split(tag)
        page = first + b"".join(mark(tag) + part if part[:1] in b" >" else tag + part for part in rest)
    return page


def test_real_pages_are_cut_as_the_whole_of_them(data_dir: Path) -> None:
    dice, holes = random.Random(5), 0
    for path in sorted((data_dir / "html-pages").glob("**/*.html")):
        page = marked(path.read_bytes()[:200_000], dice)
        plan = scan(page)
        holes += len(plan.placements)
        for _ in range(3):
            agree(page, plan, sorted(dice.choices(range(len(page)), k=dice.randrange(40))))
    assert holes > 100


def test_a_placement_is_given_as_soon_as_it_is_closed() -> None:
    flow = Flow()
    assert flow.take(b'<p>a</p><div data-placement="hero">the de') == [b'<p>a</p><div data-placement="hero">']
    (hole, after) = flow.take(b"fault</div><p>b")
    assert isinstance(hole, Hole)
    assert (hole.mark.name, hole.inside, after) == ("hero", b"the default", b"</div><p>b")


def test_what_is_never_closed_holds_a_page_up_no_longer_than_a_placement_may_be() -> None:
    flow = Flow()
    held = b"<!-- placement:hero --><p>" + b"x" * 1000
    assert flow.take(held) == [b"<!-- placement:hero -->"]
    assert not flow.take(b"x" * 1000)
    pieces = flow.take(b"x" * MAX_REGION_BYTES)
    assert b"".join([piece for piece in pieces if isinstance(piece, bytes)]).startswith(b"<p>xxx")


def test_where_the_parser_gives_up_the_rest_is_as_it_came() -> None:
    ambiguous = b'<div data-placement="hero">a</div><select><xmp><script></script></xmp></select><p>b'
    flow, pieces = cut(ambiguous, [30, 50])
    assert raw(pieces) == ambiguous
    assert flow.names in ([], ["hero"])
    assert flow.take(b"more") == [b"more"]


def test_what_is_given_up_is_given_as_it_is() -> None:
    flow = Flow()
    flow.take(b'<p>a</p><div data-placement="hero">the default')
    assert flow.give_up() == b"the default"
    assert flow.take(b'</div><p data-placement="hero">x</p>') == [b'</div><p data-placement="hero">x</p>']
    assert flow.end() == []


@pytest.mark.parametrize("page", [b"", b"<p>", b"no markup"])
def test_a_page_may_have_nothing(page: bytes) -> None:
    assert raw(cut(page, [])[1]) == page

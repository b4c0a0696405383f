"""What leaves of a page before it is whole is before its first mark, however the page comes."""

import random

import pytest

from edge.pages.beginning import Beginning
from edge.pages.plan import scan

MARKED = [
    b'<h1>a &lt; b</h1><p data-placement="hero">x</p><p>y</p>',
    b"<ul><!-- placement:hero --><li>x</li><!-- /placement --></ul>",
    b'<p>a</p><esi:include src="/placement/hero"/><p>b</p>',
    b'<main><div class="x" data-block="one">x</div></main>',
    b'<title>a</title><!-- nearside:script --><p DATA-PLACEMENT="hero"></p>',
    b'<script>if (a<b) { c() }</script><p data-placement="hero">x</p>',
    b'<p title="a<b" data-placement="hero">x</p>',
]


@pytest.mark.parametrize("page", MARKED)
def test_what_leaves_is_before_the_first_mark(page: bytes) -> None:
    plan, dice = scan(page), random.Random(1)
    first = min([len(plan.chunks[0]), *[block.start for block in plan.blocks]])
    for _ in range(300):
        cuts = sorted(dice.choices(range(len(page)), k=4))
        beginning = Beginning()
        sent = b"".join(
            [
                part
                for start, end in zip([0, *cuts], [*cuts, len(page)], strict=True)
                for part in beginning.take(page[start:end])
            ]
        )
        assert page.startswith(sent)
        assert len(sent) == beginning.given <= first
        assert beginning.page == page


def test_a_page_without_marks_leaves_as_it_comes() -> None:
    beginning = Beginning()
    assert beginning.take(b"<title>a</title><p>b") == [b"<title>a</title><p>b"]
    assert beginning.take(b" c</p><p cl") == [b" c</p>"]
    assert beginning.take(b'ass="d">e') == [b'<p class="d">e']


def test_what_only_looks_like_a_mark_holds_the_page_up_and_no_more() -> None:
    beginning = Beginning()
    assert beginning.take(b"<p>a</p><style>i{placement: top}</style>") == [b"<p>a</p>"]
    assert not beginning.take(b"<p>b</p>")


def test_what_was_held_can_be_had() -> None:
    beginning = Beginning()
    assert beginning.take(b'<p>a</p><p data-placement="a">b') == [b"<p>a</p>"]
    assert beginning.give_up() == b'<p data-placement="a">b'

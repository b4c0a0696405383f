"""Which pages are kept, for how long, and within which bounds."""

import pytest

from edge.worker.plain import MAX_PLANS_BYTES, OVERHEAD_BYTES, PlainPages, shared_lifetime_s

Pairs = list[tuple[bytes, bytes]]


@pytest.mark.parametrize(
    ("control", "lifetime_s", "known_s"),
    [
        (b"", 0, 0),
        (b"max-age=60", 60, 0),
        (b"public, max-age=60", 60, 60),
        (b"max-age=60, s-maxage=10", 10, 10),
        (b"s-maxage=0, max-age=60", 0, 0),
        (b'max-age="60"', 60, 0),
        (b"Max-Age = 60", 60, 0),
        (b"MAX-AGE=60,Public", 60, 60),
        (b"max-age=-1", 0, 0),
        (b"max-age=x", 0, 0),
        (b"x-max-age=60", 0, 0),
        (b"private, max-age=60", 0, 0),
        (b"max-age=60, private", 0, 0),
        (b"no-store, max-age=60", 0, 0),
        (b"no-cache, max-age=60", 0, 0),
        (b'no-cache="set-cookie", max-age=60', 0, 0),
        (b"must-understand, max-age=60", 0, 0),
        (b"max-age=60, must-revalidate", 60, 0),
        (b"public", 0, 0),
    ],
)
def test_lifetimes(control: bytes, lifetime_s: int, known_s: int) -> None:
    headers = [(b"Cache-Control", control)]
    assert shared_lifetime_s(headers) == lifetime_s
    assert shared_lifetime_s(headers, known=True) == known_s


@pytest.mark.parametrize(
    ("more", "lifetime_s"),
    [
        ([(b"set-cookie", b"a=1")], 0),
        ([(b"vary", b"*")], 0),
        ([(b"vary", b"cookie")], 0),
        ([(b"vary", b"Accept-Encoding"), (b"vary", b"Accept-Language")], 0),
        ([(b"Vary", b"Accept-Encoding, ")], 60),
        ([(b"age", b"20")], 40),
        ([(b"age", b"61")], 0),
        ([(b"age", b"9" * 5000)], 0),
        ([(b"age", b"-5")], 60),
        ([(b"age", b"soon")], 60),
        ([(b"cache-control", b"private")], 0),
        ([(b"expires", b"0")], 60),
    ],
)
def test_what_shortens_a_lifetime(more: Pairs, lifetime_s: int) -> None:
    assert shared_lifetime_s([(b"cache-control", b"max-age=60"), *more]) == lifetime_s


def test_pages_are_bounded_in_bytes() -> None:
    pages = PlainPages(10 * (250 + OVERHEAD_BYTES))
    for number in range(50):
        pages.keep(b"/%d" % number, b"x" * 100, [], 0, 60)
    assert len(pages._pages) == 10
    pages.keep(b"/large", b"x" * 100_000, [], 0, 60)
    assert pages.get(b"/large") is None
    assert len(pages._pages) == 10


def test_a_page_that_may_no_longer_be_kept_is_forgotten() -> None:
    pages = PlainPages(1 << 20)
    pages.keep(b"/", b"x", [], 0, 60)
    assert pages.keep(b"/", b"y", [], 0, 0).fresh_until_s == 0
    assert pages.get(b"/") is None


def test_plans_of_pages_that_are_not_kept_are_bounded_too() -> None:
    pages = PlainPages(1 << 20)
    size = 1 << 20
    for number in range(20):
        pages.keep(b"/", b"%d" % number + b"x" * size, [], 0, 0)
    assert pages._plans.currsize <= MAX_PLANS_BYTES
    assert pages.keep(b"/", b"x" * (MAX_PLANS_BYTES + 1), [], 0, 0).plan.page


def test_the_same_page_is_cut_once() -> None:
    pages = PlainPages(1 << 20)
    first = pages.keep(b"/a", b"<b data-placement=a>x</b>", [], 0, 0)
    assert pages.keep(b"/b", b"<b data-placement=a>x</b>", [], 0, 0).plan is first.plan

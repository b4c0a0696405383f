"""A packed page is the page; what is deflated once serves all."""

import gzip
import random
from pathlib import Path

import pytest

from edge.pages import packing as module
from edge.pages.packing import THOROUGH_FROM, Fragments
from edge.pages.plan import scan
from edge.pages.stitch import Part, stored

PAGE = (
    b"<!doctype html><p>\xff</p>" + b"<p>lorem ipsum dolor</p>" * 400
    + b'<div data-placement="hero">the default</div>' + b"<p>sit amet</p>" * 400
    + b'<ul data-placement="list"></ul><ul data-placement="list"><li>1</ul>'
)  # fmt: skip


def parts_of(fragments: dict[str, bytes]) -> dict[str, Part]:
    return {name: Part(raw, stored(raw)) for name, raw in fragments.items()}


@pytest.mark.parametrize(
    "fragments", [{}, {"hero": b"<b>hello</b>"}, {"list": b"x" * 70_000, "hero": b""}, {"no": b"x"}]
)
def test_a_packed_page_is_the_page(fragments: dict[str, bytes]) -> None:
    plan = scan(PAGE)
    for _ in range(THOROUGH_FROM + 2):
        packed = plan.packing.fill(plan, parts_of(fragments))
        assert gzip.decompress(packed) == plan.fill(fragments)


def test_a_page_that_is_asked_for_often_is_deflated_better() -> None:
    words = random.Random(1).choices([b"<p>", b"film", b"noir", b"</p>", b"1941", b"casablanca"], k=5000)
    plan = scan(b" ".join(words))
    sizes = [len(plan.packing.fill(plan, {})) for _ in range(2 * THOROUGH_FROM)]
    assert len(set(sizes[: THOROUGH_FROM - 1])) == len(set(sizes[THOROUGH_FROM - 1 :])) == 1
    assert sizes[-1] < 0.95 * sizes[0]


def test_a_very_long_page_never_holds_the_others_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_THOROUGH_BYTES", 1000)
    levels = []
    deflated = module.deflated
    monkeypatch.setattr(module, "deflated", lambda raw, level: levels.append(level) or deflated(raw, level))
    plan = scan(PAGE)
    for _ in range(2 * THOROUGH_FROM):
        plan.packing.fill(plan, {})
    assert set(levels) == {module.QUICK}


def test_plans_are_equal_whether_packed_or_not() -> None:
    packed, plan = scan(PAGE), scan(PAGE)
    packed.packing.fill(packed, {})
    assert packed == plan


def test_cards_are_deflated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    deflated = module.deflated
    monkeypatch.setattr(module, "deflated", lambda raw, level: calls.append(raw) or deflated(raw, level))
    fragments = Fragments()
    cards = [b"<li class=card>%d</li>" % number for number in range(5)]
    for chosen in (cards, cards[::-1], cards[1:3], [cards[0], cards[0]]):
        part = fragments.part(chosen)
        assert part.raw == b"".join(chosen)
        plan = scan(b'<ul data-placement="list"></ul>')
        assert gzip.decompress(plan.packing.fill(plan, {"list": part})) == plan.fill({"list": part.raw})
    assert sorted(call for call in calls if b"card" in call) == cards


def test_what_is_remembered_of_fragments_is_bounded() -> None:
    fragments = Fragments(max_bytes=10_000)
    for number in range(2000):
        fragments.part([b"<li>%d</li>" % number * 10])
        assert sum(len(raw) + len(squeezed) for raw, squeezed in fragments._known.items()) < 10_500


def test_real_pages_come_out_as_they_are(data_dir: Path) -> None:
    pages = sorted((data_dir / "html-pages").rglob("*.html"))
    for path in random.Random(6).sample(pages, 20):
        body = path.read_bytes()
        at = body.find(b">", len(body) // 2) + 1
        plan = scan(body[:at] + b'<i data-placement="a">x</i>' + body[at:])
        assert gzip.decompress(plan.packing.fill(plan, {})) == plan.page

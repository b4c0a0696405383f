"""`make bench-gzip`: a personalized page compressed by stitching, against compressing it anew."""

import argparse
import gzip
import json
import time
import zlib
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from random import Random
from statistics import median

from edge.pages.packing import THOROUGH_FROM, Fragments
from edge.pages.plan import PagePlan, scan
from edge.pages.stitch import Part, stored

PAGE_BYTES = 100_000
ITEMS = 10_000
LISTED = 12
VISITORS = 2_000
SLICES = 15
PAGES = 200
"""Per slice; those of the slow ways are a tenth."""

Visit = tuple[bytes, list[bytes], list[bytes]]
"""A content with the visitor's own values, and the cards of two lists."""


def main() -> None:
    """Make a page and visitors, check every way's bytes, measure all in turns, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--page", type=Path, help="a page of your own; its first 100 kB are used")
    options = parser.parse_args()
    print(json.dumps({"bench": "gzip", "figures": figures(options.page)}))


def figures(page: Path | None = None) -> dict[str, float]:
    """Measure with this page, or with a made one."""
    random = Random(20)
    plan = scan(_marked(page.read_bytes()[:PAGE_BYTES] if page else _written(random)))
    if len(plan.placements) != 3:
        raise SystemExit(f"{len(plan.placements)} of 3 placements found: does the page's markup end well?")
    visits = _visits(random)
    fragments = Fragments()
    joined: Callable[[Visit], bytes] = lambda visit: plan.fill(_texts(plan, visit))  # noqa: E731
    ways: dict[str, tuple[Callable[[Visit], bytes], int]] = {
        "stitched": (lambda visit: _stitch(plan, fragments, visit), PAGES),
        "cold": (lambda visit: _stitch(plan, Fragments(), visit), PAGES // 10),
        "joined": (joined, PAGES),
        "zlib-1": (lambda visit: gzip.compress(joined(visit), 1, mtime=0), PAGES // 10),
        "zlib-6": (lambda visit: gzip.compress(joined(visit), 6, mtime=0), PAGES // 10),
    }
    sizes = _check(ways, joined, visits)
    spent = _measure(ways, visits)
    print(f"\n{len(joined(visits[0])) / 1000:.0f} kB, CPU µs per page: median (min–max), size")
    for name, times in spent.items():
        spread = f"({min(times):.1f}–{max(times):.1f})"
        print(f"  {name:9} {median(times):7.1f}  {spread}  {sizes[name] / 1000:.1f} kB")
    return {
        "gzip_us_100kb": round(median(spent["stitched"]), 1),
        "gzip_us_100kb_cold": round(median(spent["cold"]), 1),
        "gzip_kb_100kb": round(sizes["stitched"] / 1000, 1),
        "join_us_100kb": round(median(spent["joined"]), 1),
        "zlib1_us_100kb": round(median(spent["zlib-1"]), 1),
        "zlib1_kb_100kb": round(sizes["zlib-1"] / 1000, 1),
        "zlib6_us_100kb": round(median(spent["zlib-6"]), 1),
        "zlib6_kb_100kb": round(sizes["zlib-6"] / 1000, 1),
        "pack_ms_100kb": round(_pack_ms(plan), 2),
    }


def _written(random: Random) -> bytes:
    """100 kB of markup about as redundant as the pages of shops and magazines: a third is left of it."""
    letters = "etaoinshrdlucmfwyp"
    words = ["".join(random.choices(letters, k=random.randint(2, 9))) for _ in range(6000)]
    weights = list(accumulate(1 / rank for rank in range(2, len(words) + 2)))
    parts, size = ["<!doctype html><html lang=en><head><title>Page</title></head><body>\n"], 0
    while size < PAGE_BYTES:
        text = " ".join(random.choices(words, cum_weights=weights, k=random.randint(8, 60)))
        parts.append(
            f'<article class="teaser"><a href="/{random.choice(words)}/{size}"><p>{text}.</p></a></article>\n'
        )
        size += len(parts[-1])
    return "".join([*parts, "</body></html>"]).encode()


def _marked(page: bytes) -> bytes:
    """The page with placements at its beginning, middle and end."""
    for share, name in ((0.95, b"trending"), (0.5, b"recommended"), (0.05, b"hero")):
        at = page.index(b"<p", int(len(page) * share))
        page = page[:at] + b'<div data-placement="%s"><p>default</p></div>' % name + page[at:]
    return page


def _visits(random: Random) -> list[Visit]:
    """Visitors with lists of their own; what many like is in many lists."""
    cards = [
        f'<li class="card" data-item="item-{number}"><a href="/item/{number}"><img src="/img/{number}.webp" '
        f'alt="" width="160" height="240" loading="lazy"><h3>Item number {number}</h3><p>'
        f"{random.getrandbits(48):x} {random.getrandbits(48):x}</p></a></li>\n".encode()
        for number in range(ITEMS)
    ]
    weights = list(accumulate(1 / (rank + 20) for rank in range(ITEMS)))
    return [
        (
            b"<h1>Welcome back to city %d</h1><p>%s</p>"
            % (random.randrange(500), b"An offer of ours. " * 20),
            random.choices(cards, cum_weights=weights, k=LISTED),
            random.choices(cards, cum_weights=weights, k=LISTED),
        )
        for _ in range(VISITORS)
    ]


def _texts(plan: PagePlan, visit: Visit) -> dict[str, bytes]:
    content, *lists = visit
    return dict(zip(plan.placements, [content, *map(b"".join, lists)], strict=True))


def _stitch(plan: PagePlan, fragments: Fragments, visit: Visit) -> bytes:
    content, *lists = visit
    parts = [Part(content, stored(content)), *map(fragments.part, lists)]
    return plan.packing.fill(plan, dict(zip(plan.placements, parts, strict=True)))


def _check(
    ways: dict[str, tuple[Callable[[Visit], bytes], int]],
    joined: Callable[[Visit], bytes],
    visits: list[Visit],
) -> dict[str, float]:
    """Refuse to report times of wrong bytes; the median size of each way's pages.

    Leaves all cards deflated, as they are in a worker that has been up for a while; `cold` is
    one that never saw any card.
    """
    sizes: dict[str, list[int]] = {name: [] for name in ways}
    for visit in visits[: 2 * THOROUGH_FROM]:
        for name, (way, _) in ways.items():
            made = way(visit)
            if name != "joined" and zlib.decompress(made, zlib.MAX_WBITS | 16) != joined(visit):
                raise SystemExit(f"{name} is not the page")
            sizes[name].append(len(made))
    for visit in visits:
        ways["stitched"][0](visit)
    return {name: median(found[THOROUGH_FROM:]) for name, found in sizes.items()}


def _measure(
    ways: dict[str, tuple[Callable[[Visit], bytes], int]], visits: list[Visit]
) -> dict[str, list[float]]:
    spent: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(SLICES):
        for name, (way, pages) in ways.items():
            chosen = [visits[(number * PAGES + page) % VISITORS] for page in range(pages)]
            began = time.process_time()
            for visit in chosen:
                way(visit)
            spent[name].append((time.process_time() - began) / pages * 1e6)
    return spent


def _pack_ms(plan: PagePlan) -> float:
    """What the first response of a page costs more: its parts are deflated."""
    times = []
    for _ in range(SLICES):
        fresh = PagePlan(plan.chunks, plan.placements, plan.defaults)
        began = time.process_time()
        fresh.packing.fill(fresh, {})
        times.append((time.process_time() - began) * 1000)
    return median(times)


if __name__ == "__main__":
    main()

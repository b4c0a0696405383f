"""`make bench-stock`: how soon pages leave out what is sold out, and what that costs a decision.

Seconds are from a request to the origin until no page of either worker of a PoP lists the item, with real
processes on this machine. Microseconds are of a decision of ten of MovieLens 100K's 1,682 films by EASE, on
one thread, 16 at a time: with all items in stock, with a tenth out, with half out. Milliseconds are what a
worker takes, beside its pages, to take over a list of so many items of a catalog of 100,000.
"""

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import httpx

from edge.bundle import format as fmt
from edge.bundle.stock import StockList
from edge.bundle.strings import Strings, pack_strings
from edge.decide.stock import ALL, stock_of
from loadtest.bench_recommenders import ROOT, contexts_of, make_engine, measure
from models.data.movielens import read_films, read_interactions
from models.recipe import train
from origin.publishing.client import OriginClient
from tests.e2e.stack import Stack, running, until
from tests.workspaces.make import make_bundle

CATALOG: Final = 100_000
SHARES: Final = {"all": 0.0, "tenth_out": 0.1, "half_out": 0.5}
POLL_S: Final = 0.005
WITHIN_S: Final = 30.0


def main() -> None:
    """Measure all, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        seconds = _seconds(Path(folder), options.rounds)
        figures = {"s_until_gone": round(statistics.median(seconds), 3), "s_until_gone_max": max(seconds)}
        figures |= _microseconds(Path(folder), options.rounds)
    figures |= _milliseconds()
    print(json.dumps({"bench": "stock", "figures": figures}))


def _seconds(folder: Path, rounds: int) -> list[float]:
    """How long it takes each time until an item is out of all pages."""
    found = []
    with running(folder / "pop") as stack, OriginClient(stack.origin_url, stack.publisher) as client:
        stack.publish(make_bundle(folder / "bundle"))
        stack.wait_revision(1)
        with httpx.Client(headers={"cookie": "consent=full"}) as first:
            item = first.get(stack.edge_url).text.partition('data-item="')[2].partition('"')[0]
        for _ in range(rounds):
            began_s = time.perf_counter()
            client.post_stock({"out": [item], "author": "bench"})
            while _is_listed(stack, item):
                if time.perf_counter() - began_s > WITHIN_S:
                    sys.exit(f"{item} is still listed after {WITHIN_S:g} s")
                time.sleep(POLL_S)
            found.append(round(time.perf_counter() - began_s, 3))
            client.post_stock({"back": [item], "author": "bench"})
            until("it is listed again", lambda: not _is_missing(stack, item))
    return found


def _pages(stack: Stack) -> list[str]:
    return [page.text for page in stack.on_both_workers(requests=6)]


def _is_listed(stack: Stack, item: str) -> bool:
    return any(f'data-item="{item}"' in page for page in _pages(stack))


def _is_missing(stack: Stack, item: str) -> bool:
    return any(f'data-item="{item}"' not in page for page in _pages(stack))


def _microseconds(folder: Path, rounds: int) -> dict[str, float]:
    data = Path(os.environ.get("NEARSIDE_DATA") or ROOT.parent / "shared/data") / "ml-100k"
    if not data.is_dir():
        sys.exit(f"{data} is not there: set NEARSIDE_DATA to the folder that has ml-100k")
    ratings = read_interactions(data)
    models = {name: train(name, name, ratings, {}) for name in ("ease", "popularity")}
    engine = make_engine(folder / "films", None, read_films(data), models)
    ids, draw = sorted(ratings.item_ids), random.Random(1)
    found: dict[str, float] = {}
    for name, share in SHARES.items():
        out = tuple(sorted(draw.sample(ids, int(share * len(ids)))))
        listed = StockList(fmt.FORMAT, "films", 1, out)
        stock = stock_of(listed, name, engine.items) if out else ALL
        cold, warm = measure(engine, contexts_of(ratings), rounds, stock)
        found |= {f"us_cold_{name}": round(cold, 1), f"us_warm_{name}": round(warm, 1)}
    return found


def _milliseconds() -> dict[str, float]:
    ids = sorted(f"item-{number:06d}" for number in range(CATALOG))
    items, draw = Strings(pack_strings("ids", [id_.encode() for id_ in ids]), "ids"), random.Random(1)
    found = {}
    for count in (100, 10_000, 100_000):
        listed = StockList(fmt.FORMAT, "films", 1, tuple(sorted(draw.sample(ids, count))))
        began_s = time.perf_counter()
        stock_of(listed, "some", items)
        found[f"ms_take_{count}"] = round((time.perf_counter() - began_s) * 1000, 2)
    return found


if __name__ == "__main__":
    main()

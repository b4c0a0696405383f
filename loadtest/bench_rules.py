"""How long matching takes, and what an index costs: `python loadtest/bench_rules.py`."""

import gc
import json
import mmap
import tempfile
from collections.abc import Callable
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter
from typing import Any

from compiler.conditions import parse
from compiler.index import build
from compiler.oracle import evaluate
from edge.bundle.arrays import Array, pack, unpack
from edge.rules.index import Index

TYPES = {
    "geo.country": "string",
    "device.type": "string",
    "language": "string",
    "utm.campaign": "string",
    "url.path": "string",
    "visitor.visits": "number",
    "time.hour": "number",
    "time.weekday": "number",
    "time.now": "number",
    "visitor.segment": "string",
}
COUNTRIES = [a + b for a in "ABCDEFGH" for b in "KLMNOPQ"]
DEVICES = ["mobile", "tablet", "desktop"]
LANGUAGES = ["en", "de", "fr", "es", "it", "nl", "pl", "pt", "sv", "ja", "ko", "zh"]
UTM = [f"campaign-{i}" for i in range(500)]
PATHS = [f"/section-{i % 40}/page-{i}" for i in range(2000)]
SEGMENTS = [f"segment-{i}" for i in range(60)]
NOW_MS = 1_780_000_000_000
DAY_MS = 86_400_000
ROUNDS = 7


def make_condition(random: Random) -> dict[str, Any]:
    """One campaign's audience and schedule, as marketers mix them."""
    parts: dict[str, Callable[[], Any]] = {
        "geo.country": lambda: {"$in": random.sample(COUNTRIES, random.randint(1, 6))},
        "device.type": lambda: random.choice(DEVICES),
        "language": lambda: {random.choice(["$in", "$in", "$nin"]): random.sample(LANGUAGES, 2)},
        "utm.campaign": lambda: {"$in": random.sample(UTM, random.randint(1, 4))},
        "url.path": lambda: {"$in": random.sample(PATHS, random.randint(1, 10))},
        "visitor.visits": lambda: {"$gte": random.randint(0, 20), "$lt": random.randint(21, 60)},
        "time.hour": lambda: {"$gte": random.randint(0, 12), "$lte": random.randint(13, 23)},
        "time.weekday": lambda: {random.choice(["$lte", "$gte"]): random.randint(2, 6)},
        "visitor.segment": lambda: {"$ne": random.choice(SEGMENTS)},
    }
    chosen = random.sample(sorted(parts), random.randint(1, 4))
    condition = {name: parts[name]() for name in chosen}
    if random.random() < 0.7:
        start = NOW_MS + random.randint(-60, 30) * DAY_MS + random.randint(0, 96) * DAY_MS // 96
        condition["time.now"] = {"$gte": start, "$lt": start + random.randint(1, 60) * DAY_MS}
    return condition


def make_context(random: Random, position: int) -> dict[str, Any]:
    """One request: most paths and campaigns are of those that rules name; the clock never stands still."""
    context: dict[str, Any] = {
        "geo.country": random.choice(COUNTRIES),
        "device.type": random.choice(DEVICES),
        "language": random.choice(LANGUAGES),
        "url.path": random.choice(PATHS) if random.random() < 0.8 else f"/other/{random.random()}",
        "visitor.visits": float(int(random.expovariate(0.2))),
        "time.hour": 14.0,
        "time.weekday": 3.0,
        "time.now": float(NOW_MS + position * 7),
        "visitor.segment": random.choice(SEGMENTS),
    }
    if random.random() < 0.3:
        context["utm.campaign"] = random.choice(UTM)
    return context


def move_on(random: Random, contexts: list[dict[str, Any]]) -> None:
    """The same visitors later: no clock value and no unlisted path comes twice."""
    for context in contexts:
        context["time.now"] += 60_000.0
        if context["url.path"].startswith("/other/"):
            context["url.path"] = f"/other/{random.random()}"


def match_us(open_index: Callable[[], Index], contexts: list[dict[str, Any]]) -> float:
    """Median over rounds of the mean time of a match, after one round to warm up."""
    index, random = open_index(), Random(1)
    times = []
    for _ in range(ROUNDS + 1):
        move_on(random, contexts)
        began = perf_counter()
        for context in contexts:
            index.match(context, index.everyone)
        times.append((perf_counter() - began) / len(contexts) * 1e6)
    return median(times[1:])


def cold_us(open_index: Callable[[], Index], contexts: list[dict[str, Any]]) -> float:
    """Median time of the first match of an index that remembers nothing."""
    times = []
    for context in contexts[:200]:
        index = open_index()
        began = perf_counter()
        index.match(context, index.everyone)
        times.append((perf_counter() - began) * 1e6)
    return median(times)


def open_ms(arrays: Callable[[], dict[str, Array]]) -> float:
    """Median time to open an index over mapped arrays."""
    times = []
    for _ in range(30):
        mapped = arrays()
        began = perf_counter()
        Index(mapped)
        times.append((perf_counter() - began) * 1e3)
    return median(times)


def check_equal(index: Index, conditions: list[Any], contexts: list[dict[str, Any]]) -> None:
    """Refuse to report times of a wrong answer."""
    for context in contexts:
        wanted = sum(1 << rule for rule, c in enumerate(conditions) if evaluate(c, context))
        if index.match(context, index.everyone) != wanted:
            raise SystemExit(f"index and evaluator differ for {context}")


def measure(size: int, folder: Path) -> dict[str, float]:
    """All figures of one number of campaigns."""
    random = Random(size)
    conditions = [make_condition(random) for _ in range(size)]
    contexts = [make_context(random, position) for position in range(2000)]
    began = perf_counter()
    data = pack(build([parse(condition, TYPES) for condition in conditions]))
    compile_s = perf_counter() - began
    path = folder / f"index-{size}"
    path.write_bytes(data)

    def mapped() -> dict[str, Array]:
        with path.open("rb") as file:
            return unpack(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))

    check_equal(Index(mapped()), conditions, contexts[: max(3, 20_000 // size)])
    began = perf_counter()
    for condition in conditions[:1000]:
        evaluate(condition, contexts[0])
    evaluator_us = (perf_counter() - began) * 1e6
    return {
        "match_us": match_us(lambda: Index(mapped()), contexts),
        "match_cold_us": cold_us(lambda: Index(mapped()), contexts),
        "open_ms": open_ms(mapped),
        "index_mb": len(data) / 1e6,
        "compile_s": compile_s,
        "evaluator_us": evaluator_us,
    }


def main() -> None:
    gc.freeze()
    with tempfile.TemporaryDirectory() as folder:
        by_size = {size: measure(size, Path(folder)) for size in (10, 1000, 10_000, 50_000)}
    for size, figures in by_size.items():
        print(f"{size:>6} campaigns: " + ", ".join(f"{k} {v:.3f}" for k, v in figures.items()))
    figures = {f"match_us_{size}": by_size[size]["match_us"] for size in by_size}
    largest = by_size[10_000]
    figures |= {
        "match_us_10000_cold": largest["match_cold_us"],
        "open_ms_10000": largest["open_ms"],
        "index_mb_10000": largest["index_mb"],
        "compile_s_10000": largest["compile_s"],
        "evaluator_us_1000": by_size[1000]["evaluator_us"],
    }
    rounded = {name: round(value, 3) for name, value in figures.items()}
    print(json.dumps({"bench": "rules", "figures": rounded}))


if __name__ == "__main__":
    main()

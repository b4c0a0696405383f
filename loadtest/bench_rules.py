"""How long matching takes, and what an index costs: `python -m loadtest.bench_rules`."""

import gc
import json
import logging
import mmap
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from statistics import median
from threading import Thread
from time import perf_counter, process_time, sleep
from typing import Any

from growthbook.core import evalCondition

from compiler.conditions.check import Clause, parse
from compiler.conditions.index import build
from edge.bundle.arrays import Array, pack, unpack
from edge.rules.evaluate import evaluate
from edge.rules.index import Index
from loadtest.rule_mixes import MIXES, TYPES, Mix, move_on

SIZES = (10, 100, 1000, 10_000, 50_000)
CONTEXTS = 2000
ROUNDS = 7
REFERENCE = 1000
"""So many conditions are walked one by one, by our evaluator and by GrowthBook's."""


class Rules:
    """So many campaigns of a mix, compiled into a file."""

    def __init__(self, mix: Mix, size: int, folder: Path) -> None:
        random = Random(size)
        self.conditions = [mix.condition(random) for _ in range(size)]
        self.contexts = [mix.context(random, position) for position in range(CONTEXTS)]
        began = perf_counter()
        clauses: list[Clause] = []
        self.owners: list[int] = []
        for rule, condition in enumerate(self.conditions):
            found = parse(condition, TYPES).clauses
            clauses += found
            self.owners += [rule] * len(found)
        data = pack(build(clauses, TYPES))
        self.compile_s = perf_counter() - began
        self.megabytes = len(data) / 1e6
        self.path = folder / f"{mix.name}-{size}"
        self.path.write_bytes(data)

    def mapped(self) -> dict[str, Array]:
        """Its arrays, as a worker has them."""
        with self.path.open("rb") as file:
            return unpack(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))

    def check(self, contexts: Sequence[dict[str, Any]]) -> float:
        """Refuse to report times of a wrong answer; how many rules hold on average."""
        index, survivors = Index(self.mapped()), 0
        for context in contexts:
            matched = index.match(context, index.everyone)
            mine = {owner for bit, owner in enumerate(self.owners) if matched >> bit & 1}
            wanted = {rule for rule, c in enumerate(self.conditions) if evaluate(c, context)}
            nested = nest(context)
            peer = {rule for rule, c in enumerate(self.conditions) if evalCondition(nested, c)}
            if not mine == wanted == peer:
                raise SystemExit(f"index, evaluator and GrowthBook differ for {context}")
            survivors += len(mine)
        return survivors / len(contexts)

    def match_us(self) -> float:
        """Median over rounds of the mean time of a match, after one round to warm up.

        Time of the processor: another process on the same core does not count.
        """
        index, random = Index(self.mapped()), Random(1)
        times = []
        for _ in range(ROUNDS + 1):
            move_on(random, self.contexts)
            began = process_time()
            for context in self.contexts:
                index.match(context, index.everyone)
            times.append((process_time() - began) / len(self.contexts) * 1e6)
        return median(times[1:])

    def cold_us(self) -> float:
        """Median time of the first match of an index that remembers nothing."""
        times = []
        for context in self.contexts[:100]:
            index = Index(self.mapped())
            began = process_time()
            index.match(context, index.everyone)
            times.append((process_time() - began) * 1e6)
        return median(times)

    def activate_ms(self) -> float:
        """Median time to map and open it."""
        times = []
        for _ in range(20):
            began = process_time()
            Index(self.mapped())
            times.append((process_time() - began) * 1e3)
        return median(times)

    def stall_ms(self) -> float:
        """The longest that a match of an index in use waits while others are opened in a thread beside it."""
        index, longest = Index(self.mapped()), 0.0

        def open_some() -> None:
            for _ in range(10):
                Index(self.mapped())
                sleep(0.01)

        opener = Thread(target=open_some)
        opener.start()
        while opener.is_alive():
            for context in self.contexts[:20]:
                began = perf_counter()
                index.match(context, index.everyone)
                longest = max(longest, perf_counter() - began)
        opener.join()
        return longest * 1e3

    def walk_us(self, walk: Callable[[Any, Any], bool], contexts: Sequence[Any]) -> float:
        """Median time to walk the first conditions one by one."""
        times = []
        for context in contexts:
            began = process_time()
            for condition in self.conditions[:REFERENCE]:
                walk(condition, context)
            times.append((process_time() - began) * 1e6)
        return median(times)


def nest(context: dict[str, Any]) -> dict[str, Any]:
    """Dotted names as objects, as GrowthBook reads them."""
    found: dict[str, Any] = {}
    for name, value in context.items():
        outer, _, inner = name.partition(".")
        if inner:
            found.setdefault(outer, {})[inner] = value
        else:
            found[outer] = value
    return found


def measure(folder: Path) -> dict[str, float]:
    """All figures."""
    figures: dict[str, float] = {}
    for mix, suffix in zip(MIXES, ("", "_wide"), strict=True):
        for size in SIZES:
            rules = Rules(mix, size, folder)
            survivors = rules.check(rules.contexts[: max(2, 4_000 // size)])
            found = {
                f"match_us_{size}{suffix}": rules.match_us(),
                f"index_mb_{size}{suffix}": rules.megabytes,
                f"compile_s_{size}{suffix}": rules.compile_s,
                f"activate_ms_{size}{suffix}": rules.activate_ms(),
            }
            if size >= 10_000:
                found[f"match_us_{size}_cold{suffix}"] = rules.cold_us()
                found[f"stall_ms_{size}{suffix}"] = rules.stall_ms()
            if size == REFERENCE:
                found[f"evaluator_us_{size}{suffix}"] = rules.walk_us(evaluate, rules.contexts[:20])
                nested = [nest(context) for context in rules.contexts[:20]]
                found[f"growthbook_us_{size}{suffix}"] = rules.walk_us(
                    lambda c, a: evalCondition(a, c), nested
                )
            told = ", ".join(f"{name} {value:.3f}" for name, value in found.items())
            print(f"{mix.name} {size}: {len(rules.owners)} bits, {survivors:.1f} hold; {told}", flush=True)
            figures |= found
    return figures


def main() -> None:
    logging.getLogger("growthbook").setLevel(logging.CRITICAL)
    gc.freeze()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder))
    rounded = {name: round(value, 3) for name, value in figures.items()}
    print(json.dumps({"bench": "rules", "figures": rounded}))


if __name__ == "__main__":
    main()

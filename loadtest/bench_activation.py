"""`make bench-activation`: how much slower pages come while bundles of 10,000 campaigns are activated.

One origin and one PoP of real processes; quiet and swapping slices alternate.
In a swapping one, one bundle after the other is rolled out: each with rules
and models of its own, and fetched again each time, for a PoP keeps the last
three. The load is moderate, 8 visitors who think for 10 ms, and comes from a
process of its own. Medians over the slices.
"""

import argparse
import asyncio
import contextlib
import json
import multiprocessing
import re
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

from loadtest.bench_page import PAGE
from loadtest.client import Tally, Visitor, browse_calmly
from loadtest.workspace import build
from tests.e2e.stack import Stack, running

CONNECTIONS = 8
PAUSE_S = 0.01
SLICE_S = 4.0
FILMS = 200
WATCH_S = 0.1
SWAP_TIMEOUT_S = 30.0
SERVING = re.compile(r"process=(worker-\d+) .*serving revision \d+, bundle (\w+), after ([\d.]+) ms")


@dataclass
class Slices:
    """What the slices of one kind saw.

    `plain` are pages that were not personalized, `growth_mb` is a worker's.
    """

    p99_ms: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)
    done: int = 0
    plain: int = 0
    failed: int = 0
    swaps: int = 0
    growth_mb: float = 0.0

    def add(self, tally: Tally) -> None:
        """Take the figures of one slice."""
        latencies = sorted(tally.latencies_s)
        self.p99_ms.append(latencies[int(len(latencies) * 0.99)] * 1000)
        self.p50_ms.append(latencies[len(latencies) // 2] * 1000)
        self.done += tally.done
        self.plain += tally.done - tally.personalized
        self.failed += tally.failed

    def told(self, name: str) -> str:
        """A line for people."""
        p99, p50 = statistics.median(self.p99_ms), statistics.median(self.p50_ms)
        spread = f"({min(self.p99_ms):.2f}–{max(self.p99_ms):.2f})"
        return (
            f"  {name:9} p50 {p50:6.2f} ms   p99 {p99:6.2f} ms {spread}   "
            f"{self.done} pages, {self.failed} failed, {self.plain} plain, {self.swaps} swaps"
        )


class Client:
    """Browses in a process of its own: what is ordered meanwhile must not slow it down."""

    def __init__(self, pool: ProcessPoolExecutor, port: int) -> None:
        self._pool, self._port = pool, port
        self._seed = 0

    def browse(self, duration_s: float) -> "Future[Tally]":
        """Browse for so long; the tally is there at the end."""
        self._seed += 1
        return self._pool.submit(_browse, self._port, duration_s, self._seed)


def _browse(port: int, duration_s: float, seed: int) -> Tally:
    tally = Tally()
    visitors = [Visitor(1000 * seed + number, FILMS) for number in range(CONNECTIONS)]
    asyncio.run(browse_calmly(port, visitors, duration_s, PAUSE_S, tally))
    return tally


@contextlib.contextmanager
def client(port: int) -> Iterator[Client]:
    """A client whose process has begun."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        yield Client(pool, port)


def measure(
    stack: Stack, revisions: Sequence[int], slices: int, slice_s: float, swaps: int = 0
) -> tuple[Slices, Slices]:
    """Quiet and swapping slices in turn, so many and on until there were as many swaps; all is published."""
    quiet, swapping = Slices(), Slices()
    turn = cycle(revisions)
    with client(stack.port) as browser:
        for _ in range(2):
            for _ in revisions:
                _swap(stack, next(turn))
            browser.browse(slice_s).result()
        before_mb = _workers_mb(stack)
        while len(quiet.p99_ms) < slices or swapping.swaps < swaps:
            quiet.add(browser.browse(slice_s).result())
            tally = browser.browse(slice_s)
            while not tally.done():
                _swap(stack, next(turn))
                swapping.swaps += 1
            swapping.add(tally.result())
        swapping.growth_mb = _workers_mb(stack) - before_mb
    return quiet, swapping


def _workers_mb(stack: Stack) -> float:
    """Resident memory of a worker, the mean, in megabytes."""
    found = []
    for pid in stack.worker_pids():
        rows = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        found.append(int(rows["VmRSS"].split()[0]) / 1024)
    return statistics.mean(found)


def _swap(stack: Stack, revision: int) -> None:
    """Roll a revision out, and wait until all workers serve it."""
    stack.roll_to(revision)
    deadline = time.monotonic() + SWAP_TIMEOUT_S
    while True:
        workers = [worker["activated"] or {} for worker in stack.status()["workers"]]
        if len(workers) == stack.workers and {w.get("revision") for w in workers} == {revision}:
            return
        if time.monotonic() > deadline:
            raise SystemExit(f"revision {revision} is not served:\n{stack.tail()}")
        time.sleep(WATCH_S)


def activations_ms(stack: Stack) -> list[float]:
    """How long each worker took to load each bundle, by its own log."""
    serving: dict[str, str] = {}
    spent_ms = []
    for worker, bundle, spent in SERVING.findall((stack.logs / "edge.log").read_text()):
        # A new serial alone has it say so too.
        if serving.get(worker) != bundle:
            spent_ms.append(float(spent))
        serving[worker] = bundle
    return spent_ms


def main() -> None:
    """Build the bundles, start the processes, measure, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--campaigns", type=int, default=10_000)
    parser.add_argument("--slices", type=int, default=7)
    parser.add_argument("--swaps", type=int, default=0, help="go on until there were so many")
    parser.add_argument("--bundles", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nearside-swap-") as name:
        found = figures(Path(name), options.campaigns, options.swaps, options.slices, options.bundles)
    print(json.dumps({"bench": "activation", "figures": found}))


def figures(
    folder: Path, campaigns: int, swaps: int = 0, slices: int = 7, bundles: int = 5
) -> dict[str, float]:
    """What swapping costs the visitors of one PoP."""
    print(f"compiling {bundles} bundles of {campaigns} campaigns …", flush=True)
    built = [build(folder / str(n), campaigns, seed=n) for n in range(1, bundles + 1)]
    with running(folder / "pop", page=PAGE) as stack:
        revisions = [stack.publish(bundle, activate=False).number for bundle in built]
        quiet, swapping = measure(stack, revisions, slices, SLICE_S, swaps)
        loads = activations_ms(stack)
    print(quiet.told("quiet"), swapping.told("swapping"), sep="\n")
    ratios = [s / q for s, q in zip(swapping.p99_ms, quiet.p99_ms, strict=True)]
    return {
        "swap_p99_over_quiet": round(statistics.median(ratios), 2),
        "swap_failed": swapping.failed + swapping.plain,
        "swap_rss_growth_mb": round(swapping.growth_mb, 1),
        "swaps": swapping.swaps,
        "quiet_p99_ms": round(statistics.median(quiet.p99_ms), 2),
        "swap_p99_ms": round(statistics.median(swapping.p99_ms), 2),
        "activate_ms_worker": round(statistics.median(loads), 2),
    }


if __name__ == "__main__":
    main()

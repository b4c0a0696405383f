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
FILMS = 200
WATCH_S = 0.1
SWAP_TIMEOUT_S = 30.0
SERVING = re.compile(r"process=(worker-\d+) .*serving revision \d+, bundle (\w+), after ([\d.]+) ms")


@dataclass
class Slices:
    """What the slices of one kind saw; `plain` are pages that were not personalized."""

    p99_ms: list[float] = field(default_factory=list)
    p50_ms: list[float] = field(default_factory=list)
    done: int = 0
    plain: int = 0
    failed: int = 0
    swaps: int = 0

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


def measure(stack: Stack, revisions: Sequence[int], slices: int, slice_s: float) -> tuple[Slices, Slices]:
    """Quiet and swapping slices in turn; all revisions were published before."""
    quiet, swapping = Slices(), Slices()
    turn = cycle(revisions)
    with client(stack.port) as browser:
        for _ in range(2):
            _swap(stack, next(turn))
            browser.browse(slice_s).result()
        for _ in range(slices):
            quiet.add(browser.browse(slice_s).result())
            tally = browser.browse(slice_s)
            while not tally.done():
                _swap(stack, next(turn))
                swapping.swaps += 1
            swapping.add(tally.result())
    return quiet, swapping


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
    parser.add_argument("--slice-s", type=float, default=4.0)
    parser.add_argument("--bundles", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nearside-swap-") as name:
        folder = Path(name)
        print(f"compiling {options.bundles} bundles of {options.campaigns} campaigns …", flush=True)
        bundles = [build(folder / str(n), options.campaigns, seed=n) for n in range(1, options.bundles + 1)]
        with running(folder / "pop", page=PAGE) as stack:
            revisions = [stack.publish(bundle, activate=False).number for bundle in bundles]
            quiet, swapping = measure(stack, revisions, options.slices, options.slice_s)
            loads = activations_ms(stack)
    print(quiet.told("quiet"), swapping.told("swapping"), sep="\n")
    quiet_p99, swap_p99 = statistics.median(quiet.p99_ms), statistics.median(swapping.p99_ms)
    ratios = [s / q for s, q in zip(swapping.p99_ms, quiet.p99_ms, strict=True)]
    figures = {
        "swap_p99_over_quiet": round(statistics.median(ratios), 2),
        "swap_failed": swapping.failed + swapping.plain,
        "quiet_p99_ms": round(quiet_p99, 2),
        "swap_p99_ms": round(swap_p99, 2),
        "activate_ms_worker": round(statistics.median(loads), 2),
    }
    print(json.dumps({"bench": "activation", "figures": figures}))


if __name__ == "__main__":
    main()

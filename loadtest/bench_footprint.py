"""`make bench-footprint`: how fast a PoP serves after a start, and what memory its processes hold.

Cold start: from the exec of `nearside-edge` to the first personalized page,
with a bundle in the state folder and the origin dead. Memory: resident and
proportional (what is shared counts in parts) after some thousand pages.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path

import httpx

from loadtest.bench_page import PAGE
from loadtest.client import Tally, Visitor, browse
from loadtest.workspace import build
from tests.e2e.stack import Stack, running

FILMS = 200
CONNECTIONS = 16
POLL_S = 0.005
START_TIMEOUT_S = 30.0
PERSONALIZED = b"data-nearside="


def main() -> None:
    """Build a bundle, start the PoP again and again, measure, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--campaigns", type=int, default=10_000)
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--pages", type=int, default=6_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nearside-footprint-") as name:
        folder = Path(name)
        print(f"compiling {options.campaigns} campaigns …", flush=True)
        bundle = build(folder, options.campaigns)
        found = figures(folder / "pop", bundle, options.starts, options.pages)
    print(json.dumps({"bench": "footprint", "figures": found}))


def figures(folder: Path, bundle: Path, starts: int = 5, pages: int = 6_000) -> dict[str, float]:
    """Cold start and memory of one PoP with this bundle."""
    with running(folder, page=PAGE) as stack:
        stack.wait_revision(stack.publish(bundle).number)
        stack.stop("edge")
        stack.kill("origin")
        starts_s = []
        for number in range(starts):
            if number:
                stack.stop("edge")
            starts_s.append(cold_start(stack))
        stack.wait_connected()
        _browse(stack, pages)
        memory = _memory(stack)
    print(f"cold starts: {', '.join(f'{spent:.2f}' for spent in starts_s)} s")
    for name, (rss, pss) in memory.items():
        print(f"  {name:11} rss {rss:6.1f} MB   proportional {pss:6.1f} MB")
    found = {"cold_start_s": round(statistics.median(starts_s), 2)}
    found |= {f"rss_mb_{name}": round(rss, 1) for name, (rss, _) in memory.items()}
    return found | {"pss_mb_worker": round(memory["worker"][1], 1)}


def cold_start(stack: Stack) -> float:
    """Seconds from the exec to the first personalized page."""
    began = time.perf_counter()
    stack.start_edge()
    while time.perf_counter() - began < START_TIMEOUT_S:
        try:
            page = httpx.get(stack.edge_url, headers={"cookie": "consent=full"}, timeout=START_TIMEOUT_S)
        except httpx.TransportError:
            time.sleep(POLL_S)
            continue
        if PERSONALIZED not in page.content:
            raise SystemExit(f"the first page is plain\n{stack.tail()}")
        return time.perf_counter() - began
    raise SystemExit(f"no page within {START_TIMEOUT_S:g} s\n{stack.tail()}")


def _browse(stack: Stack, pages: int) -> None:
    tally = Tally()
    asyncio.run(browse(stack.port, [Visitor(n, FILMS) for n in range(CONNECTIONS)], pages, tally))
    if tally.failed:
        raise SystemExit(f"{tally.failed} requests failed: {tally.errors[:3]}")


def _memory(stack: Stack) -> dict[str, tuple[float, float]]:
    """Resident and proportional megabytes by process; of a worker, the mean."""
    workers = [_megabytes(pid) for pid in stack.worker_pids()]
    return {
        "worker": (statistics.mean(rss for rss, _ in workers), statistics.mean(pss for _, pss in workers)),
        "agent": _megabytes(stack.agent_pid()),
        "supervisor": _megabytes(stack.supervisor_pid()),
    }


def _megabytes(pid: int) -> tuple[float, float]:
    rows = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:])
    return int(rows["Rss"].split()[0]) / 1024, int(rows["Pss"].split()[0]) / 1024


if __name__ == "__main__":
    main()

"""`make bench`: CPU time per page, personalized, against a bare ASGI program and a Starlette route.

All serve the same bytes under the same server, alternating in one run. CPU
time is the kernel's own account of the serving process, so a client on
another core does not count; medians over the slices.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from edge.bundle.active import Active, bundles_folder, write_active
from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from edge.decide.types import Context, DecisionRecord
from edge.events.spool import records
from edge.keys import SIGNING_ROLES
from loadtest.client import Tally, Visitor, browse
from loadtest.workspace import build

FILMS = 200
"""Film pages that are visited, all of them in the page cache before anything is counted."""

PEERS = ("personalized", "bare", "starlette")
FILLER = f"<p>{'Lorem ipsum dolor sit amet consectetur. ' * 12}</p>\n" * 18
PAGE = (
    "<!doctype html><html lang=en><head><title>Films</title></head><body>"
    f'<section data-placement="hero"><h1>Films</h1></section>{FILLER}'
    f'<ul data-placement="recommended"><li>All films</li></ul>{FILLER}'
    '<ul data-placement="trending"></ul></body></html>'
)


@dataclass
class Program:
    """A running server and where it listens."""

    process: subprocess.Popen[bytes]
    port: int
    cpu_us: dict[int, list[float]] = field(default_factory=dict)

    def cpu_so_far_us(self) -> float:
        """CPU time of all its threads, in microseconds."""
        tasks = Path(f"/proc/{self.process.pid}/task").iterdir()
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1000


def main() -> None:
    """Build a bundle, start the programs, measure, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--campaigns", type=int, default=10_000)
    parser.add_argument("--items", type=int, default=1_682)
    parser.add_argument("--slices", type=int, default=7)
    parser.add_argument("--pages", type=int, default=4_000, help="per slice at 32 connections")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nearside-bench-") as name:
        folder = Path(name)
        print(f"compiling {options.campaigns} campaigns, {options.items} items …", flush=True)
        bundle = build(folder, options.campaigns, options.items)
        figures = asyncio.run(_measure_pages(folder, bundle, options.slices, options.pages))
        figures |= _measure_engine(bundle, folder)
    print(json.dumps({"bench": "page", "figures": figures}))


async def _measure_pages(folder: Path, bundle: Path, slices: int, pages: int) -> dict[str, float]:
    with _programs(folder, bundle) as programs:
        await _warm_up(programs)
        for connections, requests in ((1, max(500, pages // 4)), (32, pages)):
            for number in range(slices):
                for name in PEERS:
                    program = programs[name]
                    before = program.cpu_so_far_us()
                    tally = await _browse(program, connections, requests, number)
                    spent = (program.cpu_so_far_us() - before) / tally.done
                    program.cpu_us.setdefault(connections, []).append(spent)
                    if name == "personalized" and tally.personalized < tally.done:
                        raise SystemExit(f"only {tally.personalized} of {tally.done} were personalized")
            _print_table(programs, connections)
    median = {
        name: {count: statistics.median(spent) for count, spent in programs[name].cpu_us.items()}
        for name in PEERS
    }
    ours = median["personalized"]
    return {
        "personalized_over_bare": round(median["bare"][32] / ours[32], 3),
        "personalized_over_starlette": round(median["starlette"][32] / ours[32], 3),
        "page_us_c1": round(ours[1], 1),
        "page_us_c32": round(ours[32], 1),
    }


async def _browse(program: Program, connections: int, requests: int, seed: int) -> Tally:
    visitors = [Visitor(1000 * seed + number, FILMS) for number in range(connections)]
    tally = Tally()
    await browse(program.port, visitors, requests, tally)
    if tally.failed:
        raise SystemExit(f"{tally.failed} requests failed: {tally.errors[:3]}")
    return tally


async def _warm_up(programs: dict[str, Program]) -> None:
    """All film pages into the page cache, and every code path once."""
    for name in PEERS:
        for seed in range(90, 93):
            await _browse(programs[name], 8, 1500, seed)


def _print_table(programs: dict[str, Program], connections: int) -> None:
    print(f"\nCPU µs per page at {connections} connections: median (min–max)")
    for name in PEERS:
        spent = programs[name].cpu_us[connections]
        print(f"  {name:13} {statistics.median(spent):7.1f}  ({min(spent):.1f}–{max(spent):.1f})", flush=True)


@contextlib.contextmanager
def _programs(folder: Path, bundle: Path) -> Iterator[dict[str, Program]]:
    state, keys = lay_down(folder, bundle)
    page = folder / "page.html"
    page.write_text(PAGE)
    site = start([sys.executable, "-m", "loadtest.peers", "site", str(page)])
    edge = [sys.executable, "-m", "edge.worker", "--origin", "http://127.0.0.1:1", "--log-level", "warning"]
    edge += ["--upstream", f"http://127.0.0.1:{site.port}", "--keys", str(keys), "--state-dir", str(state)]
    started = {"site": site, "personalized": start([*edge, "--fd"])}
    try:
        # The peers serve as many bytes as a personalized page has.
        filled = folder / "filled.html"
        filled.write_bytes(_fetch(started["personalized"].port))
        for name in ("bare", "starlette"):
            started[name] = start([sys.executable, "-m", "loadtest.peers", name, str(filled)])
        yield started
    finally:
        for program in started.values():
            program.process.terminate()
        for program in started.values():
            program.process.wait()


def start(command: list[str]) -> Program:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    descriptor = listener.fileno()
    process = subprocess.Popen([*command, str(descriptor)], pass_fds=[descriptor])
    port: int = listener.getsockname()[1]
    listener.close()
    return Program(process, port)


def _fetch(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(
            b"GET / HTTP/1.1\r\nhost: films.test\r\ncookie: consent=full\r\nconnection: close\r\n\r\n"
        )
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    return answer.partition(b"\r\n\r\n")[2]


def lay_down(folder: Path, bundle: Path) -> tuple[Path, Path]:
    """A state folder and a keys file, as an agent would leave them."""
    state = folder / "state"
    bundles_folder(state).mkdir(parents=True)
    name = open_bundle(bundle, "films").id
    (bundles_folder(state) / name).symlink_to(bundle)
    write_active(state, Active(1, name, 1))
    secret = base64.b64encode(os.urandom(32)).decode()
    keys = {
        "site": "films",
        "cookie": [{"id": 1, "key": secret}],
        "event": [{"id": 1, "key": secret}],
        "ingest_token": "none",
        "trust": {role: [{"id": "bench", "public": secret}] for role in SIGNING_ROLES},
    }
    path = folder / "edge.json"
    path.write_text(json.dumps(keys))
    return state, path


def _measure_engine(bundle: Path, folder: Path) -> dict[str, float]:
    """In this process: the decision alone on the run's own contexts, and loading the bundle."""
    contexts = _logged_contexts(folder / "state")
    opened = open_bundle(bundle, "films", verify=False)
    engine = Engine.load(opened)
    warm, cold = _time_decisions(engine, contexts, cold=False), _time_decisions(engine, contexts, cold=True)
    loads = []
    for _ in range(20):
        start = time.perf_counter()
        Engine.load(open_bundle(bundle, "films", verify=False))
        loads.append((time.perf_counter() - start) * 1000)
    return {
        "decide_us": round(warm, 1),
        "decide_us_cold": round(cold, 1),
        "activate_ms": round(statistics.median(loads), 2),
    }


def _logged_contexts(state: Path, most: int = 2048) -> list[Context]:
    """What the worker decided in this run, from its own spool."""
    contexts: list[Context] = []
    for segment in sorted(state.glob("spool/*/*.seg"), reverse=True):
        found = records(segment.read_bytes())
        contexts += [record.context for record in found if isinstance(record, DecisionRecord)]
    return contexts[-most:]


def _time_decisions(engine: Engine, contexts: list[Context], *, cold: bool) -> float:
    """Median µs of one `decide` in batches of 32; `cold` forgets the lists before each batch."""
    spent = []
    for start in range(0, len(contexts) - 31, 32):
        batch = contexts[start : start + 32]
        if cold:
            engine.forget()
        else:
            engine.decide_batch(batch)
        begin = time.perf_counter()
        engine.decide_batch(batch)
        spent.append((time.perf_counter() - begin) / len(batch) * 1e6)
    return statistics.median(spent)


if __name__ == "__main__":
    main()

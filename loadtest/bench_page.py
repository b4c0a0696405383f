"""`make bench`: CPU time per page, personalized, against a bare ASGI program and a Starlette route.

All serve the same bytes under the same server, alternating in one run: pages
leave compressed, and the peers hold theirs compressed from the start. CPU
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
from collections.abc import Iterator, Mapping
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
        """CPU time of all threads of it and of its children, in microseconds."""
        return sum(map(_cpu_ns, _with_children(self.process.pid))) / 1000


def _with_children(pid: int) -> list[int]:
    found = [pid]
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += _with_children(int(child))
    return found


def _cpu_ns(pid: int) -> int:
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks)


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
        with _programs(folder, bundle) as programs:
            figures = asyncio.run(_measure_pages(programs, options.slices, options.pages))
        figures |= _measure_engine(bundle, folder)
    print(json.dumps({"bench": "page", "figures": figures}))


async def _measure_pages(programs: Mapping[str, Program], slices: int, pages: int) -> dict[str, float]:
    peers = {name: programs[name] for name in PEERS}
    await warm_up(peers)
    for connections in (1, 32):
        await measure(peers, connections, slices, pages)
    return page_figures(peers)


async def measure(peers: Mapping[str, Program], connections: int, slices: int, pages: int) -> Tally:
    """CPU time of so many slices for each peer in turn; what the visitors of ours saw."""
    seen = Tally()
    for number in range(slices):
        for name, program in peers.items():
            before = program.cpu_so_far_us()
            tally = await browse_some(program, connections, pages if connections > 1 else pages // 4, number)
            spent = (program.cpu_so_far_us() - before) / tally.done
            program.cpu_us.setdefault(connections, []).append(spent)
            if name == "personalized":
                seen.decided_ms += tally.decided_ms
                if tally.personalized < tally.done:
                    raise SystemExit(f"only {tally.personalized} of {tally.done} were personalized")
    _print_table(peers, connections)
    return seen


def page_figures(peers: Mapping[str, Program]) -> dict[str, float]:
    """The figures of 1 and of 32 connections: medians over the slices."""
    median = {
        name: {count: statistics.median(spent) for count, spent in program.cpu_us.items()}
        for name, program in peers.items()
    }
    ours = median["personalized"]
    return {
        "personalized_over_bare": round(median["bare"][32] / ours[32], 3),
        "personalized_over_starlette": round(median["starlette"][32] / ours[32], 3),
        "page_us_c1": round(ours[1], 1),
        "page_us_c32": round(ours[32], 1),
    }


async def browse_some(
    program: Program, connections: int, requests: int, seed: int, kind: type[Visitor] = Visitor
) -> Tally:
    """So many pages of one program, all of which must come."""
    visitors = [kind(1000 * seed + number, FILMS) for number in range(connections)]
    tally = Tally()
    await browse(program.port, visitors, requests, tally)
    if tally.failed:
        raise SystemExit(f"{tally.failed} requests failed: {tally.errors[:3]}")
    return tally


async def warm_up(peers: Mapping[str, Program]) -> None:
    """All film pages into the page cache, and every code path once."""
    for program in peers.values():
        for seed in range(90, 93):
            await browse_some(program, 8, 1500, seed)


def _print_table(peers: Mapping[str, Program], connections: int) -> None:
    print(f"\nCPU µs per page at {connections} connections: median (min–max)")
    for name, program in peers.items():
        spent = program.cpu_us[connections]
        print(f"  {name:13} {statistics.median(spent):7.1f}  ({min(spent):.1f}–{max(spent):.1f})", flush=True)


@contextlib.contextmanager
def _programs(folder: Path, bundle: Path) -> Iterator[dict[str, Program]]:
    with contextlib.ExitStack() as stack:
        yield start_peers(stack, folder, bundle)


def start_peers(stack: contextlib.ExitStack, folder: Path, bundle: Path) -> dict[str, Program]:
    """The edge's worker before a site, and peers that serve its page's bytes, compressed as they are."""
    state, keys = lay_down(folder, bundle)
    page, filled = folder / "page.html", folder / "filled.html"
    page.write_text(PAGE)
    site = started(stack, peer("site", page))
    ours = started(stack, worker(site.port, keys, state))
    filled.write_bytes(fetch(ours.port))
    others = {name: started(stack, peer(name, filled)) for name in PEERS[1:]}
    return {"site": site, "personalized": ours, **others}


def peer(kind: str, file: Path) -> list[str]:
    """The command of one of `loadtest.peers`; its socket's number follows."""
    return [sys.executable, "-m", "loadtest.peers", kind, str(file)]


def worker(upstream_port: int, keys: Path, state: Path) -> list[str]:
    """The command of a worker; its socket's number follows."""
    edge = [sys.executable, "-m", "edge.worker", "--origin", "http://127.0.0.1:1", "--log-level", "warning"]
    edge += ["--upstream", f"http://127.0.0.1:{upstream_port}"]
    return [*edge, "--keys", str(keys), "--state-dir", str(state), "--fd"]


def started(stack: contextlib.ExitStack, command: list[str]) -> Program:
    """A program that ends with the stack."""
    program = start(command)
    stack.callback(program.process.wait)
    stack.callback(program.process.terminate)
    return program


def start(command: list[str]) -> Program:
    """Run a command with a listening socket, whose number is appended."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    descriptor = listener.fileno()
    process = subprocess.Popen([*command, str(descriptor)], pass_fds=[descriptor])
    port: int = listener.getsockname()[1]
    listener.close()
    return Program(process, port)


def fetch(port: int) -> bytes:
    """The home page, as a visitor with full consent sees it."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(
            b"GET / HTTP/1.1\r\nhost: films.test\r\ncookie: consent=full\r\naccept-encoding: gzip\r\n"
            b"connection: close\r\n\r\n"
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

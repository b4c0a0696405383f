"""`make bench-edge`: the whole page path against its peers, Varnish with ESI among them.

One run on one machine in alternating short slices: CPU time per page of each
at 1, 8, 32 and 64 connections, what the edge adds to the time to the first byte,
pages that nobody may keep against a bare proxy over aiohttp, then memory, cold start and
200 swaps of bundles under load (`loadtest.bench_footprint`, `loadtest.bench_activation`).
"""

import argparse
import asyncio
import contextlib
import gzip
import json
import shutil
import statistics
import tempfile
from collections.abc import Mapping
from pathlib import Path

from edge.pages.plan import scan
from loadtest import bench_activation, bench_footprint, bench_gzip
from loadtest.bench_page import (
    Program,
    browse_some,
    lay_down,
    measure,
    page_figures,
    peer,
    start_peers,
    started,
    warm_up,
    worker,
)
from loadtest.client import Newcomer, Visitor
from loadtest.varnish import Varnish
from loadtest.workspace import build

CONNECTIONS = (1, 8, 32, 64)
FIRST_BYTES = 1500
"""So many pages, one after the other, tell the time to the first byte."""


def main() -> None:
    """Build a bundle, start everybody, measure, print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--campaigns", type=int, default=10_000)
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--slices", type=int, default=7)
    parser.add_argument("--pages", type=int, default=3_000, help="per slice")
    parser.add_argument("--swaps", type=int, default=200)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nearside-edge-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        print(f"compiling {options.campaigns} campaigns, {options.items} items …", flush=True)
        bundle = build(folder, options.campaigns, options.items)
        programs = start_peers(stack, folder, bundle)
        programs |= _varnish(stack, folder)
        uncached = _uncached(stack, folder, bundle)
        figures = asyncio.run(_measure(programs, uncached, options.slices, options.pages))
        stack.close()
        figures |= bench_footprint.figures(folder / "footprint", bundle)
        gzipped = bench_gzip.figures()
        figures |= {name: gzipped[name] for name in ("gzip_us_100kb", "gzip_us_100kb_cold")}
        figures |= bench_activation.figures(folder / "swaps", options.campaigns, options.swaps)
    print(json.dumps({"bench": "edge", "figures": figures}))


def _varnish(stack: contextlib.ExitStack, folder: Path) -> dict[str, Program]:
    """Varnish before the same page with ESI, and a service that has the fragments ready."""
    if shutil.which("varnishd") is None:
        print("varnish is not installed: it is left out", flush=True)
        return {}
    plan = scan(gzip.decompress((folder / "filled.html").read_bytes()))
    bodies = [body.decode() for body in plan.defaults]
    includes = {
        name: f'<esi:include src="/fragment/{number}"/>'.encode()
        for number, name in enumerate(plan.placements)
    }
    (folder / "esi.html").write_bytes(plan.fill(includes))
    (folder / "fragments.json").write_text(json.dumps(bodies))
    site = started(stack, peer("site", folder / "esi.html"))
    fragments = started(stack, peer("fragments", folder / "fragments.json"))
    return {"varnish": Varnish.start(stack, folder / "varnish", site.port, fragments)}


def _uncached(stack: contextlib.ExitStack, folder: Path, bundle: Path) -> dict[str, Program]:
    """Sites that forbid to keep their page, an edge before each; the barest proxy before the quick one."""
    found = {}
    for kind, name in (("changing", "site"), ("making", "slow_site")):
        state, keys = lay_down(folder / kind, bundle)
        site = found[name] = started(stack, peer(kind, folder / "page.html"))
        edge = "personalized" if name == "site" else "slowly"
        found[edge] = started(stack, worker(site.port, keys, state))
    address = folder / "site.txt"
    address.write_text(f"http://127.0.0.1:{found['site'].port}")
    return {**found, "proxy": started(stack, peer("proxy", address))}


async def _measure(
    programs: Mapping[str, Program], uncached: Mapping[str, Program], slices: int, pages: int
) -> dict[str, float]:
    peers = {name: program for name, program in programs.items() if name != "site"}
    await warm_up(peers)
    decided_ms: dict[int, list[float]] = {}
    for connections in CONNECTIONS:
        decided_ms[connections] = (await measure(peers, connections, slices, pages)).decided_ms
    figures = page_figures(peers)
    for name, program in peers.items():
        for connections in CONNECTIONS:
            key = f"{name}_us_c{connections}"
            figures[key] = round(statistics.median(program.cpu_us[connections]), 1)
    waits = sorted(decided_ms[1])
    figures["decision_p99_us"] = round(waits[int(len(waits) * 0.99)] * 1000, 1)
    waits = sorted(decided_ms[32])
    figures["turn_p99_us_c32"] = round(waits[int(len(waits) * 0.99)] * 1000, 1)
    figures |= await _first_bytes("cached", programs["personalized"], programs["site"], Visitor)
    figures |= await _first_bytes("uncached", uncached["personalized"], uncached["site"], Newcomer)
    figures |= await _first_bytes("slow_site", uncached["slowly"], uncached["slow_site"], Newcomer, 300)
    figures["uncached_over_bare_proxy"] = await _against_proxy(uncached, slices, pages)
    return figures


async def _first_bytes(
    how: str, edge: Program, site: Program, kind: type[Visitor], pages: int = FIRST_BYTES
) -> dict[str, float]:
    """What the edge adds to the median time to the first byte of one visitor, in slices that alternate."""
    spent: dict[int, list[float]] = {edge.port: [], site.port: []}
    for number in range(5):
        for program in (edge, site):
            tally = await browse_some(program, 1, pages // 5, 50 + number, kind)
            spent[program.port] += tally.first_byte_s
    ours, theirs = (statistics.median(spent[program.port]) * 1000 for program in (edge, site))
    print(f"\nfirst byte, {how}: edge {ours:.3f} ms, site alone {theirs:.3f} ms", flush=True)
    return {f"ttfb_added_ms_{how}": round(ours - theirs, 3)}


async def _against_proxy(uncached: Mapping[str, Program], slices: int, pages: int) -> float:
    """CPU time of the barest proxy over the edge's, for pages that both must ask the site for."""
    spent: dict[str, list[float]] = {"personalized": [], "proxy": []}
    for number in range(slices):
        for name, found in spent.items():
            program = uncached[name]
            before = program.cpu_so_far_us()
            tally = await browse_some(program, 64, pages // 2, 70 + number, Newcomer)
            found.append((program.cpu_so_far_us() - before) / tally.done)
    medians = {name: statistics.median(found) for name, found in spent.items()}
    told = ", ".join(
        f"{name} {medians[name]:.1f} ({min(found):.1f}–{max(found):.1f})" for name, found in spent.items()
    )
    print(f"\nCPU µs per page that nobody may keep, at 64 connections: {told}", flush=True)
    return round(medians["proxy"] / medians["personalized"], 3)


if __name__ == "__main__":
    main()

"""A whole bundle of many items: compiled, activated and served, each in a process of its own.

The catalog is made up (`loadtest.made_catalog`): a title, a genre and a price for each item, a card that
shows them, topics that can be muted. Three placements list from factors in blocks, from neighbours, and
what is popular, on every page.
"""

import argparse
import asyncio
import contextlib
import csv
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from compiler.build import compile_workspace
from compiler.workspace import read_workspace
from edge.bundle.reader import open_bundle
from edge.decide.engine import Engine
from edge.decide.types import Context
from loadtest.bench_page import PAGE, fetch, lay_down, peer, started, worker
from loadtest.client import Tally, Visitor, browse
from loadtest.made_catalog import Made, factor_model, neighbour_model
from models.data.interactions import Interactions
from models.graphs.blocked import with_blocks
from models.recipe import save, train
from models.trained import Trained
from origin.training.recommenders import load_trained, model_folder

SITE = """\
site: films
placements: [hero, recommended, trending]
attributes:
  geo.country: {type: string, source: "header:x-geo-country"}
items: {path: "/film/{item}", title: title, topics: genre}
consent: {cookie: consent, default: contextual}
"""
CARD = """\
<li class="card" data-item="{{ id }}">
<a href="/film/{{ id }}"><b>{{ title }}</b><small>{{ genre }}, {{ price }}</small></a></li>
"""
RULES = """\
campaigns:
  - {id: factors, placement: hero, show: {recommender: taste, card: poster, limit: 10}}
  - {id: neighbours, placement: recommended, show: {recommender: alike, card: poster, limit: 10}}
  - {id: popular, placement: trending, show: {recommender: popular, card: poster, limit: 10}}
"""
MODELS = {"popular": "popularity", "taste": "svd", "alike": "item-item"}
GENRES = ("action", "children", "comedy", "crime", "drama", "horror", "music", "mystery", "romance", "war")
PAGES, CONNECTIONS = 1_500, 8
DECISIONS, VIEWED = 1_200, 20


class Wanderer(Visitor):
    """A visitor who views any items of a large catalog."""

    def request(self) -> bytes:
        """The next page view, of an item with the id that the catalog gives it."""
        line, end, rest = super().request().partition(b" HTTP/1.1\r\n")
        start, film, number = line.partition(b"/film/")
        return (start + film + b"i%07d" % int(number) if film else line) + end + rest


def measure(made: Made, folder: Path, name: str) -> dict[str, float]:
    """The figures of a bundle, under names that end in `name`."""
    _write(made, folder / "workspace")
    compiled = _in_process("compile", folder)
    size = sum(file.stat().st_size for file in (folder / "bundle").rglob("*") if file.is_file())
    shutil.rmtree(folder / "workspace")
    figures = {**compiled, "bundle_mb": size / 1e6, **_in_process("load", folder)}
    figures |= asyncio.run(_serve(folder, len(made.films)))
    return {f"{key}_{name}": round(value, 1) for key, value in figures.items()}


def _write(made: Made, folder: Path) -> None:
    for name in ("rules", "catalogs/cards", "models", "data"):
        (folder / name).mkdir(parents=True)
    (folder / "site.yaml").write_text(SITE)
    (folder / "rules/campaigns.yaml").write_text(RULES)
    (folder / "catalogs/cards/poster.html").write_text(CARD)
    with (folder / "catalogs/films.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("id", "title", "genre", "price"))
        rows.writerows(
            (id_, f"Copy {number} of film {film}", GENRES[film % len(GENRES)], f"{film % 90}.99")
            for number, (id_, film) in enumerate(zip(made.ids, made.films.tolist(), strict=True))
        )
    (folder / "data/interactions.csv").write_text("user,item,timestamp\n")
    for name, recipe in MODELS.items():
        fallback = "" if name == "popular" else "fallback: popular\n"
        text = f"recipe: {recipe}\ninteractions: data/interactions.csv\n{fallback}"
        (folder / f"models/{name}.yaml").write_text(text)
    workspace = read_workspace(folder)
    for name, model in trained_models(made).items():
        save(replace(model, name=name), model_folder(workspace, name))


def trained_models(made: Made) -> dict[str, Trained]:
    """A model of what is popular, one of factors in blocks, and one of neighbours."""
    items, starts = made.sample["items"], made.sample["starts"]
    users = np.repeat(np.arange(len(starts) - 1), np.diff(starts)).astype(np.int32)
    ids = tuple(map(str, range(len(starts) - 1)))
    times, ones = np.full(len(items), 1_700_000_000), np.ones(len(items), np.float32)
    views = Interactions(users, items, times, ones, ids, made.ids)
    return {
        "popular": train("popular", "popularity", views),
        "taste": with_blocks(factor_model(made)),
        "alike": neighbour_model(made),
    }


def _in_process(step: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "loadtest.large_bundle", step, str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _compile(folder: Path) -> dict[str, float]:
    """Seconds of processor time, from the start of the process."""
    workspace = read_workspace(folder / "workspace")
    read = time.process_time()
    report = compile_workspace(workspace, load_trained(workspace), folder / "bundle")
    print(json.dumps(report.timings_ms), [str(warning) for warning in report.warnings], file=sys.stderr)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {"compile_s": time.process_time(), "read_s": read, "compile_peak_mb": peak / 1000}


def _load(folder: Path) -> dict[str, float]:
    """Milliseconds to make an engine of a bundle, as a worker does, and µs of processor time of a decision.

    The agent has verified the bytes. Each decision is for a history of its own, of 20 items.
    """
    loads = []
    for _ in range(5):
        began = time.perf_counter()
        engine = Engine.load(open_bundle(folder / "bundle", "films", verify=False))
        loads.append((time.perf_counter() - began) * 1000)
    draw, spent = np.random.default_rng(3), []
    for number in range(DECISIONS):
        viewed = draw.choice(len(engine.items), VIEWED, replace=False)
        history = tuple(engine.items.text(int(item)) for item in viewed)
        context = Context(0, number, "full", {}, history, ("hero", "recommended", "trending"))
        began = time.thread_time()
        found = engine.decide(context)
        spent.append((time.thread_time() - began) * 1e6)
        assert len(found.slots) == len(context.placements)
    spent = sorted(spent[len(spent) // 4 :])  # the first ones read pages from the disk's cache
    return {
        "activate_ms": statistics.median(loads),
        "decide_us": spent[len(spent) // 2],
        "decide_p99_us": spent[int(len(spent) * 0.99)],
    }


async def _serve(folder: Path, items: int) -> dict[str, float]:
    """Pages of a worker, for visitors who go their own ways."""
    state, keys = lay_down(folder, folder / "bundle")
    (folder / "page.html").write_text(PAGE)
    with contextlib.ExitStack() as stack:
        site = started(stack, peer("site", folder / "page.html"))
        ours = started(stack, worker(site.port, keys, state))
        fetch(ours.port)
        bare = _memory(ours.process.pid)
        await _browse(ours.port, items, 1)
        before, seen = ours.cpu_so_far_us(), await _browse(ours.port, items, 2)
        spent = (ours.cpu_so_far_us() - before) / seen.done
        memory = _memory(ours.process.pid)
    if seen.personalized < seen.done:
        raise SystemExit(f"only {seen.personalized} of {seen.done} pages were personalized")
    return {
        "page_us": spent,
        "worker_idle_rss_mb": bare["VmRSS"],
        "worker_rss_mb": memory["VmRSS"],
        "worker_mapped_mb": memory["RssFile"],
    }


async def _browse(port: int, items: int, seed: int) -> Tally:
    tally = Tally()
    visitors = [Wanderer(100 * seed + number, items - 1) for number in range(CONNECTIONS)]
    await browse(port, visitors, PAGES, tally)
    if tally.failed:
        raise SystemExit(f"{tally.failed} requests failed: {tally.errors[:3]}")
    return tally


def _memory(pid: int) -> dict[str, float]:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    told = dict(line.split(":", 1) for line in lines)
    return {key: int(told[key].split()[0]) / 1000 for key in ("VmRSS", "RssFile")}


STEPS = {"compile": _compile, "load": _load}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=STEPS)
    parser.add_argument("folder", type=Path)
    given = parser.parse_args()
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    print(json.dumps(STEPS[given.step](given.folder)))

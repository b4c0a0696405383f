"""`make bench-models`: how good the compiled lists are on MovieLens 100K, asked for as an app would.

Protocol: 75 % of each user's ratings to train on, the rest to test with, at random; every
test rating is relevant, items of the training part are not listed; the mean over
five seeds. All 943 visitors ask ``/_nearside/decide`` of a running worker, with their
whole training history, and with what less a cookie would carry; each list must equal
the one that the same bundle gives in this process. Costs are of one recipe's graph
alone, a visitor of 32 at a time, with histories as long as a cookie's.
"""

import argparse
import csv
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from compiler.build import compile_workspace
from compiler.graph import RecommenderSpec, merge
from compiler.workspace import read_workspace
from edge.bundle.reader import open_bundle
from edge.decide.recommender import Recommender, open_session
from loadtest.bench_page import lay_down, start
from models.interactions import Interactions, read_csv
from models.metrics import histories, ndcg
from models.movielens import Film, read_films, read_interactions
from models.recipe import RECIPES, train
from models.split import split_per_user

ROOT = Path(__file__).resolve().parents[1]
TRAIN_SHARE = 0.75
TOP = 10
WHOLE = 1000
"""No user of MovieLens 100K rated more than 737 films."""

COOKIE, LONG_COOKIE = 50, 200
SERVED = ("ease", "item-item", "popularity")
SITE = """\
site: films
placements: [ease, item-item, popularity]
items: {path: "/film/{item}"}
consent: {cookie: consent, default: contextual}
"""
Ask = Callable[[str, Sequence[str]], list[str]]


def main() -> None:
    """Train, compile, serve and ask for each seed; print the means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    data = Path(os.environ.get("NEARSIDE_DATA") or ROOT.parent / "shared/data") / "ml-100k"
    if not data.is_dir():
        raise SystemExit(f"no folder {data}: set NEARSIDE_DATA to the folder that holds ml-100k")
    ratings, films = read_interactions(data), read_films(data)
    found: dict[str, list[float]] = {}
    for seed in range(options.seeds):
        for name, value in _one_seed(ratings, films, seed).items():
            found.setdefault(name, []).append(value)
        line = ", ".join(f"{name} {values[-1]:.4f}" for name, values in found.items())
        print(f"seed {seed}: {line}", flush=True)
    figures = {name: round(statistics.mean(values), 4) for name, values in found.items()}
    figures |= {f"us_{name.replace('-', '_')}": cost for name, cost in _costs_us(ratings).items()}
    print(json.dumps({"bench": "models", "figures": figures}))
    if figures["lists_equal"] < 1:
        raise SystemExit("the worker lists other items than this process")


def _one_seed(ratings: Interactions, films: Sequence[Film], seed: int) -> dict[str, float]:
    known, test = split_per_user(ratings, TRAIN_SHARE, seed)
    with tempfile.TemporaryDirectory(prefix="nearside-models-") as name:
        folder = Path(name)
        bundle = _compile(folder, known, films)
        visitors = _Visitors(known, test)
        recommender = Recommender.load(open_bundle(bundle, "films"))
        figures: dict[str, float] = {"visitors": len(visitors.histories)}
        equal: list[bool] = []
        with _serving(folder, bundle) as ask:
            for recipe, length, figure in (
                ("ease", WHOLE, "ndcg10_ease"),
                ("ease", LONG_COOKIE, "ndcg10_ease_200"),
                ("ease", COOKIE, "ndcg10_ease_50"),
                ("item-item", WHOLE, "ndcg10_item_item"),
                ("popularity", WHOLE, "ndcg10_popularity"),
            ):
                asked = [ask(recipe, history[:length]) for history in visitors.histories]
                equal += _compare(recommender, recipe, visitors.cut(length), asked, known.item_ids)
                figures[figure] = visitors.ndcg(asked)
        return {**figures, "lists_equal": statistics.mean(equal)}


class _Visitors:
    """Everybody's training history, as positions and ids, and what they rated in the test part."""

    def __init__(self, known: Interactions, test: Interactions) -> None:
        self._ids = known.item_ids
        self.positions = histories(known)
        self.histories = [[self._ids[position] for position in history] for history in self.positions]
        self._relevant = [frozenset(positions) for positions in histories(test)]

    def cut(self, length: int) -> list[list[int]]:
        """Their newest items."""
        return [history[:length] for history in self.positions]

    def ndcg(self, lists: Sequence[Sequence[str]]) -> float:
        """Mean over the visitors; what a cut history forgot may be listed, and is then no hit."""
        place = {item: position for position, item in enumerate(self._ids)}
        return ndcg([[place[item] for item in items] for items in lists], self._relevant, TOP)


def _compare(
    recommender: Recommender,
    recipe: str,
    known: Sequence[Sequence[int]],
    asked: Sequence[Sequence[str]],
    ids: Sequence[str],
) -> list[bool]:
    """Whether each visitor got what this process lists for the same history."""
    found = (recommender.recommend([history])[recipe][0][:TOP] for history in known)
    return [
        list(got) == [ids[position] for position in wanted] for got, wanted in zip(asked, found, strict=True)
    ]


def _costs_us(ratings: Interactions, batch: int = 32) -> dict[str, float]:
    """Median µs a visitor of one call of each recipe's graph."""
    known = [history[:COOKIE] for history in histories(ratings)]
    costs = {}
    for recipe in RECIPES:
        merged = merge({recipe: train(recipe, recipe, ratings)}, [RecommenderSpec(recipe, TOP)], COOKIE)
        arrays = {name: merged.arrays[file][key] for name, (file, key) in merged.plan.bindings.items()}
        recommender = Recommender(merged.plan, open_session(merged.graph), arrays)
        spent = []
        for begin in range(0, len(known) - batch + 1, batch):
            rows = known[begin : begin + batch]
            recommender.recommend(rows)
            started = time.perf_counter()
            recommender.recommend(rows)
            spent.append((time.perf_counter() - started) / batch * 1e6)
        costs[recipe] = round(statistics.median(spent), 1)
    return costs


def _compile(folder: Path, known: Interactions, films: Sequence[Film]) -> Path:
    workspace = folder / "workspace"
    for name in ("rules", "catalogs/cards", "models", "data"):
        (workspace / name).mkdir(parents=True)
    (workspace / "site.yaml").write_text(SITE)
    (workspace / "catalogs/cards/line.html").write_text('<li data-item="{{ id }}">{{ title }}</li>')
    _write(workspace / "catalogs/films.csv", ("id", "title"), ((film.id, film.title) for film in films))
    ids = known.item_ids
    rows = zip(known.users.tolist(), known.items.tolist(), known.timestamps.tolist(), strict=True)
    views = ((user, ids[item], at) for user, item, at in rows)
    _write(workspace / "data/views.csv", ("user", "item", "timestamp"), views)
    campaigns = []
    for recipe in SERVED:
        text = f"recipe: {recipe}\ninteractions: data/views.csv\nmax_history: {WHOLE}\n"
        (workspace / f"models/{recipe}.yaml").write_text(text)
        show = {"recommender": recipe, "card": "line", "limit": TOP}
        campaigns.append({"id": recipe, "placement": recipe, "show": show})
    (workspace / "rules/lists.yaml").write_text(json.dumps({"campaigns": campaigns}))
    read = read_workspace(workspace)
    catalog = [item.id for item in read.catalog.items]
    models = {
        config.name: train(
            config.name, config.recipe, read_csv(config.interactions, catalog), config.settings
        )
        for config in read.models
    }
    compile_workspace(read, models, folder / "bundle")
    return folder / "bundle"


def _write(path: Path, header: Sequence[str], rows: Iterator[Sequence[object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(header)
        out.writerows(rows)


@contextmanager
def _serving(folder: Path, bundle: Path) -> Iterator[Ask]:
    """A worker on the bundle; what it answers, by recipe and history."""
    state, keys = lay_down(folder, bundle)
    command = [sys.executable, "-m", "edge.worker", "--origin", "http://127.0.0.1:1"]
    command += ["--upstream", "http://127.0.0.1:1", "--keys", str(keys), "--state-dir", str(state)]
    worker = start([*command, "--log-level", "warning", "--fd"])
    client = httpx.Client(base_url=f"http://127.0.0.1:{worker.port}", timeout=30)

    def ask(recipe: str, history: Sequence[str]) -> list[str]:
        body: Mapping[str, object] = {"placements": [recipe], "history": list(history), "tier": "session"}
        answer = client.post("/_nearside/decide", json=body)
        if answer.status_code != httpx.codes.OK or not answer.json()["slots"]:
            raise SystemExit(f"{answer.status_code}: {answer.text[:300]}")
        items: list[str] = answer.json()["slots"][0]["items"]
        return items

    try:
        yield ask
    finally:
        client.close()
        worker.process.terminate()
        worker.process.wait()


if __name__ == "__main__":
    main()

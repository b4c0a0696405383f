"""`make bench-models`: every recipe on MovieLens 100K, through the graph that the compiler makes of it.

Random split: 75 % of each user's ratings to train on, the rest to test with; every test rating is
relevant, items of the training part are not listed; the mean over seeds, of all 943 users with their
whole training history. That is the protocol of the Recommenders project's comparison.

Split in time: trained on the oldest 80 % of all ratings; then each user's next item, at up to ten
moments of each, from the newest 50 items, as a cookie holds them; the mean over users, with an interval, and
how much more that is, user by user, than `ease` reaches, and popularity with the best of some half-lives.
What PyTorch trains is trained with as many seeds as are measured, in time too: a user's share is their mean.

Every list must be equal to the reference's, which is computed without ONNX, and those of one recipe to a
running worker's. A call's cost is of one visitor with 50 items, on one thread, over catalogs of 1,
200 and 2,000 items.
"""

import argparse
import importlib.util
import json
import os
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from compiler.models.graph import RecommenderSpec, merge
from edge.bundle.arrays import pack
from edge.decide.recommender import Recommender, open_session
from edge.errors import GivenError
from loadtest.models_context import print_context
from loadtest.models_fairness import print_frontier, print_groups
from loadtest.models_served import served_lists
from models.data.histories import histories
from models.data.interactions import Interactions
from models.data.movielens import read_interactions, with_people
from models.data.split import split_in_time, split_per_user
from models.kept.folder import keeping
from models.measures.metrics import Lists, ndcg
from models.measures.next_item import Moments, hits, interval, moments
from models.recipe import NETWORKS, RECIPES, Trained, settings_of, train
from origin.training.recommenders import rank

ROOT = Path(__file__).resolve().parents[1]
TRAIN_SHARE, TIME_SHARE = 0.75, 0.8
TOP = 10
WHOLE, COOKIE, COOKIE_LONG = 1000, 50, 200
"""No user of MovieLens 100K rated more than 737 films; a cookie carries 50 items."""

BATCH = 32
CATALOGS = (1, 200, 2000)
CALLS = 200
BASELINE, SERVED, RIVAL = "popularity", "ease", "ease"
HALF_LIVES_DAYS = (1, 3, 10, 30, 100)
LISTS_THE_SEEN = frozenset({"recently-viewed"})
"""What lists nothing new has no place in a table of films to see next."""

QUICK = {"rounds": 1, "epochs": 1}
"""A graph costs the same however long its model was trained."""


@dataclass
class Row:
    """What was found of one recipe."""

    ndcg: list[float] = field(default_factory=list)
    equal: list[bool] = field(default_factory=list)
    train_s: list[float] = field(default_factory=list)
    kb: float = 0.0
    hits_by_seed: list[NDArray[np.float64]] = field(default_factory=list)
    us: dict[int, float] = field(default_factory=dict)

    @property
    def hits(self) -> NDArray[np.float64]:
        """For each user, the share of moments whose next item was listed."""
        mean: NDArray[np.float64] = np.mean(self.hits_by_seed, axis=0)
        return mean


def main() -> None:
    """Train, compile, list and compare every recipe; print the table and the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--network-seeds", type=int, default=1, help="of those that PyTorch trains")
    parser.add_argument("--recipes", nargs="*", default=_recipes(), help="these alone, beside popularity")
    options = parser.parse_args()
    data = Path(os.environ.get("NEARSIDE_DATA") or ROOT.parent / "shared/data") / "ml-100k"
    if not data.is_dir():
        raise SystemExit(f"no folder {data}: set NEARSIDE_DATA to the folder that holds ml-100k")
    ratings = read_interactions(data)
    # What networks and embeddings keep is kept here, so that texts are embedded once.
    with tempfile.TemporaryDirectory(prefix="nearside-models-") as folder, keeping(Path(folder)):
        rows = _measure_all(ratings, options)
    figures = _figures(rows) | _served(ratings) | _short_histories(ratings)
    figures |= print_frontier(ratings, _list_whole, TRAIN_SHARE, options.seeds)
    print_groups(ratings, _list_whole, TRAIN_SHARE, data / "u.user")
    seeds = {"seeds": options.seeds, "network_seeds": options.network_seeds}
    figures |= print_context(with_people(ratings, data), TRAIN_SHARE, WHOLE, **seeds)
    figures["ndcg10_best"] = max(figures["ndcg10_best"], figures["ndcg10_svd_context"])
    figures["lists_equal"] = min(figures["lists_equal"], figures.pop("served_equal"))
    print(json.dumps({"bench": "models", "figures": figures}))
    if figures["lists_equal"] < 1:
        raise SystemExit("a compiled list is not the reference's, or the worker's is another one")


def _measure_all(ratings: Interactions, options: argparse.Namespace) -> dict[str, Row]:
    """A row of the table for each recipe that can be trained here; each is printed as soon as it is there."""
    known, later = split_in_time(ratings, TIME_SHARE)
    asked = moments(known, later, COOKIE)
    rivals = (_popular_hits(known, asked), _hits_of(train(RIVAL, RIVAL, known), asked))
    networks = {network.name for network in NETWORKS}
    rows: dict[str, Row] = {}
    print(HEADER, flush=True)
    for name in dict.fromkeys([BASELINE, *options.recipes]):
        row = Row()
        try:
            for seed in range(options.network_seeds if name in networks else options.seeds):
                _random_split(row, name, *split_per_user(ratings, TRAIN_SHARE, seed))
            for seed in range(options.network_seeds if name in networks else 1):
                _split_in_time(row, name, known, asked, seed)
            row.us = {count: _cost_us(name, ratings, count) for count in CATALOGS}
        except GivenError as error:  # what it needs is not here: pictures, or weights of an extra
            print(f"| `{name}` | left out: {error} |", flush=True)
            continue
        rows[name] = row
        print(_line(name, row, rivals), flush=True)
    print(*_spreads(rows), sep="\n", flush=True)
    return rows


def _recipes() -> list[str]:
    """All that can be trained here: networks need PyTorch."""
    missing = set()
    if importlib.util.find_spec("torch") is None:
        missing = {network.name for network in NETWORKS}
        print(f"without PyTorch (`make neural`): {', '.join(sorted(missing))} are left out", flush=True)
    return [name for name in RECIPES if name not in missing | LISTS_THE_SEEN]


def _random_split(row: Row, name: str, known: Interactions, test: Interactions) -> None:
    started = time.perf_counter()
    model = train(name, name, known)
    row.train_s.append(time.perf_counter() - started)
    viewed = histories(known)
    lists = _listed(compiled(model, WHOLE), viewed)
    row.ndcg.append(ndcg(lists, [frozenset(items) for items in histories(test)], TOP))
    row.equal.append(lists == _reference(model, viewed))
    row.kb = (len(model.scores_graph) + len(pack(model.arrays))) / 1024


def _split_in_time(row: Row, name: str, known: Interactions, asked: Moments, seed: int) -> None:
    own = settings_of(name).get("seed")
    model = train(name, name, known, {"seed": float(own.default) + seed} if own else {})
    lists = _listed(compiled(model, COOKIE), asked.histories)
    row.hits_by_seed.append(hits(lists, asked))
    row.equal.append(lists == _reference(model, asked.histories))


def _popular_hits(known: Interactions, asked: Moments) -> NDArray[np.float64]:
    """Of popularity with the half-life that does best here: the harder one to beat."""
    found = []
    for days in HALF_LIVES_DAYS:
        model = train(BASELINE, BASELINE, known, {"half_life_days": days})
        found.append(_hits_of(model, asked))
        print(f"popularity, halved in {days} days: HR@10 in time {found[-1].mean():.4f}", flush=True)
    return max(found, key=lambda one: float(one.mean()))


def _hits_of(model: Trained, asked: Moments) -> NDArray[np.float64]:
    return hits(_listed(compiled(model, COOKIE), asked.histories), asked)


def compiled(model: Trained, length: int) -> Recommender:
    """The model in the graph that the edge runs."""
    limit = min(TOP, len(model.items))
    merged = merge({model.name: model}, [RecommenderSpec(model.name, limit)], length)
    arrays = {name: merged.arrays[file][key] for name, (file, key) in merged.plan.bindings.items()}
    return Recommender(merged.plan, open_session(merged.graph), arrays)


def _listed(recommender: Recommender, asked: Sequence[Sequence[int]]) -> Lists:
    (name,) = recommender.names
    parts = (asked[start : start + BATCH] for start in range(0, len(asked), BATCH))
    return [list_ for part in parts for list_ in recommender.recommend(part)[name]]


def _list_whole(model: Trained, asked: Sequence[Sequence[int]]) -> Lists:
    return _listed(compiled(model, WHOLE), asked)


def _reference(model: Trained, asked: Sequence[list[int]]) -> Lists:
    parts = (asked[start : start + BATCH] for start in range(0, len(asked), BATCH))
    return [list_ for part in parts for list_ in rank(model, list(part))]


def _cost_us(name: str, ratings: Interactions, count: int) -> float:
    """Median µs of one visitor's call, over a catalog of the most viewed items, and unviewed ones behind."""
    small = catalog_of(ratings, count)
    quick = {key: value for key, value in QUICK.items() if key in settings_of(name)}
    recommender = compiled(train(name, name, small, quick), COOKIE)
    visitors = [history[:COOKIE] for history in histories(small) if history]
    visitors = sorted(visitors, key=len)[-CALLS:]
    spent = []
    for history in visitors:
        recommender.recommend([history])
        started = time.perf_counter()
        recommender.recommend([history])
        spent.append(time.perf_counter() - started)
    return statistics.median(spent) * 1e6


def catalog_of(ratings: Interactions, count: int) -> Interactions:
    """The ratings of the `count` items that most have rated; a larger catalog has items that nobody rated."""
    views = np.bincount(ratings.items, minlength=max(count, len(ratings.item_ids)))
    kept = np.sort(np.argsort(-views, kind="stable")[:count])
    place = np.full(len(views), -1, np.int32)
    place[kept] = np.arange(len(kept))
    inside = ratings.where(place[ratings.items] >= 0)
    ids = [*ratings.item_ids, *(f"new{number}" for number in range(count))]
    columns: dict[str, tuple[str, ...]] = {}
    for column, texts in ratings.item_columns.items():
        padded = [*texts, *(f"{column} {number}" for number in range(count))]
        columns[column] = tuple(padded[position] for position in kept.tolist())
    items = tuple(ids[position] for position in kept.tolist())
    return replace(inside, items=place[inside.items], item_ids=items, item_columns=columns)


def _served(ratings: Interactions) -> dict[str, float]:
    """Whether a running worker lists the same to every visitor."""
    known, _ = split_per_user(ratings, TRAIN_SHARE, 0)
    model, viewed = train(SERVED, SERVED, known, {"max_history": WHOLE}), histories(known)
    here = _listed(compiled(model, WHOLE), viewed)
    there = served_lists(model, known, viewed, WHOLE, TOP)
    return {"served_equal": float(here == there), "visitors": len(viewed)}


def _short_histories(ratings: Interactions) -> dict[str, float]:
    """What a cookie's forgetting costs: nDCG with the newest items alone; forgotten ones may be listed."""
    known, test = split_per_user(ratings, TRAIN_SHARE, 0)
    recommender, viewed = compiled(train(SERVED, SERVED, known), WHOLE), histories(known)
    relevant = [frozenset(items) for items in histories(test)]
    return {
        f"ndcg10_{SERVED}_{length}": round(
            ndcg(_listed(recommender, [history[:length] for history in viewed]), relevant, TOP), 4
        )
        for length in (COOKIE_LONG, COOKIE)
    }


HEADER = (
    "| recipe | nDCG@10, random | HR@10, in time | more than popularity | more than `ease` | µs: 1 "
    "| 200 | 2,000 | kB | s |\n"
    "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"
)


def _line(name: str, row: Row, rivals: Sequence[NDArray[np.float64]]) -> str:
    low, high = interval(row.hits)
    more = " | ".join(_more(row.hits - rival) for rival in rivals)
    us = " | ".join(f"{row.us[count]:.0f}" for count in CATALOGS)
    return (
        f"| `{name}` | {statistics.mean(row.ndcg):.4f} | {row.hits.mean():.3f} ({low:.3f} to {high:.3f}) "
        f"| {more} | {us} | {row.kb:.0f} "
        f"| {statistics.mean(row.train_s):.1f} |"
    )


def _more(apart: NDArray[np.float64]) -> str:
    worse, better = interval(apart)
    return f"{apart.mean():+.3f} ({worse:+.3f} to {better:+.3f})"


def _spreads(rows: Mapping[str, Row]) -> Iterator[str]:
    """Between which figures lie of what was trained with several seeds."""
    for name, row in rows.items():
        if len(row.hits_by_seed) > 1:
            hr = [float(found.mean()) for found in row.hits_by_seed]
            yield (
                f"`{name}`, {len(hr)} seeds: nDCG@10 {min(row.ndcg):.3f} to {max(row.ndcg):.3f}, "
                f"HR@10 in time {min(hr):.3f} to {max(hr):.3f}"
            )


def _figures(rows: Mapping[str, Row]) -> dict[str, Any]:
    """The figures by the names that other runs compare them by."""
    found: dict[str, Any] = {}
    for name, row in rows.items():
        key = name.replace("-", "_")
        found[f"ndcg10_{key}"] = round(statistics.mean(row.ndcg), 4)
        found[f"hr10_time_{key}"] = round(float(row.hits.mean()), 4)
        found[f"us_{key}_200"] = round(row.us[200], 1)
        found[f"kb_{key}"] = round(row.kb, 1)
    found["ndcg10_best"] = max(statistics.mean(row.ndcg) for row in rows.values())
    found["ndcg10_best"] = round(found["ndcg10_best"], 4)
    found["lists_equal"] = statistics.mean(equal for row in rows.values() for equal in row.equal)
    return found


if __name__ == "__main__":
    main()

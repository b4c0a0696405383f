"""`python -m loadtest.bench_positions`: what places hide, and what it is worth to correct for it.

Who likes what is known here, as nowhere else: visitors are the users of MovieLens 100K, and what one of them
rated is what they like. Each looks at many pages with ten films, any ten, in the order of an editor's
taste, which has nothing to do with anybody's, and of some chance. A film is noticed with a chance that falls
with its place, and clicked, if it was noticed, with 0.9 where it is liked and with 0.02 where not. Models
learn from the clicks alone; their lists are held against what is liked and was not clicked. The chances of
places are estimated from what was shown and clicked.

The Open Bandit sample (ZOZO), whose lists were drawn at random, follows for its own three places.
"""

import argparse
import csv
import json
import os
import statistics
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.data.histories import histories
from models.data.interactions import Interactions
from models.data.movielens import read_interactions
from models.data.positions import Shown, noticed, view_weights
from models.measures.metrics import Lists, ndcg
from models.measures.next_item import interval
from models.recipe import train
from origin.training.recommenders import rank

ROOT = Path(__file__).resolve().parents[1]
TOP: Final = 10
PAGES: Final = 100
CHANCE: Final = 0.5
"""Of the order on a page, against the editor's taste of 1."""
NOTICED: Final = 1 / np.arange(1, TOP + 1)
LIKED, NOT_LIKED = 0.9, 0.02
RECIPES: Final = ("popularity", "svd", "ease", "als", "bpr")
POWERS: Final = (0.0, 0.5, 1.0)
BATCH: Final = 64


@dataclass(frozen=True, eq=False)
class World:
    """What was shown, to whom, what came of it, and what there would have been if all were noticed."""

    shown: Shown
    users: NDArray[np.int64]
    certain: NDArray[np.bool_]


def main() -> None:
    """Print places, what correcting is worth, and Open Bandit's places."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    seeds = range(parser.parse_args().seeds)
    data = Path(os.environ.get("NEARSIDE_DATA") or ROOT.parent / "shared/data")
    if not (data / "ml-100k").is_dir():
        raise SystemExit(f"no folder {data / 'ml-100k'}: set NEARSIDE_DATA to the folder that holds it")
    ratings = read_interactions(data / "ml-100k")
    worlds = [simulate(ratings, seed) for seed in seeds]
    _print_places(worlds)
    figures = _print_worth(ratings, worlds)
    _print_bandit(data / "open-bandit/random/men/men.csv")
    print(json.dumps({"bench": "positions", "figures": figures}))


def simulate(ratings: Interactions, seed: int) -> World:
    """Pages of each user, and what was clicked on them."""
    draw = np.random.default_rng(seed)
    n_users, n_items = len(ratings.user_ids), len(ratings.item_ids)
    likes = np.zeros((n_users, n_items), np.bool_)
    likes[ratings.users, ratings.items] = True
    taste = draw.normal(size=n_items)
    shown = draw.integers(0, n_items, (n_users * PAGES, TOP))
    order = np.argsort(-taste[shown] - CHANCE * draw.normal(size=shown.shape), axis=1)
    things = np.take_along_axis(shown, order, axis=1).reshape(-1)
    users = np.repeat(np.arange(n_users), PAGES * TOP)
    places = np.tile(np.arange(TOP), n_users * PAGES)
    wanted = draw.random(len(things)) < np.where(likes[users, things], LIKED, NOT_LIKED)
    clicks = wanted & (draw.random(len(things)) < NOTICED[places])
    return World(Shown(things, places, clicks.astype(np.float64)), users, wanted)


def _print_places(worlds: list[World]) -> None:
    found = np.mean([noticed(world.shown) for world in worlds], axis=0)
    clicked = np.mean(
        [np.bincount(w.shown.places, w.shown.clicks) / np.bincount(w.shown.places) for w in worlds], axis=0
    )
    print("| place | is noticed | estimated | by clicks alone |\n| --- | --- | --- | --- |")
    for place in range(TOP):
        print(
            f"| {place + 1} | {NOTICED[place]:.3f} | {found[place]:.3f} | {clicked[place] / clicked[0]:.3f} |"
        )


def _print_worth(ratings: Interactions, worlds: list[World]) -> dict[str, float]:
    """nDCG@10 on what is liked and was not clicked, by recipe and by how much is corrected."""
    titles = " | ".join(f"debias_position {power:g}" for power in POWERS)
    print(f"\n| recipe | {titles} | nothing hidden | and 0.5 all the same |\n|{' --- |' * (len(POWERS) + 3)}")
    figures: dict[str, float] = {}
    for name in RECIPES:
        cells = []
        for power in POWERS:
            gains = [_gain(ratings, name, _clicked(ratings, world), power) for world in worlds]
            cells.append(statistics.mean(gains))
            figures[f"ndcg10_{name}_{power:g}".replace(".", "_")] = round(cells[-1], 4)
        certain = [_all_noticed(ratings, world) for world in worlds]
        for power in (0.0, 0.5):
            cells.append(statistics.mean(_gain(ratings, name, clicked, power) for clicked in certain))
        shown = " | ".join(f"{cell:.3f}" for cell in cells)
        print(f"| `{name}` | {shown} |", flush=True)
    for power in POWERS[1:]:
        weights = view_weights(_clicked(ratings, worlds[0]), {"debias_position": power})
        worth = weights.sum() ** 2 / (weights @ weights) / len(weights)
        print(f"debias_position {power:g}: {len(weights)} clicks say as much as {worth:.0%} of them")
    return figures


def _clicked(ratings: Interactions, world: World) -> Interactions:
    """The clicks, with the estimated chance of their place."""
    return _rows(ratings, world, np.flatnonzero(world.shown.clicks))


def _all_noticed(ratings: Interactions, world: World) -> Interactions:
    """As many clicks, if every place were noticed: what no correction can do better than."""
    rows = np.flatnonzero(world.certain)
    kept = np.random.default_rng(0).choice(rows, int(world.shown.clicks.sum()), replace=False)
    return _rows(ratings, world, np.sort(kept))


def _rows(ratings: Interactions, world: World, rows: NDArray[np.int64]) -> Interactions:
    """Shown things as interactions, a day apart, so that no two are of one visit."""
    chances = noticed(world.shown)[world.shown.places[rows]]
    return replace(
        ratings,
        users=world.users[rows].astype(np.int32),
        items=world.shown.things[rows].astype(np.int32),
        timestamps=rows * 86_400,
        values=np.ones(len(rows), np.float32),
        noticed=chances.astype(np.float32),
    )


def _gain(ratings: Interactions, name: str, clicked: Interactions, power: float) -> float:
    settings: dict[str, object] = {"debias_position": power}
    if name == "popularity":
        settings["half_life_days"] = 1e9
    model = train(name, name, clicked, settings)
    known, liked = histories(clicked), histories(ratings)
    lists: list[Lists] = [rank(model, known[start : start + BATCH]) for start in range(0, len(known), BATCH)]
    left = [frozenset(items) - frozenset(seen) for items, seen in zip(liked, known, strict=True)]
    return ndcg([one for part in lists for one in part], left, TOP)


def _print_bandit(path: Path) -> None:
    """Clicks by place of lists that were drawn at random: each thing is as good in every place."""
    if not path.is_file():
        return
    with path.open(encoding="utf-8") as file:
        rows = [(int(row["position"]), int(row["click"])) for row in csv.DictReader(file)]
    print("\n| Open Bandit, place | shown | clicked | of 1,000 |\n| --- | --- | --- | --- |")
    for place in sorted({place for place, _ in rows}):
        clicks = np.array([click for at, click in rows if at == place], np.float64)
        low, high = interval(clicks)
        print(
            f"| {place} | {len(clicks)} | {clicks.sum():.0f} "
            f"| {1000 * clicks.mean():.1f} ({1000 * low:.1f} to {1000 * high:.1f}) |"
        )


if __name__ == "__main__":
    main()

"""`make bench-compress`: how small EASE can be on MovieLens 100K before its lists get worse.

Protocol: 75 % of each user's ratings to train on, the rest to test with, at random; every test
rating is relevant, what is in the training part is not listed; the mean over three seeds. What is
kept, and how, is chosen within the training part alone (divided once more; surely at most 0.5 % of
nDCG@10 lost there). Then it is trained on all of it, compiled, and measured on the test part through
the compiled graph, against the default model. Bytes are those of the packed arrays; costs are of one
visitor alone, with 50 items.
"""

import argparse
import json
import os
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from compiler.models.graph import RecommenderSpec, merge
from compiler.models.parity import measure
from edge.bundle.arrays import pack
from edge.decide.recommender import Recommender, open_session
from models.data.contexts import Rows
from models.data.histories import histories
from models.data.interactions import Interactions
from models.data.movielens import read_interactions
from models.data.split import split_per_user
from models.recipe import check_settings, settings_of, train
from models.small.smallest import search
from models.trained import Trained
from origin.training.compress import Parts, by_user

ROOT = Path(__file__).resolve().parents[1]
RECIPE = "ease"
TRAIN_SHARE = 0.75
TOP = 10
WHOLE = 1000
LOSE = 0.005
COOKIE = 50
CALLS = 400


def main() -> None:
    """Search, train, compile and measure for each seed; print the means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    data = Path(os.environ.get("NEARSIDE_DATA") or ROOT.parent / "shared/data") / "ml-100k"
    if not data.is_dir():
        raise SystemExit(f"no folder {data}: set NEARSIDE_DATA to the folder that holds ml-100k")
    ratings = read_interactions(data)
    found: dict[str, list[float]] = {}
    for seed in range(options.seeds):
        figures = _one_seed(ratings, seed)
        for name, value in figures.items():
            found.setdefault(name, []).append(value)
        print(
            f"seed {seed}: " + ", ".join(f"{name} {value:.5g}" for name, value in figures.items()), flush=True
        )
    means = {name: round(statistics.mean(values), 5) for name, values in found.items()}
    print(json.dumps({"bench": "compress", "figures": means}))


def _one_seed(ratings: Interactions, seed: int) -> dict[str, float]:
    known, test = split_per_user(ratings, TRAIN_SHARE, seed)
    chosen = _search(known, seed)
    plain, small = (_Compiled(_train(known, settings)) for settings in ({}, chosen))
    before, after = (one.ndcg(known, test) for one in (plain, small))
    return {
        "neighbours": float(chosen["neighbours"]),
        "kb_default": plain.bytes / 1000,
        "kb_small": small.bytes / 1000,
        "bytes_ratio": small.bytes / plain.bytes,
        "ndcg10_default": before,
        "ndcg10_small": after,
        "ndcg10_loss_relative": 1 - after / before,
        "us_default": plain.cost_us(known),
        "us_small": small.cost_us(known),
        "parity_error": small.parity_error(),
    }


def _search(known: Interactions, seed: int) -> dict[str, float | str]:
    inner, valid = split_per_user(known, TRAIN_SHARE, seed)

    def train_inner(smaller: Mapping[str, float]) -> Trained:
        return _train(inner, dict(smaller))

    def good(model: Trained) -> NDArray[np.float64]:
        return by_user(_Compiled(model).recommend, Parts(inner, valid))

    found = search(check_settings(RECIPE, {}), settings_of(RECIPE), train_inner, good, LOSE)
    return {**found.chosen.settings, "storage": found.chosen.storage}


def _train(rows: Interactions, settings: Mapping[str, object]) -> Trained:
    return train(RECIPE, RECIPE, rows, {**settings, "max_history": WHOLE})


@dataclass
class _Compiled:
    """A model, compiled alone."""

    model: Trained

    def __post_init__(self) -> None:
        self._merged = merge({RECIPE: self.model}, [RecommenderSpec(RECIPE, TOP)], WHOLE)
        bindings = self._merged.plan.bindings.items()
        arrays = {name: self._merged.arrays[file][key] for name, (file, key) in bindings}
        self._recommender = Recommender(self._merged.plan, open_session(self._merged.graph), arrays)
        self.bytes = len(pack(self.model.arrays))

    def ndcg(self, known: Interactions, test: Interactions) -> float:
        """Of the lists that the compiled graph gives for whole histories."""
        return float(by_user(self.recommend, Parts(known, test)).mean())

    def recommend(self, known: Sequence[list[int]], _contexts: Rows | None = None) -> list[list[int]]:
        """Lists of positions, each asked for alone."""
        return [self._recommender.recommend([history])[RECIPE][0] for history in known]

    def cost_us(self, known: Interactions) -> float:
        """Median µs of a call for one visitor with a cookie's history."""
        rows = [history[:COOKIE] for history in histories(known) if len(history) >= COOKIE][:CALLS]
        spent = []
        for row in rows:
            started = time.perf_counter()
            self._recommender.recommend([row])
            spent.append((time.perf_counter() - started) * 1e6)
        return statistics.median(spent)

    def parity_error(self) -> float:
        """The greatest error of the compiled graph against the reference, over 10,000 real rows."""
        return measure(self._merged, {RECIPE: self.model}, {RECIPE: TOP})[RECIPE].error


if __name__ == "__main__":
    main()

"""What a context adds to lists of MovieLens 100K: for who has a history, and for who has none.

The context is what is known of a user: age, occupation, gender. With a history: the split of the other
recipes, with and without the context. Without one: a fifth of the users at a time is left out of training, so
that each was new once, and is listed by the context alone; all that they rated is relevant. Beside it stands
popularity of all times, which does better here than what is popular lately.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from compiler.models.context import Contexts
from compiler.models.graph import RecommenderSpec, merge
from edge.bundle.features import CODE, NUMBER, Feature, Features
from edge.decide.recommender import Recommender, open_session
from models.data.contexts import Rows
from models.data.histories import asked_in, histories
from models.data.interactions import Interactions
from models.data.split import split_per_user
from models.measures.metrics import Lists, lists_of, ndcg
from models.measures.next_item import interval
from models.recipe import Trained, train
from origin.training.recommenders import rank

RECIPE: Final = "two-tower"
BASELINE: Final = "popularity"
ALL_TIMES: Final = {"half_life_days": 100_000}
TOP: Final = 10
FOLDS: Final = 5

Gains = NDArray[np.float64]
"""nDCG@10 of each user."""


def print_context(ratings: Interactions, share: float, length: int, seeds: int) -> dict[str, float]:
    """Both comparisons, of ratings with contexts, over so many splits; figures by name."""
    if importlib.util.find_spec("torch") is None:
        return {}
    parts = [split_per_user(ratings, share, seed) for seed in range(seeds)]
    with_context = _gains(parts, length)
    without = _gains([(_bare(known), _bare(test)) for known, test in parts], length)
    cold, popular = _cold(ratings, length)
    print(f"\n| `{RECIPE}` | nDCG@10 | more |\n| --- | --- | --- |")
    _print("with a history, and a context", with_context, without)
    _print("without a history, by the context", cold, popular)
    means = {"two_tower_context": with_context, "cold_context": cold, "cold_popularity": popular}
    return {f"ndcg10_{name}": round(float(gains.mean()), 4) for name, gains in means.items()}


def _print(words: str, gains: Gains, beside: Gains) -> None:
    (low, high), apart = interval(gains - beside), gains.mean() - beside.mean()
    print(f"| {words} | {gains.mean():.4f} | {apart:+.4f} ({low:+.4f} to {high:+.4f}) |", flush=True)


def _gains(parts: Sequence[tuple[Interactions, Interactions]], length: int) -> Gains:
    return np.concatenate(
        [_listed(train(RECIPE, RECIPE, known), known, test, length) for known, test in parts]
    )


def _cold(ratings: Interactions, length: int) -> tuple[Gains, Gains]:
    """Of users of whom no rating was trained on: by their context, and by popularity."""
    fold = np.random.default_rng(0).permutation(len(ratings.user_ids)) % FOLDS
    cold, popular = [], []
    for number in range(FOLDS):
        out = fold[ratings.users] == number
        known, test = ratings.where(~out), ratings.where(out)
        cold.append(_listed(train(RECIPE, RECIPE, known), known, test, length))
        plain = train(BASELINE, BASELINE, _bare(known), ALL_TIMES)
        popular.append(_listed(plain, _bare(known), _bare(test), length))
    return np.concatenate(cold), np.concatenate(popular)


def _listed(model: Trained, known: Interactions, test: Interactions, length: int) -> Gains:
    """nDCG@10 of each user of the test part, of lists of the compiled graph, which are the reference's."""
    viewed, relevant = histories(known), [frozenset(items) for items in histories(test)]
    users = [user for user, items in enumerate(relevant) if items]
    graph = _Graph(model, length)
    lists = lists_of(graph.recommend, viewed, asked_in(test), users)
    if lists != lists_of(lambda rows, contexts: rank(model, rows, contexts), viewed, asked_in(test), users):
        raise SystemExit(f"the lists of {model.name} are not the reference's")
    return np.array([ndcg([one], [relevant[user]], TOP) for user, one in zip(users, lists, strict=True)])


class _Graph:
    """A model in the graph that the edge runs; what it takes in is what attributes are."""

    def __init__(self, model: Trained, length: int) -> None:
        contexts = Contexts({model.name: model.features}, _features(model))
        merged = merge({model.name: model}, [RecommenderSpec(model.name, TOP)], length, contexts=contexts)
        arrays = {name: merged.arrays[file][key] for name, (file, key) in merged.plan.bindings.items()}
        self._recommender = Recommender(merged.plan, open_session(merged.graph), arrays)

    def recommend(self, viewed: list[list[int]], contexts: Rows | None) -> Lists:
        """Lists for histories in contexts."""
        rows = [] if contexts is None else [tuple(row) for row in contexts.tolist()]
        return self._recommender.find(viewed, rows=rows).lists[self._recommender.names[0]]


def _features(model: Trained) -> Features:
    """Features as they are in the ratings: a column of codes, and numbers; the columns are sorted by name."""
    codes = int(model.arrays["code_is"].max(initial=0)) if "code_is" in model.arrays else 0
    texts = tuple(map(str, range(codes)))
    kinds = {name: CODE if name == "occupation" else NUMBER for name in model.features}
    return {
        name: Feature(name, kind, name, text=kind == CODE, categories=texts if kind == CODE else ())
        for name, kind in kinds.items()
    }


def _bare(ratings: Interactions) -> Interactions:
    return replace(ratings, contexts=None)

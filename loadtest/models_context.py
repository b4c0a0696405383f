"""What a context adds to lists of MovieLens 100K: for who has a history, and for who has none.

The context is what is known of a user: age, occupation, gender. With a history: the split of the other
recipes, with and without the context; for `svd`, also with the newest item or the five newest alone. Without
one: a fifth of the users at a time is left out of training, so that each was new once, and is listed by the
context alone; all that they rated is relevant. Beside it stands popularity of all times, which does better
here than what is popular lately.
"""

import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from compiler.models.context import Contexts
from compiler.models.graph import RecommenderSpec, merge
from edge.bundle.features import CODE, NUMBER, Feature, Features
from edge.decide.recommender import Recommender, open_session
from models.data.contexts import Contexts as ToldContexts
from models.data.contexts import Rows
from models.data.histories import asked_in, histories
from models.data.interactions import Interactions
from models.data.split import split_per_user
from models.measures.metrics import Lists, lists_of, ndcg
from models.measures.next_item import interval
from models.recipe import Trained, train
from origin.training.recommenders import rank

NETWORK, FACTORS = "two-tower", "svd"
BASELINE: Final = "popularity"
ALL_TIMES: Final = {"half_life_days": 100_000}
TOP: Final = 10
FOLDS: Final = 5
SHORT: Final = (1, 5)

Gains = NDArray[np.float64]
"""nDCG@10 of each user."""


def print_context(
    ratings: Interactions, share: float, length: int, *, seeds: int, network_seeds: int
) -> dict[str, float]:
    """Both comparisons, of ratings with contexts, over so many splits; figures by name."""
    popular = _cold(BASELINE, _bare(ratings), length, ALL_TIMES)
    means = {"cold_popularity": popular}
    splits = {FACTORS: seeds} | ({NETWORK: network_seeds} if importlib.util.find_spec("torch") else {})
    print("\n| with a context | nDCG@10 | more |\n| --- | --- | --- |")
    for recipe, count in splits.items():
        parts = [split_per_user(ratings, share, seed) for seed in range(count)]
        bare = [(_bare(known), _bare(test)) for known, test in parts]
        key = recipe.replace("-", "_")
        means[f"{key}_context"] = _gains(recipe, parts, length)
        _print(f"`{recipe}`, with a history", means[f"{key}_context"], _gains(recipe, bare, length))
        for newest in SHORT if recipe == FACTORS else ():
            short = [_gains(recipe, some, length, newest) for some in (parts, bare)]
            _print(f"`{recipe}`, with the newest {newest} of it", *short)
            means[f"{key}_context_{newest}"] = short[0]
        cold = means["cold_context" if recipe == NETWORK else f"cold_{key}"] = _cold(recipe, ratings, length)
        _print(f"`{recipe}`, without a history", cold, popular)
    return {f"ndcg10_{name}": round(float(gains.mean()), 4) for name, gains in means.items()}


def _print(words: str, gains: Gains, beside: Gains) -> None:
    (low, high), apart = interval(gains - beside), gains.mean() - beside.mean()
    print(f"| {words} | {gains.mean():.4f} | {apart:+.4f} ({low:+.4f} to {high:+.4f}) |", flush=True)


def _gains(
    recipe: str, parts: Sequence[tuple[Interactions, Interactions]], length: int, newest: int | None = None
) -> Gains:
    """Of each user, the mean over the splits."""
    found = [_listed(train(recipe, recipe, known), known, test, length, newest) for known, test in parts]
    mean: Gains = np.mean(found, axis=0)
    return mean


def _cold(
    recipe: str, ratings: Interactions, length: int, settings: Mapping[str, object] | None = None
) -> Gains:
    """Of users of whom no rating was trained on, by what is known of them without one."""
    fold = np.random.default_rng(0).permutation(len(ratings.user_ids)) % FOLDS
    found = []
    for number in range(FOLDS):
        out = fold[ratings.users] == number
        known, test = ratings.where(~out), ratings.where(out)
        found.append(_listed(train(recipe, recipe, known, settings), known, test, length))
    return np.concatenate(found)


def _listed(
    model: Trained, known: Interactions, test: Interactions, length: int, newest: int | None = None
) -> Gains:
    """nDCG@10 of each user of the test part, of lists of the compiled graph, which are the reference's.

    Where the history is cut to its newest, lists may hold what was cut off, which is no hit.
    """
    viewed, relevant = histories(known), [frozenset(items) for items in histories(test)]
    viewed = [items[:newest] for items in viewed]
    users = [user for user, items in enumerate(relevant) if items]
    graph = _Graph(model, length, known.contexts)
    lists = lists_of(graph.recommend, viewed, asked_in(test), users)
    if lists != lists_of(lambda rows, contexts: rank(model, rows, contexts), viewed, asked_in(test), users):
        raise SystemExit(f"the lists of {model.name} are not the reference's")
    return np.array([ndcg([one], [relevant[user]], TOP) for user, one in zip(users, lists, strict=True)])


class _Graph:
    """A model in the graph that the edge runs; what it takes in is what attributes are."""

    def __init__(self, model: Trained, length: int, told: ToldContexts | None) -> None:
        contexts = Contexts({model.name: model.features}, _features(told))
        merged = merge({model.name: model}, [RecommenderSpec(model.name, TOP)], length, contexts=contexts)
        arrays = {name: merged.arrays[file][key] for name, (file, key) in merged.plan.bindings.items()}
        self._recommender = Recommender(merged.plan, open_session(merged.graph), arrays)

    def recommend(self, viewed: list[list[int]], contexts: Rows | None) -> Lists:
        """Lists for histories in contexts."""
        rows = [] if contexts is None else [tuple(row) for row in contexts.tolist()]
        return self._recommender.find(viewed, rows=rows).lists[self._recommender.names[0]]


def _features(told: ToldContexts | None) -> Features:
    """Features as they are in the ratings: a column of codes, and numbers; the columns are sorted by name."""
    if told is None:
        return {}
    return {
        name: Feature(name, CODE, name, text=True, categories=tuple(map(str, range(codes - 1))))
        if codes
        else Feature(name, NUMBER, name)
        for name, codes in zip(told.names, told.codes, strict=True)
    }


def _bare(ratings: Interactions) -> Interactions:
    return replace(ratings, contexts=None)

"""Ranks items by the weighted sum of other recipes' scores, with weights that are learned."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.bundle.arrays import Array
from edge.bundle.features import CONTEXT
from edge.errors import GivenError
from models.data.histories import asked_in, histories, padded
from models.data.interactions import Interactions
from models.data.split import split_in_time, split_per_user
from models.graphs.blend import blend_arrays, blend_graph, blend_scores, learn_weights, repeated
from models.kept import members as kept_members
from models.settings import COMMON, Choice, Number, Setting, Settings, Text, nearest
from models.trained import Progress, Recipe, Scores, Trained

LEARN_SHARE: Final = 0.75
MAX_CELLS: Final = 20_000_000
"""Scores of one member that weights are learned from; of more users, as many as fit are drawn."""


class Ensemble:
    """A linear blend of recipes, its weights by coordinate ascent on nDCG (Metzler and Croft 2007).

    Of what it is given to train on, it sets a part aside, trains its members on the rest and learns from
    the part which weights list best; then it trains the members on all. A member that is named
    more than once is trained with as many seeds.
    """

    name: Final = "ensemble"
    excludes_seen: Final = True
    settings: Final[Mapping[str, Setting]] = {
        "members": Text("svd ease als bpr", "The recipes that it blends, with spaces between."),
        "neighbours": Number(
            400, "How many neighbours an item has in members that have any.", 1000, whole=True
        ),
        "learn_on": Choice(
            "random", "Which quarter weights are learned on: any, or the newest.", ("random", "time")
        ),
        "seed": Number(0, "What random numbers begin with.", 2**31),
    }

    def __init__(self, recipes: Sequence[Recipe]) -> None:
        self._recipes: Final = {recipe.name: recipe for recipe in recipes if recipe.excludes_seen}

    def train(
        self, interactions: Interactions, items: tuple[str, ...], settings: Settings, progress: Progress
    ) -> Trained:
        """See `models.trained.Recipe`."""
        members = repeated(settings["members"].split())
        self._check([name for name, _ in members])
        known, held = _divide(interactions, settings)
        tried = self._train_all(known, members, settings, lambda step, share: progress(step, share / 2))
        weights = _learn(tried, known, held, int(settings["seed"]))
        used = [(name, seed) for name, seed in members if weights[f"{name}/{seed}"]]
        trained = self._train_all(
            interactions, used, settings, lambda step, share: progress(step, 0.5 + share / 2)
        )
        for name in self._kept(((known, members), (interactions, used)), settings):
            kept_members.forget(name)
        arrays = blend_arrays(trained, weights)
        card = {"weights": {name: round(weight, 6) for name, weight in weights.items()}}
        graph = blend_graph(self.name, trained, arrays)
        features = next((member.features for member in trained.values() if member.features), ())
        return Trained(self.name, items, graph, arrays, card, self.score, features=features)

    def score(
        self, arrays: Mapping[str, Array], history: NDArray[np.int32], weight: NDArray[np.float32]
    ) -> Scores:
        """See `models.trained.Recipe`."""
        parts: dict[str, dict[str, Array]] = {}
        context = {CONTEXT: arrays[CONTEXT]} if CONTEXT in arrays else {}
        for key, array in arrays.items():
            if key in context:
                continue
            member, _, name = key.rpartition("/")
            parts.setdefault(member, {})[name] = array
        scores = {
            member: self._recipes[member.partition("/")[0]].score({**part, **context}, history, weight)
            for member, part in parts.items()
        }
        return blend_scores(scores, arrays)

    def _check(self, names: Sequence[str]) -> None:
        for name in names:
            if name not in self._recipes:
                hint = nearest(name, self._recipes)
                raise GivenError("setting", f"ensemble: members: there is no recipe {name!r}{hint}")

    def _train_all(
        self,
        interactions: Interactions,
        members: Sequence[tuple[str, int]],
        settings: Settings,
        progress: Progress,
    ) -> dict[str, Trained]:
        trained = {}
        for place, (name, number) in enumerate(members):
            recipe, chosen = self._recipes[name], self._settings(name, number, settings)
            make = partial(recipe.train, interactions, interactions.item_ids, chosen, _unheard)
            key = kept_members.member_name(recipe, interactions, chosen)
            trained[f"{name}/{number}"] = kept_members.remembered(key, recipe, make)
            progress(f"train {name}", (place + 1) / len(members))
        return trained

    def _settings(self, name: str, number: int, settings: Settings) -> dict[str, Any]:
        """A member's settings: its recipe's defaults, and what the ensemble says."""
        recipe = self._recipes[name]
        chosen = {key: setting.default for key, setting in {**recipe.settings, **COMMON}.items()}
        own = {"seed": settings["seed"] + number, "neighbours": settings["neighbours"]}
        return chosen | {key: value for key, value in own.items() if key in recipe.settings}

    def _kept(
        self, trainings: Iterable[tuple[Interactions, Sequence[tuple[str, int]]]], settings: Settings
    ) -> Iterator[str]:
        """The names by which the members of these trainings were kept."""
        for interactions, members in trainings:
            for name, number in members:
                chosen = self._settings(name, number, settings)
                yield kept_members.member_name(self._recipes[name], interactions, chosen)


def _unheard(step: str, share: float) -> None:
    """Members are heard of once they are done."""


def _divide(interactions: Interactions, settings: Settings) -> tuple[Interactions, Interactions]:
    if settings["learn_on"] == "time":
        known, held = split_in_time(interactions, LEARN_SHARE)
    else:
        known, held = split_per_user(interactions, LEARN_SHARE, int(settings["seed"]))
    return known, held.where(np.isin(held.users, known.users))


def _learn(
    members: Mapping[str, Trained], known: Interactions, held: Interactions, seed: int
) -> dict[str, float]:
    """Weights from what users did in the part that was set aside; equal ones where nobody did anything."""
    users = np.unique(held.users)
    if not len(users):
        return dict.fromkeys(members, 1.0)
    n_items = len(known.item_ids)
    room = max(1, MAX_CELLS // n_items)
    if len(users) > room:
        users = np.sort(np.random.default_rng(seed).choice(users, room, replace=False))
    by_user = histories(known)
    history, weight = padded([by_user[user] for user in users.tolist()], n_items)
    contexts = asked_in(held)
    asked = None if contexts is None else contexts[users]
    scores = {name: member.score(history, weight, asked) for name, member in members.items()}
    seen, relevant = (_uses(part, users, n_items) for part in (known, held))
    relevant &= ~seen
    some = relevant.any(axis=1)
    return learn_weights({name: found[some] for name, found in scores.items()}, seen[some], relevant[some])


def _uses(part: Interactions, users: NDArray[np.int32], n_items: int) -> NDArray[np.bool_]:
    used = np.zeros((len(part.user_ids), n_items), np.bool_)
    used[part.users, part.items] = True
    return used[users]

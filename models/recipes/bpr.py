"""Ranks items so that what was viewed comes before what was not: factors of histories, learned by pairs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.bundle.arrays import Array
from models.cooccurrence import use_matrix
from models.factors import Dense, factor_arrays, factor_graph, score_factors
from models.interactions import Interactions
from models.settings import Number, Setting, Settings
from models.trained import Progress, Scores, Trained

Places = NDArray[np.int64]
SPREAD: Final = 0.05
"""Of the random numbers that factors begin with."""


class Bpr:
    """Bayesian personalized ranking (Rendle et al. 2009), of factors as in FISM (Kabbur et al. 2013).

    A user's factors are the sum of what each item of the history adds, over the root of how many they
    are; an item adds nothing to its own score in training. So nothing is learned of a user, and
    a new one is as good as any.
    """

    name: Final = "bpr"
    excludes_seen: Final = True
    settings: Final[Mapping[str, Setting]] = {
        "factors": Number(32, "How many numbers stand for a user and for an item.", 1024, whole=True),
        "rounds": Number(15, "How often all views are learned from.", 10_000, whole=True),
        "learning_rate": Number(
            0.05, "How much one view changes; it falls to 0 over the rounds.", 1, positive=True
        ),
        "regularization": Number(0.01, "How much factors are kept small.", 1),
        "negatives": Number(3, "Items not viewed that each view is set against.", 100, whole=True),
        "seed": Number(0, "What random numbers begin with.", 2**31),
    }

    def train(
        self, interactions: Interactions, items: tuple[str, ...], settings: Settings, progress: Progress
    ) -> Trained:
        """See `models.trained.Recipe`."""
        used = use_matrix(interactions, len(items))
        viewed = np.split(used.indices.astype(np.int64), used.indptr[1:-1])
        learner = _Learner.begin(len(items), settings)
        rounds = int(settings["rounds"])
        for done in range(rounds):
            learner.learn(viewed, settings["learning_rate"] * (1 - done / rounds))
            progress("learn", (done + 1) / rounds)
        arrays = factor_arrays(learner.into, learner.out.T, learner.bias)
        return Trained(self.name, items, factor_graph(self.name, arrays, "root"), arrays, {}, self.score)

    def score(
        self, arrays: Mapping[str, Array], history: NDArray[np.int32], weight: NDArray[np.float32]
    ) -> Scores:
        """See `models.trained.Recipe`."""
        return score_factors(arrays, history, weight, "root")


@dataclass(eq=False)
class _Learner:
    """Stochastic gradient ascent, one user at a time, in an order that the seed gives."""

    into: Dense
    out: Dense
    bias: Dense
    draw: np.random.Generator
    regularization: float
    negatives: int

    @classmethod
    def begin(cls, n_items: int, settings: Settings) -> "_Learner":
        draw = np.random.default_rng(int(settings["seed"]))
        into, out = draw.normal(0.0, SPREAD, (2, n_items, int(settings["factors"])))
        return cls(into, out, np.zeros(n_items), draw, settings["regularization"], int(settings["negatives"]))

    def learn(self, viewed: list[Places], rate: float) -> None:
        """One round: each view against `negatives` items that its user did not view."""
        is_viewed = np.zeros(len(self.bias), np.bool_)
        for user in self.draw.permutation(len(viewed)).tolist():
            items = viewed[user]
            if len(items) < 2:  # what is left of the history without its one item is nothing
                continue
            is_viewed[items] = True
            place = np.repeat(np.arange(len(items)), self.negatives)
            others = self.draw.integers(0, len(self.bias), len(place))
            open_ = ~is_viewed[others]
            is_viewed[items] = False
            self._step(items, place[open_], others[open_], rate)

    def _step(self, items: Places, place: Places, others: Places, rate: float) -> None:
        """Raise ``items[place]`` over `others`, for the user who viewed `items`."""
        scale = (len(items) - 1) ** -0.5
        chosen = items[place]
        users = (self.into[items].sum(axis=0) - self.into[chosen]) * scale
        apart = self.out[chosen] - self.out[others]
        wrong = 1 / (1 + np.exp((users * apart).sum(axis=1) + self.bias[chosen] - self.bias[others]))
        to_users = wrong[:, np.newaxis] * apart * scale
        gain = np.tile(to_users.sum(axis=0), (len(items), 1))
        np.subtract.at(gain, place, to_users)
        to_out = rate * wrong[:, np.newaxis] * users
        shrink = rate * self.regularization
        np.add.at(self.out, chosen, to_out - shrink * self.out[chosen])
        np.add.at(self.out, others, -to_out - shrink * self.out[others])
        np.add.at(self.bias, chosen, rate * wrong - shrink * self.bias[chosen])
        np.add.at(self.bias, others, -rate * wrong - shrink * self.bias[others])
        self.into[items] += rate * gain / self.negatives - shrink * self.into[items]

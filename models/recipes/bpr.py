"""Ranks items so that what was viewed comes before what was not: factors of histories, learned by pairs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.bundle.arrays import Array
from models.data.interactions import Interactions
from models.data.positions import DEBIAS_POSITION, view_weights
from models.graphs.factors import Dense, factor_arrays, factor_graph, score_factors
from models.kept.rounds import Learned, Rounds, chance_state, set_chance
from models.learn.cooccurrence import use_matrix
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
        "debias_position": DEBIAS_POSITION,
        "seed": Number(0, "What random numbers begin with.", 2**31),
    }

    def train(
        self, interactions: Interactions, items: tuple[str, ...], settings: Settings, progress: Progress
    ) -> Trained:
        """See `models.trained.Recipe`."""
        used = use_matrix(interactions, len(items), view_weights(interactions, settings))
        viewed = np.split(used.indices.astype(np.int64), used.indptr[1:-1])
        weights = np.split(used.data, used.indptr[1:-1])
        learner = _Learner.begin(len(items), settings)
        rounds, kept = int(settings["rounds"]), Rounds(self.name, interactions, settings)
        begun, learned = kept.found()
        learner.take(learned)
        for done in range(begun, rounds):
            learner.learn(viewed, weights, settings["learning_rate"] * (1 - done / rounds))
            kept.keep(done + 1, learner.learned())
            progress("learn", (done + 1) / rounds)
        kept.end()
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

    def learned(self) -> Learned:
        """All that the next round depends on."""
        return {"into": self.into, "out": self.out, "bias": self.bias, "draw": chance_state(self.draw)}

    def take(self, learned: Learned) -> None:
        """Go on from what `learned` gave, where it is anything."""
        if learned:
            self.into, self.out, self.bias = learned["into"], learned["out"], learned["bias"]
            set_chance(self.draw, learned["draw"])

    def learn(self, viewed: list[Places], weights: list[Dense], rate: float) -> None:
        """One round: each view by its weight, against `negatives` items that its user did not view."""
        is_viewed = np.zeros(len(self.bias), np.bool_)
        for user in self.draw.permutation(len(viewed)).tolist():
            items = viewed[user]
            if len(items) < 2:  # what is left of the history without its one item is nothing
                continue
            is_viewed[items] = True
            others = self.draw.integers(0, len(self.bias), (len(items), self.negatives))
            counted = ~is_viewed[others] * weights[user][:, np.newaxis]
            is_viewed[items] = False
            self._step(items, others, counted, rate)

    def _step(self, items: Places, others: Places, counted: Dense, rate: float) -> None:
        """Raise each of a user's items over its row of `others`, as far as those are counted."""
        scale = (len(items) - 1) ** -0.5
        users = (self.into[items].sum(axis=0) - self.into[items]) * scale
        apart = self.out[items][:, np.newaxis] - self.out[others]
        lead = np.einsum("ijk,ik->ij", apart, users) + self.bias[items][:, np.newaxis] - self.bias[others]
        wrong = counted / (1 + np.exp(lead))
        to_users = np.einsum("ij,ijk->ik", wrong, apart) * scale
        to_out = wrong[:, :, np.newaxis] * users[:, np.newaxis]
        shrink = rate * self.regularization
        times = counted.sum(axis=1)
        raised = rate * to_out.sum(axis=1) - shrink * times[:, np.newaxis] * self.out[items]
        lowered = -rate * to_out - shrink * counted[:, :, np.newaxis] * self.out[others]
        self.out[items] += raised
        np.add.at(self.out, others, lowered)
        self.bias[items] += rate * wrong.sum(axis=1) - shrink * times * self.bias[items]
        np.add.at(self.bias, others, -rate * wrong - shrink * counted * self.bias[others])
        gain = to_users.sum(axis=0) - to_users
        self.into[items] += rate * gain / self.negatives - shrink * self.into[items]

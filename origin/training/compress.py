"""Finds the smallest form of a workspace's model within an allowed loss, on parts of its interactions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from compiler.workspace import ModelConfig
from edge.errors import GivenError
from models import recipe
from models.data.contexts import Rows
from models.data.histories import asked_in, histories
from models.data.interactions import Interactions
from models.measures import metrics
from models.small.smallest import Frontier, Point, search
from models.trained import Trained

METRIC: Final = "ndcg@10"
TOP: Final = 10

Step = Callable[[str, float], None]
"""Hears a step's name and the done share."""

Divide = Callable[[Interactions], tuple[Interactions, Interactions]]
Rank = Callable[[Trained, list[list[int]], Rows | None], metrics.Lists]


@dataclass(frozen=True)
class Parts:
    """What to train on, and what to measure with: the users that both know."""

    known: Interactions
    test: Interactions


def parts(interactions: Interactions, divide: Divide) -> Parts:
    """Divide interactions, and leave out whom the first part does not know.

    Raises
    ------
    GivenError
        ``too-few``: nobody is in both parts.
    """
    known, test = divide(interactions)
    test = test.where(np.isin(test.users, known.users))
    if not len(known) or not len(test):
        raise GivenError("too-few", "nobody is in both parts of the interactions, so nothing can be measured")
    return Parts(known, test)


def smallest(config: ModelConfig, divided: Parts, rank: Rank, lose: float, progress: Step) -> Frontier:
    """The frontier of a model between its bytes and its nDCG@10 on the test part."""
    settings = recipe.check_settings(config.recipe, config.settings)

    def train(smaller: Mapping[str, float]) -> Trained:
        changed = {**config.settings, **smaller, "storage": "float32"}
        words = in_words(smaller) or config.recipe
        return recipe.train(
            config.name,
            config.recipe,
            divided.known,
            changed,
            lambda step, share: progress(f"{words}: {step}", share),
        )

    def measure(model: Trained) -> NDArray[np.float64]:
        return by_user(lambda histories, contexts: rank(model, histories, contexts), divided)

    return search(settings, recipe.settings_of(config.recipe), train, measure, lose)


def by_user(recommend: metrics.Recommend, divided: Parts) -> NDArray[np.float64]:
    """nDCG@10 of each user of the test part."""
    known = histories(divided.known)
    wanted = [frozenset(items) for items in histories(divided.test)]
    users = [user for user, items in enumerate(wanted) if items]
    lists = metrics.lists_of(recommend, known, asked_in(divided.test), users)
    return np.array(
        [metrics.ndcg([list_], [wanted[user]], TOP) for user, list_ in zip(users, lists, strict=True)]
    )


def chosen_settings(point: Point) -> dict[str, float | str]:
    """What to train with to get a point's model."""
    return {**point.settings, "storage": point.storage}


def in_words(settings: Mapping[str, float]) -> str:
    """Settings as people read them: ``190 neighbours``."""
    return ", ".join(f"{value:g} {name}" for name, value in settings.items())


def frontier_document(frontier: Frontier, metric: str) -> dict[str, object]:
    """The frontier as JSON."""
    best = frontier.best()
    return {
        "lose": frontier.lose,
        "metric": metric,
        "points": [
            {
                "settings": dict(point.settings),
                "storage": point.storage,
                "bytes": point.bytes,
                "metric": round(point.metric, 4),
                "loss": round(point.loss, 5),
                "bound": round(point.bound, 5),
                "best": point in best,
                "chosen": point == frontier.chosen,
            }
            for point in frontier.points
        ],
    }

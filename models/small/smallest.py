"""Searches the smallest model within an allowed loss: less of it is kept, in smaller numbers."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.settings import FLOAT16, FLOAT32, INT8, Number, Setting
from models.small.storage import store
from models.trained import Trained

SHRINKS: Final = ("neighbours", "factors", "hidden")
"""Settings of recipes that say how much is kept; what a recipe has of them is searched."""

SHARES: Final = (1.0, 0.95, 0.9, 0.75, 0.5, 0.375, 0.25, 0.125)
STORAGES: Final = (FLOAT32, FLOAT16, INT8)

HOPELESS: Final = 2.0
"""Where plain numbers lose that many times what is allowed, smaller models are not trained any more."""

Train = Callable[[Mapping[str, float]], Trained]
"""Trains with some settings changed, and plain numbers."""

Measure = Callable[[Trained], NDArray[np.float64]]
"""How good a model is for each user, on a part of the data that it has not seen; more is better."""

CERTAIN: Final = 1.645
"""Standard errors above the loss that was measured: in 95 of 100 draws of users it is below that."""


@dataclass(frozen=True)
class Point:
    """One model that was tried.

    Attributes
    ----------
    settings : Mapping[str, float]
        The settings that say how much is kept.
    metric : float
        The mean over the users of the validation part.
    loss : float
        Of the metric, as a share of the configured model's; below 0 it is better.
    bound : float
        The loss is below it with 95 % certainty: the users are the same, so their differences count.
    """

    settings: Mapping[str, float]
    storage: str
    bytes: int
    metric: float
    loss: float
    bound: float


@dataclass(frozen=True, eq=False)
class Tried:
    """A model in one storage: its bytes, and how good it is for each unit that was held out."""

    storage: str
    bytes: int
    quality: NDArray[np.float64]
    more: Mapping[str, float] = field(default_factory=dict)
    """Settings beside those that were trained with."""


@dataclass(frozen=True)
class Frontier:
    """All models that were tried, the configured one first; `chosen` surely loses at most `lose`."""

    points: tuple[Point, ...]
    chosen: Point
    lose: float

    def best(self) -> tuple[Point, ...]:
        """Those that no other one beats in bytes without being worse, the smallest first."""
        found: list[Point] = []
        for point in sorted(self.points, key=lambda point: (point.bytes, -point.metric)):
            if not found or point.metric > found[-1].metric:
                found.append(point)
        return tuple(found)


def model_bytes(model: Trained) -> int:
    """What a model adds to a bundle: its arrays, and its part of the graph."""
    return len(model.scores_graph) + sum(array.nbytes for array in model.arrays.values())


def search(
    settings: Mapping[str, float | str],
    known: Mapping[str, Setting],
    train: Train,
    measure: Measure,
    lose: float,
) -> Frontier:
    """Try smaller settings and storages than the configured ones.

    Parameters
    ----------
    settings
        The configured ones, complete.
    known
        What the recipe can be told.
    lose
        The allowed loss as a share: 0.005 is half a percent.
    """

    sizes = set[int]()

    def tried(smaller: Mapping[str, float]) -> Iterator[Tried]:
        model = train(smaller)
        if model_bytes(model) in sizes:
            return  # there was no more to keep
        sizes.add(model_bytes(model))
        for storage in STORAGES:
            stored = store(model, storage)
            yield Tried(storage, model_bytes(stored), measure(stored))

    return explore([steps(settings, known, SHRINKS)], tried, lose)


def explore(
    paths: Iterable[Iterable[Mapping[str, float]]],
    tried: Callable[[Mapping[str, float]], Iterator[Tried]],
    lose: float,
) -> Frontier:
    """Try settings, the configured ones first, on each path until plain numbers lose hopelessly much."""
    points: list[Point] = []
    seen: list[Mapping[str, float]] = []
    before: NDArray[np.float64] | None = None
    for path in paths:
        for settings in path:
            if settings in seen:
                continue
            seen.append(settings)
            first = len(points)
            for found in tried(settings):
                before = found.quality if before is None else before
                loss, bound = _loss(before, found.quality)
                mean, every = float(found.quality.mean()), {**settings, **found.more}
                points.append(Point(every, found.storage, found.bytes, mean, loss, bound))
            if any(point.loss > HOPELESS * lose for point in points[first : first + 1]):
                break
    allowed = [points[0], *(point for point in points if point.bound <= lose)]
    chosen = min(allowed, key=lambda point: (point.bytes, -point.metric))
    return Frontier(tuple(points), chosen, lose)


def _loss(before: NDArray[np.float64], after: NDArray[np.float64]) -> tuple[float, float]:
    """The loss of the mean as a share, and what it is surely below."""
    mean = float(before.mean())
    if not mean:
        return 0.0, 0.0
    error = float((before - after).std()) / len(before) ** 0.5 / mean
    loss = 1 - float(after.mean()) / mean
    return loss, loss + CERTAIN * error


def steps(
    settings: Mapping[str, float | str], known: Mapping[str, Setting], shrinks: Sequence[str]
) -> Iterator[dict[str, float]]:
    """The settings that say how much is kept, at all shares; once where there are none."""
    names = [name for name in shrinks if isinstance(known.get(name), Number)]
    seen = []
    for share in SHARES:
        step = {name: max(1.0, round(float(settings[name]) * share)) for name in names}
        if step not in seen:
            seen.append(step)
            yield step

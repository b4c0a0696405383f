"""Searches the smallest prediction within an allowed loss: fewer trees and leaves, narrower networks."""

import math
from collections.abc import Iterator, Mapping
from typing import Final

from edge.errors import GivenError
from models.predict.contract import Prediction
from models.predict.halving import FULL, halve
from models.predict.pruning import prune
from models.predict.quality import metric_of, quality
from models.predict.recipe import check_settings, recipe_of, settings_of, train
from models.predict.table import Table
from models.settings import FLOAT16
from models.small.smallest import Frontier, Point, Tried, explore
from models.trained import Progress

TREES: Final = ("rounds", "trees")
"""Settings that say how many trees there are, of which the first ones are kept."""

OTHERS: Final = ("leaves", "hidden", "words")
"""Settings that say how much is kept of anything else."""

FEWEST: Final = {"leaves": 4.0, "hidden": 1.0, "words": 64.0}
SHARES: Final = (0.75, 0.5, 0.375, 0.25, 0.125)
PRUNES: Final = (0.25, 0.5, 0.75)


def search_prediction(
    name: str,
    asked: tuple[str, Mapping[str, object]],
    parts: tuple[Table, Table],
    lose: float,
    progress: Progress,
) -> Frontier:
    """Try smaller settings than those of `asked`, a recipe and its settings.

    Fewer trees are the first ones of those that were grown; of each model that is trained, leaves
    that say least are taken away, and weights halved. Quality is by the recipe's metric, see
    `models.predict.quality`: of the second part, by units, so that the loss has an interval.

    Raises
    ------
    GivenError
        ``smallest``: the recipe has no metric, nothing that says how much is kept, or no quality to lose.
    """
    recipe, given = asked
    known, test = parts
    settings = check_settings(recipe, given)
    metric_of(recipe, settings)
    pruned, whole = float(settings.get("prune", 0)), {"prune": 0} if "prune" in settings else {}
    grown: dict[str, float] = {}

    def tried(smaller: Mapping[str, float]) -> Iterator[Tried]:
        model = train(name, recipe, known, {**given, **smaller, **whole}, progress)
        grown.setdefault("trees", float(model.card.get("trees", 0)))
        for form, more, kept in _forms(model, known, pruned):
            yield Tried(kept, _bytes(form), quality(form, known, test), more)

    found = explore(_paths(recipe, given, grown), tried, lose)
    if found.points[0].metric <= 0:
        raise GivenError("smallest", "it is no better than what anybody could say: there is nothing to lose")
    return found


def chosen_settings(point: Point) -> dict[str, float | str]:
    """What to train with to get a point's model."""
    return {**point.settings, **({"weights": FLOAT16} if point.storage == FLOAT16 else {})}


Form = tuple[Prediction, dict[str, float], str]
"""A model, its settings beside those that were trained with, and how its weights are kept."""


def _forms(model: Prediction, known: Table, pruned: float) -> Iterator[Form]:
    """What comes of a trained model without training again; as it is configured first."""
    recipe, settings = recipe_of(str(model.card["recipe"])), model.card["settings"]
    if "prune" not in settings:
        yield model, {}, str(settings.get("weights", FULL))
    else:
        for share in sorted({pruned, *(share for share in PRUNES if share > pruned)}):
            more = {"prune": share} if share > pruned else {}
            yield prune(model, recipe, known.rows, share), more, FULL
    if settings.get("weights") == FULL:
        yield halve(model, recipe), {}, FLOAT16


def _paths(
    recipe: str, given: Mapping[str, object], grown: Mapping[str, float]
) -> Iterator[Iterator[dict[str, float]]]:
    """Ways to less, the configured settings first; each is gone until it loses too much."""
    yield iter([{}])
    settings, known = check_settings(recipe, given), settings_of(recipe)
    others = [key for key in OTHERS if key in known]
    trees = next((key for key in TREES if key in known), "")

    def fewer(share: float) -> dict[str, float]:
        most = min(grown.get("trees") or math.inf, float(settings[trees]))
        stop = {"patience": 0.0} if "patience" in known else {}
        return {trees: max(1.0, round(most * share)), **stop}

    def less(share: float) -> dict[str, float]:
        return {key: max(FEWEST[key], round(float(settings[key]) * share)) for key in others}

    if others:
        yield map(less, SHARES)
    if trees:
        yield map(fewer, SHARES)
        yield ({**less(share), **fewer(share)} for share in SHARES)
    if not others and not trees and "weights" not in known:
        raise GivenError("smallest", f"{recipe} has no setting that says how much of it is kept")


def _bytes(model: Prediction) -> int:
    return len(model.graph) + sum(array.nbytes for array in model.arrays.values())

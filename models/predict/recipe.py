"""The prediction recipes by name: to train, keep and read back a prediction."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from edge.errors import GivenError
from models.bring.recipe import Brought
from models.data.sample import sample_rows, sample_texts
from models.predict import contract
from models.predict.blend import Blend
from models.predict.boosting import Boosting
from models.predict.contract import Prediction, PredictionRecipe, save
from models.predict.forest import Forest
from models.predict.halving import FULL, halve
from models.predict.hist_boosting import HistBoosting
from models.predict.intent import Intent
from models.predict.lambdamart import LambdaMart
from models.predict.logistic import Logistic
from models.predict.mlp import Mlp
from models.predict.pruning import prune
from models.predict.segments import Segments
from models.predict.table import Table
from models.predict.text import Text
from models.predict.uplift import Uplift
from models.provenance import code_hash
from models.settings import Number, Setting, complete, nearest
from models.trained import Progress

BROUGHT: Final = Brought.name
"""What no recipe trains: a model that was fitted elsewhere."""

__all__ = ["BROUGHT", "COMMON", "PREDICTIONS", "Prediction", "Table", "load", "save", "settings_of", "train"]

PREDICTIONS: Final[Mapping[str, PredictionRecipe]] = {
    recipe.name: recipe
    for recipe in (
        Boosting(),
        Forest(),
        HistBoosting(),
        Intent(),
        LambdaMart(),
        Logistic(),
        Mlp(),
        Segments(),
        Text(),
        Uplift(),
    )
}

COMMON: Final[Mapping[str, Setting]] = {
    "seed": Number(1, "What chance begins with; the same seed gives the same bytes.", 2**31 - 1, whole=True),
}
"""What every prediction recipe has."""


def train(
    name: str,
    recipe: str,
    table: Table,
    settings: Mapping[str, object] | None = None,
    progress: Progress = lambda step, share: None,
) -> Prediction:
    """Train a prediction under a name; settings left out have the recipe's defaults.

    Raises
    ------
    GivenError
        ``unknown-recipe``, ``unknown-setting`` (both with the nearest name), ``setting``, or
        ``table`` where the recipe can't learn from it.
    """
    chosen = recipe_of(recipe)
    checked = check_settings(recipe, settings or {})
    model = chosen.train(table, checked, progress)
    model = prune(model, chosen, table.rows, float(checked.get("prune", 0)))
    if checked.get("weights", FULL) != FULL:
        model = halve(model, chosen)
    outputs = (name,) if len(model.outputs) == 1 else model.outputs
    frame: dict[str, Any] = {
        "recipe": recipe,
        "settings": checked,
        "data": table.digest(),
        "rows": len(table),
        "metrics": {},
    }
    card = {**frame, **model.card, "code": code_hash(type(chosen).__module__)}
    sample = sample_texts(table.texts, model.words) if model.words else sample_rows(table.rows)
    return replace(model, name=name, outputs=outputs, card=card, sample=sample)


def settings_of(recipe: str) -> dict[str, Setting]:
    """All that a recipe can be told."""
    if recipe == Brought.name:
        return dict(Brought.settings)
    return {**recipe_of(recipe).settings, **COMMON}


def check_settings(recipe: str, settings: Mapping[str, object]) -> dict[str, float | str]:
    """The recipe's settings complete with defaults; raises as `train` does."""
    return complete(recipe, settings_of(recipe), settings)


def load(folder: Path) -> Prediction:
    """Read a prediction that `save` wrote.

    Raises
    ------
    GivenError
        ``trained-model`` where the folder is not what `save` writes, or ``unknown-recipe``.
    """
    return contract.load(folder, _recipe_of_card)


def _recipe_of_card(name: str) -> PredictionRecipe:
    """Blends and models that were brought are read back, but not trained."""
    if name == Brought.name:
        return Brought()
    return Blend(recipe_of) if name == Blend.name else recipe_of(name)


def recipe_of(name: str) -> PredictionRecipe:
    """The recipe of that name.

    Raises
    ------
    GivenError
        ``unknown-recipe``, with the nearest name.
    """
    if name not in PREDICTIONS:
        raise GivenError("unknown-recipe", f"no recipe {name!r}{nearest(name, PREDICTIONS)}")
    return PREDICTIONS[name]

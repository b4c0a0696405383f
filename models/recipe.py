"""The recipes by name: to train, keep and read back a model."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from edge.errors import GivenError
from models import trained as _trained
from models.ease import Ease
from models.interactions import Interactions
from models.popularity import Popularity
from models.trained import Predictor, Progress, Recipe, Trained, save

__all__ = ["RECIPES", "Progress", "Recipe", "Trained", "load", "save", "train"]

RECIPES: Final[Mapping[str, Recipe]] = {recipe.name: recipe for recipe in (Ease(), Popularity())}


def train(
    name: str,
    recipe: str,
    interactions: Interactions,
    settings: Mapping[str, object] | None = None,
    progress: Progress = lambda step, share: None,
) -> Trained:
    """Train a model under a name; settings left out have the recipe's defaults.

    Raises
    ------
    GivenError
        ``unknown-recipe``, ``unknown-setting`` (both with the nearest name) or ``setting``.
    """
    chosen = _recipe(recipe)
    complete = check_settings(recipe, settings or {})
    return replace(chosen.train(interactions, interactions.item_ids, complete, progress), name=name)


def check_settings(recipe: str, settings: Mapping[str, object]) -> dict[str, float]:
    """The recipe's settings complete with defaults; raises as `train` does."""
    defaults = _recipe(recipe).settings
    for key, value in settings.items():
        if key not in defaults:
            raise GivenError("unknown-setting", f"{recipe} has no setting {key!r}{_nearest(key, defaults)}")
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
            raise GivenError("setting", f"{recipe}: {key} must be a number above 0, not {value!r}")
    return {key: float(settings.get(key, default)) for key, default in defaults.items()}  # type: ignore[arg-type]


def load(folder: Path) -> Trained:
    """Read a model that `save` wrote.

    Raises
    ------
    GivenError
        ``trained-model`` where the folder is not what `save` writes, or ``unknown-recipe``.
    """
    return _trained.load(folder, _predictor)


def _predictor(recipe: str) -> Predictor:
    return _recipe(recipe).score


def _recipe(name: str) -> Recipe:
    if name not in RECIPES:
        raise GivenError("unknown-recipe", f"no recipe {name!r}{_nearest(name, RECIPES)}")
    return RECIPES[name]


def _nearest(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = difflib.get_close_matches(name, names, 1)
    return f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(names)}"

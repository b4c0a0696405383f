"""Keeps trained members of a blend, so that training that was stopped has not to train them again."""

import shutil
from collections.abc import Callable
from dataclasses import replace

from edge.bundle import format as fmt
from edge.errors import GivenError
from models.data.interactions import Interactions
from models.kept import folder as kept
from models.settings import Settings
from models.trained import Recipe, Trained, load, save


def member_name(recipe: Recipe, interactions: Interactions, settings: Settings) -> str:
    """Stands for all that the member depends on."""
    told = repr((recipe.name, sorted(settings.items()), interactions.digest()))
    return f"{fmt.digest(told.encode())[:16]}-member"


def remembered(name: str, recipe: Recipe, make: Callable[[], Trained]) -> Trained:
    """The member of this name, which is made where none is kept whole."""
    folder = kept.place(name)
    if folder is None:
        return make()
    if folder.is_dir():
        try:
            return load(folder, lambda _: recipe)
        except GivenError:
            shutil.rmtree(folder)
    made = make()
    partial = folder.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    save(replace(made, card={**made.card, "recipe": recipe.name}), partial)
    partial.rename(folder)
    return made


def forget(name: str) -> None:
    """Remove what is kept of this name."""
    folder = kept.place(name)
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)

"""The recipes by name: to train, keep and read back a model."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from edge.errors import GivenError
from models import trained as _trained
from models.bring.recommender import BroughtRecommender, evaluator
from models.data.interactions import Interactions
from models.data.sample import sample_histories
from models.graphs.blocked import finder_of
from models.graphs.shortlist import FixedFinder
from models.provenance import code_hash
from models.recipes.als import Als
from models.recipes.also_viewed import AlsoViewed
from models.recipes.bpr import Bpr
from models.recipes.content import Content
from models.recipes.ease import Ease
from models.recipes.ensemble import Ensemble
from models.recipes.hybrid import Hybrid
from models.recipes.item_item import ItemItem
from models.recipes.lightgcn import LightGcn
from models.recipes.look_alike import LookAlike
from models.recipes.markov import Markov
from models.recipes.mult_dae import MultDae
from models.recipes.ncf import Ncf
from models.recipes.popularity import Popularity
from models.recipes.recently_viewed import RecentlyViewed
from models.recipes.sasrec import SasRec
from models.recipes.svd import Svd
from models.recipes.text_embeddings import TextEmbeddings
from models.recipes.two_tower import TwoTower
from models.recipes.user_user import UserUser
from models.settings import COMMON, Setting, complete, nearest
from models.small.storage import decoding, store
from models.trained import SCORER, Finder, Progress, Recipe, Trained, save

BROUGHT: Final = BroughtRecommender()
"""What no recipe trains: a model that was trained elsewhere."""

__all__ = ["BROUGHT", "NETWORKS", "RECIPES", "Progress", "Recipe", "Trained", "load", "save", "train"]

PLAIN: Final[tuple[Recipe, ...]] = (
    Als(),
    AlsoViewed(),
    Bpr(),
    Content(),
    Ease(),
    Hybrid(),
    ItemItem(),
    LookAlike(),
    Markov(),
    Popularity(),
    RecentlyViewed(),
    Svd(),
    UserUser(),
)

FEATURES: Final = "features"

NETWORKS: Final[tuple[Recipe, ...]] = (LightGcn(), MultDae(), Ncf(), SasRec(), TextEmbeddings(), TwoTower())
"""They need PyTorch to be trained: the extra `neural`, or `text`. At the edge they are as any other."""

RECIPES: Final[Mapping[str, Recipe]] = {
    recipe.name: recipe for recipe in (*PLAIN, *NETWORKS, Ensemble((*PLAIN, *NETWORKS)))
}

TAKES_CONTEXT: Final = frozenset({Ensemble.name, Svd.name, TwoTower.name})
"""What may be told features of the context that items were viewed in."""


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
    features = {} if interactions.contexts is None else {FEATURES: interactions.contexts.names}
    checked = check_settings(recipe, {**(settings or {}), **features})
    model = chosen.train(interactions, interactions.item_ids, checked, progress)
    seed, data = int(checked.get("seed", 0)), interactions.digest()
    card = {"recipe": recipe, "settings": checked, "seed": seed, "data": data, "metrics": {}, **model.card}
    card |= {"code": code_hash(type(chosen).__module__), "unseen": interactions.unseen()}
    sample = sample_histories(interactions)
    model = replace(model, name=name, card=card, excludes_seen=chosen.excludes_seen, sample=sample)
    return store(model, str(checked["storage"]))


def settings_of(recipe: str) -> dict[str, Setting]:
    """All that a recipe can be told."""
    return {**_recipe(recipe).settings, **COMMON}


def check_settings(recipe: str, settings: Mapping[str, object]) -> dict[str, float | str]:
    """The recipe's settings complete with defaults; raises as `train` does.

    ``features`` are no setting, and may stand among them: only some recipes take any.
    """
    known = settings_of(recipe)
    if FEATURES in settings and recipe not in TAKES_CONTEXT:
        *others, last = sorted(TAKES_CONTEXT)
        named = f"{', '.join(others)} and {last}"
        raise GivenError("setting", f"{recipe} takes in no features of the context; {named} do")
    return complete(recipe, known, {key: value for key, value in settings.items() if key != FEATURES})


def load(folder: Path) -> Trained:
    """Read a model that `save` wrote.

    Raises
    ------
    GivenError
        ``trained-model`` where the folder is not what `save` writes, or ``unknown-recipe``.
    """
    model = _trained.load(folder, _recipe)
    if model.card.get(SCORER):
        return replace(model, reference=evaluator(model.scores_graph))
    return replace(model, reference=decoding(model.reference), finder=_finder(model))


def _finder(model: Trained) -> Finder | None:
    return FixedFinder() if "ordered" in model.arrays and model.shortlist else finder_of(model.card)


def _recipe(name: str) -> Recipe:
    if name == BROUGHT.name:
        return BROUGHT
    if name not in RECIPES:
        raise GivenError("unknown-recipe", f"no recipe {name!r}{nearest(name, RECIPES)}")
    return RECIPES[name]

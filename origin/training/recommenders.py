"""Trains the models of a workspace and keeps them in its folder."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np

from compiler.features.definitions import DEFINITIONS, definitions
from compiler.problems import Problem, WorkspaceError, nearest
from compiler.workspace import ModelConfig, Workspace
from edge.errors import GivenError
from models import recipe
from models.data.contexts import Rows
from models.data.histories import histories as histories_of
from models.data.histories import padded
from models.data.interactions import Interactions, read
from models.data.split import split_in_time, split_per_user
from models.graphs.blocked import with_blocks
from models.kept import folder as kept
from models.measures import metrics
from models.measures.exposure import list_quality
from models.measures.metrics import Lists
from models.recipe import Trained
from models.small.smallest import Frontier
from models.tables.labelled import MadeFrom
from models.tables.viewed import with_contexts
from origin.training.compress import Divide, chosen_settings, parts, smallest

FOLDER: Final = ".trained"
KEPT: Final = ".kept"
"""In it, what is costly to make again; no model can have that name."""

RANDOM_SHARE: Final = 0.75
TIME_SHARE: Final = 0.8
SEED: Final = 0
LISTED: Final = 10
MAX_SCORES: Final = 1 << 24
"""At once: a large catalog is ranked for fewer users at a time."""


Split = Literal["random", "time", "none"]
SPLITS: Final[Mapping[str, str]] = {
    "random": "75 % of each user's rows to train on, at random",
    "time": "the oldest 80 % of all rows to train on",
}

DIVIDE: Final[Mapping[str, Divide]] = {
    "random": lambda rows: split_per_user(rows, RANDOM_SHARE, SEED),
    "time": lambda rows: split_in_time(rows, TIME_SHARE),
}

BASELINE: Final = "popularity"
"""The recipe that any other one must beat."""

Progress = Callable[[str, str, float], None]
"""Hears a model's name, a step's name and the done share in [0, 1]."""

Trainer = Callable[[Interactions], Trained]


@dataclass(frozen=True)
class TrainedModel:
    """A model that was trained and kept; its metrics are in `model.card`, `split` says on what, in words."""

    model: Trained
    folder: Path
    interactions: int
    unknown: int
    split: str


def train_workspace(
    workspace: Workspace,
    names: Sequence[str] = (),
    progress: Progress = lambda model, step, share: None,
    *,
    split: Split = "random",
) -> Iterator[TrainedModel]:
    """Train the named recommenders, else all, one after the other, and keep each as soon as it is done.

    Parameters
    ----------
    split
        First train on a part of the interactions and measure on the rest: ``random`` is 75 % of
        each user's, as papers do; ``time`` is the oldest 80 % of all, as it will be. ``none``
        measures nothing. Metrics and split are kept in the model's card.

    Raises
    ------
    WorkspaceError
        No such model, or its recipe, settings or interactions can't be used.
    """
    for config in _chosen(workspace, names):
        with _named(config), kept.keeping(workspace.folder / FOLDER / KEPT):
            trained = _train(workspace, config, progress, split)
        yield trained


def measure_baseline(workspace: Workspace, names: Sequence[str], split: Split) -> Mapping[str, float] | None:
    """Metrics of the workspace's first popularity model, for the table of models that it is not among.

    Nothing is kept. None where there is no such model, or where `train_workspace` has measured it.
    """
    found = next((config for config in workspace.models if config.recipe == BASELINE), None)
    if found is None or split == "none" or not names or found.name in names:
        return None
    with _named(found):
        interactions = _read(workspace, found)
        return _measure(_trainer(found, lambda model, step, share: None), interactions, split).metrics


def find_smallest(
    workspace: Workspace, name: str, lose: float, progress: Progress, *, split: Split = "random"
) -> Frontier:
    """Search the smallest form of a model that loses at most `lose`; nothing is kept.

    Raises
    ------
    WorkspaceError
        No such model, or it can't be trained, or nobody is in both parts of its interactions.
    """
    (config,) = _chosen(workspace, [name])
    with _named(config):
        divided = parts(_read(workspace, config), DIVIDE[split])
        return smallest(config, divided, rank, lose, lambda step, share: progress(name, step, share))


def load_trained(workspace: Workspace) -> dict[str, Trained]:
    """The models of a workspace that were trained, by name; which ones are missing is the compiler's to say.

    Raises
    ------
    GivenError
        ``trained-model``: a model's folder is damaged.
    """
    folders = {config.name: model_folder(workspace, config.name) for config in workspace.models}
    return {name: recipe.load(folder) for name, folder in folders.items() if folder.is_dir()}


def model_folder(workspace: Workspace, name: str) -> Path:
    """Where a workspace keeps a trained model."""
    return workspace.folder / FOLDER / name


def _chosen(workspace: Workspace, names: Sequence[str]) -> list[ModelConfig]:
    known = {config.name: config for config in workspace.models}
    all_names = {*known, *(config.name for config in workspace.predictions)}
    unknown = [name for name in names if name not in all_names]
    if unknown:
        message = f"there is no model {unknown[0]!r}"
        raise WorkspaceError([Problem("models", 0, "unknown-name", message, nearest(unknown[0], all_names))])
    return [known[name] for name in names or known if name in known]


@contextmanager
def _named(config: ModelConfig) -> Iterator[None]:
    """What a model can't be trained for is a problem of its file."""
    try:
        yield
    except GivenError as error:
        message = str(error).removeprefix(f"{error.code}: ")
        raise WorkspaceError([Problem(config.path, config.line, "model", message)]) from error


def _read(workspace: Workspace, config: ModelConfig) -> Interactions:
    catalog = workspace.catalog
    found = read(config.interactions, tuple(item.id for item in catalog.items))
    names = (name for name in catalog.columns if name != "id")
    columns = {name: tuple(item.values.get(name, "") for item in catalog.items) for name in names}
    found = replace(found, item_columns=columns, folder=workspace.folder)
    if not config.features:
        return found
    types = {attribute.name: attribute.type for attribute in workspace.site.attributes}
    made = MadeFrom(config.features, workspace.features.by_name, types)
    return with_contexts(found, config.interactions, config.users, made)


def _trainer(config: ModelConfig, progress: Progress) -> Trainer:
    return lambda rows: recipe.train(
        config.name,
        config.recipe,
        rows,
        config.settings,
        lambda step, share: progress(config.name, step, share),
    )


def _train(workspace: Workspace, config: ModelConfig, progress: Progress, split: Split) -> TrainedModel:
    interactions = _read(workspace, config)
    asked = config.settings
    if config.smallest is not None:
        config = _smallest(config, interactions, progress, split)
    train = _trainer(config, progress)
    measured = _measure(train, interactions, split)
    model = with_blocks(train(interactions))
    card = {**model.card, "split": split, "metrics": measured.metrics, "lists": measured.lists}
    card |= {"asked": asked, "smallest": config.smallest}
    if model.features:
        card[DEFINITIONS] = definitions(config.features, workspace.features.by_name)
    model = replace(model, card=card)
    folder = model_folder(workspace, config.name)
    recipe.save(model, folder)
    return TrainedModel(model, folder, len(interactions), interactions.unknown, SPLITS.get(split, ""))


def _smallest(
    config: ModelConfig, interactions: Interactions, progress: Progress, split: Split
) -> ModelConfig:
    """The model with the smallest settings that lose no more than it allows.

    They are chosen within the part that is trained on, so that what is measured later has not been seen.
    """
    divide = DIVIDE.get(split, DIVIDE["random"])
    known, _ = divide(interactions)
    found = smallest(
        config,
        parts(known, divide),
        rank,
        config.smallest or 0.0,
        lambda step, share: progress(config.name, step, share),
    )
    return replace(config, settings={**config.settings, **chosen_settings(found.chosen)})


@dataclass(frozen=True)
class Measured:
    """A model's metrics, and what its card says of the lists (`models.measures.exposure.list_quality`)."""

    metrics: dict[str, float] = field(default_factory=dict)
    lists: dict[str, object] = field(default_factory=dict)


def _measure(train: Trainer, interactions: Interactions, split: Split) -> Measured:
    """Metrics over those users of the test part of whom the training part knows something.

    The others have no history to rank by, so every model would be its fallback;
    ``users_new`` is how many they are.
    """
    if split == "none":
        return Measured()
    known, test = DIVIDE[split](interactions)
    asking = len(np.unique(test.users))
    test = test.where(np.isin(test.users, known.users))
    if not len(known) or not len(test):
        return Measured()
    model = train(known)
    shown: list[Sequence[int]] = []

    def recommend(histories: list[list[int]], contexts: Rows | None) -> Lists:
        lists = rank(model, histories, contexts)
        shown.extend(lists)
        return lists

    found = metrics.evaluate(recommend, known, test, LISTED)
    wanted = [frozenset(items) for items in histories_of(test) if items]
    users = len(np.unique(test.users))
    counts = {"users": users, "users_new": asking - users}
    measured = {**counts, **{name: round(value, 4) for name, value in found.items()}}
    return Measured(measured, list_quality(shown, wanted, known, LISTED))


def rank(model: Trained, histories: list[list[int]], contexts: Rows | None = None) -> Lists:
    """The first `LISTED` catalog positions for each history, as the graph lists them; ties by position."""
    most = max(1, MAX_SCORES // len(model.items))
    if len(histories) > most:
        parts = [slice(at, at + most) for at in range(0, len(histories), most)]
        some = [rank(model, histories[at], None if contexts is None else contexts[at]) for at in parts]
        return [list_ for part in some for list_ in part]
    scores = model.score(*padded(histories, len(model.items)), contexts).copy()
    if model.excludes_seen:
        for row, history in enumerate(histories):
            scores[row, history] = -np.inf
    return [metrics.best(row, LISTED) for row in scores]

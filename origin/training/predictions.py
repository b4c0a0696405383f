"""Trains the predictions of a workspace and keeps them in its folder, beside the recommenders."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import numpy as np

from compiler.features.definitions import DEFINITIONS, definitions
from compiler.models.types import PredictionConfig
from compiler.problems import Problem, WorkspaceError
from compiler.types import Workspace
from edge.bundle.features import flattened
from edge.errors import GivenError
from models.predict import recipe
from models.predict.card import split, train_measured
from models.predict.contract import Prediction, with_card
from models.predict.smallest import chosen_settings
from models.small.smallest import Frontier
from models.tables.labelled import Labelled, MadeFrom, read_labelled
from origin.training.compress import Step
from origin.training.compress_predictions import smallest_prediction
from origin.training.recommenders import Progress, model_folder

BROUGHT_SMALLER: Final = "it was fitted elsewhere, so its size can't be searched here; bring a smaller one"


@dataclass(frozen=True)
class TrainedPrediction:
    """A prediction that was trained and kept; how long it took is of the machine, so it is in no card."""

    model: Prediction
    folder: Path
    rows: int
    seconds: float = 0.0


def train_predictions(
    workspace: Workspace,
    names: Sequence[str] = (),
    progress: Progress = lambda model, step, share: None,
    *,
    measure: bool = False,
) -> Iterator[TrainedPrediction]:
    """Train those that are named, else all, one after the other, and keep each as soon as it is done.

    Parameters
    ----------
    measure
        First train on three quarters of the rows, the oldest where the data says when they were, and measure
        on the others. The figures are in the card.

    Raises
    ------
    WorkspaceError
        A recipe can't be trained with these settings, or from this data.
    """
    for config in workspace.predictions:
        if names and config.name not in names:
            continue
        began = perf_counter()
        with _named(config):
            done = _train(workspace, config, progress, measure=measure)
        yield replace(done, seconds=perf_counter() - began)


def load_predictions(workspace: Workspace) -> dict[str, Prediction]:
    """The predictions of a workspace that were trained, by name; which are missing is the compiler's to say.

    Raises
    ------
    GivenError
        ``trained-model``: a model's folder is damaged.
    """
    folders = {config.name: model_folder(workspace, config.name) for config in workspace.predictions}
    return {name: recipe.load(folder) for name, folder in folders.items() if folder.is_dir()}


def find_smallest_prediction(
    workspace: Workspace, config: PredictionConfig, lose: float, progress: Progress
) -> Frontier:
    """Search the smallest form of a prediction that loses at most `lose`; nothing is kept.

    Raises
    ------
    WorkspaceError
        It can't be trained, or has no quality to measure.
    """
    with _named(config):
        if config.recipe == recipe.BROUGHT:
            raise GivenError("smallest", BROUGHT_SMALLER)
        data = labelled(workspace, config)
        return smallest_prediction(
            config, data.table, data.held.times, lose, lambda step, share: progress(config.name, step, share)
        )


@contextmanager
def _named(config: PredictionConfig) -> Iterator[None]:
    """What a prediction can't be trained for is a problem of its file."""
    try:
        yield
    except GivenError as error:
        message = str(error).removeprefix(f"{error.code}: ")
        raise WorkspaceError([Problem(config.path, config.line, "model", message)]) from error


def labelled(workspace: Workspace, config: PredictionConfig) -> Labelled:
    """What a prediction learns from."""
    types = {attribute.name: attribute.type for attribute in workspace.site.attributes}
    made = MadeFrom(config.features, workspace.features.by_name, types, config.text)
    return read_labelled(config.data, made, config.columns, config.by)


def _train(
    workspace: Workspace, config: PredictionConfig, progress: Progress, *, measure: bool
) -> TrainedPrediction:
    if config.recipe == recipe.BROUGHT:
        if config.smallest is not None:
            raise GivenError("smallest", BROUGHT_SMALLER)
        return _bring(workspace, config)
    data, name = labelled(workspace, config), config.name

    def told(step: str, share: float) -> None:
        progress(name, step, share)

    settings = config.settings if config.smallest is None else _smallest(config, data, told)
    asked = (name, config.recipe, data.table, settings)
    if measure:
        model = train_measured(*asked, data.held, progress=told).prediction
    else:
        model = recipe.train(*asked, told)
    known = {DEFINITIONS: definitions(config.features, workspace.features.by_name)}
    model = with_card(model, **known, asked=config.settings, smallest=config.smallest)
    folder = model_folder(workspace, name)
    recipe.save(model, folder)
    return TrainedPrediction(model, folder, len(data.table))


def _smallest(config: PredictionConfig, data: Labelled, told: Step) -> dict[str, Any]:
    """The smallest settings that lose no more than it allows.

    They are chosen within the part that is trained on, so that what is measured later has not been seen.
    """
    table, times = data.table, data.held.times
    learned, _ = split(table, times)
    part = None if times is None else times[learned]
    found = smallest_prediction(config, table.where(learned), part, config.smallest or 0.0, told)
    return {**config.settings, **chosen_settings(found.chosen)}


def _bring(workspace: Workspace, config: PredictionConfig) -> TrainedPrediction:
    """Convert a model that was fitted elsewhere; its `data` is the file that it is in."""
    from models.bring.prediction import bring_file  # noqa: PLC0415 - brings in libraries that are slow

    features, settings = workspace.features.by_name, recipe.check_settings(config.recipe, config.settings)
    rows = None
    if settings["rows"]:
        sampled = replace(config, data=workspace.folder / str(settings["rows"]), columns={})
        rows = labelled(workspace, sampled).table.rows.astype(np.float64)
    model = bring_file(
        config.name,
        config.data,
        tuple(flattened(config.features, features)),
        words={name: features[name].categories for name in config.features if features[name].kind == "code"},
        rows=rows,
        trust=settings["pickle"] == "trusted",
    )
    kept = with_card(model, settings=settings, **{DEFINITIONS: definitions(config.features, features)})
    folder = model_folder(workspace, config.name)
    recipe.save(kept, folder)
    return TrainedPrediction(kept, folder, 0 if rows is None else len(rows))

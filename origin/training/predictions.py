"""Trains the predictions of a workspace and keeps them in its folder, beside the recommenders."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np

from compiler.features.definitions import DEFINITIONS, definitions
from compiler.models.types import PredictionConfig
from compiler.problems import Problem, WorkspaceError
from compiler.types import Workspace
from edge.bundle.features import flattened
from edge.errors import GivenError
from models.labelled import Labelled, MadeFrom, read_labelled
from models.predict import recipe
from models.predict.card import train_measured
from models.predict.contract import Prediction, with_card
from origin.training.recommenders import Progress, model_folder


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
        try:
            began = perf_counter()
            done = _train(workspace, config, progress, measure=measure)
            yield replace(done, seconds=perf_counter() - began)
        except GivenError as error:
            message = str(error).removeprefix(f"{error.code}: ")
            raise WorkspaceError([Problem(config.path, config.line, "model", message)]) from error


def load_predictions(workspace: Workspace) -> dict[str, Prediction]:
    """The predictions of a workspace that were trained, by name; which are missing is the compiler's to say.

    Raises
    ------
    GivenError
        ``trained-model``: a model's folder is damaged.
    """
    folders = {config.name: model_folder(workspace, config.name) for config in workspace.predictions}
    return {name: recipe.load(folder) for name, folder in folders.items() if folder.is_dir()}


def labelled(workspace: Workspace, config: PredictionConfig) -> Labelled:
    """What a prediction learns from."""
    types = {attribute.name: attribute.type for attribute in workspace.site.attributes}
    made = MadeFrom(config.features, workspace.features.by_name, types, config.text)
    return read_labelled(config.data, made, config.columns, config.by)


def _train(
    workspace: Workspace, config: PredictionConfig, progress: Progress, *, measure: bool
) -> TrainedPrediction:
    if config.recipe == recipe.BROUGHT:
        return _bring(workspace, config)
    data, name = labelled(workspace, config), config.name
    asked = (name, config.recipe, data.table, config.settings)

    def told(step: str, share: float) -> None:
        progress(name, step, share)

    if measure:
        model = train_measured(*asked, data.held, progress=told).prediction
    else:
        model = recipe.train(*asked, told)
    model = with_card(model, **{DEFINITIONS: definitions(config.features, workspace.features.by_name)})
    folder = model_folder(workspace, name)
    recipe.save(model, folder)
    return TrainedPrediction(model, folder, len(data.table))


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

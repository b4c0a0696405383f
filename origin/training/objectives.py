"""Weighs predictions of a workspace against each other: what is given up of one for another."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from compiler.models.types import PredictionConfig
from compiler.problems import Problem, WorkspaceError, nearest
from compiler.types import Workspace
from edge.errors import GivenError
from models.predict import recipe
from models.predict.card import SPLITS, split
from models.predict.frontier import Point, Values, frontier
from models.tables.labelled import Labelled
from origin.training.predictions import labelled
from origin.training.recommenders import Progress


@dataclass(frozen=True)
class Objectives:
    """What each mix would have brought, on rows that no model has seen; `split` says in words which."""

    points: Sequence[Point]
    rows: int
    split: str


def weigh(
    workspace: Workspace,
    names: Sequence[str],
    share: float,
    less: Collection[str] = (),
    progress: Progress = lambda model, step, done: None,
) -> Objectives:
    """Train these predictions on three quarters of the rows, and choose a share of the others by each mix.

    Parameters
    ----------
    names
        Predictions of one number each, from one file: what they are labels of are the objectives.
    share
        Of the rows, or of each group where there are groups.
    less
        Those of which less is better.

    Raises
    ------
    WorkspaceError
        There are no such predictions, or they can't be weighed against each other.
    """
    configs = _chosen(workspace, [*names, *(name for name in less if name not in names)])
    try:
        read = {config.name: labelled(workspace, config) for config in configs}
        return _weigh(configs, read, share, less, progress)
    except GivenError as error:
        message = str(error).removeprefix(f"{error.code}: ")
        raise WorkspaceError([Problem(configs[0].path, configs[0].line, "model", message)]) from error


def _weigh(
    configs: Sequence[PredictionConfig],
    read: Mapping[str, Labelled],
    share: float,
    less: Collection[str],
    progress: Progress,
) -> Objectives:
    first = read[configs[0].name]
    learned, kept_back = split(first.table, first.held.times)
    scores: dict[str, Values] = {}
    came: dict[str, Values] = {}
    for config in configs:
        table = read[config.name].table
        model = recipe.train(
            config.name, config.recipe, table.where(learned), config.settings, _told(progress, config.name)
        )
        test = table.where(kept_back)
        scores[config.name], came[config.name] = _number(model.reference(test.rows), config), test.labels
    groups = None if first.table.groups is None else first.table.groups[kept_back]
    points = frontier(scores, came, share, groups, less)
    how = SPLITS["random" if first.held.times is None else "time"]
    return Objectives(points, int(np.count_nonzero(kept_back)), how)


def _number(found: Values, config: PredictionConfig) -> Values:
    if found.shape[1] != 1:
        raise GivenError("objectives", f"model {config.name!r} predicts {found.shape[1]} numbers, not one")
    return found[:, 0]


def _told(progress: Progress, name: str) -> Callable[[str, float], None]:
    return lambda step, done: progress(name, step, done)


def _chosen(workspace: Workspace, names: Sequence[str]) -> list[PredictionConfig]:
    known = {config.name: config for config in workspace.predictions}
    for name in names:
        if name not in known:
            message = f"there is no prediction {name!r}"
            raise WorkspaceError([Problem("models", 0, "unknown-name", message, nearest(name, known))])
    configs = [known[name] for name in names]
    first = configs[0]
    for config in configs:
        # Rows are compared one by one: they must be the same ones.
        if (config.data, config.columns.get("group")) != (first.data, first.columns.get("group")):
            message = f"model {config.name!r} has other data or groups than {first.name!r}"
            hint = "objectives are weighed on the same rows: give both one file, with a label each"
            raise WorkspaceError([Problem(config.path, config.line, "model", message, hint)])
        if config.text:
            message = f"model {config.name!r} reads a text"
            raise WorkspaceError(
                [Problem(config.path, config.line, "model", message, "weigh models of features")]
            )
    return configs

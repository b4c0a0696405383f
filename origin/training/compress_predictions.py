"""Finds the smallest form of a workspace's prediction within an allowed loss."""

from compiler.models.types import PredictionConfig
from compiler.problems import Problem, WorkspaceError
from compiler.types import Workspace
from edge.errors import GivenError
from models.predict.card import split
from models.predict.smallest import search_prediction
from models.smallest import Frontier
from origin.training.predictions import labelled
from origin.training.recommenders import Progress


def prediction_of(workspace: Workspace, name: str) -> PredictionConfig | None:
    """The prediction of that name; None where there is none."""
    return next((config for config in workspace.predictions if config.name == name), None)


def find_smallest_prediction(
    workspace: Workspace, config: PredictionConfig, lose: float, progress: Progress
) -> Frontier:
    """Search on three quarters of the rows, measured on the others, divided as for a card; nothing is kept.

    Raises
    ------
    WorkspaceError
        It can't be trained, or has no chance to measure.
    """
    try:
        data = labelled(workspace, config)
        learned, kept_back = split(data.table, data.held.times)
        return search_prediction(
            config.name,
            (config.recipe, config.settings),
            (data.table.where(learned), data.table.where(kept_back)),
            lose,
            lambda step, share: progress(config.name, step, share),
        )
    except GivenError as error:
        message = str(error).removeprefix(f"{error.code}: ")
        raise WorkspaceError([Problem(config.path, config.line, "model", message)]) from error

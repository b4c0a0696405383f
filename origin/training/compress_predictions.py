"""Finds the smallest form of a workspace's prediction within an allowed loss, on parts of its rows."""

import numpy as np
from numpy.typing import NDArray

from compiler.models.types import PredictionConfig
from compiler.types import Workspace
from models.predict.card import split
from models.predict.smallest import search_prediction
from models.predict.table import Table
from models.small.smallest import Frontier
from origin.training.compress import Step


def prediction_of(workspace: Workspace, name: str) -> PredictionConfig | None:
    """The prediction of that name; None where there is none."""
    return next((config for config in workspace.predictions if config.name == name), None)


def smallest_prediction(
    config: PredictionConfig, table: Table, times: NDArray[np.int64] | None, lose: float, progress: Step
) -> Frontier:
    """The frontier between bytes and quality: on three quarters of the rows, measured on the others.

    Raises
    ------
    GivenError
        It can't be trained, or has no quality to measure.
    """
    learned, kept_back = split(table, times)
    parts = table.where(learned), table.where(kept_back)

    def told(step: str, share: float) -> None:
        progress(f"search: {step}", share)

    return search_prediction(config.name, (config.recipe, config.settings), parts, lose, told)

"""Gradient boosted trees that order the rows of a group: what to show first."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from onnx import helper

from edge.bundle.arrays import Array
from edge.errors import GivenError
from models.predict.boosting import GROWTH, fit_trees, trees_predictor
from models.predict.contract import Prediction, Predictor
from models.predict.graph import constants_of, prediction_graph
from models.predict.table import Table
from models.predict.trees import gather, read_trees
from models.settings import Setting, Settings
from models.trained import Progress

MOST_RELEVANT: Final = 30
"""LightGBM's gains are powers of two of the label."""


class LambdaMart:
    """LambdaMART (Burges 2010) of LightGBM; scores compare rows of one group, and are no probability."""

    name: Final = "lambdamart"
    settings: Final[Mapping[str, Setting]] = GROWTH

    def train(self, table: Table, settings: Settings, progress: Progress) -> Prediction:
        """See `models.predict.contract.PredictionRecipe`."""
        ordered = _by_group(table)
        trees = fit_trees(ordered, settings, "lambdarank", progress)
        progress("boost", 1.0)
        nodes = [*gather(trees).nodes("margin"), helper.make_node("Identity", ["margin"], ["values"])]
        graph = prediction_graph(self.name, (len(table.features), 1), nodes, {})
        predictor = self.predictor(graph, {})
        return Prediction(
            self.name, table.features, (self.name,), graph, {}, {"trees": len(trees)}, predictor
        )

    def predictor(self, graph: bytes, arrays: Mapping[str, Array]) -> Predictor:
        """See `models.predict.contract.PredictionRecipe`."""
        return trees_predictor(read_trees(graph), constants_of(graph))


def _by_group(table: Table) -> Table:
    if table.groups is None:
        raise GivenError("table", "lambdamart ranks rows of a group against each other; name a group column")
    if not np.isin(table.labels, np.arange(MOST_RELEVANT + 1)).all():
        raise GivenError("table", f"labels of lambdamart must be whole numbers from 0 to {MOST_RELEVANT}")
    return table.where(np.argsort(table.groups, kind="stable"))

"""Gradient boosted trees of scikit-learn, for those who have no LightGBM."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from edge.bundle.arrays import Array
from models.predict.boosting import GROWTH, trees_predictor
from models.predict.calibration import CALIBRATION, Margins, curve_nodes, held_out_margins, platt
from models.predict.contract import Prediction, Predictor
from models.predict.graph import constants_of, prediction_graph
from models.predict.table import Table, check_two_classes
from models.predict.trees import Trees, check_sums, gather, of_histogram, read_trees
from models.settings import Setting, Settings
from models.trained import Progress


class HistBoosting:
    """Friedman 2001 over histograms; categories are codes or one-hot features here, never its own."""

    name: Final = "hist-boosting"
    settings: Final[Mapping[str, Setting]] = {**GROWTH, "calibration": CALIBRATION}

    def train(self, table: Table, settings: Settings, progress: Progress) -> Prediction:
        """See `models.predict.contract.PredictionRecipe`."""
        check_two_classes(table)
        slope, offset = 1.0, 0.0
        if settings["calibration"] == "platt":
            slope, offset = platt(held_out_margins(table, int(settings["seed"]), _fit(settings)), table)
        progress("calibration", 0.7)
        model = fit_histograms(table, settings)
        trees = check_sums(trees_of(model), table.rows, model.decision_function)
        progress("boost", 1.0)
        nodes, constants = curve_nodes(slope, offset)
        all_nodes = [*trees.nodes("margin"), *nodes]
        graph = prediction_graph(self.name, (len(table.features), 1), all_nodes, constants)
        card = {"trees": int(model.n_iter_)}
        predictor = self.predictor(graph, {})
        return Prediction(self.name, table.features, (self.name,), graph, {}, card, predictor)

    def predictor(self, graph: bytes, arrays: Mapping[str, Array]) -> Predictor:
        """See `models.predict.contract.PredictionRecipe`."""
        return trees_predictor(read_trees(graph), constants_of(graph))


def fit_histograms(table: Table, settings: Settings) -> Any:
    """scikit-learn's model; a tenth of the rows tells when to stop, where patience is asked for."""
    from sklearn.ensemble import HistGradientBoostingClassifier  # noqa: PLC0415 - it is slow to import

    patience = int(settings["patience"])
    model = HistGradientBoostingClassifier(
        max_iter=int(settings["rounds"]),
        learning_rate=settings["learning_rate"],
        max_leaf_nodes=max(2, int(settings["leaves"])),
        min_samples_leaf=int(settings["leaf_rows"]),
        l2_regularization=settings["regularization"],
        max_features=settings["column_share"],
        categorical_features=None,
        early_stopping=patience > 0,
        n_iter_no_change=max(1, patience),
        random_state=int(settings["seed"]),
    )
    return model.fit(table.rows, table.labels > 0, table.weights)


def trees_of(model: Any) -> Trees:
    """The trees and, as a tree of one leaf, what all rows begin with."""
    base = float(np.ravel(model._baseline_prediction)[0])
    trees = [of_histogram(predictor.nodes) for (predictor,) in model._predictors]
    return gather([[(0, 0.0, -1, -1, False, base)], *trees])


def _fit(settings: Settings) -> Any:
    def fit(train: Table, held_out: Table) -> Margins:
        return trees_of(fit_histograms(train, settings)).sums(held_out.rows)[:, 0]

    return fit

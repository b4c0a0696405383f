"""A random forest: the mean of many deep trees, each of its own draw of rows."""

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import helper
from scipy.special import logit

from edge.bundle.arrays import Array
from models.predict.calibration import CALIBRATION, Margins, curve_nodes, held_out_margins, on_curve, platt
from models.predict.contract import Prediction, Predictor
from models.predict.graph import constants_of, prediction_graph, rounded
from models.predict.pruning import PRUNE
from models.predict.table import Rows, Table, check_two_classes
from models.predict.trees import Trees, check_sums, gather, of_sklearn, read_trees
from models.settings import Number, Setting, Settings
from models.trained import Progress

SURE: Final = 1e-3
"""How near to 0 or 1 a forest's share of trees is believed."""


class Forest:
    """Breiman 2001, of scikit-learn; calibrated by Platt on rows held out."""

    name: Final = "forest"
    settings: Final[Mapping[str, Setting]] = {
        "trees": Number(100, "How many trees.", 1000, whole=True),
        "leaves": Number(64, "Most leaves of a tree.", 4096, whole=True),
        "leaf_rows": Number(5, "Fewest rows of a leaf.", 1e6, whole=True),
        "column_share": Number(0.3, "The share of features that a split may ask for.", 1, positive=True),
        "prune": PRUNE,
        "calibration": CALIBRATION,
    }

    def train(self, table: Table, settings: Settings, progress: Progress) -> Prediction:
        """See `models.predict.contract.PredictionRecipe`."""
        check_two_classes(table)
        slope, offset = 1.0, 0.0
        if settings["calibration"] == "platt":
            margins = held_out_margins(
                table,
                int(settings["seed"]),
                lambda train, held_out: _margins(trees_of(fit_forest(train, settings)).sums(held_out.rows)),
            )
            slope, offset = platt(margins, table)
        progress("calibration", 0.6)
        forest = fit_forest(table, settings)
        trees = check_sums(trees_of(forest), table.rows, lambda rows: forest.predict_proba(rows)[:, 1])
        progress("trees", 1.0)
        nodes, constants = curve_nodes(slope, offset)
        bounds = {"least": np.array(SURE), "most": np.array(1 - SURE)}
        constants = {**constants, **bounds, "one": np.ones(1)}
        all_nodes = [*trees.nodes("share"), *_logit_nodes(), *nodes]
        graph = prediction_graph(self.name, (len(table.features), 1), all_nodes, constants)
        return Prediction(self.name, table.features, (self.name,), graph, {}, {}, self.predictor(graph, {}))

    def predictor(self, graph: bytes, arrays: Mapping[str, Array]) -> Predictor:
        """See `models.predict.contract.PredictionRecipe`."""
        trees, constants = read_trees(graph), constants_of(graph)

        def predict(rows: Rows) -> NDArray[np.float32]:
            return rounded(on_curve(_margins(trees.sums(rows)), constants))

        return predict


def fit_forest(table: Table, settings: Settings) -> Any:
    """scikit-learn's forest; how many threads grow it changes nothing."""
    from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415 - it is slow to import

    forest = RandomForestClassifier(
        int(settings["trees"]),
        max_leaf_nodes=max(2, int(settings["leaves"])),
        min_samples_leaf=int(settings["leaf_rows"]),
        max_features=settings["column_share"],
        random_state=int(settings["seed"]),
    )
    return forest.fit(table.rows, table.labels > 0, table.weights)


def trees_of(forest: Any) -> Trees:
    """The trees, whose leaves add up to the mean share of rows with the label 1."""
    trees = [estimator.tree_ for estimator in forest.estimators_]
    n_trees = len(trees)
    return gather([of_sklearn(tree, _share(tree) / n_trees) for tree in trees])


def _share(tree: Any) -> NDArray[np.float64]:
    counts = tree.value[:, 0, :]
    share: NDArray[np.float64] = counts[:, 1] / counts.sum(axis=1)
    return share


def _margins(share: NDArray[np.float64]) -> Margins:
    found: Margins = logit(np.clip(share[:, 0], SURE, 1 - SURE))
    return found


def _logit_nodes() -> list[Any]:
    return [
        helper.make_node("Clip", ["share", "least", "most"], ["chance"]),
        helper.make_node("Sub", ["one", "chance"], ["other"]),
        helper.make_node("Div", ["chance", "other"], ["odds"]),
        helper.make_node("Log", ["odds"], ["margin"]),
    ]

"""Gradient boosted trees of LightGBM: the chance of something, or an amount."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import helper

from edge.bundle.arrays import Array
from models.predict.calibration import (
    CALIBRATION,
    Margins,
    curve_nodes,
    folds,
    held_out_margins,
    on_curve,
    platt,
)
from models.predict.contract import Prediction, Predictor
from models.predict.graph import constants_of, prediction_graph, rounded
from models.predict.pruning import PRUNE
from models.predict.table import Rows, Table, check_two_classes
from models.predict.trees import Node, Trees, check_sums, gather, of_lightgbm, read_trees
from models.settings import Choice, Number, Setting, Settings
from models.trained import Progress

GROWTH: Final[Mapping[str, Setting]] = {
    "rounds": Number(300, "Most trees; fewer where `patience` ends it.", 5000, whole=True),
    "learning_rate": Number(0.05, "How much of each tree counts.", 1, positive=True),
    "leaves": Number(15, "Most leaves of a tree.", 1024, whole=True),
    "leaf_rows": Number(20, "Fewest rows of a leaf.", 1e6, whole=True),
    "regularization": Number(1, "Draws leaves closer to 0."),
    "column_share": Number(0.8, "The share of features that a tree may ask for.", 1, positive=True),
    "prune": PRUNE,
    "patience": Number(30, "Rounds without gain on held-out rows that end it; 0 takes all rounds."),
}


class Boosting:
    """Friedman 2001, as LightGBM (Ke et al. 2017); calibrated by Platt on rows held out."""

    name: Final = "boosting"
    settings: Final[Mapping[str, Setting]] = {
        "objective": Choice("chance", "Labels of 0 and 1, or any number.", ("chance", "amount")),
        **GROWTH,
        "calibration": CALIBRATION,
    }

    def train(self, table: Table, settings: Settings, progress: Progress) -> Prediction:
        """See `models.predict.contract.PredictionRecipe`."""
        if settings["objective"] == "chance":
            check_two_classes(table)
            found = fit_chance(table, settings, progress)
            nodes, constants = curve_nodes(found.slope, found.offset)
        else:
            found = Chance(fit_trees(table, settings, "regression", progress))
            nodes, constants = [helper.make_node("Identity", ["margin"], ["values"])], {}
        all_nodes = [*gather(found.trees).nodes("margin"), *nodes]
        graph = prediction_graph(self.name, (len(table.features), 1), all_nodes, constants)
        card = {"trees": len(found.trees)}
        predictor = self.predictor(graph, {})
        return Prediction(self.name, table.features, (self.name,), graph, {}, card, predictor)

    def predictor(self, graph: bytes, arrays: Mapping[str, Array]) -> Predictor:
        """See `models.predict.contract.PredictionRecipe`."""
        return trees_predictor(read_trees(graph), constants_of(graph))


@dataclass(frozen=True)
class Chance:
    """Trees, and the curve on which their sum is a probability."""

    trees: list[list[Node]]
    slope: float = 1.0
    offset: float = 0.0


def fit_chance(table: Table, settings: Settings, progress: Progress) -> Chance:
    """Trees for labels of 0 and 1, calibrated where the settings say so."""
    trees = fit_trees(table, settings, "binary", lambda step, share: progress(step, share * 0.7))
    if settings["calibration"] == "none":
        progress("calibration", 1.0)
        return Chance(trees)
    params = lightgbm_params(settings, "binary")

    def fit(train: Table, held_out: Table) -> Margins:
        margins: Margins = boost(params, train, len(trees)).predict(held_out.rows, raw_score=True)
        return margins

    slope, offset = platt(held_out_margins(table, int(settings["seed"]), fit), table)
    progress("calibration", 1.0)
    return Chance(trees, slope, offset)


def fit_trees(table: Table, settings: Settings, objective: str, progress: Progress) -> list[list[Node]]:
    """LightGBM's trees for an objective, as many as held-out rows gain by."""
    params = lightgbm_params(settings, objective)
    rounds = best_rounds(params, table, settings) if settings["patience"] else int(settings["rounds"])
    progress("rounds", 0.5)
    booster = boost(params, table, rounds, lambda share: progress("boost", 0.5 + share / 2))
    trees = of_lightgbm(booster)
    check_sums(gather(trees), table.rows, lambda rows: booster.predict(rows, raw_score=True))
    return trees


def trees_predictor(trees: Trees, constants: Mapping[str, Array]) -> Predictor:
    """The sums of trees, on a curve where there is one."""

    def predict(rows: Rows) -> NDArray[np.float32]:
        sums = trees.sums(rows)
        return rounded(on_curve(sums, constants) if "slope" in constants else sums)

    return predict


def lightgbm_params(settings: Settings, objective: str) -> dict[str, Any]:
    """What LightGBM is told; one thread, so that the same rows give the same trees."""
    return {
        "objective": objective,
        "learning_rate": settings["learning_rate"],
        "num_leaves": max(2, int(settings["leaves"])),
        "min_data_in_leaf": int(settings["leaf_rows"]),
        "lambda_l2": settings["regularization"],
        "feature_fraction": settings["column_share"],
        "seed": int(settings["seed"]),
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": 1,
        "verbosity": -1,
        "eval_at": [10],
    }


def boost(
    params: Mapping[str, Any], table: Table, rounds: int, progress: Callable[[float], None] | None = None
) -> Any:
    """A LightGBM booster of so many rounds; rows of a group stand together already where they are ranked."""
    import lightgbm  # noqa: PLC0415 - it is slow to import

    told = [lambda env: progress((env.iteration + 1) / rounds)] if progress else []
    booster = lightgbm.train(dict(params), _dataset(table, params), rounds, callbacks=told)
    if progress:
        progress(1.0)
    return booster


def best_rounds(params: Mapping[str, Any], table: Table, settings: Settings) -> int:
    """After how many rounds held-out rows gain no more, in the mean of the folds."""
    import lightgbm  # noqa: PLC0415 - it is slow to import

    found = []
    for learned, held_out in folds(table, int(settings["seed"])):
        train, test = (_dataset(table.where(rows), params) for rows in (learned, held_out))
        stop = lightgbm.early_stopping(int(settings["patience"]), first_metric_only=True, verbose=False)
        rounds = int(settings["rounds"])
        booster = lightgbm.train(dict(params), train, rounds, valid_sets=[test], callbacks=[stop])
        found.append(booster.best_iteration)
    return max(1, round(float(np.mean(found))))


def _dataset(table: Table, params: Mapping[str, Any]) -> Any:
    import lightgbm  # noqa: PLC0415 - it is slow to import

    sizes = run_lengths(table.groups) if params["objective"] == "lambdarank" else None
    return lightgbm.Dataset(
        table.rows, table.labels, weight=table.weights, group=sizes, free_raw_data=False, params=dict(params)
    )


def run_lengths(groups: NDArray[np.int64] | None) -> Sequence[int]:
    """How many rows each group has, of rows that stand together."""
    assert groups is not None
    ends = np.flatnonzero(np.append(groups[1:] != groups[:-1], [True])) + 1
    lengths: list[int] = np.diff(ends, prepend=0).tolist()
    return lengths

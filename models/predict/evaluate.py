"""Measures a prediction on rows that it has not seen: what its card says."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.decide import words
from models.predict.contract import Prediction
from models.predict.measure import (
    Figure,
    Values,
    auc,
    brier,
    calibration_error,
    explained,
    figure,
    log_loss,
    members,
    ndcg_of_group,
    qini,
    uplift_of_best,
)
from models.predict.table import Table
from models.predict.text import pairs_of_tests

BEST_SHARE: Final = 0.3
TOP: Final = 5
SIGNIFICANT: Final = 1.96
"""Standard errors of a difference that chance seldom makes."""

FEWEST: Final = 50
"""Rows of a slice of visitors; of fewer nothing is said."""

Figures = dict[str, Figure]


def evaluate(prediction: Prediction, table: Table) -> Figures:
    """The figures that fit the recipe, each with an interval; empty for what has no right answer."""
    recipe = str(prediction.card["recipe"])
    if recipe == "boosting" and prediction.card["settings"]["objective"] == "amount":
        recipe = "amount"
    measure = MEASURES.get(recipe)
    return measure(predict(prediction, table), table) if measure else {}


def predict(prediction: Prediction, table: Table) -> NDArray[np.float32]:
    """The reference's outputs for a table of rows or texts."""
    rows = words.rows(table.texts, prediction.width) if prediction.words else table.rows
    return prediction.reference(rows)


def slices(prediction: Prediction, table: Table, by: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """How good a probability is for each kind of visitor: for a card to say whom it serves less well.

    Parameters
    ----------
    by
        Of each row, the value of a column by which visitors differ.
    """
    found: dict[str, Any] = {}
    chances = predict(prediction, table)[:, 0]
    for name, values in by.items():
        column = np.asarray(values)
        kinds = sorted(set(column.tolist()))
        rows_of = {kind: np.flatnonzero(column == kind) for kind in kinds}
        found[name] = {kind: _slice(table.labels[rows], chances[rows]) for kind, rows in rows_of.items()}
    return found


def _slice(labels: Values, chances: Values) -> dict[str, Any]:
    if len(labels) < FEWEST:
        return {"rows": len(labels)}
    found = {"rate": float(labels.mean()), "predicted": float(chances.mean(dtype=np.float64))}
    separated = auc(labels, chances)
    if np.isfinite(separated):
        found["auc"] = separated
    return {"rows": len(labels), **{name: round(value, 4) for name, value in found.items()}}


def _resampled(measure: Callable[..., float], *columns: NDArray[Any]) -> Figure:
    """A measure of columns whose rows are drawn together."""
    return figure(lambda rows: measure(*(column[rows] for column in columns)), len(columns[0]))


def _mean(values: Values) -> float:
    return float(values.mean())


def _chance(found: Values, table: Table) -> Figures:
    measures = {"auc": auc, "brier": brier, "log_loss": log_loss, "ece": calibration_error}
    return {name: _resampled(measure, table.labels, found[:, 0]) for name, measure in measures.items()}


def _amount(found: Values, table: Table) -> Figures:
    amounts, labels = found[:, 0].astype(np.float64), table.labels.astype(np.float64)
    return {"r2": _resampled(explained, labels, amounts), "mae": _resampled(_mean, np.abs(labels - amounts))}


def _ranking(found: Values, table: Table) -> Figures:
    assert table.groups is not None
    each = [(table.labels[rows], found[rows, 0]) for rows in members(table.groups)]
    values = {
        "auc": [auc(labels, scores) for labels, scores in each],
        f"ndcg@{TOP}": [ndcg_of_group(labels, scores, TOP) for labels, scores in each],
    }
    known = {name: np.array(column)[np.isfinite(column)] for name, column in values.items()}
    return {name: _resampled(_mean, column) for name, column in known.items() if len(column)}


def _classes(found: Values, table: Table) -> Figures:
    most = np.bincount(table.labels.astype(np.int64)).argmax()
    return {
        "accuracy": _resampled(_mean, found.argmax(axis=1) == table.labels),
        "majority": _resampled(_mean, table.labels == most),
    }


def _pairs(found: Values, table: Table) -> Figures:
    """Which of two texts of a test is better; a test's pairs are drawn together."""
    assert table.groups is not None
    pairs = list(pairs_of_tests(table))
    first, second = (np.array([pair[side] for pair in pairs], np.int64) for side in (0, 1))
    lead = np.array([pair[2] for pair in pairs])
    said = np.sign(found[first, 0] - found[second, 0])
    right = np.where(said == 0, 0.5, said == np.sign(lead))
    _, test = np.unique(table.groups[first], return_inverse=True)
    figures = {}
    for name, chosen in (("pairs", np.abs(lead) > 0), ("clear_pairs", np.abs(lead) > SIGNIFICANT)):
        hits, counts = (np.bincount(test, values) for values in (right * chosen, chosen * 1.0))
        figures[name] = _resampled(_ratio, hits, counts)
    return figures


def _ratio(parts: Values, wholes: Values) -> float:
    return float(parts.sum() / max(1.0, float(wholes.sum())))


def _uplift(found: Values, table: Table) -> Figures:
    scores, labels, treatment = found[:, 0], table.labels, table.treatment
    assert treatment is not None
    return {
        "qini": _resampled(qini, labels, scores, treatment),
        "uplift_of_best": _resampled(partial(uplift_of_best, share=BEST_SHARE), labels, scores, treatment),
        "uplift_of_all": _resampled(partial(uplift_of_best, share=1.0), labels, scores, treatment),
    }


MEASURES: Final[Mapping[str, Callable[[Values, Table], Figures]]] = {
    "amount": _amount,
    "boosting": _chance,
    "forest": _chance,
    "hist-boosting": _chance,
    "intent": _classes,
    "lambdamart": _ranking,
    "logistic": _chance,
    "mlp": _chance,
    "text": _pairs,
    "uplift": _uplift,
}
"""By recipe; segments have no right answer."""

"""Makes margins into probabilities that come true as often as they say."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper
from scipy.special import expit

from edge.bundle.arrays import Array
from models.predict.table import Table
from models.settings import Choice

CALIBRATION: Final = Choice(
    "platt", "Whether probabilities are held against rows that they were not learned from.", ("platt", "none")
)
FOLDS: Final = 3
STEPS: Final = 50

Margins = NDArray[np.float64]


def folds(table: Table, seed: int) -> Iterator[tuple[NDArray[np.bool_], NDArray[np.bool_]]]:
    """Which rows are learned from, and which held out, `FOLDS` times; a group is never torn apart."""
    names = np.arange(len(table)) if table.groups is None else table.groups
    _, unit = np.unique(names, return_inverse=True)
    fold = np.random.default_rng(seed).permutation(int(unit.max()) + 1)[unit] % FOLDS
    for held_out in range(FOLDS):
        yield fold != held_out, fold == held_out


def held_out_margins(table: Table, seed: int, fit: Callable[[Table, Table], Margins]) -> Margins:
    """For each row, what a model says that has not seen it: ``fit(train, held_out) -> margins``."""
    found = np.zeros(len(table))
    for learned, held_out in folds(table, seed):
        if len(np.unique(table.labels[learned])) > 1 and held_out.any():
            found[held_out] = fit(table.where(learned), table.where(held_out))
    return found


def platt(margins: Margins, table: Table) -> tuple[float, float]:
    """Slope and offset of a logistic curve through the margins (Platt 1999; Lin, Lin and Weng 2007)."""
    weight = table.weight.astype(np.float64)
    positive, negative = weight @ table.labels, weight @ (1 - table.labels)
    # Labels are drawn in a little, as if one row of each kind were added: no slope becomes infinite.
    labels = np.where(table.labels > 0, (positive + 1) / (positive + 2), 1 / (negative + 2))
    columns = np.stack([margins, np.ones_like(margins)], axis=1)
    found = np.array([1.0, 0.0])
    loss = _loss(columns, labels, weight, found)
    for _ in range(STEPS):
        chance = expit(columns @ found)
        curve = (columns * (weight * chance * (1 - chance))[:, np.newaxis]).T @ columns
        move = np.linalg.solve(curve + 1e-9 * np.eye(2), columns.T @ (weight * (chance - labels)))
        while _loss(columns, labels, weight, found - move) > loss and np.abs(move).max() > 1e-9:
            move /= 2
        found, loss = found - move, min(loss, _loss(columns, labels, weight, found - move))
        if np.abs(move).max() <= 1e-9:
            break
    return float(found[0]), float(found[1])


def curve_nodes(slope: float, offset: float) -> tuple[list[NodeProto], Mapping[str, Array]]:
    """From ``margin``, float64, to ``values``, and the constants of it."""
    nodes = [
        helper.make_node("Mul", ["margin", "slope"], ["steep"]),
        helper.make_node("Add", ["steep", "offset"], ["moved"]),
        helper.make_node("Sigmoid", ["moved"], ["values"]),
    ]
    return nodes, {"slope": np.array([slope]), "offset": np.array([offset])}


def on_curve(margins: Margins, constants: Mapping[str, Array]) -> Margins:
    """What the nodes compute."""
    found: Margins = expit(margins * constants["slope"] + constants["offset"])
    return found


def _loss(columns: Margins, labels: Margins, weight: Margins, found: Margins) -> float:
    margin = columns @ found
    return float(weight @ (np.logaddexp(0, margin) - labels * margin))

"""Takes leaves away from grown trees where that changes least what they say: the last step of training."""

import heapq
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray

from models.predict.contract import Prediction, PredictionRecipe
from models.predict.table import Rows
from models.predict.trees import Node, Trees, gather, read_trees
from models.settings import Number

PRUNE: Final = Number(0, "The share of leaves that go after training, those that say least.", 0.95)
MOST_ROWS: Final = 5_000
"""Rows that leaves are weighed by."""


def prune(model: Prediction, recipe: PredictionRecipe, rows: Rows, share: float) -> Prediction:
    """The prediction with fewer leaves; itself where it has no trees, or none are to go.

    Weakest-link pruning (Breiman et al. 1984) over all trees at once: two leaves of one branch
    become one, their mean over the rows, where the squared error of that is least.
    """
    proto = onnx.load_model_from_string(model.graph)
    places = [place for place, node in enumerate(proto.graph.node) if node.op_type == "TreeEnsembleRegressor"]
    if not share or not places:
        return model
    trees = pruned(read_trees(model.graph), rows[:: max(1, len(rows) // MOST_ROWS)], share)
    (node, *_) = trees.nodes(proto.graph.node[places[0]].output[0])
    node.output[:] = proto.graph.node[places[0]].output
    proto.graph.node[places[0]].CopyFrom(node)
    graph = bytes(proto.SerializeToString(deterministic=True))
    return replace(model, graph=graph, reference=recipe.predictor(graph, model.arrays))


def pruned(trees: Trees, rows: Rows, share: float) -> Trees:
    """Trees without a share of their leaves."""
    count, value = _weighed(trees, rows)
    left, right = trees.left.copy(), trees.right.copy()
    parent = np.full(len(left), -1)
    inner = np.flatnonzero(~trees.is_leaf)
    parent[left[inner]] = parent[right[inner]] = inner
    ends = (node for node in inner.tolist() if _ends(node, left, right))
    waiting = [_link(node, left, right, (count, value)) for node in ends]
    heapq.heapify(waiting)
    for _ in range(round(share * (len(inner) + len(trees.roots)))):
        if not waiting:
            break
        _, node = heapq.heappop(waiting)
        value[node] = _mean(left[node], right[node], count, value)
        left[node] = right[node] = node
        above = int(parent[node])
        if above >= 0 and _ends(above, left, right):
            heapq.heappush(waiting, _link(above, left, right, (count, value)))
    kept = replace(trees, left=left, right=right)
    return gather([list(_rest(kept, value, root)) for root in trees.roots.tolist()], trees.target.tolist())


Weighed = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Of each node, the rows that come by, and what is said of them in the mean."""


def _weighed(trees: Trees, rows: Rows) -> Weighed:
    """Children stand behind their parents in every table of trees."""
    leaves = trees.leaves(rows)
    count = np.bincount(leaves.ravel(), minlength=len(trees.left)).astype(np.float64)
    value = trees.value.astype(np.float64)
    for node in np.flatnonzero(~trees.is_leaf)[::-1].tolist():
        one, other = trees.left[node], trees.right[node]
        value[node] = _mean(one, other, count, value)
        count[node] = count[one] + count[other]
    return count, value


def _mean(one: int, other: int, count: NDArray[np.float64], value: NDArray[np.float64]) -> float:
    rows = count[one] + count[other]
    if not rows:
        return float(value[one] + value[other]) / 2
    return float((count[one] * value[one] + count[other] * value[other]) / rows)


def _link(
    node: int, left: NDArray[np.int64], right: NDArray[np.int64], weighed: Weighed
) -> tuple[float, int]:
    """What it costs to make a branch of two leaves one leaf; of those that cost the same, the first goes."""
    count, value = weighed
    one, other = left[node], right[node]
    rows = max(1.0, float(count[one] + count[other]))
    return float(count[one] * count[other] / rows * (value[one] - value[other]) ** 2), node


def _ends(node: int, left: NDArray[np.int64], right: NDArray[np.int64]) -> bool:
    """Whether both children are leaves."""
    return all(left[child] == child for child in (left[node], right[node]))


def _rest(trees: Trees, value: Sequence[float] | NDArray[np.float64], root: int) -> list[Node]:
    """The nodes of a tree that are still reached, a parent before its children."""
    listed, places = [root], {root: 0}
    for node in listed:
        for child in (int(trees.left[node]), int(trees.right[node])):
            if child != node:
                places[child] = len(listed)
                listed.append(child)
    found: list[Node] = []
    for node in listed:
        if trees.left[node] == node:
            found.append((0, 0.0, -1, -1, False, float(value[node])))
            continue
        children = places[int(trees.left[node])], places[int(trees.right[node])]
        split = int(trees.feature[node]), float(trees.threshold[node])
        found.append((*split, *children, bool(trees.missing_left[node]), 0.0))
    return found

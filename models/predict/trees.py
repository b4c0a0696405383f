"""Trees of any library as one table: made into graph nodes, and walked by the reference."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, helper

from edge.errors import GivenError
from models.predict.graph import TREES, read_graph, widened
from models.predict.table import Rows
from models.trained import EXACT_STEPS

MAX_NODES: Final = 100_000
"""Of all trees: some 5 MB of graph, of the 8 that the edge takes."""

CHECKED: Final = 5_000
"""Rows on which trees are held against the library that grew them."""

MISSING: Final = 0.1
NEAR: Final = 4e-5
"""Of a sum of leaves, as a share where it is above 1: a quarter of it is left in a probability."""

CHUNK: Final = 1 << 20
"""Pairs of row and tree that the reference walks at once."""


@dataclass(frozen=True, eq=False)
class Trees:
    """All nodes of all trees, one after the other; a node's left child is where ``x <= threshold``.

    Attributes
    ----------
    roots : ndarray of int64
        Where each tree begins.
    feature, threshold, left, right
        Of branches; children are places in the table, and a leaf is its own child.
    missing_left : ndarray of bool
        Where a missing value goes.
    value : ndarray of float32
        Of leaves: a multiple of a power of two so great that sums over all trees are exact in
        float32, in any order.
    target : ndarray of int64
        Of each tree: the output that it adds to.
    """

    roots: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: NDArray[np.float32]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    missing_left: NDArray[np.bool_]
    value: NDArray[np.float32]
    target: NDArray[np.int64]

    @property
    def is_leaf(self) -> NDArray[np.bool_]:
        """Of each node."""
        leaf: NDArray[np.bool_] = self.left == np.arange(len(self.left))
        return leaf

    def sums(self, rows: Rows) -> NDArray[np.float64]:
        """Of each row and output: the sum of the leaves that its trees end in."""
        of_output = np.eye(int(self.target.max()) + 1)[self.target]
        found: NDArray[np.float64] = self.value[self.leaves(rows)].astype(np.float64) @ of_output
        return found

    def leaves(self, rows: Rows) -> NDArray[np.int64]:
        """Of each row and tree: the leaf that it ends in."""
        step = max(1, CHUNK // len(self.roots))
        parts = [self._walk(rows[start : start + step]) for start in range(0, len(rows), step)]
        return np.concatenate([np.zeros((0, len(self.roots)), np.int64), *parts])

    def nodes(self, output: str) -> list[NodeProto]:
        """From ``features`` to the sums, float64, as `output`."""
        return [self._node("exact_sums"), widened("exact_sums", output)]

    def _node(self, output: str) -> NodeProto:
        tree = np.searchsorted(self.roots, np.arange(len(self.left)), side="right") - 1
        inside = np.arange(len(self.left)) - self.roots[tree]
        leaves = np.flatnonzero(self.is_leaf)
        return helper.make_node(
            "TreeEnsembleRegressor",
            ["features"],
            [output],
            domain=TREES,
            n_targets=int(self.target.max()) + 1,
            nodes_treeids=tree,
            nodes_nodeids=inside,
            nodes_featureids=self.feature,
            nodes_values=self.threshold,
            nodes_modes=np.where(self.is_leaf, "LEAF", "BRANCH_LEQ").tolist(),
            nodes_truenodeids=np.where(self.is_leaf, 0, self.left - self.roots[tree]),
            nodes_falsenodeids=np.where(self.is_leaf, 0, self.right - self.roots[tree]),
            nodes_missing_value_tracks_true=self.missing_left.astype(np.int64),
            target_treeids=tree[leaves],
            target_nodeids=inside[leaves],
            target_ids=self.target[tree[leaves]],
            target_weights=self.value[leaves],
        )

    def _walk(self, rows: Rows) -> NDArray[np.int64]:
        at = np.tile(self.roots, (len(rows), 1))
        while True:
            found = np.take_along_axis(rows, self.feature[at], axis=1)
            goes_left = np.where(np.isnan(found), self.missing_left[at], found <= self.threshold[at])
            after = np.where(goes_left, self.left[at], self.right[at])
            if np.array_equal(after, at):
                return at
            at = after


Node = tuple[int, float, int, int, bool, float]
"""``(feature, threshold, left, right, missing_left, value)``; children are places in the tree, or -1."""


def gather(trees: Sequence[Sequence[Node]], targets: Sequence[int] | None = None) -> Trees:
    """One table of trees, each a list of nodes that begins with its root.

    Raises
    ------
    GivenError
        ``trees``: too many nodes for a graph.
    """
    sizes = np.array([len(tree) for tree in trees])
    if sizes.sum() > MAX_NODES:
        raise GivenError(
            "trees", f"{sizes.sum()} nodes, more than {MAX_NODES}; ask for fewer trees or leaves"
        )
    roots = np.cumsum(sizes) - sizes
    nodes = np.array([node for tree in trees for node in tree], np.float64).reshape(-1, 6)
    feature, threshold, left, right, missing_left, value = nodes.T
    places, offset = np.arange(len(nodes)), np.repeat(roots, sizes)
    leaf = left < 0
    return Trees(
        roots.astype(np.int64),
        np.where(leaf, 0, feature).astype(np.int64),
        np.where(leaf, 0, not_above(threshold)).astype(np.float32),
        np.where(leaf, places, left + offset).astype(np.int64),
        np.where(leaf, places, right + offset).astype(np.int64),
        missing_left.astype(np.bool_) & ~leaf,
        _exact(np.where(leaf, value, 0), roots),
        np.asarray(targets if targets is not None else [0] * len(trees), np.int64),
    )


def not_above(thresholds: NDArray[np.float64]) -> NDArray[np.float32]:
    """The greatest float32 that is not above: for any float32 ``x``, ``x <= t`` says the same of both."""
    with np.errstate(over="ignore"):
        near = thresholds.astype(np.float32)
    lower = np.nextafter(near, np.float32(-np.inf))
    found: NDArray[np.float32] = np.where(near > thresholds, lower, near)
    return found


def _exact(values: NDArray[np.float64], roots: NDArray[np.int64]) -> NDArray[np.float32]:
    """Values as multiples of the smallest power of two with which any sum stays below `EXACT_STEPS`."""
    greatest = float(np.maximum.reduceat(np.abs(values), roots).sum())
    step = 2.0 ** np.ceil(np.log2(max(greatest, 1e-30) / (EXACT_STEPS - len(roots))))
    exact: NDArray[np.float32] = (np.round(values / step) * step).astype(np.float32)
    return exact


def of_lightgbm(booster: Any) -> list[list[Node]]:
    """The trees of a LightGBM booster without categories."""
    return [list(_lightgbm_nodes(tree["tree_structure"])) for tree in booster.dump_model()["tree_info"]]


def _lightgbm_nodes(root: Mapping[str, Any]) -> Iterator[Node]:
    """A node before its children, which may be many levels down: a list, no recursion."""
    listed, places = [root], {id(root): 0}
    for node in listed:
        for child in ("left_child", "right_child"):
            if child in node:
                places[id(node[child])] = len(listed)
                listed.append(node[child])
    for node in listed:
        if "left_child" not in node:
            yield (0, 0.0, -1, -1, False, float(node["leaf_value"]))
            continue
        if node["decision_type"] != "<=":
            raise GivenError("trees", f"a split {node['decision_type']!r}; only <= is made into graphs")
        threshold = float(node["threshold"])
        # LightGBM reads a missing value as 0 where it saw none while it learned.
        left = node["default_left"] if node["missing_type"] == "NaN" else threshold >= 0
        children = (places[id(node[child])] for child in ("left_child", "right_child"))
        yield (int(node["split_feature"]), threshold, *children, bool(left), 0.0)  # type: ignore[misc]


def of_sklearn(tree: Any, values: NDArray[np.float64]) -> list[Node]:
    """A scikit-learn ``tree_``, with a value for each of its nodes."""
    missing_left = np.asarray(tree.missing_go_to_left, np.bool_)
    columns = (tree.feature, tree.threshold, tree.children_left, tree.children_right, missing_left, values)
    return list(zip(*(np.asarray(column).tolist() for column in columns), strict=True))


def of_histogram(nodes: NDArray[Any]) -> list[Node]:
    """The nodes of a predictor of scikit-learn's histogram gradient boosting.

    Raises
    ------
    GivenError
        ``trees``: a split by categories.
    """
    if nodes["is_categorical"].any():
        raise GivenError("trees", "splits by categories are not made into graphs; give them codes or one-hot")
    children = (np.where(nodes["is_leaf"], -1, nodes[side].astype(np.int64)) for side in ("left", "right"))
    columns = (nodes["feature_idx"], nodes["num_threshold"], *children, nodes["missing_go_to_left"])
    return list(zip(*(column.tolist() for column in (*columns, nodes["value"])), strict=True))


def check_sums(trees: Trees, rows: Rows, library: Callable[[Rows], NDArray[np.float64]]) -> Trees:
    """The trees, which say what the library says; of every second row a tenth of the values is taken away.

    Raises
    ------
    GivenError
        ``parity``: they say something else.
    """
    asked = rows[:: max(1, len(rows) // CHECKED)].copy()
    taken = np.random.default_rng(0).random(asked.shape) < MISSING
    taken[::2] = False
    asked[taken] = np.nan
    wanted = library(asked)
    error = float((np.abs(trees.sums(asked)[:, 0] - wanted) / np.maximum(1, np.abs(wanted))).max())
    if not error <= NEAR:
        raise GivenError("parity", f"the trees are {error:.2g} off what the library says; report its version")
    return trees


def read_trees(graph: bytes) -> Trees:
    """The trees of a graph that was made with `Trees.nodes`; a ValueError where there are none."""
    found = [node for node in read_graph(graph).node if node.op_type == "TreeEnsembleRegressor"]
    if not found:
        raise ValueError("the graph holds no trees")
    given = {item.name: onnx.helper.get_attribute_value(item) for item in found[0].attribute}
    inside = np.asarray(given["nodes_nodeids"], np.int64)
    places, roots = np.arange(len(inside)), np.flatnonzero(inside == 0)
    offset, leaf = places - inside, np.array([mode == b"LEAF" for mode in given["nodes_modes"]])
    value, target = np.zeros(len(inside), np.float32), np.zeros(len(roots), np.int64)
    value[leaf] = given["target_weights"]
    target[np.asarray(given["target_treeids"])] = given["target_ids"]
    return Trees(
        roots,
        np.asarray(given["nodes_featureids"], np.int64),
        np.asarray(given["nodes_values"], np.float32),
        np.where(leaf, places, np.asarray(given["nodes_truenodeids"]) + offset),
        np.where(leaf, places, np.asarray(given["nodes_falsenodeids"]) + offset),
        np.asarray(given["nodes_missing_value_tracks_true"], np.bool_),
        value,
        target,
    )

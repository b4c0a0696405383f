"""What a forest inside of an ONNX graph may be: trees that end, of bounded size and depth."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from edge.decide.protobuf import Floats, Ints
from edge.errors import BundleError

MAX_NODES: Final = 1 << 18
"""Of all trees of one node of a graph; more would not fit the graph's bytes either."""

MAX_DEPTH: Final = 1_000
"""onnxruntime follows a tree by recursion: a chain of 20,000 nodes ends the process."""

MAX_OUTPUTS: Final = 1_024

BRANCHES: Final = frozenset(
    ("BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT", "BRANCH_EQ", "BRANCH_NEQ", "LEAF")
)

Lists = Mapping[str, Ints | Floats | list[str]]
"""The lists of numbers and words among a node's attributes, by name."""


def check_trees(operator: str, lists: Lists, n_targets: int) -> None:
    """Check the attributes of a ``TreeEnsembleRegressor`` or ``TreeEnsembleClassifier``.

    Raises
    ------
    BundleError
        ``graph``: no tree, too many or too deep ones, lists of different lengths,
        children or leaves that are not there, a circle, or a number that is none.
    """
    ids, modes = _int_list(lists, "nodes_nodeids"), lists.get("nodes_modes", [])
    if not len(ids):
        raise BundleError("graph", f"{operator} holds no tree")
    if len(ids) > MAX_NODES:
        raise BundleError("graph", f"{operator} holds {len(ids)} tree nodes, more than {MAX_NODES}")
    if not isinstance(modes, list) or not BRANCHES.issuperset(modes):
        raise BundleError("graph", f"{operator} has tree nodes of an unknown mode")
    if any(name.endswith("_as_tensor") for name in lists):
        raise BundleError("graph", f"{operator} holds thresholds other than float32")
    same = ("treeids", "featureids", "truenodeids", "falsenodeids", "values")
    lengths = {len(lists.get(f"nodes_{name}", ())) for name in same} | {len(modes)}
    if lengths != {len(ids)}:
        raise BundleError("graph", f"{operator} has lists of different lengths")
    if np.isnan(np.asarray(lists["nodes_values"], np.float32)).any():
        raise BundleError("graph", f"{operator} has a threshold that is no number")
    positions = _Positions(operator, _int_list(lists, "nodes_treeids"), ids)
    _check_ends(operator, positions, lists, np.array([mode != "LEAF" for mode in modes]))
    _check_leaves(operator, positions, lists, n_targets)


class _Positions:
    """Where a tree's node stands in the lists, by tree and number."""

    def __init__(self, operator: str, trees: Ints, nodes: Ints) -> None:
        if min(trees.min(), nodes.min()) < 0 or max(trees.max(), nodes.max()) >= 1 << 31:
            raise BundleError("graph", f"{operator} numbers trees or nodes below 0, or absurdly high")
        keys = trees << 31 | nodes
        self._order = np.argsort(keys, kind="stable")
        self._keys = keys[self._order]
        self._operator = operator
        if (self._keys[1:] == self._keys[:-1]).any():
            raise BundleError("graph", f"{operator} numbers two nodes of a tree alike")

    def of(self, trees: Ints, nodes: Ints) -> Ints:
        """The places of these; all must be there."""
        keys = trees << 31 | nodes
        places = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
        if (nodes < 0).any() or (nodes >> 31).any() or (self._keys[places] != keys).any():
            raise BundleError("graph", f"{self._operator} points to a tree node that is not there")
        return self._order[places]


def _check_ends(operator: str, positions: _Positions, lists: Lists, branches: NDArray[np.bool_]) -> None:
    """Walk all trees at once, a level a step, from the nodes that nobody points to."""
    if (_int_list(lists, "nodes_featureids") < 0).any():
        raise BundleError("graph", f"{operator} asks for a feature below 0")
    at = np.flatnonzero(branches)
    trees = _int_list(lists, "nodes_treeids")
    children = np.zeros((len(trees), 2), np.int64)
    for side, name in enumerate(("nodes_truenodeids", "nodes_falsenodeids")):
        children[at, side] = positions.of(trees[at], _int_list(lists, name)[at])
    is_root = np.ones(len(trees), np.bool_)
    is_root[children[at]] = False
    level, reached = np.flatnonzero(is_root), np.zeros(len(trees), np.bool_)
    for _ in range(MAX_DEPTH):
        reached[level] = True
        level = np.unique(children[level[branches[level]]])
        if not len(level):
            break
    if len(level) or not reached.all():
        raise BundleError("graph", f"{operator} has a tree that goes in circles, or deeper than {MAX_DEPTH}")
    if len(np.unique(trees[is_root])) != np.count_nonzero(is_root):
        raise BundleError("graph", f"{operator} has a tree with two roots")


def _check_leaves(operator: str, positions: _Positions, lists: Lists, n_targets: int) -> None:
    kind = "target" if operator == "TreeEnsembleRegressor" else "class"
    trees, nodes, targets = (_int_list(lists, f"{kind}_{name}") for name in ("treeids", "nodeids", "ids"))
    weights = np.asarray(lists.get(f"{kind}_weights", ()), np.float32)
    if not len(trees) == len(nodes) == len(targets) == len(weights):
        raise BundleError("graph", f"{operator} has lists of different lengths")
    if not 1 <= n_targets <= MAX_OUTPUTS:
        raise BundleError("graph", f"{operator} has {n_targets} outputs; 1 to {MAX_OUTPUTS} are allowed")
    if len(targets) and not 0 <= targets.min() <= targets.max() < n_targets:
        raise BundleError("graph", f"{operator} counts leaves for an output that is not there")
    if not np.isfinite(weights).all():
        raise BundleError("graph", f"{operator} has a leaf that is no number")
    positions.of(trees, nodes)


def _int_list(lists: Lists, name: str) -> Ints:
    found = np.asarray(lists.get(name, np.zeros(0, np.int64)))
    if found.dtype != np.int64:
        raise BundleError("graph", f"{name} is no list of whole numbers")
    return found

"""What forests may be: what real ones are like, and nothing that has no end."""

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from edge.decide import trees
from edge.decide.operators import check_graph
from edge.errors import BundleError


def chain(length: int, **changed: Any) -> bytes:
    """A tree in which every left child is a leaf, with some attributes changed; None leaves one out."""
    n = 2 * length + 1
    branch = [node % 2 == 0 and node < n - 1 for node in range(n)]
    leaves = [node for node in range(n) if not branch[node]]
    attributes: dict[str, Any] = {
        "n_targets": 1,
        "nodes_treeids": [0] * n,
        "nodes_nodeids": list(range(n)),
        "nodes_featureids": [0] * n,
        "nodes_modes": ["BRANCH_LEQ" if is_branch else "LEAF" for is_branch in branch],
        "nodes_values": [0.5] * n,
        "nodes_truenodeids": [node + 1 if branch[node] else 0 for node in range(n)],
        "nodes_falsenodeids": [node + 2 if branch[node] else 0 for node in range(n)],
        "target_treeids": [0] * len(leaves),
        "target_nodeids": leaves,
        "target_ids": [0] * len(leaves),
        "target_weights": [1.0] * len(leaves),
    } | changed
    kept = {name: value for name, value in attributes.items() if value is not None}
    node = helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain="ai.onnx.ml", **kept)
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 1]) for name in "xy"]
    graph = helper.make_graph([node], "g", values[:1], values[1:])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("ai.onnx.ml", 3)]
    return bytes(helper.make_model(graph, opset_imports=opsets).SerializeToString())


def test_a_tree_is_fine() -> None:
    assert check_graph(chain(3)) == {"TreeEnsembleRegressor"}


def test_a_leaf_alone_is_a_tree() -> None:
    assert check_graph(chain(0)) == {"TreeEnsembleRegressor"}


def test_trees_may_share_a_branch() -> None:
    """LightGBM's sets of categories become chains of equals that all lead to one node."""
    shared = {
        "nodes_nodeids": [0, 1, 2, 3],
        "nodes_modes": ["BRANCH_EQ", "LEAF", "BRANCH_EQ", "LEAF"],
        "nodes_truenodeids": [1, 0, 1, 0],
        "nodes_falsenodeids": [2, 0, 3, 0],
        "target_nodeids": [1, 3, 3],
    }
    zeros = dict.fromkeys(("nodes_treeids", "nodes_featureids"), [0] * 4) | {"nodes_values": [0.0] * 4}
    assert check_graph(chain(2, **shared, **zeros))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"nodes_truenodeids": [1, 0, 0, 0, 0]}, "circles"),
        ({"nodes_truenodeids": [1, 0, 2, 0, 0]}, "circles"),
        ({"nodes_truenodeids": [9, 0, 3, 0, 0]}, "not there"),
        ({"nodes_truenodeids": [-1, 0, 3, 0, 0]}, "not there"),
        ({"nodes_falsenodeids": [1, 0, 4, 0, 0], "nodes_truenodeids": [1, 0, 3, 0, 0]}, "two roots"),
        ({"nodes_nodeids": [0, 1, 1, 3, 4]}, "alike"),
        ({"nodes_nodeids": [0, 1, 2, 3, 1 << 40]}, "absurdly"),
        ({"nodes_treeids": [0, 0, 0, 0]}, "different lengths"),
        ({"nodes_modes": ["BRANCH_LEQ", "LEAF", "SUBTREE", "LEAF", "LEAF"]}, "holds text"),
        ({"nodes_modes": ["BRANCH_LEQ", "LEAF", "Relu", "LEAF", "LEAF"]}, "unknown mode"),
        ({"nodes_featureids": [0, 0, -1, 0, 0]}, "below 0"),
        ({"nodes_values": [float("nan")] * 5}, "NaN"),
        ({"target_weights": [1.0, float("inf"), 1.0]}, "no number"),
        ({"target_ids": [0, 1, 0]}, "output that is not there"),
        ({"target_nodeids": [1, 3, 5]}, "not there"),
        ({"target_treeids": [0, 0]}, "different lengths"),
        ({"n_targets": 1 << 40}, "1 to 1024"),
        ({"n_targets": None}, "1 to 1024"),
        (dict.fromkeys(("nodes_nodeids", "nodes_treeids", "nodes_modes")), "no tree"),
    ],
)
def test_what_no_tree_is_like(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(BundleError, match=said) as caught:
        check_graph(chain(2, **changed))
    assert caught.value.code == "graph"


def test_depth_is_bounded() -> None:
    check_graph(chain(trees.MAX_DEPTH - 1))
    with pytest.raises(BundleError, match="deeper than"):
        check_graph(chain(trees.MAX_DEPTH))


def test_size_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trees, "MAX_NODES", 6)
    with pytest.raises(BundleError, match="7 tree nodes, more than 6"):
        check_graph(chain(3))


def test_float64_thresholds_are_refused() -> None:
    values = helper.make_tensor("", TensorProto.DOUBLE, [3], np.zeros(3))
    with pytest.raises(BundleError, match="other than float32"):
        check_graph(chain(1, nodes_values_as_tensor=values))

"""What a model costs: its bytes, and the multiply-adds of one visitor, counted by running its graph once."""

import math
from typing import Any, Final

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, ValueInfoProto

from compiler.models.graph import ScoreModel
from edge.bundle.certificate import Cost
from edge.bundle.features import CONTEXT
from edge.decide.recommender import open_session

FREE: Final = frozenset(("Identity", "Reshape", "Shape", "Squeeze", "Unsqueeze"))
"""These look at the same numbers in another way."""

PRODUCTS: Final = frozenset(("MatMul", "Gemm"))
BY_INPUT: Final = frozenset(
    ("ReduceSum", "ReduceMax", "ReduceMean", "ReduceMin", "TopK", "ArgMax", "NonZero")
)
TREES: Final = frozenset(("TreeEnsemble", "TreeEnsembleClassifier", "TreeEnsembleRegressor"))
UPDATES: Final = 2
"""Which input of a scatter holds what it adds."""


def model_cost(model: ScoreModel, max_history: int) -> Cost:
    """The cost of a model for one visitor with as long a history as the bundle takes in."""
    n_items = len(model.items)
    length = min(max_history, n_items)
    history = np.arange(length, dtype=np.int32)[np.newaxis]
    feeds = {"history": history, "weight": np.ones(history.shape, np.float32), **model.arrays}
    feeds |= {CONTEXT: np.zeros((1, len(model.features)), np.float32)} if model.features else {}
    size = len(model.scores_graph) + sum(array.nbytes for array in model.arrays.values())
    return Cost(size, count_operations(model.scores_graph, feeds), n_items)


def count_operations(graph: bytes, feeds: dict[str, Any]) -> int:
    """Multiply-adds of one run.

    A product of matrices has rows x columns x inner length of them; a tree costs its depth; any
    other operator costs one for each number that it writes or, where it reduces, reads. What
    only looks at numbers in another way is free.
    """
    proto = onnx.load_model_from_string(graph)
    shapes = _shapes(proto, feeds)
    return sum(_operations(node, shapes) for node in proto.graph.node)


Shapes = dict[str, tuple[int, ...]]


def _shapes(proto: ModelProto, feeds: dict[str, Any]) -> Shapes:
    """The shape of every value of a run: many depend on the data, so no inference knows them."""
    shown = ModelProto()
    shown.CopyFrom(proto)
    names = [name for node in proto.graph.node for name in node.output if name]
    del shown.graph.output[:]
    shown.graph.output.extend(ValueInfoProto(name=name) for name in names)
    session = open_session(shown.SerializeToString())
    wanted = {value.name for value in session.get_inputs()}
    values = session.run(names, {name: value for name, value in feeds.items() if name in wanted})
    found = {name: np.shape(value) for name, value in (*feeds.items(), *zip(names, values, strict=True))}
    return found | {tensor.name: tuple(tensor.dims) for tensor in proto.graph.initializer}


def _operations(node: NodeProto, shapes: Shapes) -> int:
    written = sum(math.prod(shapes[name]) for name in node.output if name)
    read = math.prod(shapes[node.input[0]]) if node.input else 0
    if node.op_type in FREE:
        return 0
    if node.op_type in PRODUCTS:
        return written * _inner(node, shapes[node.input[0]])
    if node.op_type in TREES:
        return shapes[node.input[0]][0] * _tree_steps(node)
    if node.op_type in BY_INPUT:
        return read
    if node.op_type.startswith("Scatter"):
        return math.prod(shapes[node.input[UPDATES]])
    return written


def _inner(node: NodeProto, left: tuple[int, ...]) -> int:
    transposed = any(a.name == "transA" and a.i for a in node.attribute)
    return left[0 if transposed else -1] if left else 1


def _tree_steps(node: NodeProto) -> int:
    """Depth of all trees together, as if each were balanced."""
    ids = next((a.ints for a in node.attribute if a.name in ("nodes_treeids", "nodes_splits")), ())
    trees = max(1, len(set(ids)))
    return trees * max(1, math.ceil(math.log2(len(ids) / trees + 1)))

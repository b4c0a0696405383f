"""Models that nobody should run: graphs with one thing wrong, to be put into any graph that works.

Each has a name, which docs/bring-your-own.md lists, and what is said when it is refused.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

ML: Final = "ai.onnx.ml"
MOST: Final = 1 << 40
BEFORE_READING: Final = "more than|can't be read|at most 64"

Change = Callable[[ModelProto, str], None]
"""``(model, the name of a float input)``: spoils the model in place."""


@dataclass(frozen=True)
class Hostile:
    """What is wrong, by what it is refused, and whether only a process of its own may try it."""

    change: Change | None
    said: str
    spoil: Callable[[bytes], bytes] | None = None
    crashes: bool = False
    unneeded: bool = False
    """Conversion changes it into what is harmless."""

    clipped: bool = False
    """onnxruntime makes something harmless of it as it runs."""

    def make(self, model: ModelProto, given: str) -> bytes:
        """The model as bytes, spoilt."""
        copy = ModelProto()
        copy.CopyFrom(model)
        if self.change is not None:
            self.change(copy, given)
        data = bytes(copy.SerializeToString())
        return self.spoil(data) if self.spoil is not None else data


def _constant(name: str, value: Any, dtype: str = "f4") -> TensorProto:
    return numpy_helper.from_array(np.asarray(value, dtype), name)


def _add(*nodes: NodeProto, constants: tuple[TensorProto, ...] = ()) -> Change:
    """Nodes from ``in`` to ``out``, that count nothing in what the model ranks, or else answers."""

    def change(model: ModelProto, given: str) -> None:
        graph = model.graph
        ranked = [node.input[0] for node in graph.node if node.op_type == "TopK"]
        output = ranked[0] if ranked else graph.output[0].name
        for node in graph.node:
            node.output[:] = ["honest" if name == output else name for name in node.output]
        added = [NodeProto.FromString(node.SerializeToString()) for node in nodes]
        for node in added:
            node.input[:] = [given if name == "in" else name for name in node.input]
        parts = [
            helper.make_node("Cast", ["out"], ["hostile_float"], to=TensorProto.FLOAT),
            helper.make_node("ReduceSum", ["hostile_float"], ["hostile_sum"], keepdims=0),
            helper.make_node("Mul", ["hostile_sum", "hostile_zero"], ["hostile_nothing"]),
            helper.make_node("Add", ["honest", "hostile_nothing"], [output]),
        ]
        at = 1 + next(place for place, node in enumerate(graph.node) if "honest" in node.output)
        later = [NodeProto.FromString(node.SerializeToString()) for node in graph.node[at:]]
        del graph.node[at:]
        graph.node.extend([*added, *parts, *later])
        graph.initializer.extend([_constant("hostile_zero", 0), *constants])
        if any(node.domain == ML for node in added) and all(e.domain != ML for e in model.opset_import):
            model.opset_import.add(domain=ML, version=3)

    return change


def _node(kind: str, inputs: str, domain: str = "", **attributes: Any) -> NodeProto:
    return helper.make_node(kind, inputs.split(), ["out"], domain=domain, **attributes)


def _ints(name: str, *values: int) -> TensorProto:
    return _constant(name, values, "i8")


def _held(**tensor: Any) -> Change:
    """A constant, which is used."""
    given = {"name": "held", "data_type": TensorProto.FLOAT, "dims": [1], "raw_data": bytes(4)} | tensor
    return _add(_node("Add", "in held"), constants=(TensorProto(**given),))


def _tree(length: int = 1, **changed: Any) -> Change:
    """A chain of branches, each with a leaf to its left; `changed` are attributes that differ."""
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
    return _add(_node("TreeEnsembleRegressor", "in", ML, **kept))


def _no_tree() -> Change:
    return _tree(**dict.fromkeys(("nodes_nodeids", "nodes_treeids", "nodes_modes", "nodes_values")))


def _with(change: Callable[[ModelProto], object]) -> Change:
    def changed(model: ModelProto, given: str) -> None:
        change(model)

    return changed


def _twice(model: ModelProto) -> None:
    model.graph.node.append(model.graph.node[0])


def _circle(model: ModelProto) -> None:
    node = model.graph.node[-1]
    model.graph.node[0].input[0] = node.output[0]


def _lost(model: ModelProto) -> None:
    last = model.graph.output[0].name
    for node in model.graph.node:
        node.output[:] = ["elsewhere" if name == last else name for name in node.output]


def _reshaped(model: ModelProto) -> None:
    """A table that has more rows than it was asked for."""
    last = model.graph.output[0]
    for node in model.graph.node:
        node.output[:] = ["honest" if name == last.name else name for name in node.output]
    model.graph.node.append(helper.make_node("Concat", ["honest", "honest"], [last.name], axis=0))


def _inner() -> Any:
    value = helper.make_tensor_value_info("inner", TensorProto.FLOAT, [1])
    return helper.make_graph([], "inner", [], [value])


def _sparse() -> NodeProto:
    node = _node("Identity", "in")
    attribute = node.attribute.add()
    attribute.name = "value"
    attribute.sparse_tensor.dims.append(1)
    return node


def _wide(*nodes: NodeProto, **numbers: int) -> Change:
    return _add(*nodes, constants=tuple(_ints(name, value) for name, value in numbers.items()))


NAN: Final = _constant("held", [np.nan, 1.0])

HOSTILE: Final[Mapping[str, Hostile]] = {
    # What is no graph at all.
    "noise": Hostile(None, "kind|holds|can't be read|ends|onnxruntime", lambda data: b"\x07noise" * 9),
    "nothing": Hostile(None, "onnxruntime refuses|takes nothing|one output", lambda data: b""),
    "a pickle": Hostile(None, "kind|ends|can't be read|no end", lambda data: b"\x80\x04\x95oops."),
    "cut in the middle": Hostile(
        None, "ends inside|can't be read|kind|no end", lambda data: data[: len(data) // 2]
    ),
    "100 MB": Hostile(None, BEFORE_READING, lambda data: data + bytes(100 << 20)),
    # What reaches out of the graph, or holds other programs.
    "data outside": Hostile(_held(data_location=TensorProto.EXTERNAL), "data outside of itself"),
    "a path outside": Hostile(
        _held(external_data=[{"key": "location", "value": "/etc/passwd"}]), "data outside of itself"
    ),
    "functions": Hostile(_with(lambda m: m.functions.add(name="f")), "functions"),
    "training": Hostile(_with(lambda m: m.training_info.add()), "training"),
    "a branch": Hostile(_add(_node("If", "in", then_branch=_inner(), else_branch=_inner())), "'If' is not"),
    "a loop": Hostile(_add(_node("Loop", "in in in", body=_inner())), "'Loop' is not"),
    "a scan": Hostile(_add(_node("Scan", "in", body=_inner(), num_scan_inputs=1)), "'Scan' is not"),
    "a graph in a graph": Hostile(_add(_node("Identity", "in", body=_inner())), "subgraph"),
    "chance": Hostile(_add(_node("RandomNormalLike", "in")), "'RandomNormalLike' is not"),
    "an unknown operator": Hostile(_add(_node("Summon", "in")), "'Summon' is not"),
    "a domain of its own": Hostile(_add(_node("Gelu", "in", "com.microsoft")), "not of ONNX itself"),
    "an old opset": Hostile(
        _with(lambda m: m.opset_import.add(version=5)), "opset 5|of opset", unneeded=True
    ),
    "a future opset": Hostile(_with(lambda m: m.opset_import.add(version=999)), "opset 999|of opset"),
    # Text.
    "text as a constant": Hostile(
        _held(data_type=TensorProto.STRING, string_data=[b"x"], raw_data=b""), "holds text"
    ),
    "text as an attribute": Hostile(_add(_node("Identity", "in", note="curl evil")), "holds text"),
    "text from numbers": Hostile(
        _add(_node("LabelEncoder", "in", ML, keys_floats=[1.0], values_strings=["evil"])), "holds text"
    ),
    "text from a cast": Hostile(
        _add(helper.make_node("Cast", ["in"], ["t"], to=TensorProto.STRING), _node("Cast", "t", to=1)),
        "casts to a type that is not allowed",
    ),
    # Names.
    "a circle": Hostile(_with(_circle), "before it is made"),
    "one name for two": Hostile(_with(_twice), "two values are named"),
    "no such value": Hostile(_add(_node("Neg", "nowhere")), "before it is made|never made"),
    "no output": Hostile(_with(_lost), "never made|is used before|its output"),
    "100,000 nodes": Hostile(
        _add(*(helper.make_node("Neg", ["in"], [f"n{k}"]) for k in range(99_999)), _node("Neg", "in")),
        "nodes, more than",
    ),
    # Constants.
    "NaN weights": Hostile(
        _add(
            helper.make_node("ReduceSum", ["held"], ["s"], keepdims=0), _node("Mul", "in s"), constants=(NAN,)
        ),
        "holds NaN",
    ),
    "a shape without data": Hostile(_held(dims=[MOST]), "but holds 1 numbers"),
    "a shape beyond all numbers": Hostile(_held(dims=[1 << 62, 4]), "but holds 1 numbers"),
    "a negative shape": Hostile(_held(dims=[-1, -1]), "negative size"),
    "half a number": Hostile(_held(raw_data=b"123"), "but holds -1 numbers"),
    "an unknown type": Hostile(_held(data_type=77), "type that is not allowed"),
    "a sparse constant": Hostile(_with(lambda m: m.graph.sparse_initializer.add()), "sparse"),
    "a sparse attribute": Hostile(_add(_sparse()), "sparse"),
    # Trees.
    "no tree": Hostile(_no_tree(), "holds no tree"),
    "a tree in a circle": Hostile(_tree(nodes_falsenodeids=[0, 0, 0]), "circles"),
    "a tree of 20,000 levels": Hostile(_tree(20_000), "deeper than 1000"),
    "a tree of 600,000 nodes": Hostile(_tree(300_000), "more than"),
    "a branch to nowhere": Hostile(_tree(nodes_truenodeids=[9, 0, 0]), "not there"),
    "two trees in one": Hostile(
        _tree(2, nodes_falsenodeids=[1, 0, 4, 0, 0], nodes_truenodeids=[1, 0, 3, 0, 0]), "two roots"
    ),
    "a feature that nobody has": Hostile(_tree(nodes_featureids=[1 << 30, 0, 0]), "TreeEnsembleRegressor"),
    "a leaf for nobody": Hostile(_tree(target_ids=[0, 7]), "output that is not there"),
    "a leaf of infinity": Hostile(_tree(target_weights=[1.0, float("inf")]), "leaf that is no number"),
    "a threshold of NaN": Hostile(_tree(nodes_values=[float("nan")] * 3), "NaN among its nodes_values"),
    "a billion outputs": Hostile(_tree(n_targets=1 << 30), "1 to 1024"),
    # What only shows as it runs.
    "shapes that do not fit": Hostile(
        _add(_node("MatMul", "in held"), constants=(_constant("held", np.ones((77, 2))),)),
        "MatMul|[Ii]ncompatible",
    ),
    "memory as it loads": Hostile(
        _wide(_node("ConstantOfShape", "size"), size=1 << 35),
        "ConstantOfShape|memory|exit status",
        crashes=True,
    ),
    "memory by widening": Hostile(_wide(_node("Expand", "in size"), size=MOST), "Expand"),
    "memory by a product": Hostile(
        _add(
            helper.make_node("ReduceSum", ["in"], ["one"], keepdims=0),
            helper.make_node("Expand", ["one", "tall"], ["left"]),
            helper.make_node("Expand", ["one", "wide"], ["right"]),
            _node("MatMul", "left right"),
            constants=(_ints("tall", 1 << 20, 1), _ints("wide", 1, 1 << 20)),
        ),
        "MatMul",
    ),
    "memory by one-hot": Hostile(
        _add(
            helper.make_node("Cast", ["in"], ["whole"], to=TensorProto.INT64),
            _node("OneHot", "whole depth values"),
            constants=(_ints("depth", MOST), _constant("values", [0, 1])),
        ),
        "OneHot",
    ),
    "memory by counting": Hostile(
        _add(
            helper.make_node("Range", ["from", "to", "by"], ["all"]),
            helper.make_node("Cast", ["all"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("ReduceSum", ["floats"], ["one"], keepdims=0),
            _node("Mul", "in one"),
            constants=tuple(_constant(n, v, "i8") for n, v in (("from", 0), ("to", MOST), ("by", 1))),
        ),
        "Range|memory|exit status",
        crashes=True,
    ),
    "the best of none": Hostile(
        _add(
            helper.make_node("TopK", ["in", "k"], ["v", "i"], axis=1),
            _node("Identity", "v"),
            constants=(_ints("k", MOST),),
        ),
        "TopK|k argument|k should",
        clipped=True,
    ),
    "an item past the end": Hostile(
        _add(_node("Gather", "in far", axis=1), constants=(_ints("far", 1 << 30),)), "Gather|indices"
    ),
    "a shape of no size": Hostile(_wide(_node("Reshape", "in size"), size=-7), "Reshape|shape"),
    "quantized nonsense": Hostile(
        _add(
            _node("DequantizeLinear", "bytes scale zero"),
            constants=(
                _constant("bytes", [1, 2], "u1"),
                _constant("scale", [1, 1, 1]),
                _constant("zero", [0], "i1"),
            ),
        ),
        "DequantizeLinear|zero",
    ),
    "answers that are no numbers": Hostile(
        _add(
            helper.make_node("Sub", ["in", "in"], ["naught"]),
            _node("Div", "naught naught"),
        ),
        "golden|no answer that is a number",
    ),
    "another shape than it says": Hostile(_with(_reshaped), "shape|golden|plan|Shape"),
}

"""Lets a score graph read stored arrays: only what a look-up takes out of them is decoded."""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from edge.bundle.arrays import Array

LAST: Final = "last_axis.gaps"
"""A constant of graphs with gaps."""


def rewrite(graph: bytes, arrays: Mapping[str, Array]) -> bytes:
    """The graph with inputs for `arrays` as `storage.encode` made them, in the place of plain ones."""
    proto = onnx.load_model_from_string(graph)
    stored = {name.rpartition(".")[0]: name for name in arrays if _is_stored(name)}
    nodes: list[NodeProto] = []
    for node in proto.graph.node:
        nodes += _decoded(node, stored, arrays)
    bound = [value for value in proto.graph.input if value.name not in stored]
    known = {value.name for value in bound}
    for name in sorted(arrays.keys() - known):
        type_ = helper.np_dtype_to_tensor_dtype(arrays[name].dtype)
        bound.append(helper.make_tensor_value_info(name, type_, arrays[name].shape))
    del proto.graph.input[:], proto.graph.node[:]
    proto.graph.input.extend(bound)
    proto.graph.node.extend(nodes)
    if any(name.endswith(".gaps") for name in arrays):
        proto.graph.initializer.append(numpy_helper.from_array(np.array(-1, np.int64), LAST))
    onnx.checker.check_model(proto, full_check=True)
    return bytes(proto.SerializeToString(deterministic=True))


def _is_stored(name: str) -> bool:
    return name.rpartition(".")[2] in ("float16", "int8", "uint16", "gaps")


def _decoded(node: NodeProto, stored: Mapping[str, str], arrays: Mapping[str, Array]) -> Iterator[NodeProto]:
    """The node with what it reads of stored arrays decoded: before it, or behind where it looks rows up."""
    read = [name for name in dict.fromkeys(node.input) if name in stored]
    if node.op_type == "Gather" and read == [node.input[0]] and _axis(node) == 0:
        yield from _gathered(node, stored[read[0]], arrays)
        return
    copy = NodeProto()
    copy.CopyFrom(node)
    for name in read:
        output = f"{node.output[0]}/{name}"
        yield from _decoding(stored[name], f"{name}.scales", output)
        copy.input[:] = [output if given == name else given for given in copy.input]
    yield copy


def _gathered(gather: NodeProto, stored: str, arrays: Mapping[str, Array]) -> Iterator[NodeProto]:
    base, output, rows = stored.rpartition(".")[0], gather.output[0], gather.input[1]
    yield helper.make_node("Gather", [stored, rows], [f"{output}/stored"], axis=0)
    scales = f"{base}.scales"
    if scales in arrays and len(arrays[scales]) > 1:
        yield helper.make_node("Gather", [scales, rows], [f"{output}/scales"], axis=0)
        scales = f"{output}/scales"
    yield from _decoding(f"{output}/stored", scales, output, stored)


def _decoding(stored: str, scales: str, output: str, form: str = "") -> Iterator[NodeProto]:
    """Nodes from stored numbers to plain ones; `form` names the array where `stored` is a part of it.

    Indices have no `scales`.
    """
    kind = (form or stored).rpartition(".")[2]
    if kind == "uint16":
        yield helper.make_node("Cast", [stored], [output], to=TensorProto.INT32)
        return
    if kind == "gaps":
        yield helper.make_node("Cast", [stored], [f"{output}/gaps"], to=TensorProto.INT32)
        yield helper.make_node("CumSum", [f"{output}/gaps", LAST], [output])
        return
    yield helper.make_node("Cast", [stored], [f"{output}/codes"], to=TensorProto.FLOAT)
    yield helper.make_node("Mul", [f"{output}/codes", scales], [output])


def _axis(node: NodeProto) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == "axis"), 0)

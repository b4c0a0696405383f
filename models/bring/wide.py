"""Lets a brought graph count in 64 bits, so that the order in which sums are made no longer shows."""

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from edge.bundle.arrays import Array
from models.bring.source import cannot

FLOATS: Final = (TensorProto.FLOAT, TensorProto.FLOAT16)

EVERY: Final = tuple(range(16))
NARROW: Final[Mapping[str, tuple[Sequence[int], Sequence[int]]]] = {
    "DequantizeLinear": ((1,), (0,)),
    "DynamicQuantizeLinear": ((0,), (1,)),
    "Erf": ((0,), (0,)),
    "Gelu": ((0,), (0,)),
    "GRU": ((0, 1, 2, 3, 5), (0, 1)),
    "LSTM": ((0, 1, 2, 3, 5, 6, 7), (0, 1, 2)),
    "Mean": (EVERY, (0,)),
    "NonZero": ((0,), ()),
    "OneHot": ((2,), (0,)),
    "QuantizeLinear": ((0, 1), ()),
}
"""What onnxruntime has in 32 bits alone: which of its inputs and outputs are floats."""

EXACT: Final = frozenset(("NonZero", "OneHot"))
"""Of those, what no bit is lost by."""


def widen(
    nodes: Sequence[NodeProto], constants: Mapping[str, Array]
) -> tuple[list[NodeProto], dict[str, Array]]:
    """The same nodes and constants with float64 in the place of smaller floats.

    Raises
    ------
    GivenError
        ``bring``: an operator is of another domain than ONNX's own.
    """
    small = _small(nodes, constants)
    wide = {
        name: array.astype(np.float64) if array.dtype.kind == "f" and name not in small else array
        for name, array in constants.items()
    }
    found = list[NodeProto]()
    for node in nodes:
        if node.domain not in ("", "ai.onnx"):
            said = f"holds {node.op_type!r} of {node.domain!r}, which no recommender can hold"
            raise cannot("the graph", said, "trees and encoders are for predictions")
        found += _widened(node, small)
    return found, wide


def narrow(nodes: Sequence[NodeProto]) -> list[str]:
    """The operators that go on counting in 32 bits, by name."""
    return sorted({node.op_type for node in nodes if node.op_type in NARROW} - EXACT)


def _small(nodes: Sequence[NodeProto], constants: Mapping[str, Array]) -> frozenset[str]:
    """Constants that stay as they are: their rows are looked up, or what takes them in has 32 bits."""
    used = {
        name
        for node in nodes
        for place, name in enumerate(node.input)
        if (node.op_type != "Gather" or place > 0) and place not in NARROW.get(node.op_type, ((), ()))[0]
    }
    return frozenset(name for name, array in constants.items() if array.dtype == np.float32) - used


def _widened(node: NodeProto, small: Collection[str]) -> list[NodeProto]:
    copy = NodeProto()
    copy.CopyFrom(node)
    if node.op_type in NARROW:
        return _wrapped(copy, small)
    if node.op_type == "Gather" and node.input[0] in small:
        copy.output[0] = f"{node.output[0]}_small"
        return [copy, _cast(copy.output[0], node.output[0], TensorProto.DOUBLE)]
    for attribute in copy.attribute:
        if node.op_type == "Cast" and attribute.name == "to" and attribute.i in FLOATS:
            attribute.i = TensorProto.DOUBLE
        elif attribute.type == attribute.TENSOR and attribute.t.data_type in FLOATS:
            wide = numpy_helper.to_array(attribute.t).astype(np.float64)
            attribute.t.CopyFrom(numpy_helper.from_array(wide, attribute.t.name))
    return [_constant(copy)]


def _constant(node: NodeProto) -> NodeProto:
    """A `Constant` that is written as floats says what type it has; so it is written as a tensor."""
    for attribute in list(node.attribute):
        if node.op_type == "Constant" and attribute.name in ("value_float", "value_floats"):
            number = attribute.f if attribute.name == "value_float" else list(attribute.floats)
            tensor = numpy_helper.from_array(np.asarray(number, np.float64))
            node.attribute.remove(attribute)
            node.attribute.append(helper.make_attribute("value", tensor))
    return node


def _wrapped(node: NodeProto, small: Collection[str]) -> list[NodeProto]:
    """The node with its floats cut to 32 bits before it, and taken for 64 behind it."""
    inputs, outputs = NARROW[node.op_type]
    before, after = [], []
    for place, name in enumerate(node.input):
        if place in inputs and name and name not in small:
            node.input[place] = f"{node.output[0]}_in{place}"
            before.append(_cast(name, node.input[place], TensorProto.FLOAT))
    for place, name in enumerate(node.output):
        if place in outputs and name:
            node.output[place] = f"{name}_small"
            after.append(_cast(node.output[place], name, TensorProto.DOUBLE))
    return [*before, node, *after]


def _cast(value: str, output: str, kind: int) -> NodeProto:
    return helper.make_node("Cast", [value], [output], to=kind)

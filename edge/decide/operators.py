"""What an ONNX graph may hold, checked by walking its protobuf without the onnx package."""

from collections.abc import Iterator
from typing import Final

from edge.errors import BundleError

MAX_GRAPH_BYTES: Final = 8 << 20
"""A graph is nodes and small constants: large arrays are its inputs."""

OPERATORS: Final = frozenset(
    (
        "Abs",
        "Add",
        "Cast",
        "Concat",
        "ConstantOfShape",
        "CumSum",
        "Div",
        "Equal",
        "Expand",
        "Gather",
        "GatherND",
        "Greater",
        "MatMul",
        "Max",
        "Mul",
        "NonZero",
        "ReduceMax",
        "ReduceSum",
        "Reshape",
        "Round",
        "ScatterElements",
        "Shape",
        "Slice",
        "Sqrt",
        "Squeeze",
        "TopK",
        "Transpose",
        "Unsqueeze",
        "Where",
    )
)

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
# Field numbers of onnx.proto.
MODEL_GRAPH, MODEL_TRAINING, MODEL_FUNCTIONS = 7, 20, 25
GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_SPARSE = 1, 5, 15
NODE_OPERATOR, NODE_ATTRIBUTE, NODE_DOMAIN = 4, 5, 7
ATTRIBUTE_TENSOR, ATTRIBUTE_TENSORS, ATTRIBUTE_REFUSED = 5, 10, frozenset({6, 11, 22, 23})
TENSOR_EXTERNAL, TENSOR_LOCATION = 13, 14

Field = tuple[int, int | memoryview]


def check_graph(model: bytes | memoryview) -> frozenset[str]:
    """The operators of a serialized ONNX model, all of them allowed.

    Raises
    ------
    BundleError
        ``graph``: too large or malformed, or it holds another operator, a
        subgraph, a function, a sparse tensor, or data outside of itself.
    """
    if len(model) > MAX_GRAPH_BYTES:
        raise BundleError("graph", f"{len(model)} bytes, more than {MAX_GRAPH_BYTES}")
    found: set[str] = set()
    for number, value in _fields(memoryview(model)):
        if number in (MODEL_TRAINING, MODEL_FUNCTIONS):
            raise BundleError("graph", "holds functions or training steps")
        if number == MODEL_GRAPH:
            found.update(_check_nodes(_message(value)))
    return frozenset(found)


def _check_nodes(graph: memoryview) -> Iterator[str]:
    for number, value in _fields(graph):
        if number == GRAPH_SPARSE:
            raise BundleError("graph", "holds a sparse tensor")
        if number == GRAPH_INITIALIZER:
            _check_tensor(_message(value))
        if number == GRAPH_NODE:
            yield from _check_node(_message(value))


def _check_node(node: memoryview) -> Iterator[str]:
    for number, value in _fields(node):
        if number == NODE_OPERATOR:
            operator = bytes(_message(value)).decode("utf-8", "replace")
            if operator not in OPERATORS:
                raise BundleError("graph", f"operator {operator!r} is not allowed")
            yield operator
        if number == NODE_DOMAIN and len(_message(value)):
            raise BundleError("graph", "holds an operator that is not of ONNX itself")
        if number == NODE_ATTRIBUTE:
            _check_attribute(_message(value))


def _check_attribute(attribute: memoryview) -> None:
    for number, value in _fields(attribute):
        if number in ATTRIBUTE_REFUSED:
            raise BundleError("graph", "holds a subgraph or a sparse tensor")
        if number in (ATTRIBUTE_TENSOR, ATTRIBUTE_TENSORS):
            _check_tensor(_message(value))


def _check_tensor(tensor: memoryview) -> None:
    for number, value in _fields(tensor):
        if number == TENSOR_EXTERNAL or (number == TENSOR_LOCATION and value != 0):
            raise BundleError("graph", "holds data outside of itself")


def _message(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise BundleError("graph", "a number where a message is due")
    return value


def _fields(message: memoryview) -> Iterator[Field]:
    """The fields of one protobuf message; deprecated groups are refused."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        number, kind = tag >> 3, tag & 7
        if kind == VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if kind not in (FIXED64, BYTES, FIXED32):
            raise BundleError("graph", f"unknown kind {kind} of field")
        length, at = _varint(message, at) if kind == BYTES else (8 if kind == FIXED64 else 4, at)
        if at + length > len(message):
            raise BundleError("graph", "ends inside of a field")
        yield number, message[at : at + length]
        at += length


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise BundleError("graph", "a number has no end")

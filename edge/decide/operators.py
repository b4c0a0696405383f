"""What an ONNX graph may hold, checked by walking its protobuf without the onnx package."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from edge.decide.allowed import DOMAINS, OPERATORS, OPSETS, WORDS
from edge.decide.protobuf import Floats, Ints, fields, floats, ints, message, runs, signed, text
from edge.decide.tensors import TYPES, check_tensor
from edge.decide.trees import check_trees
from edge.errors import BundleError

__all__ = ["MAX_GRAPH_BYTES", "OPERATORS", "check_graph"]

MAX_GRAPH_BYTES: Final = 8 << 20
"""A graph is nodes and small constants: large arrays are its inputs."""

MAX_NODES: Final = 20_000

# Field numbers of onnx.proto.
MODEL_GRAPH, MODEL_OPSET, MODEL_TRAINING, MODEL_FUNCTIONS = 7, 8, 20, 25
OPSET_DOMAIN, OPSET_VERSION = 1, 2
GRAPH_NODE, GRAPH_INITIALIZER, GRAPH_INPUT, GRAPH_OUTPUT, GRAPH_SPARSE = 1, 5, 11, 12, 15
NODE_INPUT, NODE_OUTPUT, NODE_OPERATOR, NODE_ATTRIBUTE, NODE_DOMAIN = 1, 2, 4, 5, 7
VALUE_NAME = 1
ATTRIBUTE_NAME, ATTRIBUTE_INT, ATTRIBUTE_TEXT, ATTRIBUTE_TENSOR = 1, 3, 4, 5
ATTRIBUTE_FLOATS, ATTRIBUTE_INTS, ATTRIBUTE_TEXTS, ATTRIBUTE_TENSORS = 7, 8, 9, 10
ATTRIBUTE_REFUSED: Final = frozenset({6, 11, 14, 15, 22, 23})

TREES: Final = frozenset(("TreeEnsembleClassifier", "TreeEnsembleRegressor"))


@dataclass
class _Attributes:
    """What the attributes of one node hold, by their names."""

    ints: dict[str, int] = field(default_factory=dict)
    lists: dict[str, Ints | Floats | list[str]] = field(default_factory=dict)


def check_graph(model: bytes | memoryview) -> frozenset[str]:
    """The operators of a serialized ONNX model, all of them allowed.

    Raises
    ------
    BundleError
        ``graph``: too large or malformed, or it holds another operator, a
        subgraph, a function, a sparse tensor, text, data outside of itself,
        constants unlike their shape, a tree that does not end, or names that
        nobody or several make.
    """
    if len(model) > MAX_GRAPH_BYTES:
        raise BundleError("graph", f"{len(model)} bytes, more than {MAX_GRAPH_BYTES}")
    parts: list[memoryview] = []
    for number, value in fields(memoryview(model)):
        if number in (MODEL_TRAINING, MODEL_FUNCTIONS):
            raise BundleError("graph", "holds functions or training steps")
        if number == MODEL_OPSET:
            _check_opset(message(value))
        if number == MODEL_GRAPH:
            parts.append(message(value))
    # Protobuf merges a message that occurs twice, which is to read its parts as one.
    return frozenset(
        _check_nodes(
            memoryview(b"".join(parts)) if len(parts) > 1 else parts[0] if parts else memoryview(b"")
        )
    )


def _check_opset(opset: memoryview) -> None:
    domain, version = "", 0
    for number, value in fields(opset):
        if number == OPSET_DOMAIN:
            domain = text(value)
        if number == OPSET_VERSION and isinstance(value, int):
            version = signed(value)
    if domain in OPSETS and version not in OPSETS[domain]:
        known = OPSETS[domain]
        raise BundleError(
            "graph", f"opset {version} of {domain or 'ai.onnx'!r}; {known[0]} to {known[-1]} are read"
        )


def _check_nodes(graph: memoryview) -> Iterator[str]:
    nodes, outputs, made = [], [], _Names()
    for number, value in fields(graph):
        if number == GRAPH_SPARSE:
            raise BundleError("graph", "holds a sparse tensor")
        if number == GRAPH_INITIALIZER:
            made.make(check_tensor(message(value)))
        if number == GRAPH_INPUT:
            made.make(_value_name(message(value)))
        if number == GRAPH_OUTPUT:
            outputs.append(_value_name(message(value)))
        if number == GRAPH_NODE:
            nodes.append(message(value))
    if len(nodes) > MAX_NODES:
        raise BundleError("graph", f"{len(nodes)} nodes, more than {MAX_NODES}")
    for node in nodes:
        yield _check_node(node, made)
    for name in outputs:
        made.use(name)


class _Names:
    """The values of a graph: each is made once, before it is used."""

    def __init__(self) -> None:
        self._made: set[str] = set()

    def make(self, name: str) -> None:
        if name in self._made:
            raise BundleError("graph", f"two values are named {name!r}")
        self._made.add(name)

    def use(self, name: str) -> None:
        if name not in self._made:
            raise BundleError("graph", f"value {name!r} is used before it is made, or never made")


def _value_name(value: memoryview) -> str:
    return next((text(found) for number, found in fields(value) if number == VALUE_NAME), "")


def _check_node(node: memoryview, made: _Names) -> str:
    operator, domain = "", ""
    attributes, outputs = [], []
    for number, value in fields(node):
        if number == NODE_OPERATOR:
            operator = text(value)
        elif number == NODE_DOMAIN:
            domain = text(value)
        elif number == NODE_ATTRIBUTE:
            attributes.append(message(value))
        elif number == NODE_INPUT and (name := text(value)):
            made.use(name)
        elif number == NODE_OUTPUT and (name := text(value)):
            outputs.append(name)
    if domain not in DOMAINS:
        raise BundleError(
            "graph", f"holds an operator that is not of ONNX itself: {operator!r} of {domain!r}"
        )
    if operator not in DOMAINS[domain]:
        raise BundleError("graph", f"operator {operator!r} is not allowed")
    _check_attributes(operator, attributes)
    for name in outputs:
        made.make(name)
    return operator


def _check_attributes(operator: str, attributes: list[memoryview]) -> None:
    held = _Attributes()
    for attribute in attributes:
        _read_attribute(operator, attribute, held)
    for name, numbers in held.lists.items():
        if isinstance(numbers, np.ndarray) and numbers.dtype == np.float32 and np.isnan(numbers).any():
            raise BundleError("graph", f"{operator} has NaN among its {name}")
    if operator == "Cast" and held.ints.get("to") not in TYPES:
        raise BundleError("graph", "casts to a type that is not allowed")
    if operator in TREES:
        n_targets = held.ints.get("n_targets", 0)
        if operator == "TreeEnsembleClassifier":
            n_targets = len(held.lists.get("classlabels_int64s", ()))
        check_trees(operator, held.lists, n_targets)


def _read_attribute(operator: str, attribute: memoryview, held: _Attributes) -> None:
    """Check one attribute, and note its numbers and lists."""
    name = ""
    words: list[str] = []
    for number, value in runs(attribute):
        if number in ATTRIBUTE_REFUSED:
            raise BundleError("graph", "holds a subgraph, a type or a sparse tensor")
        if number in (ATTRIBUTE_TENSOR, ATTRIBUTE_TENSORS):
            check_tensor(message(value))
            held.lists[name] = []
        elif number == ATTRIBUTE_NAME:
            name = text(value)
        elif number in (ATTRIBUTE_TEXT, ATTRIBUTE_TEXTS):
            words.append(_word(operator, name, value))
        elif number == ATTRIBUTE_INT and isinstance(value, int):
            held.ints[name] = signed(value)
        elif number in (ATTRIBUTE_INTS, ATTRIBUTE_FLOATS):
            if name in held.lists:
                raise BundleError("graph", f"{operator} says its {name} twice")
            held.lists[name] = ints(value) if number == ATTRIBUTE_INTS else floats(value)
    if words:
        held.lists[name] = words


def _word(operator: str, name: str, value: int | memoryview) -> str:
    word = text(value)
    if word not in WORDS:
        raise BundleError("graph", f"{operator} holds text: {name} {word[:40]!r}")
    return word

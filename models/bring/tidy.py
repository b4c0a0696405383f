"""Makes of any library's ONNX graph one with the names, versions and end that predictions have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from edge.bundle.arrays import Array
from edge.decide.allowed import ML_DOMAIN
from edge.decide.tensors import check_tensor
from edge.errors import BundleError
from models.bring.source import cannot
from models.graphs.onnx_build import IR_VERSION, OPSET, TYPES
from models.predict.contract import STEP

ML_OPSET: Final = 3
ARRAY_BYTES: Final = 64 << 10
"""Larger constants become arrays, which are mapped and not read."""

LABELS: Final = "classlabels_strings"


@dataclass(frozen=True)
class End:
    """How the graph's values become a prediction.

    Attributes
    ----------
    columns : tuple[int, ...]
        Those of the values that are kept; -1 is the last one.
    needs_all : bool
        Whether a row with a missing value has no answer, which is NaN.
    """

    columns: tuple[int, ...]
    needs_all: bool = False


def answer_of(proto: ModelProto) -> str:
    """The output that is the prediction: of classifiers the probabilities, never the label.

    Raises
    ------
    GivenError
        ``bring``: there is none, or it is not clear which one.
    """
    zipped = {node.output[0]: node.input[0] for node in proto.graph.node if node.op_type == "ZipMap"}
    floats = [
        zipped.get(value.name, value.name)
        for value in proto.graph.output
        if value.name in zipped
        or value.type.tensor_type.elem_type in (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16)
    ]
    for name in ("prediction", "probabilities", "scores"):
        if name in floats:
            return name
    if len(floats) != 1:
        held = ", ".join(floats) or "none"
        raise cannot("the graph", f"must have one output of floats (it has: {held})", "name it 'prediction'")
    return str(floats[0])


def levels(proto: ModelProto) -> tuple[dict[int, NDArray[np.float64]], set[int]]:
    """By column, the values at which trees part that read the row itself; and the columns that hold codes."""
    given = {value.name for value in proto.graph.input}
    found: dict[int, list[float]] = {}
    codes: set[int] = set()
    for node in proto.graph.node:
        held = {attribute.name: attribute for attribute in node.attribute}
        if node.input[:1] and node.input[0] in given and "nodes_values" in held:
            lists = (held["nodes_featureids"].ints, held["nodes_values"].floats, held["nodes_modes"].strings)
            for column, value, mode in zip(*lists, strict=False):
                if mode != b"LEAF":
                    found.setdefault(column, []).append(value)
                if mode == b"BRANCH_EQ":
                    codes.add(column)
    return {column: np.unique(values) for column, values in found.items()}, codes


@dataclass(frozen=True, eq=False)
class Lifted:
    """What leads to a graph's answer, in the versions of operators that models are merged in.

    Attributes
    ----------
    nodes : list[NodeProto]
        With values named anew, so that any others may be put around them.
    inputs : Mapping[str, str]
        Those of the graph, by name: what they are named now; empty of what nothing reads.
    answer : str
        The answer's new name.
    constants : dict[str, Array]
        By their new names.
    """

    nodes: list[NodeProto]
    inputs: Mapping[str, str]
    answer: str
    constants: dict[str, Array]


def lift(proto: ModelProto, answer: str) -> Lifted:
    """The part of a graph that leads to its answer.

    Raises
    ------
    GivenError
        ``bring``: a constant is not what it says, or nothing leads to the answer.
    """
    proto = _modern(proto)
    made = [name for node in proto.graph.node for name in node.output if name]
    if len(set(made)) < len(made):
        twice = next(name for place, name in enumerate(made) if name in made[:place])
        raise cannot("the graph", f"is not one: two values are named {twice!r}")
    nodes = _needed(proto.graph.node, answer)
    constants = {tensor.name: _constant(tensor) for tensor in proto.graph.initializer}
    names = {name: f"b{number}" for number, name in enumerate(_names(nodes))}
    if answer not in names:
        raise cannot("the graph", f"never makes its output {answer!r}")
    inputs = {value.name: names.get(value.name, "") for value in proto.graph.input}
    named = {names[name]: array for name, array in constants.items() if name in names}
    return Lifted([_renamed(node, names) for node in nodes], inputs, names[answer], named)


def tidy(proto: ModelProto, places: Sequence[int], end: End) -> tuple[bytes, dict[str, Array]]:
    """The graph and its arrays, as `models.predict.contract.Prediction` has them.

    Parameters
    ----------
    places
        Of each of the model's columns, the place in a row of features.
    """
    found = lift(proto, answer_of(proto))
    front, more = _front(list(found.inputs.values()), places)
    back, last = _back(found.answer, end)
    body = [*front, *found.nodes, *back]
    arrays = {n: a for n, a in found.constants.items() if a.nbytes > ARRAY_BYTES and a.dtype in TYPES}
    inside = {name: array for name, array in found.constants.items() if name not in arrays} | more | last
    return _serialize(body, (len(places), len(end.columns)), inside, arrays), arrays


def alone(proto: ModelProto, answer: str) -> ModelProto:
    """The graph with nothing but what leads to its answer."""
    copy = ModelProto()
    copy.CopyFrom(proto)
    nodes = _needed(proto.graph.node, answer)
    del copy.graph.node[:], copy.graph.output[:], copy.graph.value_info[:]
    copy.graph.node.extend(nodes)
    copy.graph.output.append(onnx.ValueInfoProto(name=answer))
    return copy


def _modern(proto: ModelProto) -> ModelProto:
    """The same graph in the versions of operators that models are merged in."""
    copy = ModelProto()
    copy.CopyFrom(proto)
    versions = {entry.domain: entry.version for entry in proto.opset_import}
    is_plain = all(node.domain == ML_DOMAIN for node in proto.graph.node)
    del copy.opset_import[:]
    copy.opset_import.add(domain="", version=OPSET if is_plain else versions.get("", OPSET))
    if copy.opset_import[0].version != OPSET:
        copy.opset_import.add(domain=ML_DOMAIN, version=versions.get(ML_DOMAIN, 1))
        try:
            copy = onnx.version_converter.convert_version(copy, OPSET)
        # Whatever the converter stumbles over, the graph can't be used as it is.
        except Exception as error:
            said = f"is of opset {versions.get('')}, which can't be turned into {OPSET}"
            raise cannot("the graph", said, f"export it with opset {OPSET}") from error
    return copy


def _constant(tensor: TensorProto) -> Array:
    try:
        check_tensor(memoryview(tensor.SerializeToString()))
    except BundleError as error:
        raise cannot("the graph", str(error).removeprefix("graph: ")) from error
    array: Array = numpy_helper.to_array(tensor)
    return array


def _needed(nodes: Sequence[NodeProto], answer: str) -> list[NodeProto]:
    """The nodes that lead to the answer, in their order."""
    wanted, kept = {answer}, []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            kept.append(node)
    return kept[::-1]


def _names(nodes: Sequence[NodeProto]) -> dict[str, None]:
    """All values of some nodes, in the order in which they are met."""
    return {name: None for node in nodes for name in (*node.input, *node.output) if name}


def _renamed(node: NodeProto, names: dict[str, str]) -> NodeProto:
    copy = NodeProto()
    copy.CopyFrom(node)
    copy.input[:] = [names.get(name, "") for name in node.input]
    copy.output[:] = [names.get(name, "") for name in node.output]
    copy.name, copy.doc_string = "", ""
    kept = [attribute for attribute in node.attribute if attribute.name != LABELS]
    labels = [len(attribute.strings) for attribute in node.attribute if attribute.name == LABELS]
    kept.sort(key=lambda attribute: attribute.name)
    del copy.attribute[:]
    copy.attribute.extend(kept)
    if labels:  # the label itself is not asked for, but an operator must know how many there are
        name = "classlabels_ints" if node.op_type == "LinearClassifier" else "classlabels_int64s"
        del copy.attribute[:]
        copy.attribute.extend(attribute for attribute in kept if attribute.name != name)
        copy.attribute.append(helper.make_attribute(name, list(range(labels[0]))))
    return copy


def _front(inputs: Sequence[str], places: Sequence[int]) -> tuple[list[NodeProto], dict[str, Array]]:
    """Nodes from a row of features to the graph's inputs; an empty name is one that nothing reads."""
    if len(inputs) == 1:
        if list(places) == sorted(places):
            return [helper.make_node("Identity", ["features"], [inputs[0]])], {}
        node = helper.make_node("Gather", ["features", "order"], [inputs[0]], axis=1)
        return [node], {"order": np.array(places, np.int64)}
    columns = {f"column{k}": np.array([place], np.int64) for k, place in enumerate(places) if inputs[k]}
    return [
        helper.make_node("Gather", ["features", f"column{k}"], [name], axis=1)
        for k, name in enumerate(inputs)
        if name
    ], columns


def _back(values: str, end: End) -> tuple[list[NodeProto], dict[str, Array]]:
    """Nodes from the library's values to the prediction."""
    node = helper.make_node
    nodes = [
        node("Cast", [values], ["floats"], to=TensorProto.FLOAT),
        node("Flatten", ["floats"], ["values"]),
        node("Gather", ["values", "kept"], ["chosen"], axis=1),
        node("Mul", ["chosen", "steps"], ["in_steps"]),
        node("Round", ["in_steps"], ["whole_steps"]),
        node("Mul", ["whole_steps", "step"], ["answer" if end.needs_all else "prediction"]),
    ]
    constants: dict[str, Array] = {
        "kept": np.array(end.columns, np.int64),
        "steps": np.array(1 / STEP, np.float32),
        "step": np.array(STEP, np.float32),
    }
    if end.needs_all:
        nodes += [
            node("IsNaN", ["features"], ["are_missing"]),
            node("Cast", ["are_missing"], ["missing"], to=TensorProto.FLOAT),
            node("ReduceMax", ["missing", "row"], ["any_missing"], keepdims=1),
            node("Greater", ["any_missing", "none"], ["is_missing"]),
            node("Where", ["is_missing", "no_answer", "answer"], ["prediction"]),
        ]
        numbers = {"none": np.array(0, np.float32), "no_answer": np.array(np.nan, np.float32)}
        constants |= {"row": np.array([1], np.int64), **numbers}
    return nodes, constants


def _serialize(
    nodes: Sequence[NodeProto],
    shape: tuple[int, int],
    constants: dict[str, Array],
    arrays: dict[str, Array],
) -> bytes:
    def value(name: str, kind: int, dims: Sequence[Any]) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, kind, dims)

    inputs = [value("features", TensorProto.FLOAT, ["batch", shape[0]])]
    inputs += [value(name, TYPES[array.dtype], array.shape) for name, array in sorted(arrays.items())]
    outputs = [value("prediction", TensorProto.FLOAT, ["batch", shape[1]])]
    initializers = [numpy_helper.from_array(np.asarray(a), name) for name, a in sorted(constants.items())]
    graph = helper.make_graph(list(nodes), "brought", inputs, outputs, initializers)
    opsets = [helper.make_opsetid("", OPSET)]
    if any(node.domain == ML_DOMAIN for node in nodes):
        opsets.append(helper.make_opsetid(ML_DOMAIN, ML_OPSET))
    model = helper.make_model(graph, opset_imports=opsets, producer_name="")
    model.ir_version = IR_VERSION
    return bytes(model.SerializeToString(deterministic=True))

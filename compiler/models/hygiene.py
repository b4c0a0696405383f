"""Makes a finished graph no larger than what it computes, the same on every machine."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from edge.bundle.arrays import Array
from edge.errors import GivenError

MAX_CONSTANT_BYTES: Final = 16 << 10
"""A larger array is an input of the graph: mapped, shared by all workers, replaceable alone."""

FEW_BYTES: Final = 256
"""A constant that may grow as it is folded."""

MAX_ROUNDS: Final = 64
"""Each round enables the next one; graphs settle in a few."""

EXACT: Final = frozenset(
    (
        "Abs", "Add", "And", "Cast", "Concat", "ConstantOfShape", "Div", "Equal", "Expand", "Gather",
        "Greater", "Less", "Max", "Min", "Mul", "Neg", "Not", "Or", "Range", "Reshape", "Shape", "Slice",
        "Squeeze", "Sub", "Transpose", "Unsqueeze", "Where",
    )
)  # fmt: skip
"""What is folded: IEEE 754 leaves no choice in these, while sums and logarithms differ by machine."""


def tidy(model: ModelProto, keep: Collection[str] = ()) -> ModelProto:
    """A graph that computes the same with less: constants folded, equal parts shared, unused ones cut.

    Parameters
    ----------
    keep
        Names of values that stay what they are, beside the inputs and outputs.

    Raises
    ------
    GivenError
        ``model-graph``: a constant is larger than `MAX_CONSTANT_BYTES`.
    """
    copy = ModelProto()
    copy.CopyFrom(model)
    del copy.metadata_props[:]
    copy.doc_string = ""
    opset = max((entry.version for entry in copy.opset_import if not entry.domain), default=1)
    _Tidying(copy.graph, opset, keep).run()
    return copy


def check_constants(model: ModelProto) -> None:
    """Refuse large constants; see `tidy`."""
    for tensor in model.graph.initializer:
        size = numpy_helper.to_array(tensor).nbytes
        if size > MAX_CONSTANT_BYTES:
            raise GivenError(
                "model-graph",
                f"constant {tensor.name!r} of the graph holds {size / 1000:,.0f} kB, more than"
                f" {MAX_CONSTANT_BYTES / 1000:.0f}; make it an array that is bound to an input",
            )


class _Tidying:
    """One graph under work; `_constants` are its initializers by name."""

    def __init__(self, graph: GraphProto, opset: int, keep: Collection[str]) -> None:
        self._graph = graph
        self._opset = opset
        self._outputs = {value.name for value in graph.output}
        self._fixed = self._outputs | set(keep)
        self._constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        self._nodes = [_bare(node) for node in graph.node]

    def run(self) -> None:
        for _ in range(MAX_ROUNDS):
            before = (len(self._nodes), len(self._constants))
            self._fold()
            self._share_constants()
            self._share_nodes()
            self._cut()
            if before == (len(self._nodes), len(self._constants)):
                break
        self._write()

    def _fold(self) -> None:
        """Compute what depends on constants alone; an `Identity` is another name for its input."""
        nodes, renamed = [], dict[str, str]()
        for node in self._nodes:
            _rename(node, renamed)
            if node.op_type == "Identity" and node.output[0] not in self._fixed:
                renamed[node.output[0]] = node.input[0]
            elif (folded := self._value(node)) is not None:
                self._constants[node.output[0]] = folded
            else:
                nodes.append(node)
        self._nodes = nodes

    def _value(self, node: NodeProto) -> Array | None:
        if len(node.output) != 1 or node.output[0] in self._fixed:
            return None
        if node.op_type == "Constant":
            found = [a.t for a in node.attribute if a.name == "value"]
            return numpy_helper.to_array(found[0]) if found else None
        if node.op_type not in EXACT or node.domain or not all(n in self._constants for n in node.input):
            return None
        inputs = [self._constants[name] for name in node.input]
        value = _evaluate(node, self._opset, inputs)
        if node.op_type == "Cast" and value.nbytes > max(FEW_BYTES, inputs[0].nbytes):
            return None  # weights that are kept small; onnxruntime widens them once, as it loads
        return value if value.nbytes <= MAX_CONSTANT_BYTES else None

    def _share_constants(self) -> None:
        first: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        renamed = {}
        for name in sorted(self._constants):
            array = self._constants[name]
            renamed[name] = first.setdefault((array.dtype.str, array.shape, array.tobytes()), name)
        self._constants = {name: self._constants[name] for name in first.values()}
        for node in self._nodes:
            _rename(node, renamed)

    def _share_nodes(self) -> None:
        """Of nodes that do the same with the same, one is enough."""
        first: dict[tuple[Any, ...], NodeProto] = {}
        nodes, renamed = [], dict[str, str]()
        for node in self._nodes:
            _rename(node, renamed)
            key = (node.domain, node.op_type, tuple(node.input), len(node.output), _attributes(node))
            own = first.setdefault(key, node)
            if own is node or self._fixed.intersection(node.output):
                nodes.append(node)
            else:
                renamed |= dict(zip(node.output, own.output, strict=True))
        self._nodes = nodes

    def _cut(self) -> None:
        """Drop what no output asks for."""
        wanted, nodes = set(self._fixed), []
        for node in reversed(self._nodes):
            if wanted.intersection(node.output):
                wanted.update(node.input)
                nodes.append(node)
        self._nodes = nodes[::-1]
        self._constants = {name: array for name, array in self._constants.items() if name in wanted}

    def _write(self) -> None:
        graph = self._graph
        graph.doc_string = ""
        tensors = [numpy_helper.from_array(self._constants[name], name) for name in sorted(self._constants)]
        _replace(graph.node, self._nodes)
        _replace(graph.initializer, tensors)
        del graph.value_info[:]
        for value in (*graph.input, *graph.output):
            value.doc_string = ""


T = TypeVar("T")


def _replace(repeated: Any, values: Iterable[T]) -> None:
    del repeated[:]
    repeated.extend(values)


def _bare(node: NodeProto) -> NodeProto:
    copy = NodeProto()
    copy.CopyFrom(node)
    copy.name = copy.doc_string = ""
    for attribute in copy.attribute:
        attribute.doc_string = ""
    return copy


def _rename(node: NodeProto, names: Mapping[str, str]) -> None:
    node.input[:] = [names.get(name, name) for name in node.input]


def _attributes(node: NodeProto) -> tuple[bytes, ...]:
    return tuple(sorted(a.SerializeToString(deterministic=True) for a in node.attribute))


def _evaluate(node: NodeProto, opset: int, inputs: list[Array]) -> NDArray[Any]:
    from onnx.reference import ReferenceEvaluator  # noqa: PLC0415 - slow to import, and seldom needed

    alone = _bare(node)
    alone.input[:] = [f"in{n}" for n in range(len(inputs))]
    values = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in zip(alone.input, inputs, strict=True)
    ]
    output = helper.make_tensor_value_info(alone.output[0], TensorProto.UNDEFINED, None)
    graph = helper.make_graph([alone], "constant", values, [output])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    results: Any = ReferenceEvaluator(model).run(None, dict(zip(alone.input, inputs, strict=True)))
    return np.asarray(results[0])

"""Reads PyTorch modules and ONNX files."""

import io
import warnings
from typing import Any, Final

import numpy as np

from edge.decide.inference import ort, session_options
from edge.decide.operators import MAX_NODES
from models.bring.source import Rows, Source, Values, cannot, columns_of
from models.bring.tidy import alone, answer_of

OPSET: Final = 18
FLOAT: Final = 1
"""Of onnx.proto's TensorProto.DataType."""


def read_torch(module: Any, features: tuple[str, ...]) -> Source:
    """A module that takes a float tensor (batch, features) to one (batch, outputs) or (batch,).

    A TorchScript module is the same; `features` must name the columns.
    """
    import torch  # noqa: PLC0415 - slow to import, and an extra

    module.eval()
    columns = columns_of(None, len(features), features)
    if not columns:
        raise cannot("a network", "does not know its features", "name them in `features`")

    def predict(rows: Rows) -> Values:
        with torch.no_grad():
            given = torch.tensor(rows.astype(np.float32))
            return np.asarray(module(given).numpy(), np.float64).reshape(len(rows), -1)

    width = predict(np.zeros((1, len(columns)))).shape[1]
    return Source("PyTorch", columns, (), predict, lambda: _export(module, len(columns)), width=width)


def _export(module: Any, width: int) -> Any:
    import onnx  # noqa: PLC0415
    import torch  # noqa: PLC0415

    written = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            torch.onnx.export(
                module,
                (torch.zeros(2, width),),
                written,
                dynamo=False,  # the other exporter needs a library more
                input_names=["features"],
                output_names=["prediction"],
                dynamic_axes={"features": {0: "batch"}, "prediction": {0: "batch"}},
                opset_version=OPSET,
            )
        except Exception as error:
            said = str(error).strip().split("\n")[0][:200]
            raise cannot(
                type(module).__name__, f"can't be exported: {said}", "export it to ONNX yourself"
            ) from error
    return onnx.load_model_from_string(written.getvalue())


def read_onnx(proto: Any, features: tuple[str, ...]) -> Source:
    """An ONNX graph that takes one table of floats, or one column for each feature.

    It runs as it was given, but for what does not lead to its answer, and only after what was
    made of it has been found harmless.

    Raises
    ------
    GivenError
        ``bring``: it takes or gives something else.
    """
    if proto.functions or proto.training_info or proto.graph.sparse_initializer:
        raise cannot("the graph", "holds functions, training steps or sparse constants")
    if len(proto.graph.node) > MAX_NODES:
        raise cannot("the graph", f"holds {len(proto.graph.node)} nodes, more than {MAX_NODES}")
    inputs = _inputs(proto)
    names = [value.name for value in inputs]
    columns = columns_of(tuple(names) if len(names) > 1 else None, _width(inputs, features), features)
    answer = answer_of(proto)
    sessions: list[Any] = []

    def predict(rows: Rows) -> Values:
        if not sessions:
            graph = alone(proto, answer).SerializeToString()
            sessions.append(
                ort.InferenceSession(graph, session_options(), providers=["CPUExecutionProvider"])
            )
        table = rows.astype(np.float32)
        given = {names[0]: table} if len(names) == 1 else {n: table[:, [k]] for k, n in enumerate(names)}
        read = {value.name for value in sessions[0].get_inputs()}
        found = sessions[0].run([answer], {name: table for name, table in given.items() if name in read})
        return np.asarray(found[0], np.float64).reshape(len(rows), -1)

    dims: Any = next((v.type.tensor_type.shape.dim for v in proto.graph.output if v.name == answer), [])
    width = int(dims[1].dim_value) if len(dims) == 2 else 1
    return Source(
        "ONNX", columns, _classes(proto), predict, lambda: proto, width=max(width, 1), is_foreign=True
    )


def _classes(proto: Any) -> tuple[str, ...]:
    """The names of the classes, where the graph ends in a classifier."""
    for node in reversed(proto.graph.node):
        for attribute in node.attribute:
            if attribute.name.startswith("classlabels_") and (attribute.strings or attribute.ints):
                names = [name.decode("utf-8", "replace") for name in attribute.strings]
                return tuple(names or map(str, attribute.ints))
    return ()


def _inputs(proto: Any) -> list[Any]:
    """The graph's inputs, which are floats; constants may be listed among them."""
    constants = {tensor.name for tensor in proto.graph.initializer}
    inputs = [value for value in proto.graph.input if value.name not in constants]
    if not inputs:
        raise cannot("the graph", "takes nothing", "it must take (batch, features)")
    for value in inputs:
        if value.type.tensor_type.elem_type != FLOAT:
            said = f"takes {value.name!r}, which is no table of float32"
            raise cannot("the graph", said, "encode words as numbers in front of it")
    return inputs


def _width(inputs: list[Any], features: tuple[str, ...]) -> int:
    """Columns that the graph takes; as many as are named where it does not say."""
    if len(inputs) != 1:
        return len(inputs)
    dims = inputs[0].type.tensor_type.shape.dim
    if len(dims) != 2:
        raise cannot("the graph", f"takes {len(dims)} dimensions", "it must take (batch, features)")
    return int(dims[1].dim_value) or len(features)

"""Makes prediction graphs whose bytes depend on nothing but what they compute, and reads them back."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

from edge.bundle.arrays import Array
from models.graphs.onnx_build import IR_VERSION, OPSET, TYPES
from models.predict.contract import STEP

TREES: Final = "ai.onnx.ml"
TREES_OPSET: Final = 3


def prediction_graph(
    name: str,
    shape: tuple[int, int],
    nodes: Sequence[NodeProto],
    constants: Mapping[str, Array],
    arrays: Mapping[str, Array] | None = None,
) -> bytes:
    """A graph of `shape` (features, outputs): `nodes` lead from ``features`` to ``values``.

    ``values`` are float64, and ``prediction`` is ``values`` rounded to `STEP`: in so much
    finer numbers, no order in which a library adds them up reaches the rounded ones.
    """
    n_features, n_outputs = shape
    features = helper.make_tensor_value_info("features", TensorProto.FLOAT, ["batch", n_features])
    bound = [
        helper.make_tensor_value_info(key, TYPES[array.dtype], array.shape)
        for key, array in sorted((arrays or {}).items())
    ]
    prediction = helper.make_tensor_value_info("prediction", TensorProto.FLOAT, ["batch", n_outputs])
    steps = {"steps": np.array([1 / STEP]), "step": np.array([STEP])}
    initializers = [
        numpy_helper.from_array(np.asarray(array), key)
        for key, array in sorted({**constants, **steps}.items())
    ]
    graph = helper.make_graph([*nodes, *_round_nodes()], name, [features, *bound], [prediction], initializers)
    opsets = [helper.make_opsetid("", OPSET)]
    if any(node.domain == TREES for node in nodes):
        opsets.append(helper.make_opsetid(TREES, TREES_OPSET))
    model = helper.make_model(graph, opset_imports=opsets, producer_name="")
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def read_graph(graph: bytes) -> GraphProto:
    """The graph of a serialized model; a ValueError where it is none."""
    try:
        return onnx.load_model_from_string(graph).graph
    except DecodeError as error:
        raise ValueError(f"not a graph: {error}") from error


def constants_of(graph: bytes) -> dict[str, Array]:
    """The constants that a graph was made with, by name."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in read_graph(graph).initializer}


def widened(value: str, output: str) -> NodeProto:
    """`value` as float64."""
    return helper.make_node("Cast", [value], [output], to=TensorProto.DOUBLE)


def rounded(values: NDArray[np.float64] | NDArray[np.float32]) -> NDArray[np.float32]:
    """Values as the graph's end gives them; one column where there is but one value a row."""
    steps = np.round(np.asarray(values, np.float64) / STEP) * STEP
    column: NDArray[np.float32] = steps.astype(np.float32)
    return column[:, np.newaxis] if column.ndim == 1 else column


def _round_nodes() -> list[NodeProto]:
    return [
        helper.make_node("Mul", ["values", "steps"], ["in_steps"]),
        helper.make_node("Round", ["in_steps"], ["whole_steps"]),
        helper.make_node("Mul", ["whole_steps", "step"], ["rounded"]),
        helper.make_node("Cast", ["rounded"], ["prediction"], to=TensorProto.FLOAT),
    ]

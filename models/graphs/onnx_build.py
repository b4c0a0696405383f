"""Makes score graphs whose bytes depend on nothing but what they compute."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from edge.bundle.arrays import Array
from edge.bundle.features import CONTEXT

OPSET: Final = 18
IR_VERSION: Final = 8
"""Old enough for every onnxruntime that the edge allows."""

TYPES: Final = {np.dtype("<f4"): TensorProto.FLOAT, np.dtype("<i4"): TensorProto.INT32}


def score_graph(  # noqa: PLR0913 - what a graph is made of
    name: str,
    n_items: int,
    nodes: Sequence[NodeProto],
    arrays: Mapping[str, Array],
    constants: Mapping[str, Array],
    *,
    features: int = 0,
) -> bytes:
    """A model's score graph: `history`, `weight` and `arrays` in, `scores` out.

    Of a context it takes in so many numbers as there are `features`.
    """
    history = helper.make_tensor_value_info("history", TensorProto.INT32, ["batch", "length"])
    weight = helper.make_tensor_value_info("weight", TensorProto.FLOAT, ["batch", "length"])
    context = helper.make_tensor_value_info(CONTEXT, TensorProto.FLOAT, ["batch", features])
    bound = array_inputs(arrays)
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", n_items])
    initializers = [numpy_helper.from_array(array, key) for key, array in sorted(constants.items())]
    inputs = [history, weight, *([context] if features else []), *bound]
    graph = helper.make_graph(list(nodes), name, inputs, [scores], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="")
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))


def array_inputs(arrays: Mapping[str, Array]) -> list[ValueInfoProto]:
    """Arrays as inputs of a graph, by name."""
    return [
        helper.make_tensor_value_info(key, TYPES[array.dtype], array.shape)
        for key, array in sorted(arrays.items())
    ]

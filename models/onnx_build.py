"""Makes score graphs whose bytes depend on nothing but what they compute."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from edge.bundle.arrays import Array

OPSET: Final = 18
IR_VERSION: Final = 8
"""Old enough for every onnxruntime that the edge allows."""

TYPES: Final = {np.dtype("<f4"): TensorProto.FLOAT, np.dtype("<i4"): TensorProto.INT32}


def score_graph(
    name: str,
    n_items: int,
    nodes: Sequence[NodeProto],
    arrays: Mapping[str, Array],
    constants: Mapping[str, Array],
) -> bytes:
    """A model's score graph: `history`, `weight` and `arrays` in, `scores` out."""
    history = helper.make_tensor_value_info("history", TensorProto.INT32, ["batch", "length"])
    weight = helper.make_tensor_value_info("weight", TensorProto.FLOAT, ["batch", "length"])
    bound = [
        helper.make_tensor_value_info(key, TYPES[array.dtype], array.shape)
        for key, array in sorted(arrays.items())
    ]
    scores = helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", n_items])
    initializers = [numpy_helper.from_array(array, key) for key, array in sorted(constants.items())]
    graph = helper.make_graph(list(nodes), name, [history, weight, *bound], [scores], initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="")
    model.ir_version = IR_VERSION
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))

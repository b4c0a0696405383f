"""Memory that graphs ask for has an end, and the process outlives what asks for more."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge.decide.inference import MAX_RUN_BYTES, ort
from edge.decide.recommender import open_session


def _widened(columns: int) -> ort.InferenceSession:
    """Sums as many copies of its input as that."""
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 1]) for name in "xy"]
    nodes = [
        helper.make_node("Expand", ["x", "shape"], ["wide"]),
        helper.make_node("ReduceMean", ["wide", "axis"], ["y"], keepdims=1),
    ]
    numbers = {"shape": [1, columns], "axis": [1]}
    constants = [numpy_helper.from_array(np.array(value), name) for name, value in numbers.items()]
    graph = helper.make_graph(nodes, "g", values[:1], values[1:], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model)
    return open_session(model.SerializeToString())


@pytest.mark.parametrize("columns", [MAX_RUN_BYTES // 4 + 1, 1 << 40])
def test_a_call_that_asks_for_too_much_fails_alone(columns: int) -> None:
    one = np.ones((1, 1), np.float32)
    with pytest.raises(Exception, match=r"Available memory|too large|overflow"):
        _widened(columns).run(None, {"x": one})
    assert _widened(1000).run(None, {"x": one})[0] == 1

"""What a network takes in of a context: the same numbers from numpy and from the graph, and bounded."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from edge.bundle.arrays import Array
from edge.bundle.features import CONTEXT
from models.data.contexts import Contexts, Rows
from models.graphs.context_inputs import input_arrays, input_nodes, inputs

NAN = np.nan
ROWS = np.array([[20, 0, 0], [40, 1, 2], [NAN, 0, 1], [60, 1, NAN]], np.float32)
ASKED = np.array([[40, 1, 1], [1e30, 0, 2], [-1e30, NAN, NAN], [NAN, NAN, 7]], np.float32)


def _contexts(codes: tuple[int, ...], rows: Rows = ROWS) -> Contexts:
    return Contexts(tuple(f"n{at}" for at in range(len(codes))), codes, rows)


def _run(arrays: dict[str, Array], asked: Rows) -> Rows:
    nodes, constants = input_nodes(arrays, "taken")
    graph = helper.make_graph(
        nodes,
        "inputs",
        [helper.make_tensor_value_info(CONTEXT, TensorProto.FLOAT, ["batch", asked.shape[1]])],
        [helper.make_tensor_value_info("taken", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(array, name) for name, array in {**arrays, **constants}.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    model.ir_version = 8
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: Rows = session.run(None, {CONTEXT: asked})[0]
    return found


def test_numbers_are_counted_in_deviations_and_flags_and_codes_stay() -> None:
    arrays = input_arrays(_contexts((0, 0, 3)))
    found = inputs(arrays, ASKED)
    size = 1 / (4 * np.std([20, 40, 60]))
    assert np.allclose(found[0], [0, 1, 0, 0, 0, 1, 0])
    assert np.allclose(inputs(arrays, ROWS)[0, 0], -20 * size)
    assert found[1].tolist() == [1, 0, 0, 0, 0, 0, 1]
    assert found[2].tolist() == [-1, 0, 0, 1, 0, 0, 0]
    assert found[3].tolist() == [0, 0, 1, 1, 0, 0, 0], "an unknown code is none"
    assert np.abs(found).max() <= 1


def test_the_graph_gives_the_same_numbers() -> None:
    for codes in ((0, 0, 3), (0, 0, 0)):
        arrays = input_arrays(_contexts(codes))
        assert np.array_equal(_run(arrays, ASKED), inputs(arrays, ASKED))
    alone = input_arrays(_contexts((3,), ROWS[:, 2:]))
    assert alone.keys() == {"code_at", "code_is"}
    assert np.array_equal(_run(alone, ASKED[:, 2:]), inputs(alone, ASKED[:, 2:]))


def test_a_number_that_is_always_the_same_or_never_there_has_a_scale() -> None:
    rows = np.array([[5, NAN], [5, NAN]], np.float32)
    arrays = input_arrays(_contexts((0, 0), rows))
    assert np.isfinite(arrays["number_size"]).all()
    assert inputs(arrays, rows)[0].tolist() == [0, 0, 0, 1]

"""Layers whose sums are exact: the graph and the reference are equal, and near what was trained."""

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge.bundle.arrays import Array
from edge.decide.inference import ort
from models.graphs.exact import (
    Nodes,
    dense,
    dense_arrays,
    dense_nodes,
    join,
    ramp,
    ramp_nodes,
    softsign,
    softsign_nodes,
)
from models.graphs.factors import USER_STEPS
from models.graphs.onnx_build import IR_VERSION, OPSET
from models.trained import EXACT_STEPS


def _run(built: Nodes, arrays: dict[str, Array], source: NDArray[np.float32]) -> NDArray[np.float32]:
    nodes, constants = built
    tensors = [numpy_helper.from_array(a, name) for name, a in (constants | arrays).items()]
    shape: list[str | int] = [f"d{n}" for n in range(source.ndim)]
    inputs = [helper.make_tensor_value_info("source", TensorProto.FLOAT, shape)]
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "layer", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: NDArray[np.float32] = session.run(["output"], {"source": source})[0]
    return found


@pytest.mark.parametrize("shape", [(7, 33), (3, 5, 33)])
def test_a_dense_layer_is_equal_to_its_reference_and_near_the_real_one(shape: tuple[int, ...]) -> None:
    draw = np.random.default_rng(3)
    weight, bias = draw.normal(size=(33, 12)), draw.normal(size=12)
    source = draw.normal(size=shape).astype(np.float32) * 40
    source[0] = 0
    arrays = dense_arrays("layer", weight, bias)
    found = dense(arrays, "layer", source)
    assert np.array_equal(_run(dense_nodes("layer", "source", "output"), arrays, source), found)
    assert np.allclose(found, source @ weight + bias, atol=np.abs(source).max() * 0.02)


def test_a_bounded_layer_is_equal_to_its_reference_and_near_the_real_one() -> None:
    draw = np.random.default_rng(4)
    weight, bias = draw.normal(size=(20, 6)), draw.normal(size=6)
    source = draw.uniform(0, 1, (4, 9, 20)).astype(np.float32)
    arrays = dense_arrays("layer", weight, bias)
    found = dense(arrays, "layer", source, bounded=True)
    built = dense_nodes("layer", "source", "output", bounded=True)
    assert np.array_equal(_run(built, arrays, source), found)
    assert np.allclose(found, source @ weight + bias, atol=0.02)


def test_no_partial_sum_of_a_layer_passes_what_is_exact() -> None:
    draw = np.random.default_rng(5)
    whole = dense_arrays("layer", draw.normal(size=(500, 40)), np.zeros(40))["layer_weight"]
    assert np.array_equal(whole, np.round(whole))
    most = np.abs(whole).sum(axis=0).max() * USER_STEPS
    assert EXACT_STEPS / 2 < most < EXACT_STEPS


def test_more_inputs_than_a_layer_has_steps_for_are_refused() -> None:
    with pytest.raises(ValueError, match="4097 inputs of layer 'wide', more than 4096"):
        dense_arrays("wide", np.ones((4097, 1)), np.zeros(1))


def test_bends_are_equal_to_their_references() -> None:
    source = np.random.default_rng(6).normal(size=(5, 9)).astype(np.float32) * 3
    assert np.array_equal(_run(softsign_nodes("source", "output"), {}, source), softsign(source))
    assert np.array_equal(_run(ramp_nodes("source", "output"), {}, source), ramp(source))
    both = join(ramp_nodes("source", "cut"), softsign_nodes("cut", "output"))
    assert np.array_equal(_run(both, {}, source), softsign(ramp(source)))

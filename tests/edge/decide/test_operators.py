"""What a graph may hold: the walk agrees with onnx, and refuses what could reach out of the graph."""

from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper

from edge.decide.operators import MAX_GRAPH_BYTES, OPERATORS, check_graph
from edge.errors import BundleError


def _model(*nodes: onnx.NodeProto, constant: onnx.TensorProto | None = None) -> ModelProto:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    graph = helper.make_graph(nodes, "g", [value], [value], [constant] if constant else [])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


def _add(**attributes: object) -> onnx.NodeProto:
    return helper.make_node("Add", ["x", "x"], ["y"], **attributes)


def _refused(model: ModelProto, said: str) -> None:
    with pytest.raises(BundleError, match=said) as caught:
        check_graph(model.SerializeToString())
    assert caught.value.code == "graph"


def test_operators_are_listed() -> None:
    model = _model(_add(), helper.make_node("Cast", ["y"], ["z"], to=TensorProto.INT32))
    assert check_graph(model.SerializeToString()) == {"Add", "Cast"} < OPERATORS


def test_foreign_operators_are_refused() -> None:
    _refused(_model(helper.make_node("Loop", ["x"], ["y"])), "'Loop' is not allowed")
    _refused(_model(helper.make_node("Add", ["x"], ["y"], domain="com.microsoft")), "not of ONNX itself")


def test_operators_of_machine_learning_have_a_list_of_their_own() -> None:
    scaler = helper.make_node("Scaler", ["x"], ["y"], domain="ai.onnx.ml", offset=[0.0], scale=[1.0])
    assert check_graph(_model(scaler).SerializeToString()) == {"Scaler"}
    _refused(_model(helper.make_node("Scaler", ["x"], ["y"])), "'Scaler' is not allowed")
    _refused(_model(helper.make_node("Add", ["x", "x"], ["y"], domain="ai.onnx.ml")), "'Add' is not allowed")
    _refused(_model(helper.make_node("ZipMap", ["x"], ["y"], domain="ai.onnx.ml")), "'ZipMap' is not")


def test_attributes_hold_no_text_but_a_few_words() -> None:
    assert check_graph(_model(_add(reduction="max")).SerializeToString())
    _refused(_model(_add(reduction="min; curl")), "text: reduction 'min; curl'")
    labels = {"classlabels_strings": ["yes", "no"], "coefficients": [1.0]}
    _refused(
        _model(helper.make_node("LinearClassifier", ["x"], ["y"], domain="ai.onnx.ml", **labels)), "text"
    )
    _refused(_model(_add(numbers=[0.0, float("nan")])), "NaN among its numbers")


@pytest.mark.parametrize(("domain", "version"), [("", 9), ("", 99), ("ai.onnx.ml", 5), ("", -1)])
def test_versions_of_operators_are_those_that_every_edge_reads(domain: str, version: int) -> None:
    model = _model(_add())
    model.opset_import.add(domain=domain, version=version)
    _refused(model, f"opset {version} of")


def test_values_are_made_once_and_before_they_are_used() -> None:
    _refused(_model(_add(), _add()), "two values are named 'y'")
    _refused(_model(helper.make_node("Add", ["x", "z"], ["y"])), "'z' is used before it is made")
    circle = [helper.make_node("Neg", ["z"], ["y"]), helper.make_node("Neg", ["y"], ["z"])]
    _refused(_model(*circle), "'z' is used before it is made")
    model = _model(_add())
    model.graph.output.append(helper.make_tensor_value_info("lost", TensorProto.FLOAT, [1]))
    _refused(model, "'lost' is used before it is made")


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"dims": [1 << 40]}, "but holds 2 numbers"),
        ({"dims": [-1, -2]}, "negative size"),
        ({"dims": [1 << 62, 4]}, "but holds 2 numbers"),
        ({"dims": [2], "raw_data": b"1234567"}, "but holds -1 numbers"),
        ({"dims": [2], "data_type": TensorProto.STRING, "string_data": [b"a", b"b"]}, "holds text"),
        ({"dims": [2], "data_type": TensorProto.COMPLEX64}, "type that is not allowed"),
        ({"dims": [2], "data_type": 999}, "type that is not allowed"),
        ({"dims": [2], "raw_data": np.array([0, np.nan], np.float32).tobytes()}, "holds NaN"),
    ],
)
def test_constants_are_what_their_shape_says(changed: dict[str, Any], said: str) -> None:
    given = {"name": "c", "data_type": TensorProto.FLOAT, "raw_data": bytes(8)} | changed
    _refused(_model(_add(), constant=TensorProto(**given)), said)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("raw", [True, False])
def test_nan_among_weights_is_found_however_they_are_written(dtype: str, raw: bool) -> None:
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    weights = np.array([0, np.nan], dtype)
    held = weights.tobytes() if raw else weights
    _refused(_model(_add(), constant=helper.make_tensor("c", kind, [2], held, raw=raw)), "holds NaN")


def test_one_nan_stands_for_what_is_missing() -> None:
    missing = numpy_helper.from_array(np.array([np.nan], np.float32), "c")
    assert check_graph(_model(_add(), constant=missing).SerializeToString())


def test_subgraphs_functions_and_training_are_refused() -> None:
    inner = _model(_add()).graph
    _refused(_model(_add(body=inner)), "subgraph")
    _refused(_model(_add(bodies=[inner])), "subgraph")
    model = _model(_add())
    model.functions.add().name = "f"
    _refused(model, "functions")
    model = _model(_add())
    model.training_info.add()
    _refused(model, "training")


def test_sparse_tensors_are_refused() -> None:
    model = _model(_add())
    model.graph.sparse_initializer.add()
    _refused(model, "sparse")
    node = _add()
    attribute = node.attribute.add()
    attribute.name = "value"
    attribute.sparse_tensor.dims.append(1)
    _refused(_model(node), "sparse")


@pytest.mark.parametrize("place", ["initializer", "attribute", "attributes"])
@pytest.mark.parametrize("how", ["location", "entries"])
def test_data_outside_of_the_graph_is_refused(place: str, how: str) -> None:
    tensor = numpy_helper.from_array(np.zeros(2, np.float32), "c")
    if how == "location":
        tensor.data_location = TensorProto.EXTERNAL
    else:
        tensor.external_data.add(key="location", value="/etc/passwd")
    given = {"initializer": {}, "attribute": {"value": tensor}, "attributes": {"values": [tensor]}}[place]
    _refused(_model(_add(**given), constant=tensor if place == "initializer" else None), "outside of itself")


def test_an_inside_location_is_fine() -> None:
    tensor = numpy_helper.from_array(np.zeros(2, np.float32), "c")
    tensor.data_location = TensorProto.DEFAULT
    assert check_graph(_model(_add(), constant=tensor).SerializeToString()) == {"Add"}


def test_a_second_graph_field_is_walked_too() -> None:
    """Protobuf merges repeated messages: the later part must not slip by."""
    data = _model(_add()).SerializeToString()
    rest = ModelProto(graph=helper.make_graph([helper.make_node("Loop", ["x"], ["z"])], "g", [], []))
    with pytest.raises(BundleError, match="Loop"):
        check_graph(data + rest.SerializeToString())


def test_size_is_bounded() -> None:
    with pytest.raises(BundleError, match="more than"):
        check_graph(bytes(MAX_GRAPH_BYTES + 1))


def test_every_truncation_is_refused_or_still_a_prefix() -> None:
    data = _model(_add()).SerializeToString()
    for length in range(len(data)):
        try:
            assert check_graph(data[:length]) <= {"Add"}
        except BundleError as error:
            assert error.code == "graph"


@given(st.binary(max_size=64))
def test_noise_is_refused_by_name_or_holds_nothing(noise: bytes) -> None:
    try:
        assert check_graph(noise) <= OPERATORS
    except BundleError as error:
        assert error.code == "graph"

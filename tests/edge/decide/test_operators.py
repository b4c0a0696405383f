"""What a graph may hold: the walk agrees with onnx, and refuses what could reach out of the graph."""

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
    return helper.make_model(graph)


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
    rest = ModelProto(graph=_model(helper.make_node("Loop", ["x"], ["y"])).graph).SerializeToString()
    with pytest.raises(BundleError, match="Loop"):
        check_graph(data + rest)


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

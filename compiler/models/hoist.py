"""Turns the large constants of models' graphs into arrays, which are mapped instead of read."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar, cast

import onnx
from onnx import helper, numpy_helper

from compiler.models.graph import ScoreModel
from compiler.models.hygiene import MAX_CONSTANT_BYTES
from compiler.predictions.graph import PredictionModel
from edge.bundle.arrays import Array
from edge.decide.plan_check import ONNX_TYPES

M = TypeVar("M", bound=ScoreModel)
P = TypeVar("P", bound=PredictionModel)

# Models are dataclasses, whoever made them; a protocol can't say so.


def hoist(models: Mapping[str, M]) -> dict[str, M]:
    """The models, those with a constant over `MAX_CONSTANT_BYTES` with an input instead of it."""
    found = {}
    for name, model in models.items():
        graph, arrays = hoisted(model.scores_graph, model.arrays)
        same = graph is model.scores_graph
        found[name] = model if same else cast(M, replace(cast(Any, model), scores_graph=graph, arrays=arrays))
    return found


def hoist_predictions(models: Mapping[str, P]) -> dict[str, P]:
    """The same of predictions."""
    found = {}
    for name, model in models.items():
        graph, arrays = hoisted(model.graph, model.arrays)
        same = graph is model.graph
        found[name] = model if same else cast(P, replace(cast(Any, model), graph=graph, arrays=arrays))
    return found


def hoisted(graph: bytes, arrays: Mapping[str, Array]) -> tuple[bytes, Mapping[str, Array]]:
    """A graph whose large constants are inputs, and the arrays with them; else the very graph."""
    if len(graph) <= MAX_CONSTANT_BYTES:
        return graph, arrays
    proto = onnx.load_model_from_string(graph)
    found = dict(arrays)
    declared = {value.name for value in proto.graph.input}
    for tensor in list(proto.graph.initializer):
        array = numpy_helper.to_array(tensor)
        if array.nbytes <= MAX_CONSTANT_BYTES or array.dtype.str not in ONNX_TYPES:
            continue
        found[tensor.name] = array
        proto.graph.initializer.remove(tensor)
        if tensor.name not in declared:
            value = helper.make_tensor_value_info(tensor.name, tensor.data_type, array.shape)
            proto.graph.input.append(value)
    if len(found) == len(arrays):
        return graph, arrays
    return bytes(proto.SerializeToString(deterministic=True)), found

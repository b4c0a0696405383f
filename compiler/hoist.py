"""Turns the large constants of models' graphs into arrays, which are mapped instead of read."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, TypeVar, cast

import onnx
from onnx import helper, numpy_helper

from compiler.graph import ScoreModel
from compiler.hygiene import MAX_CONSTANT_BYTES
from edge.bundle.arrays import DTYPES, Array

M = TypeVar("M", bound=ScoreModel)


def hoist(models: Mapping[str, M]) -> dict[str, M]:
    """The models, those with a constant over `MAX_CONSTANT_BYTES` with an input instead of it."""
    return {name: _hoisted(model) for name, model in models.items()}


def _hoisted(model: M) -> M:
    if len(model.scores_graph) <= MAX_CONSTANT_BYTES:
        return model
    proto = onnx.load_model_from_string(model.scores_graph)
    arrays = dict[str, Array](model.arrays)
    declared = {value.name for value in proto.graph.input}
    for tensor in list(proto.graph.initializer):
        array = numpy_helper.to_array(tensor)
        if array.nbytes <= MAX_CONSTANT_BYTES or array.dtype.str not in DTYPES:
            continue
        arrays[tensor.name] = array
        proto.graph.initializer.remove(tensor)
        if tensor.name not in declared:
            value = helper.make_tensor_value_info(tensor.name, tensor.data_type, array.shape)
            proto.graph.input.append(value)
    graph = bytes(proto.SerializeToString(deterministic=True))
    # Score models are dataclasses, whoever made them; a protocol can't say so.
    return cast(M, replace(cast(Any, model), scores_graph=graph, arrays=arrays))

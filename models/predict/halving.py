"""Keeps a prediction's weights as float16: the graph widens them before it counts."""

from dataclasses import replace
from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge.errors import GivenError
from models.predict.contract import Prediction, PredictionRecipe
from models.settings import FLOAT16, Choice

FULL: Final = "full"
WEIGHTS: Final = Choice(
    FULL,
    "How weights are kept: in full, or in 16 bits, half or a quarter of the bytes.",
    (FULL, FLOAT16),
)
MOST: Final = float(np.finfo(np.float16).max)


def halve(model: Prediction, recipe: PredictionRecipe) -> Prediction:
    """The prediction with its tables of weights rounded to float16; what else it holds stays.

    Raises
    ------
    GivenError
        ``setting``: a weight is beyond what 16 bits hold.
    """
    proto = onnx.load_model_from_string(model.graph)
    nodes = list(proto.graph.node)
    for tensor in proto.graph.initializer:
        weights = numpy_helper.to_array(tensor)
        if weights.ndim != 2 or weights.dtype.kind != "f":
            continue
        if np.abs(weights).max(initial=0) > MOST:
            raise GivenError("setting", f"a weight of {np.abs(weights).max():.3g} does not fit into float16")
        tensor.CopyFrom(numpy_helper.from_array(weights.astype(np.float16), tensor.name))
        nodes = [wide for node in nodes for wide in _widened(node, tensor.name)]
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
    graph = bytes(proto.SerializeToString(deterministic=True))
    return replace(model, graph=graph, reference=recipe.predictor(graph, model.arrays))


def _widened(node: onnx.NodeProto, name: str) -> list[onnx.NodeProto]:
    """The node, with the constant widened before it unless that is what it does itself."""
    if name not in node.input or node.op_type == "Cast":
        return [node]
    wide = f"{name}_wide_of_{node.output[0]}"
    cast = helper.make_node("Cast", [name], [wide], to=TensorProto.DOUBLE)
    node.input[:] = [wide if given == name else given for given in node.input]
    return [cast, node]

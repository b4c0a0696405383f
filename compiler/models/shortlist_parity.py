"""Compares what a shortlist finds in the compiled graph with what its reference does, row by row."""

from typing import Final

import numpy as np
import onnx
from onnx import TensorProto, helper

from compiler.models.graph import MergedGraph
from compiler.models.hygiene import tidy
from compiler.models.parity import Sampled
from compiler.models.real_rows import padded, real_rows
from compiler.models.shortlists import found_by, leaves_out
from edge.decide.recommender import open_session

ROWS: Final = 64


def finds_same(merged: MergedGraph, name: str, model: Sampled) -> bool:
    """Whether a model's shortlist in the graph finds the same items in the same order, and scores them alike.

    True of models whose shortlist is not in the graph, or leaves out nothing that might be listed.
    """
    n_items = merged.plan.n_items
    made = {out for node in onnx.load_model_from_string(merged.graph).graph.node for out in node.output}
    if f"model/{name}/short/items" not in made or not leaves_out(model):
        return True
    session = open_session(_cut(merged.graph, f"model/{name}/short/"))
    wanted = {node.name for node in session.get_inputs()}
    arrays = {key: merged.arrays[file][part] for key, (file, part) in merged.plan.bindings.items()}
    given = {key: array for key, array in arrays.items() if key in wanted}
    for row in real_rows(model.sample, n_items, merged.plan.max_history, ROWS).histories:
        history, weight = padded([row], n_items)
        items, scores = session.run(None, {**given, "history": history, "weight": weight})
        found = found_by(model, history, weight)
        assert found is not None
        count = found[0].shape[1]
        own = np.where(np.isin(found[0], row), np.float32(-np.inf), found[1])
        if not (np.array_equal(items[:, :count], found[0]) and np.array_equal(scores[:, :count], own)):
            return False
    return True


def _cut(graph: bytes, prefix: str) -> bytes:
    """The graph with a shortlist as its only output."""
    proto = onnx.load_model_from_string(graph)
    del proto.graph.output[:]
    proto.graph.output.extend(
        helper.make_tensor_value_info(prefix + name, kind, ["batch", "places"])
        for name, kind in (("items", TensorProto.INT32), ("scores", TensorProto.FLOAT))
    )
    proto = tidy(proto)
    used = {name for node in proto.graph.node for name in node.input}
    shared = {"history", "weight"}
    for value in [value for value in proto.graph.input if value.name not in used | shared]:
        proto.graph.input.remove(value)
    return bytes(proto.SerializeToString(deterministic=True))

"""Nodes from all scores of models to lists: what small catalogs have; of large ones see `shortlists`."""

import numpy as np
from onnx import NodeProto, TensorProto, helper, numpy_helper

from compiler.recommenders.graph import NEVER
from edge.bundle.arrays import Array
from edge.bundle.stock import INPUT as STOCK


def seen_nodes(n_items: int) -> tuple[list[NodeProto], dict[str, Array]]:
    """Nodes for `:seen`: 0, but -inf for what is in the history or sold out; padding falls off the end.

    Where what was viewed may be listed, `:stock` is the same without the history.
    """
    never = numpy_helper.from_array(np.array([NEVER], np.float32), "")
    nodes = [
        helper.make_node("Shape", ["history"], [":rows"], start=0, end=1),
        helper.make_node("Concat", [":rows", ":padded"], [":shape"], axis=0),
        helper.make_node("Expand", [STOCK, ":shape"], [":unseen"]),
        helper.make_node("Slice", [STOCK, ":begin", ":end", ":only_axis"], [":stock"]),
        helper.make_node("Shape", ["history"], [":history_shape"]),
        helper.make_node("ConstantOfShape", [":history_shape"], [":never"], value=never),
        helper.make_node("ScatterElements", [":unseen", "history", ":never"], [":seen_padded"], axis=1),
        helper.make_node("Slice", [":seen_padded", ":begin", ":end", ":axis"], [":seen"]),
        helper.make_node("ReduceSum", ["weight", ":axis"], [":total"], keepdims=1),
        helper.make_node("Greater", [":total", ":nothing"], [":known"]),
    ]
    constants: dict[str, Array] = {
        ":padded": np.array([n_items + 1], np.int64),
        ":begin": np.array([0], np.int64),
        ":end": np.array([n_items], np.int64),
        ":axis": np.array([1], np.int64),
        ":only_axis": np.array([0], np.int64),
        ":nothing": np.array(0, np.float32),
        ":none_left": np.array(-1, np.int32),
        ":masked": np.array(NEVER, np.float32),
    }
    return nodes, constants


def scan_nodes(list_: str, fallback: str | None, excludes_seen: bool, known: str) -> list[NodeProto]:
    """Nodes from a model's scores to a recommender's two outputs; `known` is who the model goes for."""
    name, scores, nodes = f"list/{list_}", f"model/{list_}/scores", []
    if fallback is not None:
        inputs = [known, scores, f"model/{fallback}/scores"]
        scores = f"{name}/chosen"
        nodes.append(helper.make_node("Where", inputs, [scores]))
    nodes.append(helper.make_node("Add", [scores, ":seen" if excludes_seen else ":stock"], [f"{name}/open"]))
    return nodes + cut_nodes(list_, f"{name}/open")


def cut_nodes(list_: str, scores: str) -> list[NodeProto]:
    """Nodes from scores to the two outputs of a list: its best, and what is masked is none."""
    name, top = f"list/{list_}", f"scores/{list_}"
    return [
        helper.make_node("TopK", [scores, f"{name}/limit"], [top, f"{name}/best"], axis=1),
        helper.make_node("Cast", [f"{name}/best"], [f"{name}/positions"], to=TensorProto.INT32),
        helper.make_node("Equal", [top, ":masked"], [f"{name}/masked"]),
        helper.make_node("Where", [f"{name}/masked", ":none_left", f"{name}/positions"], [f"items/{list_}"]),
    ]

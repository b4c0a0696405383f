"""Scores only the items that a history can bring up, in catalogs that are too large to score whole.

A score graph has one score for each item of the catalog: a million of them take two
milliseconds, and four megabytes a visitor at each step. A shortlist graph has the items that
the history's neighbours name, each once, and the same scores to the last bit: what it leaves
out would not be listed (ADR 40). Its cost goes by histories and neighbours alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from edge.bundle.arrays import Array
from models.graphs.factors import recency_nodes
from models.graphs.onnx_build import IR_VERSION, OPSET, array_inputs
from models.trained import Predictor, Scores

TIMES: Final = 40
"""A shortlist is faster than all scores where these are so many times more than what is named.

Measured, on one core: 0.08 µs for each item that is named, and 1.4 µs for 1,000 scores.
"""

PLACES: Final = 2_048
"""The best of everybody: more than the longest list and the longest history hold."""

FEWEST: Final = 8 * PLACES
"""Items of which it is faster to take the best of everybody than to score all."""

NEVER: Final = -np.inf


def if_large(n_items: int, named: float, make: Callable[[], bytes]) -> bytes:
    """A model's shortlist graph; none for catalogs that are better scored whole.

    Parameters
    ----------
    named
        How many items the longest history brings up, each as often as it is named.
    """
    return make() if n_items >= TIMES * named else b""


def neighbour_shortlist(
    arrays: Mapping[str, Array], *, newest_only: bool = False, recent: bool = False
) -> bytes:
    """The shortlist of `models.graphs.neighbours.sum_nodes` with `positive_nodes` behind it.

    Parameters
    ----------
    arrays
        ``neighbour`` and ``value``; where views are weighed by their place, ``recency``.
    newest_only
        Whether the newest item of a history speaks alone.
    recent
        Whether views are weighed by their place.
    """
    node = helper.make_node
    weigh, weighing = recency_nodes() if recent else ([], {})
    speaks = ("newest", "newest_weight") if newest_only else ("history", "recent" if recent else "weight")
    cuts = [
        node("Slice", ["history", "zero", "one", "one"], ["newest"]),
        node("Slice", ["weight", "zero", "one", "one"], ["newest_weight"]),
    ]
    nodes = [
        *(cuts if newest_only else []),
        *weigh,
        node("Gather", ["neighbour", speaks[0]], ["named"], axis=0),
        node("Gather", ["value", speaks[0]], ["values"], axis=0),
        node("Unsqueeze", [speaks[1], "last"], ["weights"]),
        node("Mul", ["values", "weights"], ["products"]),
        node("Reshape", ["named", "flat"], ["flat_named"]),
        node("Reshape", ["products", "flat"], ["flat_products"]),
        # An item of the history is named by itself, with a weight that no other can make up for.
        node("Shape", ["history"], ["history_shape"]),
        node("ConstantOfShape", ["history_shape"], ["never_seen"], value=_single(NEVER, np.float32)),
        node("Concat", ["flat_named", "history"], ["all_named"], axis=1),
        node("Concat", ["flat_products", "never_seen"], ["all_products"], axis=1),
        *_sum_by_item(),
        node("Greater", ["sums", "nothing"], ["is_scored"]),
        node("Where", ["is_scored", "sums", "never"], ["scores"]),
    ]
    constants: dict[str, Array] = {
        "flat": np.array([0, -1], np.int64),
        "last": np.array([-1], np.int64),
        "zero": np.array([0], np.int64),
        "one": np.array([1], np.int64),
        "far": np.array([1 << 60], np.int64),
        "columns": np.array(1, np.int64),
        "nothing": np.array(0, np.float32),
        "never": np.array(NEVER, np.float32),
        **weighing,
    }
    return shortlist_graph(nodes, arrays, constants)


def _sum_by_item() -> list[NodeProto]:
    """Nodes that put equal items side by side, ascending, and add up what stands with each.

    `sums` and `items` are as wide as what comes in; places that no item needs have sum 0.
    """
    node = helper.make_node
    return [
        node("Shape", ["all_named"], ["width"], start=1, end=2),
        node("TopK", ["all_named", "width"], ["sorted", "order"], axis=1, largest=0),
        node("GatherElements", ["all_products", "order"], ["sorted_products"], axis=1),
        node("Slice", ["sorted", "one", "far", "one"], ["later"]),
        node("Slice", ["sorted", "zero", "last", "one"], ["earlier"]),
        node("Equal", ["later", "earlier"], ["is_same"]),
        node("Not", ["is_same"], ["is_new"]),
        node("Cast", ["is_new"], ["steps"], to=TensorProto.INT64),
        node("CumSum", ["steps", "columns"], ["places_after"]),
        node("Slice", ["order", "zero", "one", "one"], ["some_column"]),
        node("Mul", ["some_column", "zero"], ["first_place"]),
        node("Concat", ["first_place", "places_after"], ["places"], axis=1),
        node("Shape", ["all_named"], ["shape"]),
        node("ConstantOfShape", ["shape"], ["zeros"]),
        node("ConstantOfShape", ["shape"], ["no_items"], value=_single(-1, np.int32)),
        node("ScatterElements", ["zeros", "places", "sorted_products"], ["sums"], axis=1, reduction="add"),
        node("ScatterElements", ["no_items", "places", "sorted"], ["items"], axis=1),
    ]


def fixed_arrays(score: NDArray[np.float32]) -> dict[str, Array]:
    """The arrays `order`, `ordered` and `rank` of `fixed_shortlist`.

    They are the items, best first, their scores, and where each item stands; what pads histories
    stands behind all.
    """
    order = np.argsort(-score, kind="stable")
    rank = np.full(len(score) + 1, len(score), np.int32)
    rank[order] = np.arange(len(score))
    return {"order": order.astype(np.int32), "ordered": score[order], "rank": rank}


def fixed_shortlist(arrays: Mapping[str, Array], places: int = PLACES) -> bytes:
    """The shortlist of a model that has the same scores for everybody: the best of them.

    Parameters
    ----------
    arrays
        Those of `fixed_arrays`, and others.
    """
    node = helper.make_node
    nodes = [
        node("Slice", ["order", "first", "places"], ["best"]),
        node("Slice", ["ordered", "first", "places"], ["best_score"]),
        # Behind all is a place that what is not among the best falls on.
        node("Concat", ["best", "none"], ["best_or_none"], axis=0),
        node("Concat", ["best_score", "never"], ["score_or_never"], axis=0),
        node("Shape", ["history"], ["rows"], start=0, end=1),
        node("Concat", ["rows", "width"], ["shape"], axis=0),
        node("Expand", ["best_or_none", "shape"], ["items"]),
        node("Expand", ["score_or_never", "shape"], ["all_scores"]),
        node("Gather", ["rank", "history"], ["seen_rank"], axis=0),
        node("Min", ["seen_rank", "behind"], ["seen_at"]),
        node("Shape", ["history"], ["history_shape"]),
        node("ConstantOfShape", ["history_shape"], ["never_seen"], value=_single(NEVER, np.float32)),
        node("ScatterElements", ["all_scores", "seen_at", "never_seen"], ["scores"], axis=1),
    ]
    count = min(places, len(arrays["order"]))
    constants: dict[str, Array] = {
        "first": np.array([0], np.int64),
        "places": np.array([count], np.int64),
        "width": np.array([count + 1], np.int64),
        "behind": np.array(count, np.int32),
        "none": np.array([-1], np.int32),
        "never": np.array([NEVER], np.float32),
    }
    used = {name: arrays[name] for name in ("order", "ordered", "rank")}
    return shortlist_graph(nodes, used, constants)


@dataclass(frozen=True)
class FixedFinder:
    """The reference of `fixed_shortlist`; see `models.trained.Finder`."""

    places: int = PLACES
    is_certain: bool = True

    def find(
        self,
        reference: Predictor,
        arrays: Mapping[str, Array],
        history: NDArray[np.int32],
        weight: NDArray[np.float32],
    ) -> tuple[NDArray[np.int32], Scores]:
        """See `models.trained.Finder`."""
        best = arrays["order"][: self.places]
        shape = (len(history), len(best))
        return np.broadcast_to(best, shape), np.broadcast_to(arrays["ordered"][: self.places], shape)

    def wider(
        self, scores_graph: bytes, arrays: Mapping[str, Array], times: int
    ) -> tuple[bytes, "FixedFinder"]:
        """See `models.trained.Finder`."""
        del scores_graph
        return fixed_shortlist(arrays, self.places * times), FixedFinder(self.places * times)


def _single(value: float, dtype: type) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array([value], dtype), "")


def shortlist_graph(
    nodes: Sequence[NodeProto], arrays: Mapping[str, Array], constants: Mapping[str, Array]
) -> bytes:
    """A shortlist: `history`, `weight` and `arrays` in, `items` and their `scores` out."""
    inputs = [
        helper.make_tensor_value_info("history", TensorProto.INT32, ["batch", "length"]),
        helper.make_tensor_value_info("weight", TensorProto.FLOAT, ["batch", "length"]),
        *array_inputs(arrays),
    ]
    outputs = [
        helper.make_tensor_value_info("items", TensorProto.INT32, ["batch", "places"]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", "places"]),
    ]
    initializers = [
        numpy_helper.from_array(np.asarray(array), key) for key, array in sorted(constants.items())
    ]
    graph = helper.make_graph(list(nodes), "shortlist", inputs, outputs, initializers)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="")
    model.ir_version = IR_VERSION
    return bytes(model.SerializeToString(deterministic=True))

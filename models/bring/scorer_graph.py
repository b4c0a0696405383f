"""Makes of a scorer's graph one over the catalog's positions, whose scores are whole steps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from edge.bundle.arrays import DTYPES, Array
from models.bring.items import Alignment
from models.bring.scorer import HISTORY, INT64, SCORES, WEIGHT, Scorer, scores_of
from models.bring.source import cannot
from models.bring.tidy import ARRAY_BYTES, lift
from models.bring.wide import narrow, widen
from models.graphs.onnx_build import IR_VERSION, OPSET

STEPS: Final = 1 << 20
"""The greatest score is so many steps, or up to twice as many."""

MAPPED_BYTES: Final = 16 << 10
"""A larger constant becomes an array of the bundle, which is finite."""

FAR: Final = 1 << 20
"""More than any history is long."""

node = helper.make_node
Nodes = tuple[list[NodeProto], dict[str, Array]]


@dataclass(frozen=True, eq=False)
class ScorerGraph:
    """A recommender's score graph and its arrays; `narrow` are operators that count in 32 bits."""

    graph: bytes
    arrays: dict[str, Array]
    narrow: list[str]


def scorer_graph(scorer: Scorer, proto: Any, alignment: Alignment, step: float) -> ScorerGraph:
    """The graph of a recommender, with scores of whole steps.

    Raises
    ------
    GivenError
        ``bring``: it holds what can't be part of a recommender.
    """
    lifted = lift(proto, scores_of(proto))
    body, constants = widen(lifted.nodes, lifted.constants)
    front, more = _front(scorer, lifted.inputs, alignment)
    back, last = _back(lifted.answer, alignment, step)
    held = {**constants, **more, **last}
    arrays = {
        name: array
        for name, array in held.items()
        if array.nbytes > ARRAY_BYTES and array.dtype.newbyteorder("<").str in DTYPES
    }
    inside = {name: array for name, array in held.items() if name not in arrays}
    if any(array.nbytes > MAPPED_BYTES and not np.isfinite(array).all() for array in held.values()):
        said = "holds a large constant with infinity in it"
        raise cannot("the graph", said, "use a great number such as -1e9 in its place")
    graph = _serialize([*front, *body, *back], alignment.n_items, inside, arrays)
    return ScorerGraph(graph, arrays, narrow(lifted.nodes))


def step_of(greatest: float) -> float:
    """The step of scores of which this is the greatest: a power of two."""
    return float(2.0 ** np.ceil(np.log2(max(greatest, 2.0**-60)))) / STEPS


def check(graph: bytes) -> None:
    """Hold a graph that has been tried against what ONNX says of its types and shapes.

    Raises
    ------
    GivenError
        ``bring``: they do not fit.
    """
    try:
        onnx.checker.check_model(onnx.load_model_from_string(graph), full_check=True)
    # The checker's errors and those of its inference have no base in common but this one.
    except Exception as error:
        said = " ".join(str(error).split())[:200]
        raise cannot("the graph", f"is no sound ONNX: {said}") from error


def _front(scorer: Scorer, inputs: Mapping[str, str], alignment: Alignment) -> Nodes:
    """Nodes from the catalog's positions to what the scorer takes in."""
    nodes, constants, history, weight = list[NodeProto](), dict[str, Array](), HISTORY, WEIGHT
    if not alignment.is_same:
        constants["to_source"] = alignment.to_source
        nodes.append(node("Gather", ["to_source", HISTORY], ["source_history"], axis=0))
        history = "source_history"
    if not alignment.known.all():
        more, added = _closed_up(alignment.n_source)
        nodes, constants = nodes + more, constants | added
        history, weight = "closed_history", "closed_weight"
    if scorer.length:
        more, added = _of_length(scorer.length, alignment.n_source, history, weight)
        nodes, constants = nodes + more, constants | added
        history, weight = "cut_history", "cut_weight"
    kind = TensorProto.INT64 if scorer.history_type == INT64 else TensorProto.INT32
    for name, value, to in ((HISTORY, history, kind), (WEIGHT, weight, TensorProto.DOUBLE)):
        if inputs.get(name):
            nodes.append(node("Cast", [value], [inputs[name]], to=to))
    return nodes, constants


def _closed_up(n_source: int) -> Nodes:
    """Nodes that take items which the scorer lacks out of a history, and close the gaps."""
    nodes = [
        node("Less", ["source_history", "no_item"], ["is_known"]),
        node("Shape", [HISTORY], ["history_length"], start=1, end=2),
        node("Squeeze", ["history_length"], ["history_count"]),
        node("Range", ["zero", "history_count", "one"], ["places"]),
        node("Sub", ["far", "places"], ["early"]),
        node("Neg", ["places"], ["late"]),
        node("Where", ["is_known", "early", "late"], ["ranks"]),
        node("TopK", ["ranks", "history_length"], ["ranked", "known_first"], axis=1),
        node("GatherElements", ["source_history", "known_first"], ["closed_history"], axis=1),
        node("Where", ["is_known", WEIGHT, "no_weight"], ["known_weight"]),
        node("GatherElements", ["known_weight", "known_first"], ["closed_weight"], axis=1),
    ]
    numbers = {"zero": 0, "one": 1, "far": FAR}
    constants: dict[str, Array] = {name: np.array(number, np.int64) for name, number in numbers.items()}
    return nodes, {
        **constants,
        "no_item": np.array(n_source, np.int32),
        "no_weight": np.array(0, np.float32),
    }


def _of_length(length: int, n_source: int, history: str, weight: str) -> Nodes:
    """Nodes that cut or pad histories to the one length that a scorer takes."""
    nodes = [
        node("Shape", [HISTORY], ["histories"], start=0, end=1),
        node("Concat", ["histories", "wanted_length"], ["wanted_shape"], axis=0),
    ]
    for value, nothing, name in ((history, "padding", "history"), (weight, "no_padding", "weight")):
        nodes += [
            node("Expand", [nothing, "wanted_shape"], [f"more_{name}"]),
            node("Concat", [value, f"more_{name}"], [f"long_{name}"], axis=1),
            node("Slice", [f"long_{name}", "begin", "wanted_length", "along"], [f"cut_{name}"]),
        ]
    return nodes, {
        "wanted_length": np.array([length], np.int64),
        "begin": np.array([0], np.int64),
        "along": np.array([1], np.int64),
        "padding": np.array(n_source, np.int32),
        "no_padding": np.array(0, np.float32),
    }


def _back(values: str, alignment: Alignment, step: float) -> Nodes:
    """Nodes from the scorer's scores to the catalog's, in whole steps; what has none is not listed."""
    is_same = alignment.is_same
    nodes = [
        node("Cast", [values], ["wide_scores"], to=TensorProto.DOUBLE),
        node("Mul", ["wide_scores", "steps"], ["in_steps"]),
        node("Round", ["in_steps"], ["whole_steps"]),
        node("Mul", ["whole_steps", "step"], ["stepped"]),
        node("Cast", ["stepped"], ["floats"], to=TensorProto.FLOAT),
        node("Less", ["floats", "endless"], ["is_number"]),  # NaN is less than nothing
        node("Where", ["is_number", "floats", "never"], [SCORES if is_same else "source_scores"]),
    ]
    constants: dict[str, Array] = {
        "steps": np.array(1 / step),
        "step": np.array(step),
        "endless": np.array(np.inf, np.float32),
        "never": np.array(-np.inf, np.float32),
    }
    if is_same:
        return nodes, constants
    nodes += [
        node("Shape", [HISTORY], ["asking"], start=0, end=1),
        node("Concat", ["asking", "one_column"], ["column"], axis=0),
        node("Expand", ["never", "column"], ["unscored"]),
        node("Concat", ["source_scores", "unscored"], ["all_scores"], axis=1),
        node("Gather", ["all_scores", "from_source"], [SCORES], axis=1),
    ]
    from_source = alignment.to_source[:-1].copy()  # where the source has nothing stands its last column
    return nodes, {**constants, "one_column": np.array([1], np.int64), "from_source": from_source}


def _serialize(
    nodes: Sequence[NodeProto], n_items: int, constants: Mapping[str, Array], arrays: Mapping[str, Array]
) -> bytes:
    """As `models.graphs.onnx_build.score_graph`, but unchecked: what is foreign is tried elsewhere first."""
    value = helper.make_tensor_value_info
    inputs = [
        value(HISTORY, TensorProto.INT32, ["batch", "length"]),
        value(WEIGHT, TensorProto.FLOAT, ["batch", "length"]),
        *(
            value(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
            for name, array in sorted(arrays.items())
        ),
    ]
    outputs = [value(SCORES, TensorProto.FLOAT, ["batch", n_items])]
    held = [numpy_helper.from_array(np.asarray(array), name) for name, array in sorted(constants.items())]
    graph = helper.make_graph(list(nodes), "brought", inputs, outputs, held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="")
    model.ir_version = IR_VERSION
    return bytes(model.SerializeToString(deterministic=True))

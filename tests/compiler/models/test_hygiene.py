"""A tidied graph computes the same with less, and large constants become arrays."""

from collections.abc import Sequence

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from compiler.models.graph import RecommenderSpec, merge
from compiler.models.hoist import hoist
from compiler.models.hygiene import MAX_CONSTANT_BYTES, check_constants, tidy
from edge.decide.inference import ort
from edge.decide.recommender import Recommender, open_session
from edge.errors import GivenError
from models import recipe
from models.data.interactions import Interactions, from_rows, sort_items
from models.graphs.onnx_build import score_graph
from models.trained import Trained

node = helper.make_node


def _model(nodes: Sequence[NodeProto], outputs: Sequence[str] = ("y",), **constants: object) -> ModelProto:
    tensors = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n"]) for name in ("x", *outputs)]
    graph = helper.make_graph(list(nodes), "test", values[:1], values[1:], tensors, doc_string="me")
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], producer_name="")
    model.ir_version = 8
    return model


def _run(model: ModelProto) -> list[NDArray[np.float32]]:
    onnx.checker.check_model(model, full_check=True)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return list(session.run(None, {"x": np.array([1, 2, 3], np.float32)}))


def _ops(model: ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def test_what_depends_on_constants_alone_is_computed_once() -> None:
    nodes = [node("Mul", ["a", "b"], ["ab"]), node("Identity", ["ab"], ["c"]), node("Add", ["x", "c"], ["y"])]
    model = _model(nodes, a=np.float32(2), b=np.float32(3))
    found = tidy(model)
    assert _ops(found) == ["Add"]
    assert len(found.graph.initializer) == 1
    assert np.array_equal(_run(found)[0], _run(model)[0])
    assert _ops(model) == ["Mul", "Identity", "Add"], "the given one is left alone"


def test_weights_that_are_kept_small_stay_so() -> None:
    """A cast of many numbers to wider ones is the edge's to do; of a few it is computed."""
    weights = {"w": np.ones(600, np.float16), "v": np.ones(2, np.float16)}
    casts = [node("Cast", [name], [f"{name}_wide"], to=TensorProto.FLOAT) for name in weights]
    sums = [node("Add", ["x", "v_wide"], ["z"]), node("Add", ["z", "w_wide"], ["y"])]
    found = tidy(_model([*casts, *sums], **weights)).graph
    assert [one.op_type for one in found.node].count("Cast") == 1
    assert {tensor.data_type for tensor in found.initializer} == {TensorProto.FLOAT16, TensorProto.FLOAT}


def test_equal_parts_are_shared_and_unused_ones_cut() -> None:
    one, same = np.float32(1), np.float32(1)
    nodes = [
        node("Add", ["x", "one"], ["p"], name="first", doc_string="why"),
        node("Add", ["x", "same"], ["q"], name="second"),
        node("Mul", ["p", "q"], ["y"]),
        node("Neg", ["p"], ["nobody_asks"]),
    ]
    found = tidy(_model(nodes, one=one, same=same, forgotten=np.float32(7)))
    assert _ops(found) == ["Add", "Mul"]
    assert [tensor.name for tensor in found.graph.initializer] == ["one"]
    assert b"why" not in found.SerializeToString()
    assert b"first" not in found.SerializeToString()
    assert np.array_equal(_run(found)[0], np.array([4, 9, 16], np.float32))


def test_constants_of_other_types_and_outputs_of_their_own_stay_apart() -> None:
    nodes = [node("Neg", ["x"], ["y"]), node("Neg", ["x"], ["z"]), node("Neg", ["x"], ["kept"])]
    found = tidy(_model(nodes, ("y", "z"), a=np.int32(0), b=np.float32(0)), keep=["kept"])
    assert [list(one.output) for one in found.graph.node] == [["y"], ["z"], ["kept"]]
    assert len(_run(found)) == 2


def test_sums_are_not_folded() -> None:
    nodes = [node("ReduceSum", ["a"], ["s"], keepdims=0), node("Add", ["x", "s"], ["y"])]
    assert _ops(tidy(_model(nodes, a=np.ones(3, np.float32)))) == ["ReduceSum", "Add"]


def test_a_large_constant_is_refused_by_name() -> None:
    model = _model([node("Add", ["x", "big"], ["y"])], big=np.zeros(MAX_CONSTANT_BYTES, np.float32))
    with pytest.raises(GivenError, match=r"constant 'big' of the graph holds 66 kB"):
        check_constants(tidy(model))


@pytest.fixture(scope="module")
def data() -> Interactions:
    items = sort_items(f"item{n}" for n in range(6))
    return from_rows([(f"u{n % 4}", items[n % 6], n, 1.0) for n in range(12)], items)


def test_two_models_read_the_history_once(data: Interactions) -> None:
    models = {name: recipe.train(name, name, data) for name in ("ease", "item-item")}
    alone = [merge(models, [RecommenderSpec(name, 3)]).graph for name in models]
    both = merge(models, [RecommenderSpec(name, 3) for name in models]).graph
    counts = [_ops(onnx.load_model_from_string(graph)).count("NonZero") for graph in (*alone, both)]
    assert counts == [1, 1, 1]


def test_large_constants_become_arrays(data: Interactions) -> None:
    wide = np.arange(6 * MAX_CONSTANT_BYTES, dtype=np.float32).reshape(-1, 6) % 7
    nodes = [
        node("Shape", ["history"], ["rows"], start=0, end=1),
        node("Gather", ["wide", "rows"], ["row"], axis=0),
        node("Concat", ["rows", "columns"], ["shape"], axis=0),
        node("Expand", ["row", "shape"], ["scores"]),
    ]
    constants = {"wide": wide, "columns": np.array([6], np.int64)}
    graph = score_graph("wide", 6, nodes, {}, constants)
    model = Trained("wide", data.item_ids, graph, {}, {}, lambda a, h, w: np.tile(wide[1:2], (len(h), 1)))
    with pytest.raises(GivenError, match="'model/wide/wide'"):
        merge({"wide": model}, [RecommenderSpec("wide", 3)])
    merged = merge(hoist({"wide": model}), [RecommenderSpec("wide", 3)])
    assert np.array_equal(merged.arrays["arrays/wide"]["wide"], wide)
    recommender = Recommender(
        merged.plan, open_session(merged.graph), {"model/wide/wide": merged.arrays["arrays/wide"]["wide"]}
    )
    assert recommender.recommend([[1]])["wide"] == [[0, 5, 4]]

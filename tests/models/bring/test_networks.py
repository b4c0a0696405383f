"""PyTorch modules and ONNX files answer as before, as one table or a column for each feature."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge.errors import GivenError
from models.bring.prediction import bring, bring_file
from models.predict.contract import TOLERANCE
from models.predict.recipe import load, save

NAMES = ("a", "b", "c")
ROWS = np.random.default_rng(0).normal(size=(300, 3))


def _linear(inputs: list[Any], nodes: list[Any], opset: int = 18, **constants: Any) -> onnx.ModelProto:
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 1])
    held = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "g", inputs, [output], held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def _table(width: int | None = 3) -> Any:
    return helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", width])


WEIGHTS = np.array([[1.0], [-2.0], [0.5]], np.float32)
MATMUL = helper.make_node("MatMul", ["x", "w"], ["y"])


@pytest.mark.parametrize(("opset", "width"), [(11, 3), (13, None), (18, 3)])
def test_a_graph_of_one_table(opset: int, width: int | None) -> None:
    brought = bring("score", _linear([_table(width)], [MATMUL], opset, w=WEIGHTS), NAMES, rows=ROWS)
    assert (brought.features, brought.outputs, brought.arrays) == (NAMES, ("score",), {})
    found = brought.reference(ROWS.astype(np.float32))
    assert np.abs(found - ROWS @ WEIGHTS).max() < TOLERANCE


def test_a_graph_of_columns_knows_its_features() -> None:
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 1]) for name in NAMES]
    nodes = [helper.make_node("Sub", ["a", "c"], ["y"])]
    brought = bring("score", _linear(inputs, nodes), ("c", "b", "a"), rows=ROWS)
    assert np.allclose(brought.reference(ROWS.astype(np.float32))[:, 0], ROWS[:, 2] - ROWS[:, 0], atol=1e-5)


def test_large_constants_become_arrays(tmp_path: Path) -> None:
    wide = np.random.default_rng(1).normal(size=(3, 10_000)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"]),
        helper.make_node("Tanh", ["h"], ["t"]),
        helper.make_node("ReduceMean", ["t", "axis"], ["y"], keepdims=1),
    ]
    brought = bring("score", _linear([_table()], nodes, w=wide, axis=np.array([1])), NAMES, rows=ROWS)
    assert [array.shape for array in brought.arrays.values()] == [(3, 10_000)]
    assert len(brought.graph) < 2_000
    save(brought, tmp_path)
    rows = ROWS[:7].astype(np.float32)
    assert np.abs(load(tmp_path).reference(rows) - brought.reference(rows)).max() <= TOLERANCE


def test_an_onnx_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save_model(_linear([_table()], [MATMUL], w=WEIGHTS), path)
    assert bring_file("score", path, NAMES).card["source"] == "ONNX"


def test_labels_of_text_are_cut_off_from_a_classifier() -> None:
    labels = {"classlabels_strings": ["no", "yes"], "domain": "ai.onnx.ml"}
    weights = {"coefficients": [-1.0, 0.0, 1.0, 1.0, 0.0, -1.0], "intercepts": [0.0, 0.0]}
    nodes = [
        helper.make_node(
            "LinearClassifier", ["x"], ["label", "p"], **weights, **labels, post_transform="SOFTMAX"
        ),
        helper.make_node("ZipMap", ["p"], ["y"], **labels),
    ]
    model = _linear([_table()], nodes)
    model.opset_import.add(domain="ai.onnx.ml", version=3)
    brought = bring("score", model, NAMES, rows=ROWS)
    assert b"yes" not in brought.graph
    assert brought.outputs == ("score",)


@pytest.mark.parametrize(
    ("inputs", "nodes", "said"),
    [
        ([helper.make_tensor_value_info("x", TensorProto.STRING, ["n", 3])], [MATMUL], "no table of float32"),
        ([helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n"])], [MATMUL], "takes 1 dimensions"),
        ([], [MATMUL], "takes nothing"),
        ([_table(4)], [MATMUL], "takes 4 features, and 3 are named"),
        ([_table()], [helper.make_node("MatMul", ["w", "x"], ["y"])], "can't be run|is refused"),
    ],
)
def test_what_takes_something_else_is_refused(inputs: list[Any], nodes: list[Any], said: str) -> None:
    with pytest.raises(GivenError, match=said):
        bring("score", _linear(inputs, nodes, w=WEIGHTS), NAMES, rows=ROWS)


@pytest.mark.filterwarnings("ignore")
def test_pytorch_modules_and_torchscript(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is an extra")
    torch.manual_seed(0)
    layers = torch.nn.Sequential(
        torch.nn.Linear(3, 8),
        torch.nn.LayerNorm(8),
        torch.nn.GELU(),
        torch.nn.Dropout(0.5),
        torch.nn.Linear(8, 1),
    )
    brought = bring("score", layers, NAMES, rows=ROWS)
    with torch.no_grad():
        wanted = layers(torch.tensor(ROWS.astype(np.float32))).numpy()
    assert np.abs(brought.reference(ROWS.astype(np.float32)) - wanted).max() <= TOLERANCE
    assert brought.card["parity"]["needs_all"]
    path = tmp_path / "net.pt"
    torch.jit.trace(layers, torch.zeros(2, 3)).save(str(path))
    assert bring_file("score", path, NAMES, rows=ROWS).graph == brought.graph

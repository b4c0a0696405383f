"""Blocks of items find nearly all of the best, and the graph finds what the reference does."""

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge.bundle.arrays import Array
from edge.decide.recommender import open_session
from models.blocks import best_of_blocks, block_arrays, block_nodes
from models.onnx_build import TYPES

FACTORS, PROBES, TOP = 16, 24, 50


def _items(count: int) -> NDArray[np.float32]:
    """Items in groups, some of which are larger than others."""
    draw = np.random.default_rng(2)
    groups = draw.normal(size=(count // 100, FACTORS)) * draw.exponential(size=(count // 100, 1))
    return (groups[draw.integers(0, len(groups), count)] + 0.2 * draw.normal(size=(count, FACTORS))).astype(
        np.float32
    )


@pytest.fixture(scope="module")
def items() -> NDArray[np.float32]:
    return _items(20_000)


@pytest.fixture(scope="module")
def arrays(items: NDArray[np.float32]) -> dict[str, Array]:
    return block_arrays(items)


@pytest.fixture(scope="module")
def users(items: NDArray[np.float32]) -> NDArray[np.float32]:
    draw = np.random.default_rng(3)
    return items[draw.integers(0, len(items), (40, 10))].sum(axis=1)


def test_each_item_is_in_one_block(items: NDArray[np.float32], arrays: dict[str, Array]) -> None:
    members = arrays["member"]
    assert np.array_equal(np.sort(members[members >= 0]), np.arange(len(items)))
    assert np.array_equal(arrays["factors"][members >= 0], items[members[members >= 0]])
    assert members.size < 1.6 * len(items)


def test_most_of_the_best_are_found(
    items: NDArray[np.float32], arrays: dict[str, Array], users: NDArray[np.float32]
) -> None:
    found, scores = best_of_blocks(arrays, users, PROBES)
    hits = 0
    for user, row, of_row in zip(users, found, scores, strict=True):
        exact = np.argsort(-(items @ user))[:TOP]
        hits += len({*exact.tolist()} & {*row[np.argsort(-of_row)[:TOP]].tolist()})
    assert hits / (TOP * len(users)) >= 0.95
    assert found.shape[1] < 0.2 * len(items)


def test_the_graph_finds_what_the_reference_does(
    arrays: dict[str, Array], users: NDArray[np.float32]
) -> None:
    nodes, constants = block_nodes("user", PROBES, arrays)
    inputs = [helper.make_tensor_value_info("user", TensorProto.FLOAT, ["batch", FACTORS])]
    inputs += [helper.make_tensor_value_info(n, TYPES[a.dtype], a.shape) for n, a in arrays.items()]
    outputs = [
        helper.make_tensor_value_info("items", TensorProto.INT32, ["batch", None]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", None]),
    ]
    held = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "blocks", inputs, outputs, held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model)
    session = open_session(model.SerializeToString())
    items, scores = session.run(None, {"user": users, **arrays})
    wanted, of_wanted = best_of_blocks(arrays, users, PROBES)
    assert np.mean(items == wanted) > 0.99  # products in float32: blocks of nearly one product may swap
    same = items == wanted
    assert np.allclose(scores[same], of_wanted[same], rtol=1e-4, atol=1e-3)


def test_a_handful_of_items_is_one_block_or_two() -> None:
    few = block_arrays(_items(100)[:5])
    items, scores = best_of_blocks(few, np.ones((1, FACTORS), np.float32), 48)
    assert sorted(items[items >= 0].tolist()) == [0, 1, 2, 3, 4]
    assert np.isfinite(scores).sum() == 5

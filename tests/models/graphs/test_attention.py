"""Attention of the newest item: its shares are a softmax's, and nothing depends on the order of sums."""

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge.bundle.arrays import Array
from edge.decide.inference import ort
from models.graphs.attention import (
    MAX_LENGTH,
    POWER_STEPS,
    SHARE_STEPS,
    attend,
    attention_arrays,
    attention_nodes,
)
from models.graphs.onnx_build import IR_VERSION, OPSET
from models.trained import EXACT_STEPS, WEIGHT_STEPS

ITEMS, FACTORS, LENGTH = 40, 16, 12


def _arrays(seed: int) -> tuple[dict[str, Array], list[NDArray[np.float64]]]:
    draw = np.random.default_rng(seed)
    tables = [draw.normal(size=(ITEMS, FACTORS)) for _ in range(3)]
    place = draw.normal(size=LENGTH)
    return attention_arrays(*tables, place), [*tables, place]


def _histories(seed: int, length: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    draw = np.random.default_rng(seed)
    history = np.stack([draw.permutation(ITEMS)[:length] for _ in range(9)]).astype(np.int32)
    for row, known in enumerate(draw.integers(1, length + 1, 9)):
        history[row, known:] = ITEMS
    history[-1] = ITEMS
    return history, (history < ITEMS).astype(np.float32)


def _run(arrays: dict[str, Array], history: NDArray[np.int32], weight: NDArray[np.float32]) -> Array:
    nodes, constants = attention_nodes(arrays, "output")
    tensors = [numpy_helper.from_array(array, name) for name, array in (constants | arrays).items()]
    inputs = [
        helper.make_tensor_value_info("history", TensorProto.INT32, ["batch", "length"]),
        helper.make_tensor_value_info("weight", TensorProto.FLOAT, ["batch", "length"]),
    ]
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, None)]
    graph = helper.make_graph(nodes, "attention", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: Array = session.run(["output"], {"history": history, "weight": weight})[0]
    return found


@pytest.mark.parametrize("length", [1, 7, 12, 30])
def test_the_graph_is_equal_to_its_reference(length: int) -> None:
    arrays, _ = _arrays(1)
    history, weight = _histories(2, length)
    assert np.array_equal(_run(arrays, history, weight), attend(arrays, history, weight))


def test_it_is_near_to_a_softmax() -> None:
    arrays, (query, key, value, place) = _arrays(3)
    history, weight = _histories(4, LENGTH)
    found = attend(arrays, history, weight)
    for row, items in enumerate(history[:-1]):
        known = items[items < ITEMS]
        logits = key[known] @ query[known[0]] + place[: len(known)]
        share = np.exp(logits - logits.max())
        assert np.allclose(found[row], share / share.sum() @ value[known], atol=0.1)


def test_who_has_no_history_attends_to_nothing() -> None:
    arrays, _ = _arrays(5)
    history, weight = _histories(6, 4)
    assert not attend(arrays, history, weight)[-1].any()


def test_items_without_weight_are_as_if_they_were_not_there() -> None:
    arrays, _ = _arrays(7)
    history, weight = _histories(8, 6)
    more = np.concatenate([history, np.tile(np.arange(3, dtype=np.int32), (len(history), 1))], axis=1)
    none = np.concatenate([weight, np.zeros((len(history), 3), np.float32)], axis=1)
    assert np.array_equal(attend(arrays, more, none), attend(arrays, history, weight))


def test_no_sum_passes_what_is_exact() -> None:
    arrays, _ = _arrays(9)
    assert MAX_LENGTH * POWER_STEPS * WEIGHT_STEPS < EXACT_STEPS
    assert np.abs(arrays["value"]).max() * (SHARE_STEPS + MAX_LENGTH / 2) < EXACT_STEPS
    assert (np.abs(arrays["query"]).max() * np.abs(arrays["key"]).sum(axis=1)).max() < EXACT_STEPS
    for name in ("query", "key", "value"):
        assert np.array_equal(arrays[name], np.round(arrays[name]))

"""Makes of a context the inputs of a network: bounded numbers, what is missing, and texts by their codes.

All inputs are in [-1, 1], so that a layer of `models.graphs.exact` takes them as they are, and each comes
of single operations on single numbers: the same on every machine.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray
from onnx import TensorProto, helper

from edge.bundle.arrays import Array
from edge.bundle.features import CONTEXT
from models.data.contexts import Contexts, Rows
from models.graphs.exact import Nodes

REACH: Final = 4.0
"""Deviations from the mean at which a number is cut off."""

LEAST: Final = 1e-6


def input_arrays(contexts: Contexts) -> dict[str, Array]:
    """How the numbers of a context are scaled, and where the codes of texts stand.

    Returns
    -------
    dict
        ``number_at``, ``number_mean`` and ``number_size`` of numbers: those that are 0 or 1 stay so, others
        are counted in deviations. ``code_at`` and ``code_is``: for each code of each text, its column and
        value. Either three or two only where there are such.
    """
    numbers = [at for at, codes in enumerate(contexts.codes) if not codes]
    values = [contexts.rows[:, at][~np.isnan(contexts.rows[:, at])].astype(np.float64) for at in numbers]
    scales = [_scale(known) for known in values]
    coded = [(at, code) for at, codes in enumerate(contexts.codes) for code in range(codes)]
    found: dict[str, Array] = {}
    if numbers:
        found["number_at"] = np.array(numbers, np.int32)
        found["number_mean"] = np.array([mean for mean, _ in scales], np.float32)
        found["number_size"] = np.array([size for _, size in scales], np.float32)
    if coded:
        found["code_at"] = np.array([at for at, _ in coded], np.int32)
        found["code_is"] = np.array([code for _, code in coded], np.float32)
    return found


def _scale(known: NDArray[np.float64]) -> tuple[float, float]:
    """The mean, and what a number less that is multiplied with."""
    if not len(known) or np.isin(known, (0, 1)).all():
        return 0.0, 1.0
    return float(known.mean()), 1 / (REACH * max(float(known.std()), LEAST))


def inputs(arrays: Mapping[str, Array], context: Rows) -> Rows:
    """The inputs of a network for each row of a context."""
    parts: list[Array] = []
    if "number_at" in arrays:
        number, mean = context[:, arrays["number_at"]], arrays["number_mean"]
        missing = np.isnan(number)
        apart = (np.where(missing, mean, number) - mean) * arrays["number_size"]
        parts += [np.clip(apart, np.float32(-1), np.float32(1)), missing]
    if "code_at" in arrays:
        parts.append(context[:, arrays["code_at"]] == arrays["code_is"])
    return np.concatenate(parts, axis=1, dtype=np.float32)


def columns_of(arrays: Mapping[str, Array]) -> NDArray[np.int64]:
    """By input, the number of the context that it is made of."""
    numbers, codes = (arrays.get(name, np.zeros(0, np.int32)) for name in ("number_at", "code_at"))
    return np.concatenate([numbers, numbers, codes]).astype(np.int64)


def input_nodes(arrays: Mapping[str, Array], output: str) -> Nodes:
    """Nodes of `inputs`, from the graph's input `context`, and their constants."""
    node = helper.make_node
    nodes, parts = [], []
    if "number_at" in arrays:
        nodes += [
            node("Gather", [CONTEXT, "number_at"], ["number"], axis=1),
            node("IsNaN", ["number"], ["number_missing"]),
            node("Where", ["number_missing", "number_mean", "number"], ["number_filled"]),
            node("Sub", ["number_filled", "number_mean"], ["number_apart"]),
            node("Mul", ["number_apart", "number_size"], ["number_scaled"]),
            node("Clip", ["number_scaled", "context_low", "context_high"], ["number_cut"]),
            node("Cast", ["number_missing"], ["number_lacks"], to=TensorProto.FLOAT),
        ]
        parts += ["number_cut", "number_lacks"]
    if "code_at" in arrays:
        nodes += [
            node("Gather", [CONTEXT, "code_at"], ["code"], axis=1),
            node("Equal", ["code", "code_is"], ["code_equal"]),
            node("Cast", ["code_equal"], ["coded"], to=TensorProto.FLOAT),
        ]
        parts += ["coded"]
    nodes.append(node("Concat", parts, [output], axis=1))
    return nodes, {"context_low": np.array(-1, np.float32), "context_high": np.array(1, np.float32)}

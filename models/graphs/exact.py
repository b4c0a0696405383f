"""Layers of networks whose numbers are the same on every machine and in every batch.

A layer's inputs are rounded to steps and its weights to whole numbers, so small that no partial
sum passes 2^24: then sums are exact in float32 in any order (ADR 32). Around the sums stand only
operations that IEEE 754 rounds in one way: sums, products, quotients, roots and comparisons of two
numbers. No exponential or logarithm is computed at the edge: those differ between libraries.
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper

from edge.bundle.arrays import Array
from models.graphs.factors import LEAST, USER_STEPS, Dense, whole_numbers
from models.trained import Scores

Nodes = tuple[list[NodeProto], dict[str, Array]]
"""Nodes, and the constants that they name."""

STEPS: Final = USER_STEPS
"""A layer's inputs are that many steps of the greatest of them, or of 1."""

MAX_INPUTS: Final = 4_096
"""Of one layer; more would leave no steps for the weights."""


def dense_arrays(name: str, weight: Dense, bias: NDArray[np.float64]) -> dict[str, Array]:
    """The arrays of a dense layer with weights of (inputs, outputs), rounded so that its sums are exact."""
    if len(weight) > MAX_INPUTS:
        raise ValueError(f"{len(weight)} inputs of layer {name!r}, more than {MAX_INPUTS}")
    whole, size = whole_numbers(weight)
    return {
        f"{name}_weight": whole,
        f"{name}_size": np.array([size / STEPS], np.float32),
        f"{name}_bias": bias.astype(np.float32),
    }


def dense_nodes(name: str, source: str, output: str, *, bounded: bool = False) -> Nodes:
    """Nodes of a dense layer over the last axis of `source`.

    Its numbers are rounded to steps of the row's greatest; to steps of 1 where they are `bounded`
    to [-1, 1], which is cheaper.
    """
    node = helper.make_node
    part = f"{name}_part"
    constants: dict[str, Array] = {f"{part}_count": np.array(STEPS, np.float32)}
    shares, size, nodes = source, f"{name}_size", []
    if not bounded:
        shares, size = f"{part}_shares", f"{part}_size"
        constants[f"{part}_axis"] = np.array([-1])
        constants[f"{part}_least"] = np.array(LEAST)
        nodes = [
            node("Abs", [source], [f"{part}_sizes"]),
            node("ReduceMax", [f"{part}_sizes", f"{part}_axis"], [f"{part}_most"], keepdims=1),
            node("Max", [f"{part}_most", f"{part}_least"], [f"{part}_greatest"]),
            node("Div", [source, f"{part}_greatest"], [shares]),
            node("Mul", [f"{part}_greatest", f"{name}_size"], [size]),
        ]
    nodes += [
        node("Mul", [shares, f"{part}_count"], [f"{part}_counts"]),
        node("Round", [f"{part}_counts"], [f"{part}_steps"]),
        node("MatMul", [f"{part}_steps", f"{name}_weight"], [f"{part}_sums"]),
        node("Mul", [f"{part}_sums", size], [f"{part}_products"]),
        node("Add", [f"{part}_products", f"{name}_bias"], [output]),
    ]
    return nodes, constants


def dense(arrays: Mapping[str, Array], name: str, source: Scores, *, bounded: bool = False) -> Scores:
    """The reference of `dense_nodes`: the same numbers."""
    if bounded:
        return _sums(arrays, name, source, arrays[f"{name}_size"])
    greatest = np.maximum(np.abs(source).max(axis=-1, keepdims=True), LEAST)
    return _sums(arrays, name, source / greatest, greatest * arrays[f"{name}_size"])


def _sums(arrays: Mapping[str, Array], name: str, shares: Array, size: Array) -> Scores:
    sums = np.round(shares * np.float32(STEPS)) @ arrays[f"{name}_weight"]
    return np.asarray(sums * size + arrays[f"{name}_bias"], np.float32)


def softsign_nodes(source: str, output: str) -> Nodes:
    """Nodes of ``x / (1 + |x|)``: bent like a hyperbolic tangent, without an exponential."""
    nodes = [
        helper.make_node("Abs", [source], [f"{output}_size"]),
        helper.make_node("Add", [f"{output}_size", f"{output}_one"], [f"{output}_below"]),
        helper.make_node("Div", [source, f"{output}_below"], [output]),
    ]
    return nodes, {f"{output}_one": np.array(1, np.float32)}


def softsign(source: Scores) -> Scores:
    """The reference of `softsign_nodes`."""
    bent: Scores = np.divide(source, np.abs(source) + np.float32(1), dtype=np.float32)
    return bent


def ramp_nodes(source: str, output: str) -> Nodes:
    """Nodes that cut to [0, 1]: what a bounded layer may follow."""
    ends: dict[str, Array] = {
        f"{output}_low": np.array(0, np.float32),
        f"{output}_high": np.array(1, np.float32),
    }
    return [helper.make_node("Clip", [source, f"{output}_low", f"{output}_high"], [output])], ends


def ramp(source: Scores) -> Scores:
    """The reference of `ramp_nodes`."""
    return np.clip(source, np.float32(0), np.float32(1))


def join(*parts: Nodes) -> Nodes:
    """All nodes in order, and all constants."""
    nodes = [node for part, _ in parts for node in part]
    return nodes, {name: array for _, constants in parts for name, array in constants.items()}

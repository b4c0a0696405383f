"""Attention of the newest item to a history, with the same numbers on every machine."""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper

from edge.bundle.arrays import Array
from models.graphs.exact import STEPS, Nodes
from models.graphs.factors import Dense, whole_numbers
from models.trained import EXACT_STEPS, Scores

MAX_LENGTH: Final = 200
"""Places that can be attended to: their shares' sum stays exact."""

LOGIT_STEPS: Final = 32
"""Logits are rounded to multiples of 1 / `LOGIT_STEPS`, so that a table has their exponentials."""

EXPONENTS: Final = 512
"""Entries of that table; what lies further below the greatest logit has no share."""

POWER_STEPS: Final = 1 << 12
"""Exponentials are multiples of ``1 / POWER_STEPS``: with weights of 1/16, the sum of all is exact."""

SHARE_STEPS: Final = 1 << 12
VALUE_STEPS: Final = EXACT_STEPS // (SHARE_STEPS + MAX_LENGTH) - 1
"""Shares are multiples of ``1 / SHARE_STEPS``, values are so many steps: the shared-out sum is exact."""

MASKED: Final = np.float32(-1e30)
"""The logit of what has no weight."""

LEAST: Final = np.float32(2.0**-60)
"""Stands for the shares' sum where nothing is known: all of them are 0."""


def attention_arrays(query: Dense, key: Dense, value: Dense, place: NDArray[np.float64]) -> dict[str, Array]:
    """The arrays of `attention_nodes`.

    Parameters
    ----------
    query, key, value : ndarray of shape (n_items, factors)
        By item; a logit is the product of the newest item's query and another's key.
    place : ndarray of shape (length,)
        What is added to the logit of each place, the newest first.
    """
    keys, key_size = whole_numbers(key.T)
    query_size = (np.abs(query).max() or 1.0) / STEPS
    value_size = (np.abs(value).max() or 1.0) / VALUE_STEPS
    powers = np.round(np.exp(-np.arange(EXPONENTS) / LOGIT_STEPS) * POWER_STEPS) / POWER_STEPS
    powers[-1] = 0
    return {
        "query": _padded(np.round(query / query_size)),
        "key": _padded(keys.T),
        "value": _padded(np.round(value / value_size)),
        "place": place.astype(np.float32),
        "power": powers.astype(np.float32),
        "logit_size": np.array([query_size * key_size], np.float32),
        "value_size": np.array([value_size / SHARE_STEPS], np.float32),
    }


def _padded(rows: Array) -> Array:
    """One more row, of zeros, for the padding."""
    return np.concatenate([rows, np.zeros((1, rows.shape[1]))]).astype(np.float32)


def attend(arrays: Mapping[str, Array], history: NDArray[np.int32], weight: NDArray[np.float32]) -> Scores:
    """The reference of `attention_nodes`: the same numbers."""
    length = len(arrays["place"])
    history, weight = history[:, :length], weight[:, :length]
    query = arrays["query"][history[:, 0]][:, :, np.newaxis]
    logit = (arrays["key"][history] @ query)[:, :, 0] * arrays["logit_size"]
    logit = np.where(weight > 0, logit + arrays["place"][: history.shape[1]], MASKED)
    below = np.round((logit.max(axis=1, keepdims=True) - logit) * np.float32(LOGIT_STEPS))
    power = arrays["power"][np.minimum(below, np.float32(EXPONENTS - 1)).astype(np.int32)] * weight
    share = power / np.maximum(power.sum(axis=1, keepdims=True), LEAST)
    share = np.round(share * np.float32(SHARE_STEPS))
    found = (share[:, np.newaxis, :] @ arrays["value"][history])[:, 0] * arrays["value_size"]
    return np.asarray(found, np.float32)


def attention_nodes(arrays: Mapping[str, Array], output: str) -> Nodes:
    """Nodes from the history to what the newest item makes of it; also `newest_item` and `newest_weight`."""
    constants: dict[str, Array] = {
        "start": np.array([0]),
        "axis": np.array([1]),
        "longest": np.array([len(arrays["place"])]),
        "nothing": np.array(0, np.float32),
        "masked": np.array(MASKED),
        "logit_steps": np.array(LOGIT_STEPS, np.float32),
        "last_power": np.array(EXPONENTS - 1, np.float32),
        "least_share": np.array(LEAST),
        "share_steps": np.array(SHARE_STEPS, np.float32),
    }
    return [*_cut_nodes(), *_logit_nodes(), *_share_nodes(), *_value_nodes(output)], constants


def _cut_nodes() -> list[NodeProto]:
    node = helper.make_node
    return [
        node("Slice", ["history", "start", "longest", "axis"], ["attended_items"]),
        node("Slice", ["weight", "start", "longest", "axis"], ["attended_weights"]),
        node("Slice", ["history", "start", "axis", "axis"], ["newest_item"]),
        node("Slice", ["weight", "start", "axis", "axis"], ["newest_weight"]),
        node("Shape", ["attended_items"], ["attended_length"], start=1, end=2),
        node("Slice", ["place", "start", "attended_length", "start"], ["places"]),
    ]


def _logit_nodes() -> list[NodeProto]:
    node = helper.make_node
    return [
        node("Gather", ["query", "newest_item"], ["query_rows"], axis=0),
        node("Gather", ["key", "attended_items"], ["key_rows"], axis=0),
        node("Transpose", ["key_rows"], ["key_columns"], perm=[0, 2, 1]),
        node("MatMul", ["query_rows", "key_columns"], ["logit_rows"]),
        node("Squeeze", ["logit_rows", "axis"], ["logit_sums"]),
        node("Mul", ["logit_sums", "logit_size"], ["logit_products"]),
        node("Add", ["logit_products", "places"], ["logit_all"]),
        node("Greater", ["attended_weights", "nothing"], ["is_known"]),
        node("Where", ["is_known", "logit_all", "masked"], ["logits"]),
    ]


def _share_nodes() -> list[NodeProto]:
    node = helper.make_node
    return [
        node("ReduceMax", ["logits", "axis"], ["logit_most"], keepdims=1),
        node("Sub", ["logit_most", "logits"], ["logit_below"]),
        node("Mul", ["logit_below", "logit_steps"], ["logit_parts"]),
        node("Round", ["logit_parts"], ["logit_counts"]),
        node("Min", ["logit_counts", "last_power"], ["power_places"]),
        node("Cast", ["power_places"], ["power_at"], to=TensorProto.INT32),
        node("Gather", ["power", "power_at"], ["powers"], axis=0),
        node("Mul", ["powers", "attended_weights"], ["powers_known"]),
        node("ReduceSum", ["powers_known", "axis"], ["power_sum"], keepdims=1),
        node("Max", ["power_sum", "least_share"], ["power_total"]),
        node("Div", ["powers_known", "power_total"], ["shares"]),
        node("Mul", ["shares", "share_steps"], ["share_parts"]),
        node("Round", ["share_parts"], ["share_counts"]),
    ]


def _value_nodes(output: str) -> list[NodeProto]:
    node = helper.make_node
    return [
        node("Gather", ["value", "attended_items"], ["value_rows"], axis=0),
        node("Unsqueeze", ["share_counts", "axis"], ["share_rows"]),
        node("MatMul", ["share_rows", "value_rows"], ["value_sum_rows"]),
        node("Squeeze", ["value_sum_rows", "axis"], ["value_sums"]),
        node("Mul", ["value_sums", "value_size"], [output]),
    ]

"""Finds the best of a million items for a user's factors without a product with each: blocks of like items.

Items are put into blocks by k-means (an inverted file, Jégou et al. 2011), of one size, so that all are
one array: mapped, and read block by block. A user's factors are multiplied with the blocks' centres
first, and then with the items of the best blocks alone. How far a block's items reach beyond its centre
counts, too, and items of one size share a block: the best products are those of large factors.

Centres are whole numbers, as factors are (ADR 31), so which blocks are looked at is the same on every
machine, and what is found has the score of a scan to the last bit (ADR 43).
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper

from edge.bundle.arrays import Array

BLOCK: Final = 128
"""Items a block: what is read at once."""

REACH: Final = 3.75
"""Deviations of a block's items that are added to its centre's product: 0.87 of the best 50 were found
without, 0.97 with them (100,000 items, 32 blocks)."""

SAMPLE: Final = 16
"""Items a centre is fitted on; the others only join it."""

ROUNDS: Final = 5
CHUNK: Final = 20_000
SEED: Final = 0
NEVER: Final = -np.inf

Rows = NDArray[np.float32]
Nodes = tuple[list[NodeProto], dict[str, Array]]


def block_arrays(
    out: Rows, bias: Rows | None = None, step_size: float = 1.0, block: int = BLOCK
) -> dict[str, Array]:
    """The arrays of `models.graphs.factors.product_nodes` in blocks.

    Parameters
    ----------
    out
        Whole numbers, shape (factors, n_items).
    bias
        What is added to an item's score whoever asks, shape (n_items,).
    step_size
        What one step of a usual user stands for: how much a bias says beside a product.

    Returns
    -------
    dict
        ``out`` (blocks, block * factors) and, where there is one, ``bias`` (blocks, block), both 0 where
        a block is not full. ``block_items`` (blocks, block): the items' positions, ascending in a block, -1
        where it is not full. ``block_place`` (n_items + 1,): where each item stands; what pads histories
        stands behind all. ``block_centre`` (factors, blocks), ``block_reach`` and, with a bias,
        ``block_bias`` (blocks,): what decides which blocks are looked at.
    """
    items = np.ascontiguousarray(out.T, np.float32)
    member = _members(_with_bias(items, bias, step_size), block)
    is_item = member >= 0
    counts = is_item.sum(axis=1, keepdims=True)
    rows = items[np.maximum(member, 0)] * is_item[..., np.newaxis]
    mean = rows.sum(axis=1, dtype=np.float64) / counts
    place = np.full(items.shape[0] + 1, member.size, np.int32)
    place[member[is_item]] = np.flatnonzero(is_item)
    arrays: dict[str, Array] = {
        "out": rows.reshape(len(rows), -1),
        "block_items": member,
        "block_place": place,
        # Cut off, not rounded: no centre's sizes may add up to more than an item's.
        "block_centre": np.ascontiguousarray(np.trunc(mean).T, np.float32),
        "block_reach": _reach(rows, mean, is_item),
    }
    if bias is not None:
        arrays["bias"] = (bias[np.maximum(member, 0)] * is_item).astype(np.float32)
        of_block = arrays["bias"].sum(axis=1, keepdims=True, dtype=np.float64) / counts
        spread = (((arrays["bias"] - of_block) ** 2) * is_item).sum(axis=1, keepdims=True) / counts
        arrays["block_bias"] = (of_block + np.sqrt(spread))[:, 0].astype(np.float32)
    return arrays


def _with_bias(items: Rows, bias: Rows | None, step_size: float) -> Rows:
    """Items with their bias as one more factor, of a usual user's steps."""
    if bias is None:
        return items
    return np.column_stack([items, bias / np.float32(step_size * np.sqrt(items.shape[1]))]).astype(np.float32)


def _members(items: Rows, block: int) -> NDArray[np.int32]:
    sizes = np.linalg.norm(items, axis=1)
    count = max(1, round(len(items) / block / 2))
    clusters = _clusters(items / np.maximum(sizes, 1e-9)[:, np.newaxis], count)
    order = np.lexsort((-sizes, clusters))
    starts = np.flatnonzero(np.diff(clusters[order], prepend=-1))
    parts = [
        part[at : at + block] for part in np.split(order, starts[1:]) for at in range(0, len(part), block)
    ]
    member = np.full((len(parts), block), -1, np.int32)
    for row, part in enumerate(parts):
        member[row, : len(part)] = np.sort(part)
    return member


def _reach(rows: Rows, mean: NDArray[np.float64], is_item: NDArray[np.bool_]) -> Rows:
    """For each block, what a user's steps are multiplied by to say how far its items reach."""
    spread = np.einsum("bif,bif->b", rows, rows, dtype=np.float64) / is_item.sum(axis=1)
    spread -= (mean * mean).sum(axis=1)
    reach: Rows = (REACH * np.sqrt(np.maximum(spread, 0)) / rows.shape[2]).astype(np.float32)
    return reach


def _clusters(items: Rows, count: int) -> NDArray[np.int64]:
    """By item, its cluster: k-means on a sample, seeded; empty clusters stay where they are."""
    generator = np.random.default_rng(SEED)
    sample = items[generator.permutation(len(items))[: min(len(items), count * SAMPLE)]]
    centres = sample[:count].copy()
    for _ in range(ROUNDS):
        nearest = _nearest(sample, centres)
        sums = np.zeros_like(centres)
        np.add.at(sums, nearest, sample)
        sizes = np.bincount(nearest, minlength=len(centres))[:, np.newaxis]
        centres = np.where(sizes > 0, sums / np.maximum(sizes, 1), centres).astype(np.float32)
    return _nearest(items, centres)


def _nearest(items: Rows, centres: Rows) -> NDArray[np.int64]:
    half = (centres * centres).sum(axis=1) / 2
    parts = [(items[at : at + CHUNK] @ centres.T - half).argmax(axis=1) for at in range(0, len(items), CHUNK)]
    return np.concatenate(parts)


def order_blocks(arrays: Mapping[str, Array], steps: Rows, step_size: Rows) -> NDArray[np.int64]:
    """For each user, the blocks in the order in which they are looked at: the reference of `block_nodes`."""
    sizes = np.abs(steps).sum(axis=1, keepdims=True)
    scores = (steps @ arrays["block_centre"] + sizes * arrays["block_reach"]) * step_size
    if "block_bias" in arrays:
        scores = scores + arrays["block_bias"]
    return np.argsort(-scores, axis=1, kind="stable")


def block_nodes(arrays: Mapping[str, Array], probes: int) -> Nodes:
    """Nodes from `factor_steps` and `step_size` of `product_nodes` to ``items`` and ``scores``.

    Both are of shape (batch, probes * block + 1); what is in the history has no score.
    """
    node = helper.make_node
    size = arrays["block_items"].shape[1]
    biased = "block_bias" in arrays
    nodes = [
        node("Abs", ["factor_steps"], ["step_sizes"]),
        node("ReduceSum", ["step_sizes", "last"], ["size"], keepdims=1),
        node("Mul", ["size", "block_reach"], ["reached"]),
        node("MatMul", ["factor_steps", "block_centre"], ["centre_products"]),
        node("Add", ["centre_products", "reached"], ["reached_products"]),
        node("Mul", ["reached_products", "step_size"], ["centre_scores"]),
        *([node("Add", ["centre_scores", "block_bias"], ["biased_centres"])] if biased else []),
        node("TopK", ["biased_centres" if biased else "centre_scores", "probes"], ["_", "probed"], axis=1),
        node("Gather", ["block_items", "probed"], ["probed_members"], axis=0),
        node("Reshape", ["probed_members", "row"], ["all_items"]),
        node("Gather", ["out", "probed"], ["probed_out"], axis=0),
        node("Reshape", ["probed_out", "table"], ["candidates"]),
        node("Unsqueeze", ["factor_steps", "last"], ["step_column"]),
        node("MatMul", ["candidates", "step_column"], ["product_column"]),
        node("Squeeze", ["product_column", "last"], ["whole_products"]),
        node("Mul", ["whole_products", "step_size"], ["products"]),
        *(_bias_nodes() if biased else []),
        node("Less", ["all_items", "first_item"], ["is_none"]),
        node("Where", ["is_none", "never", "biased" if biased else "products"], ["all_scores"]),
        *_seen_nodes(),
    ]
    held: dict[str, Array] = {
        "probes": np.array([probes], np.int64),
        "row": np.array([0, -1], np.int64),
        "table": np.array([0, probes * size, arrays["out"].shape[1] // size], np.int64),
        "last": np.array([-1], np.int64),
        "first_item": np.array(0, np.int32),
        "never": np.array(NEVER, np.float32),
        **_seen_constants(arrays, probes),
    }
    given = {"factor_steps", "step_size", "history", "items", "scores", *arrays}
    for one in nodes:
        one.input[:] = [name if name in given else f"blocks/{name}" for name in one.input]
        one.output[:] = [name if name in given else f"blocks/{name}" for name in one.output]
    return nodes, {f"blocks/{name}": array for name, array in held.items()}


def _bias_nodes() -> list[NodeProto]:
    return [
        helper.make_node("Gather", ["bias", "probed"], ["probed_bias"], axis=0),
        helper.make_node("Reshape", ["probed_bias", "row"], ["bias_row"]),
        helper.make_node("Add", ["products", "bias_row"], ["biased"]),
    ]


def _seen_nodes() -> list[NodeProto]:
    """Nodes that take the score of what is in the history: it is looked up where each of it stands.

    Behind all places is one that what stands in no block that was looked at falls on.
    """
    node = helper.make_node
    never = numpy_helper.from_array(np.array([NEVER], np.float32), "")
    none = numpy_helper.from_array(np.array([-1], np.int32), "")
    return [
        node("Shape", ["history"], ["rows"], start=0, end=1),
        node("Concat", ["rows", "rank_count"], ["rank_shape"], axis=0),
        node("Expand", ["unranked", "rank_shape"], ["no_ranks"]),
        node("Shape", ["probed"], ["probed_shape"]),
        node("Expand", ["ranks", "probed_shape"], ["probed_ranks"]),
        node("ScatterElements", ["no_ranks", "probed", "probed_ranks"], ["rank_of_block"], axis=1),
        node("Gather", ["block_place", "history"], ["held"], axis=0),
        node("Div", ["held", "block_size"], ["held_block"]),
        node("GatherElements", ["rank_of_block", "held_block"], ["held_rank"], axis=1),
        node("Sub", ["held_rank", "held_block"], ["blocks_apart"]),
        node("Mul", ["blocks_apart", "block_size"], ["places_apart"]),
        node("Add", ["held", "places_apart"], ["held_place"]),
        node("Min", ["held_place", "behind"], ["held_at"]),
        node("Concat", ["rows", "one"], ["column_shape"], axis=0),
        node("ConstantOfShape", ["column_shape"], ["no_score"], value=never),
        node("ConstantOfShape", ["column_shape"], ["no_item"], value=none),
        node("Concat", ["all_items", "no_item"], ["items"], axis=1),
        node("Concat", ["all_scores", "no_score"], ["padded_scores"], axis=1),
        node("Shape", ["history"], ["history_shape"]),
        node("ConstantOfShape", ["history_shape"], ["never_seen"], value=never),
        node("ScatterElements", ["padded_scores", "held_at", "never_seen"], ["scores"], axis=1),
    ]


def _seen_constants(arrays: Mapping[str, Array], probes: int) -> dict[str, Array]:
    blocks, size = arrays["block_items"].shape
    return {
        "one": np.array([1], np.int64),
        "rank_count": np.array([blocks + 1], np.int64),
        "ranks": np.arange(probes, dtype=np.int32),
        "unranked": np.array(probes, np.int32),
        "block_size": np.array(size, np.int32),
        "behind": np.array(probes * size, np.int32),
    }


def scan_in_blocks(graph: onnx.GraphProto, product: NodeProto) -> None:
    """Let a score graph multiply with ``out`` in blocks: `product` is its node for all items."""
    node = helper.make_node
    nodes: list[NodeProto] = []
    for one in graph.node:
        copy = NodeProto()
        copy.CopyFrom(one)
        copy.input[:] = ["blocks/bias" if name == "bias" else name for name in one.input]
        copy.output[:] = ["blocks/scores" if name == "scores" else name for name in one.output]
        if one == product:
            nodes.append(node("Reshape", ["out", "blocks/table"], ["blocks/out"]))
            copy = node("Gemm", [one.input[0], "blocks/out"], list(one.output), transB=1)
        nodes.append(copy)
    if any("blocks/bias" in one.input for one in nodes):
        nodes.insert(0, node("Reshape", ["bias", "blocks/flat"], ["blocks/bias"]))
    nodes += [
        node("Slice", ["block_place", "blocks/first", "blocks/last"], ["blocks/place"]),
        node("Gather", ["blocks/scores", "blocks/place"], ["scores"], axis=1),
    ]
    del graph.node[:]
    graph.node.extend(nodes)


def scan_constants(factors: int) -> dict[str, Array]:
    """The constants of `scan_in_blocks`."""
    return {
        "blocks/table": np.array([-1, factors], np.int64),
        "blocks/flat": np.array([-1], np.int64),
        "blocks/first": np.array([0], np.int64),
        "blocks/last": np.array([-1], np.int64),
    }

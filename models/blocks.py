"""Finds the best of a million items for a user's factors without a product with each: blocks of like items.

Items are put into blocks by k-means (an inverted file, Jégou et al. 2011), of one size, so that all are
one array: mapped, and read block by block. A user's factors are multiplied with the blocks' centres
first, and then with the items of the best blocks alone. How far a block's items reach beyond its centre
counts, too, and items of one size share a block: the best products are those of large factors. No
library, and nothing but MatMul, TopK and Gather at the edge (ADR 40).
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, helper

from edge.bundle.arrays import Array

BLOCK: Final = 128
"""Items a block: what is read at once."""

PROBES: Final = 48
"""Blocks that are looked at."""

REACH: Final = 3.0
"""Deviations of a block's items that are added to its centre's product: 0.87 of the best 50 were found
without, 0.97 with them (100,000 items, 32 blocks)."""

SAMPLE: Final = 16
"""Items a centre is fitted on; the others only join it."""

ROUNDS: Final = 5
CHUNK: Final = 20_000
SEED: Final = 0

Rows = NDArray[np.float32]


def block_arrays(items: Rows, block: int = BLOCK) -> dict[str, Array]:
    """The arrays of items' factors, shape (n_items, factors), in blocks.

    Returns
    -------
    dict
        ``centre`` (factors, blocks), ``reach`` (blocks,), ``factors`` (blocks, block, factors), and
        ``member`` (blocks, block): the items' positions, ascending in a block, -1 where it is not full.
    """
    sizes = np.linalg.norm(items, axis=1)
    clusters = _clusters(
        items / np.maximum(sizes, 1e-9)[:, np.newaxis], max(1, round(len(items) / block / 2))
    )
    order = np.lexsort((-sizes, clusters))
    starts = np.flatnonzero(np.diff(clusters[order], prepend=-1))
    parts = [
        part[at : at + block] for part in np.split(order, starts[1:]) for at in range(0, len(part), block)
    ]
    member = np.full((len(parts), block), -1, np.int32)
    for row, part in enumerate(parts):
        member[row, : len(part)] = np.sort(part)
    factors = items[np.maximum(member, 0)] * (member >= 0)[..., np.newaxis]
    counts = (member >= 0).sum(axis=1, keepdims=True)
    centre = factors.sum(axis=1) / counts
    spread = ((factors - centre[:, np.newaxis]) ** 2).sum(axis=2) * (member >= 0)
    reach = REACH * np.sqrt(spread.sum(axis=1) / counts[:, 0] / items.shape[1])
    return {
        "centre": np.ascontiguousarray(centre.T, np.float32),
        "reach": reach.astype(np.float32),
        "factors": np.ascontiguousarray(factors, np.float32),
        "member": member,
    }


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


def block_nodes(
    user: str, probes: int, arrays: Mapping[str, Array]
) -> tuple[list[NodeProto], dict[str, Array]]:
    """Nodes from a user's factors (batch, factors) to ``items`` and ``scores``, (batch, probes * block)."""
    node = helper.make_node
    blocks, size, factors = arrays["factors"].shape
    nodes = [
        node("Mul", [user, user], ["squares"]),
        node("ReduceSum", ["squares", "last"], ["square"], keepdims=1),
        node("Sqrt", ["square"], ["size"]),
        node("Mul", ["size", "reach"], ["reached"]),
        node("MatMul", [user, "centre"], ["centre_scores"]),
        node("Add", ["centre_scores", "reached"], ["block_scores"]),
        node("TopK", ["block_scores", "probes"], ["probed_scores", "probed"], axis=1),
        node("Gather", ["member", "probed"], ["probed_members"], axis=0),
        node("Reshape", ["probed_members", "row"], ["items"]),
        node("Gather", ["factors", "probed"], ["probed_factors"], axis=0),
        node("Reshape", ["probed_factors", "table"], ["candidates"]),
        node("Unsqueeze", [user, "last"], ["user_column"]),
        node("MatMul", ["candidates", "user_column"], ["score_column"]),
        node("Squeeze", ["score_column", "last"], ["products"]),
        node("Less", ["items", "first_item"], ["is_none"]),
        node("Where", ["is_none", "never", "products"], ["scores"]),
    ]
    constants: dict[str, Array] = {
        "probes": np.array([min(probes, blocks)], np.int64),
        "row": np.array([0, -1], np.int64),
        "table": np.array([0, min(probes, blocks) * size, factors], np.int64),
        "last": np.array([-1], np.int64),
        "first_item": np.array(0, np.int32),
        "never": np.array(-np.inf, np.float32),
    }
    return nodes, constants


def best_of_blocks(arrays: Mapping[str, Array], users: Rows, probes: int) -> tuple[NDArray[np.int32], Rows]:
    """The reference of `block_nodes`."""
    scores = users @ arrays["centre"] + np.linalg.norm(users, axis=1, keepdims=True) * arrays["reach"]
    probed = np.argsort(-scores, axis=1, kind="stable")[:, :probes]
    items = arrays["member"][probed].reshape(len(users), -1)
    factors = arrays["factors"][probed].reshape(len(users), items.shape[1], -1)
    found = (factors @ users[..., np.newaxis])[..., 0]
    return items, np.where(items < 0, np.float32(-np.inf), found)

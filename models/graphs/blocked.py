"""Gives a factor model with many items a shortlist of blocks, if that finds enough of the best."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, numpy_helper

from edge.bundle.arrays import Array
from models.data.sample import real_histories
from models.graphs.blocks import Rows, block_arrays, block_nodes, order_blocks, scan_constants, scan_in_blocks
from models.graphs.factors import LEAST, USER_STEPS
from models.graphs.onnx_build import array_inputs
from models.graphs.shortlist import shortlist_graph
from models.settings import FLOAT32
from models.trained import Predictor, Scores, Trained

TIMES: Final = 4
"""Blocks are faster than a scan where items are so many times more than what is looked at."""

FEWEST: Final = 16_384
"""Of items: what a scan of these costs is not worth a shortlist."""

RECALL: Final = 0.95
ROOM_BYTES: Final = 1 << 27
"""What the items of all visitors of one call may take while they are scored; a process has 512 MB."""

TOP: Final = 50
ROWS: Final = 256
"""Histories that recall is measured on; 1,000,000 items are scored for each."""

BATCH_SCORES: Final = 1 << 24
"""Items times histories that are scored at once."""

LONGEST: Final = 50
MARGIN: Final = 0.015
"""What more is found than is asked for where probes are chosen: long histories alone are harder."""

STEP: Final = 8
"""Probes are multiples of it."""

KEY: Final = "shortlist"
"""Of the card: what was measured."""


@dataclass(frozen=True)
class _User:
    """Users as blocks are asked for them: whole steps, and what one of them stands for."""

    steps: Rows
    step_size: Rows


def with_blocks(model: Trained) -> Trained:
    """The model in blocks where it ends in a product of factors, has many items, and enough is found.

    How many blocks are looked at is what finds the setting ``recall`` of the best 50 of a scan, over real
    histories. Where that is too many to be faster, or nobody's history is known, all items are scored,
    and the card says so.
    """
    settings = model.card.get("settings", {})
    asked = float(settings.get("recall", RECALL))
    is_plain = settings.get("storage", FLOAT32) == FLOAT32 and not model.features
    if len(model.items) < FEWEST or asked >= 1 or not is_plain:
        return model
    proto = onnx.load_model_from_string(model.scores_graph)
    product = _product(proto.graph)
    if product is None:
        return model
    rows = real_histories(model.sample, int(settings.get("max_history", LONGEST)), ROWS)
    if not len(rows):
        return model
    users = _users(model.reference, model.arrays, *_padded(rows, len(model.items)))
    arrays = {**model.arrays, **_block_arrays(model.arrays, users)}
    probes, found = _probes(model, arrays, rows, asked)
    size = arrays["block_items"].shape[1]
    card = {**model.card, KEY: {"recall50": round(found, 4), "rows": len(rows), "probes": probes}}
    if probes * size * TIMES > len(model.items) or probes > _most(arrays):
        return replace(model, card={**card, KEY: {**card[KEY], "probes": 0}})
    proto = _in_blocks(proto, product, arrays)
    graph = bytes(proto.SerializeToString(deterministic=True))
    short = _shortlist(proto.graph, arrays, probes)
    return replace(
        model, scores_graph=graph, arrays=arrays, card=card, shortlist=short, finder=BlockFinder(probes)
    )


@dataclass(frozen=True)
class BlockFinder:
    """The reference of a shortlist that looks at so many blocks; see `models.trained.Finder`."""

    probes: int
    is_certain: bool = False

    def find(
        self,
        reference: Predictor,
        arrays: Mapping[str, Array],
        history: NDArray[np.int32],
        weight: NDArray[np.float32],
    ) -> tuple[NDArray[np.int32], Scores]:
        """See `models.trained.Finder`."""
        users = _users(reference, arrays, history, weight)
        probed = order_blocks(arrays, users.steps, users.step_size)[:, : self.probes]
        items = arrays["block_items"][probed].reshape(len(history), -1)
        whole = np.stack([
            arrays["out"][blocks].reshape(items.shape[1], -1) @ steps
            for blocks, steps in zip(probed, users.steps, strict=True)
        ])  # fmt: skip
        scores = whole * users.step_size
        if "bias" in arrays:
            scores = scores + arrays["bias"][probed].reshape(items.shape)
        return items, np.where(items < 0, np.float32(-np.inf), scores)

    def wider(
        self, scores_graph: bytes, arrays: Mapping[str, Array], times: int
    ) -> tuple[bytes, "BlockFinder"]:
        """See `models.trained.Finder`."""
        probes = min(self.probes * times, max(self.probes, _most(arrays)))
        graph = onnx.load_model_from_string(scores_graph).graph
        return _shortlist(graph, arrays, probes), BlockFinder(probes)


def finder_of(card: Mapping[str, Any]) -> BlockFinder | None:
    """The reference of a kept model's shortlist, by its card; None of other shortlists."""
    probes = int(card.get(KEY, {}).get("probes", 0))
    return BlockFinder(probes) if probes else None


def _most(arrays: Mapping[str, Array]) -> int:
    """How many blocks all visitors of a call can look at, as many as an edge asks for at once."""
    from edge.decide.recommender import MAX_SCORES  # noqa: PLC0415 - brings in onnxruntime, which is slow

    visitors = max(1, MAX_SCORES // (len(arrays["block_place"]) - 1))
    return min(len(arrays["block_items"]), ROOM_BYTES // (visitors * int(arrays["out"].shape[1]) * 4))


def _users(
    reference: Predictor, arrays: Mapping[str, Array], history: NDArray[np.int32], weight: NDArray[np.float32]
) -> _User:
    """Users in whole steps: what a model says of items that are one factor each."""
    factors = arrays["block_centre"].shape[0] if "block_centre" in arrays else len(arrays["out"])
    plain = {
        name: array for name, array in arrays.items() if name not in ("bias", "block_items", "block_place")
    }
    scores = reference({**plain, "out": np.eye(factors, dtype=np.float32)}, history, weight)
    greatest = np.maximum(np.abs(scores).max(axis=1, keepdims=True), LEAST)
    step_size = greatest * np.float32(1 / USER_STEPS)
    return _User(np.round(scores / step_size), step_size)


def _block_arrays(arrays: Mapping[str, Array], users: _User) -> dict[str, Array]:
    usual = float(np.median(users.step_size))
    return block_arrays(arrays["out"], arrays.get("bias"), usual)


def _probes(
    model: Trained, arrays: Mapping[str, Array], rows: list[NDArray[np.int32]], asked: float
) -> tuple[int, float]:
    """How many blocks have to be looked at for a share of a scan's best, and the share that they find."""
    ranks, (blocks, size) = [], arrays["block_items"].shape
    batch = max(1, BATCH_SCORES // len(model.items))
    for at in range(0, len(rows), batch):
        history, weight = _padded(rows[at : at + batch], len(model.items))
        scores = model.score(history, weight).copy()
        users = _users(model.reference, model.arrays, history, weight)
        order = order_blocks(arrays, users.steps, users.step_size)
        for row, held in enumerate(rows[at : at + batch]):
            scores[row, held] = -np.inf
            best = np.argpartition(-scores[row], TOP)[:TOP]
            rank_of = np.empty(blocks, np.int64)
            rank_of[order[row]] = np.arange(blocks)
            ranks.append(rank_of[arrays["block_place"][best] // size])
    found = np.sort(np.concatenate(ranks))
    needed = found[min(len(found) - 1, int(np.ceil(len(found) * min(1.0, asked + MARGIN))))] + 1
    probes = min(blocks, -(-int(needed) // STEP) * STEP)
    return probes, float((found < probes).mean())


def _padded(rows: list[NDArray[np.int32]], n_items: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    history = np.full((len(rows), max(1, *map(len, rows))), n_items, np.int32)
    for place, row in enumerate(rows):
        history[place, : len(row)] = row
    return history, (history < n_items).astype(np.float32)


def _product(graph: onnx.GraphProto) -> NodeProto | None:
    """The node that multiplies a user's steps with all items; None of graphs that end otherwise."""
    nodes = {name: node for node in graph.node for name in node.output}
    found = nodes.get("step_scores")
    if found is None or found.op_type != "MatMul" or list(found.input) != ["factor_steps", "out"]:
        return None
    last, end = nodes["scores"], graph.node[-1]
    if last.op_type == "Add" and list(last.input) == ["unbiased", "bias"]:
        last = nodes["unbiased"]
    is_last = last.op_type == "Mul" and list(last.input) == ["step_scores", "step_size"]
    return found if is_last and "scores" in end.output else None


def _in_blocks(proto: onnx.ModelProto, product: NodeProto, arrays: Mapping[str, Array]) -> onnx.ModelProto:
    """The score graph over items in blocks; all arrays are its inputs, whether it reads them or not."""
    factors = arrays["block_centre"].shape[0]
    changed = onnx.ModelProto()
    changed.CopyFrom(proto)
    scan_in_blocks(changed.graph, product)
    for name, array in sorted(scan_constants(factors).items()):
        changed.graph.initializer.append(numpy_helper.from_array(array, name))
    shared = [value for value in changed.graph.input if value.name not in arrays]
    del changed.graph.input[:]
    changed.graph.input.extend([*shared, *array_inputs(arrays)])
    onnx.checker.check_model(changed, full_check=True)
    return changed


def _shortlist(graph: onnx.GraphProto, arrays: Mapping[str, Array], probes: int) -> bytes:
    """The shortlist: the score graph up to a user's steps, and blocks from there."""
    wanted = {"factor_steps", "step_size"}
    nodes: list[NodeProto] = []
    for node in reversed(graph.node):
        if wanted.intersection(node.output):
            wanted.update(node.input)
            nodes.append(node)
    more, constants = block_nodes(arrays, probes)
    for tensor in graph.initializer:
        if tensor.name in wanted:
            constants[tensor.name] = numpy_helper.to_array(tensor)
    names = wanted.union(*(node.input for node in more))
    used = {name: array for name, array in arrays.items() if name in names}
    return shortlist_graph([*nodes[::-1], *more], used, constants)

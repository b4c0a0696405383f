"""Joins several models' score graphs into one whose scores are their weighted sum, and learns the weights."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, helper, numpy_helper

from edge.bundle.arrays import Array
from edge.bundle.features import CONTEXT
from models.graphs.onnx_build import score_graph
from models.trained import Scores, Trained

WEIGHT: Final = "share"
"""The name of a member's weight among its arrays."""

SHARED: Final = frozenset({"history", "weight", CONTEXT})
LISTED: Final = 10
TRIED: Final = (0.0, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5, 2.0)
"""Weights of a member, in units of the spread of its scores, of which the best is taken."""

SWEEPS: Final = 3


def blend_arrays(members: Mapping[str, Trained], weights: Mapping[str, float]) -> dict[str, Array]:
    """All members' arrays, as ``MEMBER/ARRAY``, and their weights."""
    found: dict[str, Array] = {}
    for name, member in members.items():
        found |= {f"{name}/{key}": array for key, array in member.arrays.items()}
        found[f"{name}/{WEIGHT}"] = np.array([weights[name]], np.float32)  # files keep no scalars
    return found


def blend_graph(name: str, members: Mapping[str, Trained], arrays: Mapping[str, Array]) -> bytes:
    """One graph of all members; sums of two at a time, so every machine rounds them alike."""
    nodes: list[NodeProto] = []
    constants: dict[str, Array] = {"nothing": np.array(0, np.float32)}
    total = ""
    for member, model in sorted(members.items()):
        graph = onnx.load_model_from_string(model.scores_graph).graph
        nodes += [_renamed(node, member) for node in graph.node]
        constants |= {f"{member}/{part.name}": numpy_helper.to_array(part) for part in graph.initializer}
        nodes += [
            helper.make_node("IsInf", [f"{member}/scores"], [f"{member}/unlisted"]),
            helper.make_node(
                "Where", [f"{member}/unlisted", "nothing", f"{member}/scores"], [f"{member}/listed"]
            ),
            helper.make_node("Mul", [f"{member}/listed", f"{member}/{WEIGHT}"], [f"{member}/part"]),
        ]
        if total:
            nodes.append(helper.make_node("Add", [total, f"{member}/part"], [f"{member}/blended"]))
        total = f"{member}/blended" if total else f"{member}/part"
    nodes[-1].output[0] = "scores"
    n_items = len(next(iter(members.values())).items)
    features = max(len(model.features) for model in members.values())
    return score_graph(name, n_items, nodes, arrays, constants, features=features)


def blend_scores(scores: Mapping[str, Scores], arrays: Mapping[str, Array]) -> Scores:
    """The reference of `blend_graph`: what a member does not list counts 0 with it."""
    total: Scores | None = None
    for member, found in sorted(scores.items()):
        part = np.where(np.isinf(found), np.float32(0), found) * arrays[f"{member}/{WEIGHT}"]
        total = part if total is None else total + part
    assert total is not None, "a blend has members"
    return total


def learn_weights(
    scores: Mapping[str, Scores], seen: NDArray[np.bool_], relevant: NDArray[np.bool_]
) -> dict[str, float]:
    """The weights that list best, by coordinate ascent (Metzler and Croft 2007), one member after the other.

    Parameters
    ----------
    scores
        By member, of shape (users, items).
    seen, relevant
        Of the same shape: what may not be listed, and what counts as a hit. Each user has a hit.
    """
    unit = {name: _unit(found) for name, found in scores.items()}
    names = sorted(unit, key=lambda name: -_gain(unit[name], seen, relevant))
    weights = dict.fromkeys(names, 0.0) | {names[0]: 1.0}
    total, best = unit[names[0]], _gain(unit[names[0]], seen, relevant)
    for _ in range(SWEEPS):
        for name in names:
            others = total - np.float32(weights[name]) * unit[name]
            alone = not any(weight for other, weight in weights.items() if other != name)
            for tried in TRIED:
                if alone and not tried:
                    continue  # no blend is left
                gain = _gain(others + np.float32(tried) * unit[name], seen, relevant)
                if gain > best:
                    weights[name], best = tried, gain
            total = others + np.float32(weights[name]) * unit[name]
    return {name: weights[name] / _spread(scores[name]) for name in scores}


def _unit(scores: Scores) -> Scores:
    listed = np.where(np.isinf(scores), np.float32(0), scores) / np.float32(_spread(scores))
    return listed.astype(np.float32)


def _spread(scores: Scores) -> float:
    return float(np.std(scores[np.isfinite(scores)])) or 1.0


def _gain(scores: Scores, seen: NDArray[np.bool_], relevant: NDArray[np.bool_]) -> float:
    """Mean nDCG of the first `LISTED`; see `models.measures.metrics.ndcg`."""
    open_ = np.where(seen, -np.inf, scores)
    width = min(LISTED, open_.shape[1])
    best = np.argpartition(-open_, width - 1, axis=1)[:, :width]
    order = np.argsort(-np.take_along_axis(open_, best, axis=1), axis=1, kind="stable")
    hits = np.take_along_axis(relevant, np.take_along_axis(best, order, axis=1), axis=1)
    gains = 1 / np.log2(np.arange(2, width + 2))
    ideal = np.cumsum(gains)[np.minimum(width, relevant.sum(axis=1)) - 1]
    return float(((hits @ gains) / ideal).mean())


def _renamed(node: NodeProto, member: str) -> NodeProto:
    copy = NodeProto()
    copy.CopyFrom(node)
    copy.input[:] = [name if name in SHARED or not name else f"{member}/{name}" for name in node.input]
    copy.output[:] = [f"{member}/{name}" for name in node.output]
    return copy


def repeated(names: Sequence[str]) -> list[tuple[str, int]]:
    """Each name with how often it came before: a member that is named twice is trained with two seeds."""
    return [(name, names[:place].count(name)) for place, name in enumerate(names)]

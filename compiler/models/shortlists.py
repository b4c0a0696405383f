"""Lists from models' shortlists instead of all scores, where a catalog is large."""

from collections.abc import Mapping
from typing import Final, Protocol, TypeVar

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper, numpy_helper

from edge.bundle.arrays import Array
from edge.bundle.stock import INPUT as STOCK

SHARED: Final = frozenset({"history", "weight"})
TYPES: Final = {"<f4": TensorProto.FLOAT, "<i4": TensorProto.INT32}
Nodes = tuple[list[NodeProto], dict[str, Array]]
M = TypeVar("M")


class Model(Protocol):
    """A score model, as far as it matters here."""

    @property
    def arrays(self) -> Mapping[str, Array]:
        """What its graphs' other inputs are bound to."""


def shortlist_of(model: object) -> bytes:
    """A model's shortlist graph; empty where it has none.

    It takes ``history``, ``weight`` and arrays of the model, and gives ``items`` (int32,
    (batch, any)), each once, or -1 for none, and their ``scores``: those of the score graph, but
    that what is in the history has none. What it leaves out would not be listed, unless the model
    says in `found_by` what it looks at.
    """
    found = getattr(model, "shortlist", b"")
    return found if isinstance(found, bytes) else b""


def leaves_out(model: object) -> bool:
    """Whether a model's shortlist leaves out what a plain list might hold."""
    finder = getattr(model, "finder", None)
    return finder is not None and not finder.is_certain and bool(shortlist_of(model))


def widened(model: M, times: int) -> M | None:
    """A model with a shortlist that looks at so many times as much, what it looks at now first.

    None of one whose shortlist leaves out nothing that might be listed, whatever is taken away.
    """
    wider = getattr(model, "wider", None)
    return wider(times) if wider is not None else None


def found_by(
    model: object, history: NDArray[np.int32], weight: NDArray[np.float32]
) -> tuple[NDArray[np.int32], NDArray[np.float32]] | None:
    """The reference of a shortlist: for each row, the items that it looks at, in its order, with scores.

    What is in the history has a score here. None where it leaves out nothing that might be listed.
    """
    find = getattr(model, "find", None)
    return find(history, weight) if find is not None else None


def part_of(name: str, times: int = 1) -> str:
    """What the values of a model's shortlist begin with that looks at so many times as much as for a list."""
    return f"model/{name}/short{times if times > 1 else ''}"


def short_nodes(name: str, shortlist: bytes, times: int = 1) -> Nodes:
    """A model's shortlist with every name put under its own: ``model/NAME/short/items``, ``.../scores``."""
    proto = onnx.load_model_from_string(shortlist)
    bound = {value.name: f"model/{name}/{value.name}" for value in proto.graph.input}
    names = bound | {shared: shared for shared in SHARED}

    def named(value: str) -> str:
        return names.get(value, f"{part_of(name, times)}/{value}") if value else value

    nodes = []
    for node in proto.graph.node:
        copy = NodeProto()
        copy.CopyFrom(node)
        copy.input[:] = [named(value) for value in node.input]
        copy.output[:] = [named(value) for value in node.output]
        nodes.append(copy)
    constants = {named(tensor.name): numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    return nodes, constants


def list_nodes(name: str, fallback: str | None) -> list[NodeProto]:
    """Nodes from a model's shortlist, or its fallback's where nothing is known, to a list's two outputs."""
    of, node = f"list/{name}/short", helper.make_node
    items, scores = [f"model/{name}/short/items"], [f"model/{name}/short/scores"]
    nodes = []
    if fallback is not None:
        other = f"model/{fallback}/short"
        nodes += [
            node("Where", [":known", scores[0], ":masked"], [f"{of}/own"]),
            node("Where", [":known", ":masked", f"{other}/scores"], [f"{of}/other"]),
        ]
        items, scores = [*items, f"{other}/items"], [f"{of}/own", f"{of}/other"]
    nodes += [
        node("Concat", [*items, f"{of}/no_items"], [f"{of}/items"], axis=1),
        node("Concat", [*scores, f"{of}/no_scores"], [f"{of}/all_scores"], axis=1),
        node("Gather", [STOCK, f"{of}/items"], [f"{of}/stock"]),
        node("Add", [f"{of}/all_scores", f"{of}/stock"], [f"{of}/scores"]),
    ]
    return _places(name) + nodes + _best_nodes(name)


def pool_nodes(name: str, items: str, scores: str) -> list[NodeProto]:
    """Nodes from items and what is left of their scores to a pool's two outputs."""
    of, node = f"list/{name}/short", helper.make_node
    nodes = [
        node("Concat", [items, f"{of}/no_items"], [f"{of}/items"], axis=1),
        node("Concat", [scores, f"{of}/no_scores"], [f"{of}/scores"], axis=1),
    ]
    return _places(name) + nodes + _best_nodes(name)


def _places(name: str) -> list[NodeProto]:
    """As many places as the list has, at least, that hold nothing."""
    of, node = f"list/{name}/short", helper.make_node
    return [
        node("Concat", [":rows", f"list/{name}/limit"], [f"{of}/shape"], axis=0),
        node("Expand", [":none_left", f"{of}/shape"], [f"{of}/no_items"]),
        node("Expand", [":masked", f"{of}/shape"], [f"{of}/no_scores"]),
    ]


def _best_nodes(name: str) -> list[NodeProto]:
    of, node = f"list/{name}/short", helper.make_node
    return [
        node("TopK", [f"{of}/scores", f"list/{name}/limit"], [f"scores/{name}", f"{of}/best"], axis=1),
        node("GatherElements", [f"{of}/items", f"{of}/best"], [f"{of}/found"], axis=1),
        node("Equal", [f"scores/{name}", ":masked"], [f"{of}/masked"]),
        node("Where", [f"{of}/masked", ":none_left", f"{of}/found"], [f"items/{name}"]),
    ]


def shortlists(models: Mapping[str, Model], name: str, fallback: str | None) -> dict[str, bytes]:
    """The shortlists that a recommender is made of, by model; none unless all have one that fits."""
    used = {one: models[one] for one in (name, fallback) if one is not None}
    found = {one: shortlist_of(model) for one, model in used.items()}
    fits = all(found.values()) and all(_fits(found[one], model.arrays) for one, model in used.items())
    return found if fits else {}


def _fits(shortlist: bytes, arrays: Mapping[str, Array]) -> bool:
    """Whether the arrays are those that the shortlist was made for: a model may be stored anew."""
    for value in onnx.load_model_from_string(shortlist).graph.input:
        if value.name in SHARED:
            continue
        kind = value.type.tensor_type
        wanted = tuple(dim.dim_value for dim in kind.shape.dim)
        array = arrays.get(value.name)
        if array is None or array.shape != wanted or TYPES.get(array.dtype.str) != kind.elem_type:
            return False
    return True

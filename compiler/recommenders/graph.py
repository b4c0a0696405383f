"""What happens to a model's scores before a recommender's list is cut, as nodes of the one graph."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, ValueInfoProto, helper

from compiler.models.shortlists import part_of
from edge.bundle.arrays import Array
from edge.bundle.recommender_format import ARRAYS_ARTIFACT
from edge.bundle.stock import INPUT as STOCK

NEVER: Final = -np.inf
NEIGHBOURS: Final = 8
"""Items that a new item takes its place from: a power of two, so that their mean is exact."""

_TYPES: Final = {"|u1": TensorProto.UINT8, "<i4": TensorProto.INT32, "<f4": TensorProto.FLOAT}
_INPUT: Final = "around/"


@dataclass(frozen=True)
class Pool:
    """The candidates that one model has for a recommender, best first.

    Attributes
    ----------
    name : str
        In the graph's outputs.
    size : int
        How many there are at most.
    keeps_seen : bool
        Whether what is in the history may be listed.
    least : float or None
        An item of a lower score of the model is none.
    gates : tuple of int
        Columns of the input ``gate`` that pick a mask each.
    allow, boost, new : str
        Keys of arrays, or empty: a mask of what may be listed; before ``/factor``, ``/inverse`` and
        ``/bonus``; before ``/near`` and ``/place``, where items that no one knows yet take their scores from.
    width : int
        How many times as much as for a plain list its shortlist looks at; 0 where all items are scored.
    """

    name: str
    model: str
    size: int
    keeps_seen: bool = False
    least: float | None = None
    gates: tuple[int, ...] = ()
    allow: str = ""
    boost: str = ""
    new: str = ""
    width: int = 0

    @property
    def items(self) -> str:
        """The value with the items of the model's shortlist."""
        return f"{part_of(self.model, self.width)}/items"


@dataclass(frozen=True, eq=False)
class Stage:
    """All pools of a graph, and the arrays that they use, by key; ``gate/N`` are the gates' masks."""

    pools: tuple[Pool, ...] = ()
    arrays: Mapping[str, Array] = field(default_factory=dict)
    gates: int = 0

    def keys(self) -> list[str]:
        """The arrays that the graph takes in."""
        used = {key for pool in self.pools for key in _keys(pool)}
        return sorted(used | {f"gate/{number}" for number in range(self.gates)})

    def bindings(self) -> dict[str, tuple[str, str]]:
        """The graph's inputs, and which array of which artifact each is."""
        return {_INPUT + key: (ARRAYS_ARTIFACT, key) for key in self.keys()}

    def inputs(self) -> list[ValueInfoProto]:
        """The graph's inputs beside those of models."""
        values = [
            helper.make_tensor_value_info(
                _INPUT + key, _TYPES[self.arrays[key].dtype.str], self.arrays[key].shape
            )
            for key in self.keys()
        ]
        if self.gates:
            values.append(helper.make_tensor_value_info("gate", TensorProto.INT32, ["batch", self.gates]))
        return values

    def nodes(self) -> list[NodeProto]:
        """From each pool's model's scores to its ``list/NAME/open``; what pools share comes first."""
        shared = [node for number in range(self.gates) for node in _gate_nodes(number)]
        if any(pool.keeps_seen for pool in self.pools):
            shared += _banned_nodes()
        return shared + [node for pool in self.pools for node in _Chain(pool).nodes()]

    def constants(self) -> dict[str, Array]:
        """What the nodes need beside the inputs."""
        found: dict[str, Array] = {f":gate/{n}/column": np.array(n, np.int64) for n in range(self.gates)}
        found[":first_item"] = np.array(0, np.int32)
        found[":flat"] = np.array([-1], np.int64)
        found[":two"] = np.array([2], np.int64)
        found[":mean"] = np.array(1 / NEIGHBOURS, np.float32)
        for pool in self.pools:
            if pool.least is not None:
                found[f"list/{pool.name}/least"] = np.array(pool.least, np.float32)
        return found


def _keys(pool: Pool) -> Iterator[str]:
    if pool.allow:
        yield pool.allow
    if pool.boost:
        yield from (f"{pool.boost}/{name}" for name in ("bonus", "factor", "inverse"))
    if pool.new:
        yield from (f"{pool.new}/{name}" for name in ("near", "place"))


def _gate_nodes(number: int) -> list[NodeProto]:
    """`:gate/N`: for each row of the call, which items its mask leaves open."""
    name = f":gate/{number}"
    return [
        helper.make_node("Gather", ["gate", f"{name}/column"], [f"{name}/row"], axis=1),
        helper.make_node("Gather", [f"{_INPUT}gate/{number}", f"{name}/row"], [f"{name}/mask"], axis=0),
        helper.make_node("Cast", [f"{name}/mask"], [name], to=TensorProto.BOOL),
    ]


def _banned_nodes() -> list[NodeProto]:
    """`:banned`: as `:seen`, of what stands in the history and weighs nothing."""
    return [
        helper.make_node("Greater", ["weight", ":nothing"], [":counts"]),
        helper.make_node("Where", [":counts", ":padding", "history"], [":weightless"]),
        helper.make_node("ScatterElements", [":unseen", ":weightless", ":never"], [":banned_padded"], axis=1),
        helper.make_node("Slice", [":banned_padded", ":begin", ":end", ":axis"], [":banned"]),
    ]


class _Chain:
    """Nodes of one pool, each taking the scores of the one before."""

    def __init__(self, pool: Pool) -> None:
        self._pool, self._prefix = pool, f"list/{pool.name}/"
        whole = f"model/{pool.model}"
        self._scores = f"{part_of(pool.model, pool.width) if pool.width else whole}/scores"
        self._nodes: list[NodeProto] = []

    def nodes(self) -> list[NodeProto]:
        pool = self._pool
        if pool.new:
            self._place_new(_INPUT + pool.new)
        if pool.least is not None:
            self._add("Greater", [self._prefix + "least", self._scores], "unsure")
            self._set("Where", [self._prefix + "unsure", ":masked", self._scores], "sure")
        if pool.width:
            # No item, and what pads histories, have no score either: any will do for them.
            self._add("Clip", [pool.items, ":first_item", ":last_item"], "at")
        if pool.boost:
            self._boost(_INPUT + pool.boost)
        if pool.allow:
            self._add("Cast", [self._of(_INPUT + pool.allow, "allow_of")], "allow", to=TensorProto.BOOL)
            self._set("Where", [self._prefix + "allow", self._scores, ":masked"], "allowed")
        for gate in pool.gates:
            opened = self._gate(gate) if pool.width else f":gate/{gate}"
            self._set("Where", [opened, self._scores, ":masked"], f"passed/{gate}")
        if pool.width:
            # What is in the history has no score in a shortlist.
            self._add("Gather", [STOCK, pool.items], "stock")
            self._set("Add", [self._scores, self._prefix + "stock"], "open")
        else:
            self._set("Add", [self._scores, ":banned" if pool.keeps_seen else ":seen"], "open")
        return self._nodes

    def _of(self, array: str, output: str) -> str:
        """An array of numbers by item, or of those of the shortlist."""
        if not self._pool.width:
            return array
        self._add("Gather", [array, self._prefix + "at"], output)
        return self._prefix + output

    def _gate(self, gate: int) -> str:
        """Which of the shortlist's items a gate leaves open: looked up in all its masks in a row."""
        name = f"gate/{gate}"
        self._add("Reshape", [f"{_INPUT}{name}", ":flat"], f"{name}/flat")
        self._add("Mul", [f":{name}/row", ":padding"], f"{name}/begin")
        self._add("Unsqueeze", [self._prefix + f"{name}/begin", ":flat"], f"{name}/begins")
        self._add("Add", [self._prefix + f"{name}/begins", self._prefix + "at"], f"{name}/at")
        self._add("Gather", [self._prefix + f"{name}/flat", self._prefix + f"{name}/at"], f"{name}/of")
        self._add("Cast", [self._prefix + f"{name}/of"], f"{name}/open", to=TensorProto.BOOL)
        return self._prefix + f"{name}/open"

    def _place_new(self, near: str) -> None:
        self._add("Gather", [self._scores, f"{near}/near"], "near", axis=1)
        self._add("ReduceSum", [self._prefix + "near", ":two"], "sum", keepdims=0)
        self._add("Mul", [self._prefix + "sum", ":mean"], "mean")
        self._add("Concat", [self._scores, self._prefix + "mean"], "both", axis=1)
        self._set("Gather", [self._prefix + "both", f"{near}/place"], "placed", axis=1)

    def _boost(self, boost: str) -> None:
        """A factor above 1 raises any score, one below 0 too."""
        before = self._scores
        self._add("Mul", [before, self._of(f"{boost}/factor", "factor")], "above")
        self._add("Mul", [before, self._of(f"{boost}/inverse", "inverse")], "below")
        self._add("Greater", [":nothing", before], "negative")
        self._set("Where", [self._prefix + name for name in ("negative", "below", "above")], "times")
        self._set("Add", [self._scores, self._of(f"{boost}/bonus", "bonus")], "boosted")

    def _set(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> None:
        self._add(operator, inputs, output, **attributes)
        self._scores = self._prefix + output

    def _add(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> None:
        self._nodes.append(helper.make_node(operator, inputs, [self._prefix + output], **attributes))


@dataclass(frozen=True, eq=False)
class Steps:
    """What became of a model's scores for one history, step by step; each of shape (n_items,)."""

    placed: NDArray[np.float32]
    boosted: NDArray[np.float32]
    open: NDArray[np.float32]


def reference_steps(
    scores: NDArray[np.float32],
    pool: Pool,
    arrays: Mapping[str, Array],
    history: Sequence[int],
    gates: Sequence[int] = (),
) -> Steps:
    """The same as the nodes, without ONNX; `scores` are the model's for the history."""
    placed = scores
    if pool.new:
        means = scores[arrays[f"{pool.new}/near"]].sum(1) * np.float32(1 / NEIGHBOURS)
        placed = np.concatenate([scores, means])[arrays[f"{pool.new}/place"]]
    sure = placed if pool.least is None else np.where(placed < np.float32(pool.least), NEVER, placed)
    boosted = sure = sure.astype(np.float32)
    if pool.boost:
        factor, inverse = arrays[f"{pool.boost}/factor"], arrays[f"{pool.boost}/inverse"]
        boosted = np.where(sure < 0, sure * inverse, sure * factor) + arrays[f"{pool.boost}/bonus"]
    masks = [arrays[pool.allow]] if pool.allow else []
    masks += [arrays[f"gate/{gate}"][gates[gate]] for gate in pool.gates]
    left = boosted.copy()
    for mask in masks:
        left[mask == 0] = NEVER
    if not pool.keeps_seen:
        left[list(history)] = NEVER
    return Steps(placed, boosted, left)


def listed(steps: Steps, size: int, looked_at: NDArray[np.int32] | None = None) -> list[int]:
    """The best that is open, best first; ties go to the lower position.

    Of what a shortlist looked at, where that leaves something out, ties go to what comes first there.
    """
    items = np.arange(len(steps.open)) if looked_at is None else looked_at[looked_at >= 0]
    best = items[np.argsort(-steps.open[items], kind="stable")[:size]]
    return [int(position) for position in best if steps.open[position] != NEVER]

"""What the models of one graph take in of a request's context: one row of columns for all of them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, ValueInfoProto, helper

from compiler.features.nodes import FeatureNodes
from compiler.features.oracle import rows_of
from edge.bundle.arrays import Array
from edge.bundle.features import CONTEXT, Column, Features, columns_of, flattened, needed
from edge.decide.plan_check import MAX_COLUMNS
from edge.errors import GivenError

Nodes = tuple[list[NodeProto], dict[str, Array]]


class Contexts:
    """The contexts of a graph's models.

    Parameters
    ----------
    taken
        By model, the features that it takes in, in order; of models that take in none, nothing.
    features
        All that there are.

    Attributes
    ----------
    columns : tuple of Column
        What the graph's input `context` has to hold; none where no model takes anything in.
    """

    def __init__(self, taken: Mapping[str, tuple[str, ...]], features: Features) -> None:
        self._taken = {name: taken[name] for name in sorted(taken) if taken[name]}
        self._features = features
        self.columns: tuple[Column, ...] = self._columns_of(self._taken)
        if len(self.columns) > MAX_COLUMNS:
            message = f"recommenders read {len(self.columns)} attributes, more than {MAX_COLUMNS}"
            raise GivenError("model-graph", message)

    def width(self, model: str) -> int:
        """How many numbers a model takes in."""
        return len(list(flattened(self._taken.get(model, ()), self._features)))

    def read(self, models: Iterable[str]) -> tuple[int, ...]:
        """Positions of the columns that these models depend on."""
        return tuple(sorted(self.columns.index(column) for column in self._columns_of(models)))

    def inputs(self) -> list[ValueInfoProto]:
        """The graph's input, where it has one."""
        shape: list[int | str] = ["batch", len(self.columns)]
        return [helper.make_tensor_value_info(CONTEXT, TensorProto.FLOAT, shape)] if self.columns else []

    def nodes(self) -> Nodes:
        """Nodes from the context to what each model takes in: ``model/NAME/context``."""
        if not self.columns:
            return [], {}
        made = FeatureNodes([one for names in self._taken.values() for one in names], self._features, CONTEXT)
        for name, names in self._taken.items():
            made.vector(names, own_context(name))
        return made.nodes, made.constants

    def known_nodes(self, model: str) -> tuple[str, list[NodeProto], dict[str, Array]]:
        """A value that says of each row whether there is a history, or anything that a model takes in."""
        if model not in self._taken:
            return ":known", [], {}
        node, places, output = helper.make_node, self.read([model]), f"list/{model}/known"
        nodes = [
            node("Gather", [CONTEXT, f"{output}/columns"], [f"{output}/raw"], axis=1),
            node("IsNaN", [f"{output}/raw"], [f"{output}/missing"]),
            node("Not", [f"{output}/missing"], [f"{output}/there"]),
            node("Cast", [f"{output}/there"], [f"{output}/count"], to=TensorProto.FLOAT),
            node("ReduceMax", [f"{output}/count", ":axis"], [f"{output}/most"], keepdims=1),
            node("Greater", [f"{output}/most", ":nothing"], [f"{output}/any"]),
            node("Or", [":known", f"{output}/any"], [output]),
        ]
        return output, nodes, {f"{output}/columns": np.array(places, np.int64)}

    def knows(self, model: str, row: Sequence[float]) -> bool:
        """The reference of `known_nodes`, but for the history."""
        return any(row[at] == row[at] for at in self.read([model]))

    def of(self, model: str, rows: Sequence[Sequence[float]]) -> NDArray[np.float32] | None:
        """What a model takes in of rows of columns, computed without ONNX; None of one that takes none."""
        if model not in self._taken:
            return None
        return rows_of(self._taken[model], self._features, self.columns, rows)

    def _columns_of(self, models: Iterable[str]) -> tuple[Column, ...]:
        names = [one for name in models for one in self._taken.get(name, ())]
        return columns_of(needed(names, self._features))


def own_context(model: str) -> str:
    """The value that a model's part of the graph takes for its input `context`."""
    return f"model/{model}/{CONTEXT}"


NO_CONTEXTS: Final = Contexts({}, {})

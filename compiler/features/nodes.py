"""Features as ONNX nodes: from the raw columns of contexts to numbers, for all contexts at once."""

from collections.abc import Iterable, Sequence
from math import inf
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper

from edge.bundle.arrays import Array
from edge.bundle.features import (
    BUCKETS,
    CODE,
    CROSS,
    NUMBER,
    ONE_HOT,
    PRESENT,
    Column,
    Feature,
    Features,
    columns_of,
    flattened,
    needed,
    values_of,
)

AXIS: Final = 1
LANES: Final = 16
"""So many numbers a processor takes at once, at most. The last few of a tensor it may take one by one, by a
logarithm that differs in the last bit: in whole lanes, what shares the call changes no number."""


class FeatureNodes:
    """The nodes of some features, which are computed by their kind: few nodes, however many features.

    Parameters
    ----------
    names
        The features that are wanted.
    context
        The input with the raw columns (float32, (batch, len(columns)), NaN where missing).
    prefix
        Before the names of all that the nodes make.

    Attributes
    ----------
    columns : tuple of Column
        What `context` has to hold.
    nodes, constants
        To be added to a graph.
    """

    def __init__(
        self, names: Iterable[str], features: Features, context: str = "context", prefix: str = "feature/"
    ) -> None:
        self._features = features
        used = needed(names, features)
        self.columns: tuple[Column, ...] = columns_of(used)
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, Array] = {}
        self._context, self._prefix = context, prefix
        self._at: dict[str, int] = {}
        self._width = 0
        blocks = [
            self._numbers([one for one in used if one.kind in (NUMBER, CODE) and not one.log]),
            self._logs([one for one in used if one.log]),
            self._one_hots([one for one in used if one.kind == ONE_HOT]),
            self._buckets([one for one in used if one.kind == BUCKETS]),
            self._present([one for one in used if one.kind == PRESENT]),
        ]
        self._all = self._joined([block for block in blocks if block], "single")
        crossed = [one for one in used if one.kind == CROSS]
        if crossed:
            self._all = self._joined([self._all, self._crosses(crossed)], "all")

    def vector(self, names: Sequence[str], output: str) -> None:
        """Add the nodes of the vector of these features, in this order, under a name of its own."""
        places = [self._at[value] for value in flattened(names, self._features)]
        indices = self._constant(f"{output}/places", np.array(places, np.int64))
        self._node("Gather", [self._all, indices], output, axis=AXIS)

    def _numbers(self, features: Sequence[Feature]) -> str:
        if not features:
            return ""
        self._take([one.name for one in features])
        return self._shaped("number", features)

    def _logs(self, features: Sequence[Feature]) -> str:
        """Comparisons, unlike a maximum, leave NaN what it is on every machine."""
        if not features:
            return ""
        padded = [*features, *[features[-1]] * (-len(features) % LANES)]
        value = self._shaped("log", padded)
        zero, one = self._floats("log/zero", [0]), self._floats("log/one", [1])
        below = self._make("Less", [value, zero], "log/below")
        above = self._make("Where", [below, zero, value], "log/above")
        more = self._make("Add", [above, one], "log/more")
        self._take([one.name for one in features], len(padded))
        return self._make("Log", [more], "log/value")

    def _shaped(self, name: str, features: Sequence[Feature]) -> str:
        """The numbers as they are, but for those that are missing or clipped."""
        value = self._filled(name, self._columns_of(name, features), features)
        if any(one.clip for one in features):
            low, high = zip(*(one.clip or (-inf, inf) for one in features), strict=True)
            for operator, bound, side in (("Less", low, "low"), ("Greater", high, "high")):
                limit = self._floats(f"{name}/{side}", bound)
                beyond = self._make(operator, [value, limit], f"{name}/beyond-{side}")
                value = self._make("Where", [beyond, limit, value], f"{name}/clipped-{side}")
        return value

    def _one_hots(self, features: Sequence[Feature]) -> str:
        if not features:
            return ""
        each = [one for one in features for _ in one.categories]
        codes = [float(code) for one in features for code in range(len(one.categories))]
        value = self._columns_of("one-hot", each)
        equal = self._make("Equal", [value, self._floats("one-hot/codes", codes)], "one-hot/equal")
        return self._as_floats("one-hot", equal, features)

    def _buckets(self, features: Sequence[Feature]) -> str:
        if not features:
            return ""
        each = [one for one in features for _ in one.parts]
        low, high = zip(*(part for one in features for part in one.parts), strict=True)
        value = self._filled("bucket", self._columns_of("bucket", each), each)
        begun = self._make("GreaterOrEqual", [value, self._floats("bucket/low", low)], "bucket/begun")
        ahead = self._make("Less", [value, self._floats("bucket/high", high)], "bucket/ahead")
        return self._as_floats("bucket", self._make("And", [begun, ahead], "bucket/inside"), features)

    def _present(self, features: Sequence[Feature]) -> str:
        if not features:
            return ""
        missing = self._make("IsNaN", [self._columns_of("present", features)], "present/missing")
        return self._as_floats("present", self._make("Not", [missing], "present/there"), features)

    def _crosses(self, features: Sequence[Feature]) -> str:
        left, right = [], []
        for feature in features:
            one, other = (values_of(self._features[part], self._features) for part in feature.of)
            left += [self._at[name] for name in one for _ in other]
            right += [self._at[name] for _ in one for name in other]
        sides = [
            self._make(
                "Gather", [self._all, self._constant(f"cross/{name}-at", _ints(places))], name, axis=AXIS
            )
            for name, places in (("cross/left", left), ("cross/right", right))
        ]
        self._take([value for one in features for value in values_of(one, self._features)])
        return self._make("Mul", sides, "cross/product")

    def _filled(self, name: str, value: str, features: Sequence[Feature]) -> str:
        """The values with what stands for those that are missing."""
        if all(one.missing is None for one in features):
            return value
        missing = self._make("IsNaN", [value], f"{name}/missing")
        if any(one.missing is None for one in features):
            stated = self._constant(f"{name}/stated", np.array([one.missing is not None for one in features]))
            missing = self._make("And", [missing, stated], f"{name}/fillable")
        fill = self._floats(f"{name}/fill", [one.missing or 0.0 for one in features])
        return self._make("Where", [missing, fill, value], f"{name}/filled")

    def _columns_of(self, name: str, features: Sequence[Feature]) -> str:
        places = self._constant(
            f"{name}/columns", _ints([self.columns.index(one.column) for one in features])
        )
        return self._make("Gather", [self._context, places], f"{name}/raw", axis=AXIS)

    def _as_floats(self, name: str, value: str, features: Sequence[Feature]) -> str:
        self._take([value_ for one in features for value_ in values_of(one, self._features)])
        return self._make("Cast", [value], f"{name}/value", to=TensorProto.FLOAT)

    def _joined(self, blocks: Sequence[str], name: str) -> str:
        return blocks[0] if len(blocks) == 1 else self._make("Concat", blocks, name, axis=AXIS)

    def _take(self, names: Sequence[str], width: int = 0) -> None:
        """Give the next places in the vector of all to these values, of a block that may be wider."""
        for place, name in enumerate(names, self._width):
            self._at[name] = place
        self._width += width or len(names)

    def _make(self, operator: str, inputs: Sequence[str], name: str, **attributes: Any) -> str:
        return self._node(operator, inputs, self._prefix + name, **attributes)

    def _node(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def _floats(self, name: str, values: Iterable[float]) -> str:
        return self._constant(name, np.array(list(values), np.float32))

    def _constant(self, name: str, array: Array) -> str:
        full = self._prefix + name
        self.constants[full] = array
        return full


def _ints(places: Sequence[int]) -> NDArray[np.int64]:
    return np.array(places, np.int64)

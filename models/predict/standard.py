"""Brings features to one scale: what recipes that add features up begin with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto, helper

from edge.bundle.arrays import Array
from models.predict.graph import widened
from models.predict.table import Rows

FARTHEST: Final = 8.0
"""Standard deviations; what is farther out counts as this far, so that one wild value can't decide alone."""

Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Standard:
    """Means and scales of features; a missing value becomes 0, the mean, and is told as `absent`."""

    mean: Values
    scale: Values

    @classmethod
    def of(cls, rows: Rows, weight: NDArray[np.float32]) -> "Standard":
        """From rows to learn from; a feature that never varies counts for nothing."""
        known = ~np.isnan(rows)
        wide = np.where(known, rows, 0).astype(np.float64)
        heavy = known * weight[:, np.newaxis].astype(np.float64)
        total = np.maximum(heavy.sum(axis=0), np.finfo(np.float64).tiny)
        mean = (heavy * wide).sum(axis=0) / total
        spread = np.sqrt((heavy * (wide - mean) ** 2).sum(axis=0) / total)
        varies = spread > 1e-6 * (1 + np.abs(mean))
        scale = np.divide(1, spread, out=np.zeros_like(spread), where=varies)
        return cls(mean, scale)

    @classmethod
    def read(cls, constants: Mapping[str, Array]) -> "Standard":
        """From a graph's constants."""
        return cls(constants["mean"], constants["scale"])

    def constants(self) -> dict[str, Array]:
        """What `nodes` needs."""
        bounds = {"least": np.array(-FARTHEST), "most": np.array(FARTHEST)}
        return {"mean": self.mean, "scale": self.scale, **bounds}

    def apply(self, rows: Rows) -> tuple[Values, Values]:
        """`scaled` and `absent`, both of the rows' shape."""
        absent = np.isnan(rows)
        scaled = (np.where(absent, self.mean, rows.astype(np.float64)) - self.mean) * self.scale
        return np.clip(scaled, -FARTHEST, FARTHEST), absent.astype(np.float64)

    @staticmethod
    def nodes() -> list[NodeProto]:
        """From ``features`` to ``scaled`` and ``absent``, both float64."""
        return [
            helper.make_node("IsNaN", ["features"], ["is_absent"]),
            helper.make_node("Cast", ["is_absent"], ["absent"], to=TensorProto.DOUBLE),
            widened("features", "wide"),
            helper.make_node("Where", ["is_absent", "mean", "wide"], ["filled"]),
            helper.make_node("Sub", ["filled", "mean"], ["centered"]),
            helper.make_node("Mul", ["centered", "scale"], ["unbounded"]),
            helper.make_node("Clip", ["unbounded", "least", "most"], ["scaled"]),
        ]

"""Features computed one by one, as they are defined: slow, and what the graph is held to."""

from collections.abc import Mapping, Sequence
from math import isnan, log1p, nan

import numpy as np
from numpy.typing import NDArray

from edge.bundle.features import BUCKETS, CODE, CROSS, NUMBER, ONE_HOT, Column, Feature, Features

Raw = Mapping[Column, float]
"""By column, the number that the edge makes of its attribute; NaN where it is missing."""


def rows_of(
    names: Sequence[str], features: Features, columns: Sequence[Column], rows: Sequence[Sequence[float]]
) -> NDArray[np.float32]:
    """The features of rows of raw columns, (rows, values), NaN where missing."""
    raws: list[Raw] = [dict(zip(columns, map(_f32, row), strict=True)) for row in rows]
    return np.array(
        [[v for name in names for v in _values(features[name], features, raw)] for raw in raws], np.float32
    )


def _values(feature: Feature, features: Features, raw: Raw) -> list[float]:
    if feature.kind == CROSS:
        one, other = (_values(features[part], features, raw) for part in feature.of)
        return [left * right for left in one for right in other]
    value = raw[feature.column]
    if feature.kind == ONE_HOT:
        return [float(value == code) for code in range(len(feature.categories))]
    if feature.kind in (NUMBER, BUCKETS) and isnan(value) and feature.missing is not None:
        value = _f32(feature.missing)
    if feature.kind == BUCKETS:
        return [float(_f32(low) <= value < _f32(high)) for low, high in feature.parts]
    if feature.kind in (NUMBER, CODE):
        return [_number(value, feature)]
    return [float(not isnan(value))]


def _number(value: float, feature: Feature) -> float:
    if isnan(value):
        return nan
    if feature.clip is not None:
        value = min(max(value, _f32(feature.clip[0])), _f32(feature.clip[1]))
    return log1p(max(value, 0.0)) if feature.log else value


def _f32(number: float) -> float:
    return float(np.float32(number))

"""Features as Narwhals expressions, for tables of any kind: the same numbers as the edge's graph."""

from collections.abc import Iterable, Sequence
from typing import Any

import narwhals as nw
import numpy as np
from numpy.typing import NDArray

from edge.bundle.features import (
    BUCKETS,
    CODE,
    CROSS,
    MAX_NUMBER,
    ONE_HOT,
    PRESENT,
    Feature,
    Features,
    values_of,
)

Value = tuple[str, nw.Expr]
"""One number of a feature: its name, and what it is in each row; null where it is missing."""


def values(names: Iterable[str], features: Features) -> list[Value]:
    """The numbers of these features in order, as expressions over columns that are named like attributes.

    A missing value is null, or of numbers NaN, too.
    """
    return [value for name in names for value in _values(features[name], features)]


def select(frame: Any, names: Sequence[str], features: Features) -> Any:
    """The features of each row of a Narwhals frame, lazy or not, float32, as columns of their names."""
    return frame.select(*[expression.alias(name) for name, expression in values(names, features)])


def matrix(frame: Any, names: Sequence[str], features: Features) -> NDArray[np.float32]:
    """The features of each row of any table that Narwhals takes, as (rows, values), NaN where missing.

    A table that is computed by another machine must have an order of its own.
    """
    found = select(nw.from_native(frame), names, features)
    if isinstance(found, nw.LazyFrame):
        found = found.collect("pyarrow")
    columns = [np.asarray(found[name].to_numpy(), np.float32) for name in found.columns]
    return np.stack(columns, axis=1) if columns else np.zeros((len(found), 0), np.float32)


def _values(feature: Feature, features: Features) -> list[Value]:
    names = values_of(feature, features)
    return list(zip(names, _expressions(feature, features), strict=True))


def _expressions(feature: Feature, features: Features) -> list[nw.Expr]:
    column = nw.col(feature.attribute)
    if feature.kind == CROSS:
        one, other = (_expressions(features[part], features) for part in feature.of)
        return [left * right for left in one for right in other]
    if feature.kind == ONE_HOT:
        return [_flag(column == category) for category in feature.categories]
    if feature.kind == CODE:
        return [_code(column, feature.categories)]
    if feature.kind == PRESENT:
        return [_flag(~(column if feature.text else _number(column)).is_null())]
    number = _filled(feature)
    if feature.kind == BUCKETS:
        return [_flag((number >= _f32(low)) & (number < _f32(high))) for low, high in feature.parts]
    return [_shaped(number, feature)]


def _number(column: nw.Expr) -> nw.Expr:
    """The column in the 32 bits that the edge has; too large a number and NaN are missing."""
    number = column.cast(nw.Float64)
    return nw.when((number >= -MAX_NUMBER) & (number <= MAX_NUMBER)).then(number).cast(nw.Float32)


def _filled(feature: Feature) -> nw.Expr:
    number = _number(nw.col(feature.attribute))
    return number if feature.missing is None else number.fill_null(_f32(feature.missing)).cast(nw.Float32)


def _shaped(number: nw.Expr, feature: Feature) -> nw.Expr:
    if feature.clip is not None:
        low, high = map(_f32, feature.clip)
        number = nw.when(number < low).then(nw.lit(low)).otherwise(number)
        number = nw.when(number > high).then(nw.lit(high)).otherwise(number)
    if feature.log:
        above = nw.when(number < 0).then(nw.lit(0.0)).otherwise(number)
        number = (above.cast(nw.Float64) + 1).log()
    return number.cast(nw.Float32)


def _code(column: nw.Expr, categories: Sequence[str]) -> nw.Expr:
    """The position, or the number of categories for a text that is none of them."""
    behind = [
        _flag(column == category) * -(len(categories) - code) for code, category in enumerate(categories)
    ]
    found = nw.sum_horizontal(*behind) + len(categories)
    return nw.when(~column.is_null()).then(found).cast(nw.Float32)


def _flag(condition: nw.Expr) -> nw.Expr:
    """1 where it holds; 0 where it does not, or can't be told."""
    return nw.when(condition).then(nw.lit(1.0)).otherwise(nw.lit(0.0)).cast(nw.Float32)


def _f32(number: float) -> float:
    """The number as the graph has it."""
    return float(np.float32(number))

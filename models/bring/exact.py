"""Converts scikit-learn's scalers, imputers and encoders without losing a bit on the way to a threshold."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, Final

import numpy as np

from models.bring.source import cannot

FLOAT, BOOL, DOUBLE = 1, 9, 11
"""Numbers of onnx.proto's TensorProto.DataType."""

Steps = Sequence[tuple[str, Any]]
Node = Callable[..., str]

SCALERS: Final[dict[str, Callable[[Any], Steps]]] = {
    "StandardScaler": lambda s: [("Sub", s.mean_ if s.with_mean else None), ("Div", s.scale_)],
    "RobustScaler": lambda s: [("Sub", s.center_), ("Div", s.scale_)],
    "MaxAbsScaler": lambda s: [("Div", s.scale_)],
    "MinMaxScaler": lambda s: [
        ("Mul", s.scale_),
        ("Add", s.min_),
        *([("Max", s.feature_range[:1]), ("Min", s.feature_range[1:])] if s.clip else []),
    ],
}
"""How they count, in float64 as scikit-learn does.

In float32, trees behind them took the other branch on up to 0.7 % of the rows of the
online-shoppers data.
"""


def fused(steps: Sequence[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Steps of a pipeline, with imputers and scalers that follow each other as one.

    What an imputer fills in must reach the scaler in float64: trees part at what comes of it.
    """
    found: list[tuple[str, Any]] = []
    for name, step in steps:
        if not _is_exact(step):
            found.append((name, step))
        elif found and isinstance(found[-1][1], chain()):
            found[-1][1].parts.append(step)
        else:
            found.append((name, chain()([step])))
    return found


def _is_exact(step: Any) -> bool:
    name = type(step).__name__
    if not hasattr(step, "n_features_in_"):
        return False  # what a column transformer copied before it fitted the copy
    if name == "SimpleImputer":
        fills = np.asarray(step.statistics_)
        plain = fills.dtype.kind == "f" and not np.isnan(fills).any() and not step.add_indicator
        return plain and isinstance(step.missing_values, float)
    return name in SCALERS


@cache
def chain() -> type[Any]:
    """The class of a run of imputers and scalers; scikit-learn is slow to import."""
    from sklearn.base import BaseEstimator, TransformerMixin  # noqa: PLC0415

    class Chain(TransformerMixin, BaseEstimator):  # type: ignore[misc]
        """Imputers and scalers, one after the other."""

        def __init__(self, parts: list[Any]) -> None:
            self.parts = parts

        def fit(self, *_: Any) -> None:
            """It consists of what is fitted."""

        def transform(self, rows: Any) -> Any:
            """As its parts do."""
            for part in self.parts:
                rows = part.transform(rows)
            return rows

    return Chain


def converters() -> dict[Any, tuple[Any, Any]]:
    """By class, what tells the shape of its result and what converts it, for skl2onnx."""
    from sklearn import preprocessing  # noqa: PLC0415

    scalers = {getattr(preprocessing, name): (_same_width, _convert_one) for name in SCALERS}
    encoder = {preprocessing.OneHotEncoder: (_encoded_width, _convert_encoder)}
    return {**scalers, **encoder, chain(): (_same_width, _convert_chain)}


def _convert_one(scope: Any, operator: Any, container: Any) -> None:
    _convert_parts([operator.raw_operator], scope, operator, container)


def _convert_chain(scope: Any, operator: Any, container: Any) -> None:
    _convert_parts(operator.raw_operator.parts, scope, operator, container)


def _convert_parts(parts: Sequence[Any], scope: Any, operator: Any, container: Any) -> None:
    node, constant = _writers(scope, container)
    value = node("Cast", [operator.inputs[0].full_name], to=DOUBLE)
    for part in parts:
        if type(part).__name__ == "SimpleImputer":
            missing = node("IsNaN", [value])
            value = node(
                "Where", [missing, constant(DOUBLE, [1, len(part.statistics_)], part.statistics_), value]
            )
            continue
        for kind, numbers in SCALERS[type(part).__name__](part):
            if numbers is not None:
                value = node(kind, [value, constant(DOUBLE, [1, len(numbers)], numbers)])
    node("Cast", [value], operator.outputs[0].full_name, to=FLOAT)


def _convert_encoder(scope: Any, operator: Any, container: Any) -> None:
    """One column a category, 1 where the value is exactly it: skl2onnx would take 0.5 for 0."""
    node, constant = _writers(scope, container)
    encoder, columns = operator.raw_operator, []
    for place, categories in enumerate(_kept(encoder)):
        value = node("Gather", [operator.inputs[0].full_name, constant(7, [1], [place])], axis=1)
        numbers = categories[~np.isnan(categories)]
        if len(numbers):
            same = node("Equal", [value, constant(FLOAT, [1, len(numbers)], numbers)])
            columns.append(node("Cast", [same], to=FLOAT))
        if len(numbers) < len(categories):
            columns.append(node("Cast", [node("IsNaN", [value])], to=FLOAT))
    node("Concat", columns, operator.outputs[0].full_name, axis=1)


def _kept(encoder: Any) -> list[Any]:
    """The categories of each column that have a column of their own."""
    if getattr(encoder, "_infrequent_enabled", False):
        raise cannot(
            "OneHotEncoder", "puts rare categories together", "leave out min_frequency and max_categories"
        )
    dropped = encoder.drop_idx_ if encoder.drop_idx_ is not None else [None] * len(encoder.categories_)
    return [
        np.delete(np.asarray(known, np.float64), [] if place is None else int(place))
        for known, place in zip(encoder.categories_, dropped, strict=True)
    ]


def _writers(scope: Any, container: Any) -> tuple[Node, Node]:
    def node(kind: str, inputs: list[str], output: str = "", **attributes: Any) -> str:
        output = output or scope.get_unique_variable_name("exact")
        container.add_node(kind, inputs, output, name=scope.get_unique_operator_name(kind), **attributes)
        return output

    def constant(kind: int, shape: list[int], numbers: Any) -> str:
        name: str = scope.get_unique_variable_name("numbers")
        container.add_initializer(name, kind, shape, np.asarray(numbers).tolist())
        return name

    return node, constant


def _same_width(operator: Any) -> None:
    _shape(operator, operator.inputs[0].type.shape[1])


def _encoded_width(operator: Any) -> None:
    _shape(operator, sum(len(known) for known in _kept(operator.raw_operator)))


def _shape(operator: Any, width: int) -> None:
    from skl2onnx.common.data_types import FloatTensorType  # noqa: PLC0415

    operator.outputs[0].type = FloatTensorType([operator.inputs[0].get_first_dimension(), width])

"""Reads LightGBM's and XGBoost's own models, as their libraries save them."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from models.bring.source import Rows, Source, Values, cannot, columns_of

NO_CATEGORIES = (
    "XGBoost's categorical splits have no conversion; one-hot encode, or use LightGBM's, which are exact"
)


def read_lightgbm(booster: Any, features: tuple[str, ...]) -> Source:
    """A LightGBM booster; its categories are exact, and so is what it does without a value.

    Raises
    ------
    GivenError
        ``bring``: it takes other features.
    """
    if "\naverage_output\n" in booster.model_to_string(num_iteration=1):
        raise cannot("LightGBM with boosting=rf", "has no conversion", "use gbdt, or scikit-learn's forests")
    names, width = tuple(booster.feature_name()), int(booster.num_feature())
    columns = columns_of(None if names[:1] == ("Column_0",) else names, width, features)
    kinds = booster.params.get("objective", "") or str(
        booster.dump_model(num_iteration=1).get("objective", "")
    )
    return Source(
        kind="LightGBM",
        features=columns,
        outputs=_outputs(kinds, booster.num_model_per_iteration()),
        predict=lambda rows: _table(booster.predict(rows, num_threads=1), rows),
        convert=lambda: _convert("convert_lightgbm", booster, width, zipmap=False),
    )


def read_xgboost(booster: Any, features: tuple[str, ...]) -> Source:
    """An XGBoost booster.

    Raises
    ------
    GivenError
        ``bring``: it takes other features, or splits by category.
    """
    import json  # noqa: PLC0415

    import xgboost  # noqa: PLC0415 - slow to import

    learner = json.loads(booster.save_config())["learner"]
    if (kind := learner["gradient_booster"]["name"]) != "gbtree":
        raise cannot(f"XGBoost with booster={kind}", "has no conversion", "use gbtree")
    if "c" in (booster.feature_types or ()):
        raise cannot("XGBoost", "splits by category", NO_CATEGORIES)
    names = tuple(booster.feature_names) if booster.feature_names else None
    columns = columns_of(names, int(booster.num_features()), features)
    classes = int(learner["learner_model_param"].get("num_class", 0))
    plain = booster.copy()
    plain.feature_names = None  # the converter wants f0, f1, ..., and rows have no names
    return Source(
        kind="XGBoost",
        features=columns,
        outputs=_outputs(learner["objective"]["name"], classes),
        predict=lambda rows: _table(plain.predict(xgboost.DMatrix(rows)), rows),
        convert=lambda: _convert("convert_xgboost", plain, len(columns)),
    )


def _outputs(objective: str, classes: int) -> tuple[str, ...]:
    if "multi" in objective and classes > 1:
        return tuple(str(name) for name in range(classes))
    return ("0", "1") if "binary" in objective or "logistic" in objective else ()


def _table(values: Any, rows: Rows) -> Values:
    return np.asarray(values, np.float64).reshape(len(rows), -1)


def _convert(function: str, booster: Any, width: int, **more: Any) -> Any:
    import onnxmltools  # noqa: PLC0415 - slow to import
    from onnxmltools.convert.common.data_types import FloatTensorType  # noqa: PLC0415

    convert: Callable[..., Any] = getattr(onnxmltools, function)
    types = [("features", FloatTensorType([None, width]))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return convert(booster, name="brought", initial_types=types, target_opset=15, **more)
        # As with skl2onnx: whatever it is, this model can't be converted.
        except Exception as error:
            said = str(error).strip().split("\n")[0][:200]
            raise cannot(function.removeprefix("convert_"), f"can't be converted: {said}") from error

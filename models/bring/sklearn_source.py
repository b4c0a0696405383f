"""Reads fitted scikit-learn estimators and pipelines, with LightGBM and XGBoost among their steps."""

import copy
import warnings
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from models.bring.exact import converters, fused
from models.bring.refusals import check_parts, parts
from models.bring.source import Source, Values, cannot, columns_of
from models.bring.words import Coded, Words, encoders, put_codes, words_of

OPSETS: Final = {"": 18, "ai.onnx.ml": 3}


def read(model: Any, features: tuple[str, ...], words: Words) -> Source:
    """A fitted estimator.

    Raises
    ------
    GivenError
        ``bring``: it is not fitted, has no conversion, or takes other features.
    """
    check_parts(model)
    if not hasattr(model, "n_features_in_"):
        raise cannot(type(model).__name__, "has not been fitted")
    known = tuple(map(str, model.feature_names_in_)) if hasattr(model, "feature_names_in_") else None
    columns = columns_of(known, int(model.n_features_in_), features)
    placed = _by_position(copy.deepcopy(model))
    found = encoders([entry for part in parts(placed) for entry in getattr(part, "transformers_", ())])
    coded = Coded(columns, words_of(found), words)
    put_codes(found, coded)
    source = _by_position(copy.deepcopy(model))
    for part in parts(placed):
        _for_conversion(part)
    answer = _answer(source)
    return Source(
        kind=type(model[-1] if hasattr(model, "steps") else model).__name__,
        features=columns,
        outputs=_classes(model),
        predict=lambda rows: _quietly(answer, coded.texts(rows)),
        convert=lambda: _convert(placed, len(columns)),
        words=coded.words,
        width=_width(source),
    )


def _by_position(model: Any) -> Any:
    """The model with columns by their places: rows have no names here."""
    for part in parts(model):
        if hasattr(part, "transformers_"):
            places = part._transformer_to_input_indices
            part.transformers_ = [
                (name, step, list(places[name])) for name, step, _ in part.transformers_ if len(places[name])
            ]
        if type(part).__name__ == "OneHotEncoder":
            part.handle_unknown = "ignore"  # at the edge there is nobody to raise an error to
    return model


def _for_conversion(part: Any) -> None:
    """Settings that have no effect on what is predicted, as skl2onnx wants them."""
    if hasattr(part, "steps"):
        part.steps = fused(part.steps)
    if type(part).__name__ == "KBinsDiscretizer" and part.encode == "onehot":
        part.encode = "onehot-dense"
    if type(part).__name__ == "VotingClassifier":
        part.flatten_transform = False


def _width(model: Any) -> int:
    """How many numbers a regressor answers with: as many rows of weights, or outputs, as it has."""
    last = model[-1] if hasattr(model, "steps") else model
    return int(getattr(last, "n_outputs_", 0) or np.atleast_2d(getattr(last, "coef_", 0)).shape[0])


def _classes(model: Any) -> tuple[str, ...]:
    classes = getattr(model, "classes_", None)
    if classes is None:
        return ()
    if isinstance(classes, list):
        raise cannot(type(model).__name__, "predicts several classes at once", "bring one model for each")
    return tuple(str(name) for name in classes)


def _answer(model: Any) -> Callable[[Any], Any]:
    """What is asked of the model: probabilities, else its decision, else its number."""
    for method in ("predict_proba", "decision_function", "predict"):
        if hasattr(model, method):
            return getattr(model, method)  # type: ignore[no-any-return]
    raise cannot(
        type(model).__name__, "predicts nothing", "end the pipeline with a classifier or a regressor"
    )


def _quietly(answer: Callable[[Any], Any], rows: Any) -> Values:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rows without names, where there were names
        values = np.asarray(answer(rows), np.float64)
    return values.reshape(len(rows), -1)


def _convert(model: Any, width: int) -> Any:
    from skl2onnx import convert_sklearn  # noqa: PLC0415 - slow to import
    from skl2onnx.common.data_types import FloatTensorType  # noqa: PLC0415

    _register()
    options: dict[int, Any] = {}
    if _classes(model):
        last = model[-1] if hasattr(model, "steps") else model
        options = {id(last): {"zipmap": False} if hasattr(model, "predict_proba") else {"raw_scores": True}}
    exact = converters()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return convert_sklearn(
                model,
                name="brought",
                initial_types=[("features", FloatTensorType([None, width]))],
                target_opset=OPSETS,
                options=options,
                custom_conversion_functions={part: convert for part, (_, convert) in exact.items()},
                custom_shape_calculators={part: shape for part, (shape, _) in exact.items()},
            )
        # The libraries raise what comes to hand; whatever it is, this model can't be converted.
        except Exception as error:
            said = str(error).strip().split("\n")[0][:200]
            raise cannot(type(model).__name__, f"can't be converted: {said}") from error


def _register() -> None:
    """Tell skl2onnx how LightGBM's and XGBoost's estimators convert, as steps of a pipeline."""
    from skl2onnx import update_registered_converter  # noqa: PLC0415
    from skl2onnx.common import shape_calculator as shapes  # noqa: PLC0415

    classes, number = (
        shapes.calculate_linear_classifier_output_shapes,
        shapes.calculate_linear_regressor_output_shapes,
    )
    options = {"nocl": [True, False], "zipmap": [True, False, "columns"]}
    for made in (_lightgbm_estimators, _xgboost_estimators):
        try:
            classifier, regressor, convert = made()
        except ImportError:
            continue  # nobody can bring a model of a library that is not there
        update_registered_converter(classifier, classifier.__name__, classes, convert, options=options)
        update_registered_converter(regressor, regressor.__name__, number, convert)


def _lightgbm_estimators() -> tuple[Any, Any, Any]:
    from lightgbm import LGBMClassifier, LGBMRegressor  # noqa: PLC0415
    from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm  # noqa: PLC0415

    return LGBMClassifier, LGBMRegressor, convert_lightgbm


def _xgboost_estimators() -> tuple[Any, Any, Any]:
    from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost  # noqa: PLC0415
    from xgboost import XGBClassifier, XGBRegressor  # noqa: PLC0415

    return XGBClassifier, XGBRegressor, convert_xgboost

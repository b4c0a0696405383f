"""What can't be converted, by name, and what would work instead."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from edge.errors import GivenError
from models.bring.source import cannot

TREES: Final = "use gradient boosting or a forest"

INSTEAD: Final[Mapping[str, str]] = {
    "KNeighborsClassifier": f"it carries its training rows to the edge; {TREES}",
    "KNeighborsRegressor": f"it carries its training rows to the edge; {TREES}",
    "RadiusNeighborsClassifier": f"it carries its training rows to the edge; {TREES}",
    "RadiusNeighborsRegressor": f"it carries its training rows to the edge; {TREES}",
    "KNNImputer": "it carries its training rows to the edge; use SimpleImputer",
    "IterativeImputer": "it runs models in a circle; use SimpleImputer, or a model that takes missing values",
    "GaussianProcessClassifier": f"it carries its training rows to the edge; {TREES}",
    "GaussianProcessRegressor": f"it carries its training rows to the edge; {TREES}",
    "SVC": "its kernel carries training rows to the edge; use LinearSVC with CalibratedClassifierCV",
    "NuSVC": "its kernel carries training rows to the edge; use LinearSVC with CalibratedClassifierCV",
    "SVR": f"its kernel carries training rows to the edge; use LinearSVR, or {TREES[4:]}",
    "NuSVR": f"its kernel carries training rows to the edge; use LinearSVR, or {TREES[4:]}",
    "OneClassSVM": "its kernel carries training rows to the edge; use IsolationForest's scores as a feature",
    "TfidfVectorizer": "no text reaches a graph; embed it at compile time, or use the `text` prediction",
    "CountVectorizer": "no text reaches a graph; embed it at compile time, or use the `text` prediction",
    "HashingVectorizer": "no text reaches a graph; embed it at compile time, or use the `text` prediction",
    "DictVectorizer": "no text reaches a graph; name the columns in `features`",
    "FeatureHasher": "no text reaches a graph; name the columns in `features`",
    "Binarizer": "it fails where a value is missing; write the comparison as a feature in features.yaml",
    "LinearDiscriminantAnalysis": "its conversion is wrong (by up to 0.15); use LogisticRegression",
    "FunctionTransformer": "it is a function of Python; write it as a feature in features.yaml",
    "IsotonicRegression": "float32 moves its steps (by up to 0.0096); calibrate with method='sigmoid'",
    "QuantileTransformer": "it interpolates among its training rows; use KBinsDiscretizer",
    "SplineTransformer": "it can't be converted; use KBinsDiscretizer",
    "TargetEncoder": "it averages anew in each fold; use OrdinalEncoder with trees, or OneHotEncoder",
    "KMeans": "it predicts no number; train the `segments` prediction",
    "MiniBatchKMeans": "it predicts no number; train the `segments` prediction",
}
"""By class of scikit-learn."""

OURS: Final = ("sklearn.", "lightgbm.", "xgboost.")
"""Libraries whose classes can be converted; any other class is somebody's own code."""

MAX_PARTS: Final = 10_000


def parts(model: Any) -> Iterator[Any]:
    """The estimators that a fitted one is made of, itself first."""
    waiting, seen = [model], set[int]()
    while waiting and len(seen) < MAX_PARTS:
        part = waiting.pop(0)
        if id(part) in seen:
            continue
        seen.add(id(part))
        if isinstance(part, list | tuple):
            waiting += part
        elif isinstance(part, dict):
            waiting += part.values()
        elif hasattr(part, "get_params") and not isinstance(part, type):
            yield part
            if not type(part).__module__.startswith("sklearn.tree"):
                waiting += vars(part).values()


def check_parts(model: Any) -> None:
    """Refuse what has no conversion, or one that is known to be wrong.

    Raises
    ------
    GivenError
        ``bring``: the class, why, and what would work instead.
    """
    for part in parts(model):
        name = type(part).__name__
        if not type(part).__module__.startswith(OURS):
            said = f"is a class of {type(part).__module__}, which nothing here can convert"
            raise cannot(name, said, "write what it does as features in features.yaml, or export it to ONNX")
        if name in INSTEAD and not (name == "FunctionTransformer" and part.func is None):
            raise cannot(name, "can't be brought", INSTEAD[name])
        if error := _wrong(part):
            raise error


def _wrong(part: Any) -> GivenError | None:
    """A class that converts, fitted in a way that does not."""
    name, categorical = type(part).__name__, getattr(part, "is_categorical_", None)
    if name.startswith("HistGradientBoosting") and categorical is not None and any(categorical):
        instead = "put a OneHotEncoder in front, or use LightGBM, whose categories are exact"
        return cannot(name, "with categorical_features converts wrong (by up to 0.945)", instead)
    if getattr(part, "method", "") == "isotonic":
        return cannot(
            f"{type(part).__name__} with method='isotonic'", "can't be brought", INSTEAD["IsotonicRegression"]
        )
    return None

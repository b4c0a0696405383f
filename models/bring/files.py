"""Opens the files that models are kept in, here and in an MLflow registry."""

import os
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from models.bring.source import cannot

MAX_FILE_BYTES: Final = 256 << 20
MAX_ONNX_BYTES: Final = 64 << 20

PICKLES: Final = (".joblib", ".pkl", ".pickle")
TRUST: Final = (
    "reading it runs the code in it with your rights; if you made it yourself, write `pickle: trusted`"
)
SUFFIXES: Final[Mapping[str, str]] = {
    ".joblib": "scikit-learn and whatever else joblib wrote",
    ".pkl": "the same by pickle",
    ".pickle": "the same by pickle",
    ".txt": "LightGBM",
    ".lgb": "LightGBM",
    ".json": "XGBoost",
    ".ubj": "XGBoost",
    ".xgb": "XGBoost",
    ".onnx": "ONNX",
    ".pt": "TorchScript",
}
MLFLOW: Final = ".mlflow"
"""A text of two lines: a model's URI, and the registry that it is in."""

MLFLOW_SETTINGS: Final = ("MLFLOW_DISABLE_TELEMETRY", "MLFLOW_ALLOW_FILE_STORE")
"""It tells its makers nothing, and reads folders, which it no longer writes by default."""

MLFLOW_FILES: Final = (
    "model.onnx",
    "model.lgb",
    "model.txt",
    "model.xgb",
    "model.json",
    "model.ubj",
    "model.pkl",
)


def open_file(path: Path, *, trust: bool) -> Any:
    """What a model's file holds: a library's object, or an ONNX proto.

    Raises
    ------
    GivenError
        ``bring``: no such file, too large, of an unknown kind, one that runs
        code and is not trusted, or not what its name says.
    """
    suffix = path.suffix.lower()
    if not path.is_file():
        raise cannot(str(path), "is not there")
    if suffix not in SUFFIXES:
        raise cannot(path.name, f"ends in {suffix or 'nothing'}", f"known are {', '.join(SUFFIXES)}")
    limit = MAX_ONNX_BYTES if suffix == ".onnx" else MAX_FILE_BYTES
    if path.stat().st_size > limit:
        raise cannot(path.name, f"has {path.stat().st_size >> 20} MB; at most {limit >> 20} are read")
    if suffix in PICKLES and not trust:
        raise cannot(path.name, "is a pickle", TRUST)
    try:
        return _read(path, suffix)
    except ImportError as error:
        raise cannot(path.name, f"needs a library that is not installed here: {error.name}") from error
    # What libraries raise for a broken file has no base in common.
    except Exception as error:
        raise cannot(path.name, f"can't be read as {SUFFIXES[suffix]}: {str(error).strip()[:200]}") from error


def _read(path: Path, suffix: str) -> Any:
    if suffix in PICKLES:
        return _unpickle(path)
    if suffix in (".txt", ".lgb"):
        import lightgbm  # noqa: PLC0415 - each of these is slow to import

        return lightgbm.Booster(model_file=path)
    if suffix in (".json", ".ubj", ".xgb"):
        import xgboost  # noqa: PLC0415

        return xgboost.Booster(model_file=path)
    if suffix == ".onnx":
        import onnx  # noqa: PLC0415

        return onnx.load_model_from_string(path.read_bytes())  # never the files that it names
    import torch  # noqa: PLC0415

    return torch.jit.load(str(path), map_location="cpu")


def _unpickle(path: Path) -> Any:
    import joblib  # type: ignore[import-untyped]  # noqa: PLC0415
    from sklearn.exceptions import InconsistentVersionWarning  # noqa: PLC0415

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        model = joblib.load(path)
    for warning in said:
        if issubclass(warning.category, InconsistentVersionWarning):
            raise ValueError(str(warning.message).split(" This")[0])
    return model


def read_pointer(path: Path) -> tuple[str, str]:
    """The URI of a model, and the registry that it is in, from a file that says so.

    Raises
    ------
    GivenError
        ``bring``: it does not say both.
    """
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise cannot(path.name, f"can't be read: {error}") from error
    if len(lines) != 2:
        instead = "write models:/NAME/VERSION, and on the next line the registry's folder or URI"
        raise cannot(path.name, f"has {len(lines)} lines", instead)
    uri, registry = lines
    return uri, registry if "://" in registry else str((path.parent / registry).resolve())


def fetch_mlflow(uri: str, registry: str, folder: Path) -> Path:
    """The file of a registered model, copied into a folder.

    Parameters
    ----------
    uri
        ``models:/NAME/VERSION``, or any other that MLflow knows.
    registry
        A folder or a URI of MLflow's tracking store.

    Raises
    ------
    GivenError
        ``bring``: MLflow is not installed, knows no such model, or keeps it in a form that is not read.
    """
    for name in MLFLOW_SETTINGS:
        os.environ.setdefault(name, "true")
    try:
        import mlflow  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise cannot(uri, "is in MLflow, which is not installed", "install nearside[mlflow]") from error
    mlflow.set_tracking_uri(registry)
    mlflow.set_registry_uri(registry)
    try:
        local = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=str(folder)))
    except Exception as error:
        raise cannot(uri, f"can't be had from {registry}: {str(error).strip()[:200]}") from error
    found = [path for name in MLFLOW_FILES for path in sorted(local.rglob(name))]
    if not found:
        held = ", ".join(sorted(path.name for path in local.rglob("*") if path.is_file()))
        raise cannot(
            uri, f"holds no model that is read here, but {held}", f"log it as {', '.join(MLFLOW_FILES)}"
        )
    return found[0]

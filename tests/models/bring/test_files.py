"""Which files are opened: none that runs code without being trusted, none that is too large or broken."""

from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.linear_model import Ridge

from edge.errors import GivenError
from models.bring import files
from models.bring.files import fetch_mlflow, open_file
from models.bring.prediction import bring_file, bring_mlflow

ROWS = np.random.default_rng(0).normal(size=(50, 2))


@pytest.fixture
def pickled(tmp_path: Path) -> Path:
    path = tmp_path / "model.joblib"
    joblib.dump(Ridge().fit(ROWS, ROWS[:, 0]), path)
    return path


def test_pickles_are_opened_where_they_are_trusted(pickled: Path) -> None:
    with pytest.raises(GivenError, match=r"is a pickle; reading it runs the code in it .*`pickle: trusted`"):
        bring_file("score", pickled, ("a", "b"))
    assert bring_file("score", pickled, ("a", "b"), trust=True).card["source"] == "Ridge"


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("model.h5", b"", "ends in .h5; known are .joblib"),
        ("model", b"", "ends in nothing"),
        ("model.joblib", b"\x80\x04oops", "can't be read as scikit-learn"),
        ("model.txt", b"tree", "can't be read as LightGBM"),
        ("model.json", b"{}", "can't be read as XGBoost"),
        ("model.onnx", b"\xff\xff\xff", "can't be read as ONNX"),
    ],
)
def test_what_is_no_model_is_said(name: str, body: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(body)
    with pytest.raises(GivenError, match=said):
        open_file(tmp_path / name, trust=True)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(GivenError, match="is not there"):
        open_file(tmp_path / "model.onnx", trust=False)


def test_500_mb_are_refused_before_they_are_read(tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    with path.open("wb") as file:
        file.truncate(500 << 20)
    with pytest.raises(GivenError, match="has 500 MB; at most 64 are read"):
        open_file(path, trust=True)


def test_a_model_comes_from_a_registry(
    pickled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    mlflow = pytest.importorskip("mlflow", reason="MLflow is an extra")
    registry = str(tmp_path / "registry")
    client = mlflow.MlflowClient(registry, registry)
    run = client.create_run(client.create_experiment("shop"))
    client.log_artifact(run.info.run_id, str(pickled.rename(tmp_path / "model.pkl")), "model")
    client.create_registered_model("buys")
    client.create_model_version("buys", f"{run.info.artifact_uri}/model", run.info.run_id)
    brought = bring_mlflow("score", "models:/buys/1", registry, ("a", "b"), trust=True)
    assert brought.card["source"] == "Ridge"
    with pytest.raises(GivenError, match="models:/sells/1 can't be had from"):
        fetch_mlflow("models:/sells/1", registry, tmp_path)


def test_a_registry_without_mlflow_names_the_extra(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(files.__dict__["__builtins__"], "__import__", _no_mlflow(__import__))
    with pytest.raises(GivenError, match=r"install nearside\[mlflow\]"):
        fetch_mlflow("models:/buys/1", "registry", tmp_path)


def _no_mlflow(real):  # type: ignore[no-untyped-def]
    def importing(name, *rest):  # type: ignore[no-untyped-def]
        if name == "mlflow":
            raise ImportError(name)
        return real(name, *rest)

    return importing

"""Certificates of predictions: over training rows, with values missing and never seen."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from compiler.build import compile_workspace
from compiler.models.certificate_words import certificate_line
from compiler.models.hoist import hoist_predictions
from compiler.predictions.certificate import EACH, run, tried
from compiler.predictions.graph import PredictionSpec, join
from compiler.problems import Problem, WorkspaceError
from compiler.types import Workspace
from compiler.workspace import read_workspace
from edge.bundle import format as fmt
from edge.bundle.certificate import ModelCertificate, load_certificate
from edge.bundle.features import Feature
from edge.bundle.reader import open_bundle
from edge.errors import GivenError
from models.predict import recipe
from models.predict.contract import Prediction
from models.predict.table import Table
from tests.workspaces.predicting import SITE, make_predicting, predictions


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return read_workspace(make_predicting(tmp_path_factory.mktemp("shop") / "workspace"))


@pytest.fixture(scope="module")
def trained(workspace: Workspace) -> dict[str, Prediction]:
    found = predictions(workspace)
    rows = np.random.default_rng(2).normal(size=(50, 2)).astype(np.float32)
    return {**found, "segment": replace(found["segment"], sample={"rows": rows})}


def _certified(
    workspace: Workspace, trained: dict[str, Prediction], out: Path
) -> dict[str, ModelCertificate]:
    compile_workspace(workspace, {}, out, trained)
    certificate = load_certificate(open_bundle(out, SITE))
    assert certificate is not None
    return {model.name: model for model in certificate.models}


def _rule(condition: str) -> dict[str, str | None]:
    show = "placement: hero, show: {content: offer}"
    return {"rules/more.yaml": f"campaigns:\n- {{id: r, audience: {{model.buy: {condition}}}, {show}}}\n"}


def _off(model: Prediction, by: float) -> Prediction:
    def reference(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        return model.reference(rows) + np.float32(by)

    return replace(model, reference=reference)


def test_predictions_are_certified(
    workspace: Workspace, trained: dict[str, Prediction], tmp_path: Path
) -> None:
    found = _certified(workspace, trained, tmp_path / "bundle")
    buy, segment = found["buy"], found["segment"]
    assert buy.parity.rows == 400 + 2 * 400 // EACH
    assert buy.parity.error <= 2.0**-17
    assert (buy.parity.top, buy.parity.agreement, buy.parity.flips) == (0, 1, 0)
    assert buy.parity.thresholds == (0.5,)
    assert segment.parity.thresholds == (), "the greatest decides"
    assert buy.cost.candidates == 1
    assert buy.cost.operations > 0
    assert fmt.is_digest(buy.code)
    line = certificate_line(buy)
    assert "on 480 real rows" in line
    assert "0 decided differently by 0.5; " in line
    assert line.endswith("operations a visitor")


def test_thresholds_are_those_of_rules(
    workspace: Workspace, trained: dict[str, Prediction], tmp_path: Path
) -> None:
    folder = make_predicting(tmp_path / "workspace", _rule("{$gt: 0.25, $lt: 0.75}"))
    found = _certified(read_workspace(folder), trained, tmp_path / "bundle")
    assert [round(cut, 6) for cut in found["buy"].parity.thresholds] == [0.25, 0.5, 0.75]


def test_a_prediction_that_is_not_its_model_is_refused(
    workspace: Workspace, trained: dict[str, Prediction], tmp_path: Path
) -> None:
    wrong = {**trained, "buy": _off(trained["buy"], 0.125)}
    with pytest.raises(WorkspaceError) as caught:
        compile_workspace(workspace, {}, tmp_path / "bundle", wrong)
    (problem,) = (one for one in caught.value.problems if one.code == "parity")
    assert isinstance(problem, Problem)
    assert problem.path == "models/buy.yaml"
    assert "the error is 0.12" in problem.message
    assert "1e-05 is allowed" in problem.message


def test_small_differences_flip_decisions_near_a_threshold(
    workspace: Workspace, trained: dict[str, Prediction], tmp_path: Path
) -> None:
    near = _off(trained["buy"], -5e-6)
    rows = near.sample["rows"]
    cut = float(np.sort(near.reference(rows)[:, 0])[200]) + 2e-6
    folder = make_predicting(tmp_path / "workspace", _rule(f"{{$gte: {cut}}}"))
    found = _certified(read_workspace(folder), {**trained, "buy": near}, tmp_path / "bundle")
    assert found["buy"].parity.flips > 0
    assert found["buy"].parity.agreement < 1


def test_rows_are_tried_with_values_missing_and_never_seen() -> None:
    rows = np.arange(40, dtype=np.float32).reshape(20, 2)
    found = tried(rows)
    assert np.array_equal(found[:20], rows)
    assert np.isnan(found[20:22]).sum() == 2
    assert (found[22:] > rows.max()).sum() == 2
    assert len(tried(np.zeros((0, 3), np.float32))) == 0


def test_a_prediction_over_the_budget(
    workspace: Workspace, trained: dict[str, Prediction], tmp_path: Path
) -> None:
    site = (workspace.folder / "site.yaml").read_text() + "budgets: {model: {operations: 3}}\n"
    folder = make_predicting(tmp_path / "workspace", {"site.yaml": site})
    with pytest.raises(WorkspaceError) as caught:
        compile_workspace(read_workspace(folder), {}, tmp_path / "bundle", trained)
    assert {problem.code for problem in caught.value.problems} == {"budget"}
    assert {problem.path for problem in caught.value.problems} == {"site.yaml"}


def test_a_prediction_s_own_budget_is_the_one_that_holds(
    workspace: Workspace, trained: dict[str, Prediction], tmp_path: Path
) -> None:
    site = (workspace.folder / "site.yaml").read_text() + "budgets: {model: {operations: 3}}\n"
    buy = (workspace.folder / "models/buy.yaml").read_text()
    names = [f"models/{name}.yaml" for name in trained]
    written = {name: (workspace.folder / name).read_text() for name in names}
    roomy = {name: text + "budget: {operations: 9999}\n" for name, text in written.items()}
    folder = make_predicting(tmp_path / "one", {"site.yaml": site, **roomy})
    compile_workspace(read_workspace(folder), {}, tmp_path / "bundle", trained)
    tight = {"models/buy.yaml": buy + "budget:\n  kB: 0.5\n"}
    folder = make_predicting(tmp_path / "two", tight)
    with pytest.raises(WorkspaceError) as caught:
        compile_workspace(read_workspace(folder), {}, tmp_path / "bundle", trained)
    (found,) = caught.value.problems
    assert (found.path, found.line, found.code) == ("models/buy.yaml", buy.count("\n") + 1, "budget")
    assert "model 'buy' takes" in found.message
    assert "`nearside compress` shows what each costs in quality" in found.hint


@pytest.mark.parametrize("name", ["boosting", "forest", "logistic", "mlp"])
def test_recipes_hold_with_values_missing_and_never_seen(name: str) -> None:
    """What the gate asks of every model, without a bundle around it."""
    draw = np.random.default_rng(3)
    rows = draw.normal(size=(300, 3)).astype(np.float32)
    rows[draw.random(rows.shape) < 0.1] = np.nan
    labels = (np.nan_to_num(rows).sum(axis=1) + draw.normal(size=300) > 0).astype(np.float32)
    features = {f"f{n}": Feature(f"f{n}", "number", attribute=f"a{n}") for n in range(3)}
    model = recipe.train("buy", name, Table(tuple(features), rows, labels))
    joined = join({"buy": model}, [PredictionSpec("buy", tuple(features))], features)
    found = tried(model.sample["rows"])
    assert np.abs(run(joined, "buy", found) - model.reference(found)).max() <= 1e-5


def test_texts_are_certified_as_rows_of_hashed_words(tmp_path: Path) -> None:
    texts = tuple(f"{('red shoe', 'loud radio')[n % 2]} {n}" for n in range(60))
    labels = np.array([n % 2 for n in range(60)], np.float32)
    table = Table.of_texts("query", texts, labels, classes=("shoes", "sound"))
    model = recipe.train("want", "intent", table, {"words": 256})
    assert model.sample["rows"].shape == (60, 256)
    joined = join({"want": model}, [PredictionSpec("want", (), text="query")], {})
    assert joined.arrays == {}
    found = model.sample["rows"]
    assert np.abs(run(joined, "want", found) - model.reference(found)).max() <= 1e-5
    recipe.save(model, tmp_path / "want")
    assert np.array_equal(recipe.load(tmp_path / "want").sample["rows"], model.sample["rows"])


def test_large_constants_of_predictions_become_arrays() -> None:
    texts = tuple(f"{('red shoe', 'loud radio', 'old cheese')[n % 3]} {n}" for n in range(60))
    labels = np.array([n % 3 for n in range(60)], np.float32)
    table = Table.of_texts("query", texts, labels, classes=("shoes", "sound", "food"))
    model = recipe.train("want", "intent", table, {"words": 4096})
    specs = [PredictionSpec("want", (), text="query")]
    with pytest.raises(GivenError, match="make it an array"):
        join({"want": model}, specs, {})
    joined = join(hoist_predictions({"want": model}), specs, {})
    assert sum(array.nbytes for array in joined.arrays["predictions/want"].values()) >= 4096 * 3 * 4
    assert len(joined.graph) < 16_000
    rows = model.sample["rows"]
    assert np.abs(run(joined, "want", rows) - model.reference(rows)).max() <= 1e-5

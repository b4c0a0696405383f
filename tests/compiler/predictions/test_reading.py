"""Models that predict: what is wrong with their files is told, and what is compiled fits what was trained."""
# ruff: noqa: E501 -- the table of cases reads best with one case in a line

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from compiler.build import compile_workspace
from compiler.features.oracle import rows_of
from compiler.predictions.graph import PredictionSpec, join
from compiler.problems import Problem
from compiler.types import Workspace
from compiler.workspace import WorkspaceError, read_workspace
from edge.bundle.reader import open_bundle
from edge.errors import GivenError
from models.predict.contract import Prediction
from tests.compiler.json_schema import accepts
from tests.compiler.schema.test_documents import SCHEMAS, _plain
from tests.workspaces.make import make_bundle
from tests.workspaces.predicting import FILES, make_predicting, make_predicting_bundle, predictions, segments

ROOT = Path(__file__).resolve().parents[3]
BUY = FILES["models/buy.yaml"]


def _problems(folder: Path, changes: Mapping[str, str | None]) -> list[Problem]:
    try:
        return list(read_workspace(make_predicting(folder, changes)).warnings)
    except WorkspaceError as error:
        return list(error.problems)


def _buy(old: str, new: str) -> Mapping[str, str]:
    assert old in BUY
    return {"models/buy.yaml": BUY.replace(old, new)}


def _rule(audience: str) -> Mapping[str, str]:
    return {
        "rules/more.yaml": f"campaigns:\n- id: more\n  audience: {audience}\n  placement: hero\n  show: {{content: offer}}\n"
    }


# Changes, the place and code of the one error, a part of what is said, and whether a schema can tell.
BROKEN: Mapping[str, tuple[Mapping[str, str], str, str, str, bool]] = {
    "unknown feature": (_buy("[pages, kind]", "[pages, kinds]"), "models/buy.yaml:4", "unknown-name", "did you mean 'kind'", False),
    "feature twice": (_buy("[pages, kind]", "[pages, pages]"), "models/buy.yaml:4", "bad-value", "twice", True),
    "no features": (_buy("features: [pages, kind]\n", ""), "models/buy.yaml:1", "missing-key", "features", True),
    "no such file": (_buy("data/sessions.csv", "data/none.csv"), "models/buy.yaml:2", "missing", "data/none.csv", False),
    "one output": (_buy("label", "outputs: [a]\nlabel"), "models/buy.yaml:3", "bad-value", "2 to", True),
    "bad output": (_buy("label", "outputs: [a, B b]\nlabel"), "models/buy.yaml:3", "bad-id", "B b", True),
    "no recipe": (_buy("recipe: logistic\n", ""), "models/buy.yaml:1", "missing-key", "recipe", True),
    "unknown model": (_rule("{model.bye: {$gt: 0}}"), "rules/more.yaml:3", "condition/attribute", "model.buy", False),
    "unknown output": (_rule("{model.segment.else: {$gt: 0}}"), "rules/more.yaml:3", "condition/attribute", "model.segment", False),
    "a number as a text": (_rule("{model.buy: likely}"), "rules/more.yaml:3", "condition/type", "number", False),
    "a name of ours": ({"site.yaml": FILES["site.yaml"] + '  model.x: {type: number, source: "cookie:x"}\n'}, "site.yaml:6", "bad-id", "Nearside", True),
    "a hole": ({"content/offer.html": "<p>{{model.buy}}</p>\n"}, "content/offer.html:1", "unknown-name", "model.buy", False),
}  # fmt: skip


@pytest.mark.parametrize("case", BROKEN)
def test_a_mistake_is_told_with_its_place(case: str, tmp_path: Path) -> None:
    changes, place, code, said, _ = BROKEN[case]
    found = [p for p in _problems(tmp_path, changes) if p.severity == "error"]
    assert found, case
    problem = found[0]
    assert (f"{problem.path}:{problem.line}", problem.code) == (place, code)
    assert said in f"{problem.message} {problem.hint}"


@pytest.mark.parametrize("case", [case for case in BROKEN if "models/buy.yaml" in BROKEN[case][0]])
def test_the_schema_refuses_what_it_can_tell(case: str, tmp_path: Path) -> None:
    changes, *_, tells = BROKEN[case]
    document = _plain(make_predicting(tmp_path, changes), "models/buy.yaml")
    assert accepts(SCHEMAS["model"], document) != tells


def test_what_nobody_reads_is_told(tmp_path: Path) -> None:
    rules = "campaigns:\n  - {id: any, placement: hero, show: {content: offer}}\n"
    features = FILES["features.yaml"] + "  more: {attribute: device.type, present: true}\n"
    found = _problems(tmp_path, {"rules/rules.yaml": rules, "features.yaml": features})
    unused = [(p.path, p.line) for p in found if p.code == "unused" and "content" not in p.path]
    assert unused == [("features.yaml", 5), ("models/buy.yaml", 0), ("models/segment.yaml", 0)]


def test_a_segment_that_there_is_not_is_told(tmp_path: Path) -> None:
    (problem,) = [
        p for p in _problems(tmp_path, _rule("{model.segment: bargains}")) if p.code == "unknown-value"
    ]
    assert "bargain" in problem.hint


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return read_workspace(make_predicting(tmp_path_factory.mktemp("predicting")))


@pytest.fixture(scope="module")
def trained(workspace: Workspace) -> dict[str, Prediction]:
    return predictions(workspace)


def _refusal(workspace: Workspace, trained: Mapping[str, Prediction], out: Path) -> Problem:
    with pytest.raises(WorkspaceError) as caught:
        compile_workspace(workspace, {}, out, trained)
    (problem,) = [p for p in caught.value.problems if p.severity == "error"]
    return problem


def test_what_is_untrained_or_stale_is_refused(
    workspace: Workspace, trained: dict[str, Prediction], tmp_path: Path
) -> None:
    bent = {name: prediction for name, prediction in trained.items() if name != "buy"}
    assert _refusal(workspace, bent, tmp_path / "b").code == "untrained"
    features = read_workspace(
        make_predicting(
            tmp_path / "w", {"features.yaml": FILES["features.yaml"].replace("missing: 0", "missing: 1")}
        )
    )
    with pytest.raises(WorkspaceError, match="trained with other features"):
        compile_workspace(features, {}, tmp_path / "b", trained)
    others = {**trained, "buy": replace(trained["buy"], card={**trained["buy"].card, "recipe": "forest"})}
    assert "forest" in _refusal(workspace, others, tmp_path / "b").message
    more = {**trained, "segment": replace(trained["segment"], outputs=("a", "b", "c"))}
    assert "outputs: [a, b, c]" in _refusal(workspace, more, tmp_path / "b").hint


def test_a_winner_of_outputs_that_do_not_compete_is_refused(
    workspace: Workspace, trained: dict[str, Prediction], tmp_path: Path
) -> None:
    others = {**trained, "segment": replace(trained["segment"], names_winner=False)}
    problem = _refusal(workspace, others, tmp_path / "b")
    assert (problem.path, problem.line) == ("rules/rules.yaml", 5)
    assert "model.segment.bargain" in problem.hint


def test_a_graph_of_another_width_is_refused(workspace: Workspace, trained: dict[str, Prediction]) -> None:
    specs = [PredictionSpec("segment", ("pages", "known", "kind"))]
    with pytest.raises(GivenError, match="takes in 2 numbers, and its features are 4"):
        join(trained, specs, workspace.features.by_name)


def test_the_joined_graph_gives_what_references_give(
    workspace: Workspace, trained: dict[str, Prediction], tmp_path: Path
) -> None:
    """The golden rows are made by the reference, and compiling checks them against the edge's runtime."""
    compile_workspace(workspace, {}, tmp_path / "b", trained)
    wrong = replace(trained["segment"], reference=lambda rows: np.full((len(rows), 3), 0.5, np.float32))
    with pytest.raises(GivenError, match="'segment' answers"):
        compile_workspace(workspace, {}, tmp_path / "b", {**trained, "segment": wrong})


def test_the_oracle_of_features_is_the_definition(workspace: Workspace) -> None:
    features = workspace.features.by_name
    columns = (features["kind"].column, features["pages"].column)
    rows = rows_of(("pages", "kind", "known"), features, columns, [(1.0, 3.0), (2.0, float("nan"))])
    np.testing.assert_allclose(rows, [[np.log(4), 0, 1, 1], [0, 0, 0, 0]], rtol=1e-6)


def test_a_bundle_without_predictions_has_nothing_of_them(tmp_path: Path) -> None:
    bundle = open_bundle(make_bundle(tmp_path), "films")
    kinds = {artifact.kind for manifest in bundle.manifests.values() for artifact in manifest.artifacts}
    assert not [kind for kind in kinds if kind.startswith("prediction")]
    assert "golden" in kinds


def test_rules_require_the_predictions_that_they_read(tmp_path: Path) -> None:
    rules = "campaigns:\n  - {id: any, audience: {model.buy: {$gt: 0}}, placement: hero, show: {content: offer}}\n"
    manifests = make_predicting_bundle(tmp_path, {"rules/rules.yaml": rules}).manifests
    assert sorted(manifests["models"].provides) == ["prediction/buy", "prediction/segment"]
    assert sorted(manifests["rules"].requires) == ["prediction/buy"]


def test_the_same_bytes_in_another_process(tmp_path: Path) -> None:
    here = make_predicting_bundle(tmp_path / "here").id
    code = f"from pathlib import Path; from tests.workspaces.predicting import *; print(make_predicting_bundle(Path({str(tmp_path / 'there')!r})).id)"
    environment = {**os.environ, "PYTHONHASHSEED": "7", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.strip() == here


def test_segments_are_what_the_tests_take_them_for(workspace: Workspace) -> None:
    answers = segments(workspace).reference(np.array([[4, 1], [0, 0]], np.float32))
    assert answers.argmax(axis=1).tolist() == [2, 0]

"""A recommender that was trained elsewhere: from a file in a workspace to what pages list."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

from compiler.build import compile_workspace
from compiler.problems import WorkspaceError
from compiler.workspace import read_workspace
from origin.commands.root import app
from origin.training.recommenders import load_trained, train_workspace
from tests.models.bring.test_scorers import scorer
from tests.workspaces.make import make_workspace

ITEMS = ("alien", "brazil", "casablanca", "dune", "eva", "fargo", "gilda", "heat")
TASTE = "recipe: brought\ninteractions: interactions.csv\nfallback: popular\n"
SCORER = TASTE + "model: data/taste.onnx\nitems: data/items.txt\n"
ALIKE = "item,other,score\nalien,heat,1\nalien,dune,0.5\ndune,alien,0.5\nheat,fargo,2\nheat,solaris,3\n"
RECOMMENDER = "model: taste\nfallback: popular\nonly:\n  - {where: {item.genre: {$ne: noir}}}\n"


def _workspace(folder: Path, taste: str, changes: dict[str, str] | None = None) -> Path:
    made = make_workspace(folder, {"models/taste.yaml": taste, **(changes or {})})
    (made / "data").mkdir(exist_ok=True)
    (made / "data/items.txt").write_text("".join(f"{item}\n" for item in (*ITEMS[::-1], "solaris")))
    onnx.save_model(scorer(9), made / "data/taste.onnx")
    (made / "data/alike.csv").write_text(ALIKE)
    return made


def _run(*arguments: str) -> str:
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def _listed(bundle: Path, tmp_path: Path, history: list[str]) -> list[str]:
    context = tmp_path / "context.json"
    context.write_text(json.dumps({"history": history, "attributes": {}}))
    slots = json.loads(_run("decide", str(bundle), "--context", str(context)))["slots"]
    return [item for slot in slots if slot["placement"] == "recommended" for item in slot["items"]]


def test_a_scorer_from_a_file_to_a_list(tmp_path: Path) -> None:
    folder, bundle = _workspace(tmp_path / "w", SCORER), tmp_path / "b"
    told = _run("train", str(folder))
    assert "taste: 8 of the catalog's 8 items, 1 item that the catalog lacks" in " ".join(told.split())
    report = _run("compile", str(folder), "-o", str(bundle))
    assert "model taste (brought): on" in report
    assert "equal to its reference" in report
    listed = _listed(bundle, tmp_path, ["alien", "heat"])
    proto = scorer(9)
    scores = onnx.reference.ReferenceEvaluator(proto).run(None, {"history": np.array([[7, 0]])})[0][0]
    best = [ITEMS[::-1][place] for place in np.argsort(-scores[:8]) if place not in (7, 0)]
    assert listed == best[:4]


def test_behind_a_recommender_with_rules_of_its_own(tmp_path: Path) -> None:
    campaigns = {"recommenders/mine.yaml": RECOMMENDER}
    made = _workspace(tmp_path / "w", TASTE + "model: data/alike.csv\n", campaigns)
    rules = made / "rules/campaigns.yaml"
    rules.write_text(rules.read_text().replace("recommender: taste", "recommender: mine"))
    _run("train", str(made))
    _run("compile", str(made), "-o", str(tmp_path / "b"))
    listed = _listed(tmp_path / "b", tmp_path, ["heat", "alien"])
    assert listed[:2] == ["fargo", "dune"]  # what it knows; then what is popular, and none that is noir
    assert len(listed) == 4
    assert "gilda" not in listed


def test_the_same_files_compile_to_the_same_bytes(tmp_path: Path) -> None:
    made = _workspace(tmp_path / "w", SCORER)
    bundles = []
    for name in ("one", "two"):
        workspace = read_workspace(made)
        list(train_workspace(workspace, split="none"))
        compile_workspace(workspace, load_trained(workspace), tmp_path / name)
        bundles.append((tmp_path / name / "models.manifest").read_bytes())
    assert bundles[0] == bundles[1]


def test_a_file_that_has_changed_since_is_told(tmp_path: Path) -> None:
    made, bundle = _workspace(tmp_path / "w", TASTE + "model: data/alike.csv\n"), str(tmp_path / "b")
    _run("train", str(made))
    assert "has changed since" not in _run("compile", str(made), "-o", bundle)
    (made / "data/alike.csv").write_text(ALIKE + "eva,alien,1\n")
    told = " ".join(_run("compile", str(made), "-o", bundle).split())
    assert "alike.csv has changed since model 'taste' was brought from it" in told


@pytest.mark.parametrize(
    ("taste", "said"),
    [
        (TASTE, "`model` names no file"),
        (TASTE + "model: data/none.onnx\nitems: data/items.txt\n", "data/none.onnx is not there"),
        (TASTE + "model: data/taste.onnx\n", "says nothing of its items"),
        (SCORER + "smallest: {lose: 50%}\n", "nobody is in both parts|keeps its numbers as they are"),
        (TASTE + "model: data/alike.csv\nitems: data/items.txt\n", "names its items itself"),
    ],
)
def test_what_is_wrong_is_said_of_the_models_file(taste: str, said: str, tmp_path: Path) -> None:
    workspace = read_workspace(_workspace(tmp_path, taste))
    with pytest.raises(WorkspaceError, match=said) as caught:
        list(train_workspace(workspace, ["taste"]))
    assert caught.value.problems[0].path == "models/taste.yaml"
    assert caught.value.problems[0].line == 1


def test_unknown_settings_are_told_where_they_stand(tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["validate", str(_workspace(tmp_path, SCORER + "lenght: any\n"))])
    assert "models/taste.yaml:6" in told.output
    assert "did you mean 'length'" in " ".join(told.output.split())

"""A model that was fitted elsewhere: from a file in a workspace to an attribute that rules go by."""

import json
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from typer.testing import CliRunner

from compiler.problems import WorkspaceError
from compiler.workspace import read_workspace
from origin.commands.root import app
from origin.training.predictions import load_predictions, train_predictions
from tests.workspaces.predicting import make_predicting

MODEL = """\
recipe: brought
data: data/buys.joblib
features: [pages, kind]
pickle: trusted
rows: data/sample.csv
"""
RULES = """\
campaigns:
  - {id: likely, audience: likely, placement: hero, show: {content: offer}}
  - {id: plain, placement: hero, priority: -1, show: {content: plain}}
audiences:
  likely: {model.buys: {$gte: 0.5}}
"""


def _workspace(folder: Path, model: str = MODEL) -> Path:
    changes = {"models/segment.yaml": None, "models/buy.yaml": None, "rules/rules.yaml": RULES}
    features = "features:\n  pages: {attribute: session.pages, missing: 0}\n"
    features += "  kind: {attribute: session.kind, code: [new, known]}\n"
    sample = "session.pages,session.kind\n3,new\n40,known\n,new\n"
    more = {"features.yaml": features, "data/sample.csv": sample, "models/buys.yaml": model}
    made = make_predicting(folder, {**changes, **more, "data/buys.joblib": ""})
    rows = np.random.default_rng(0).random((200, 2)) * [50, 2]
    fitted = LogisticRegression().fit(np.floor(rows), rows[:, 0] > 25)
    joblib.dump(fitted, made / "data" / "buys.joblib")
    return made


def _run(*arguments: str) -> str:
    done = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_from_a_file_to_a_decision(tmp_path: Path) -> None:
    folder, out = _workspace(tmp_path / "w"), str(tmp_path / "b")
    told = " ".join(_run("train", str(folder)).split())
    assert "buys: LogisticRegression; on 3 real rows, 0 with a value missing and" in told
    assert "it has no answer where a value is missing" in told
    (kept,) = load_predictions(read_workspace(folder)).values()
    assert kept.card["source"] == "LogisticRegression"
    assert kept.card["parity"]["rows"] == 3
    assert "model buys (brought): on 4 real rows" in _run("compile", str(folder), "-o", out)
    context = tmp_path / "context.json"
    for attributes, campaign in (
        ({"session.pages": 48, "session.kind": "new"}, "likely"),
        ({"session.pages": 2, "session.kind": "new"}, "plain"),
        ({"session.pages": 48}, "plain"),  # no kind, so no answer
    ):
        context.write_text(json.dumps({"attributes": attributes}))
        assert json.loads(_run("decide", out, "--context", str(context)))["slots"][0]["campaign"] == campaign


@pytest.mark.parametrize(
    ("model", "said"),
    [
        (MODEL.replace("pickle: trusted\n", ""), "write `pickle: trusted`"),
        (MODEL.replace("[pages, kind]", "[pages]"), "takes 2 features, and 1 are named"),
    ],
)
def test_what_is_wrong_is_said_of_the_models_file(model: str, said: str, tmp_path: Path) -> None:
    workspace = read_workspace(_workspace(tmp_path, model))
    with pytest.raises(WorkspaceError, match=said) as caught:
        list(train_predictions(workspace))
    assert caught.value.problems[0].path == "models/buys.yaml"


def test_a_file_that_has_changed_since_is_told(tmp_path: Path) -> None:
    folder, out = _workspace(tmp_path / "w"), str(tmp_path / "b")
    _run("train", str(folder))
    assert "has changed since" not in _run("compile", str(folder), "-o", out)
    model = folder / "data/buys.joblib"
    joblib.dump(joblib.load(model), model, compress=3)
    told = " ".join(_run("compile", str(folder), "-o", out).split())
    assert (
        "buys.joblib has changed since model 'buys' was brought from it (run `nearside train` again)" in told
    )

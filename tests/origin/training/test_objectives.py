"""Predictions weighed against each other, on rows that no model has seen."""

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

from compiler.problems import WorkspaceError
from compiler.workspace import read_workspace
from models.predict.frontier import frontier
from origin.commands.root import app
from origin.training.objectives import weigh
from tests.workspaces.predicting import FILES, make_predicting


def visits() -> str:
    """Whoever sees many pages buys, and returns it; new visitors who see few spend most."""
    draw = np.random.default_rng(6)
    lines = ["session.pages,session.kind,bought,spent,returned"]
    for _ in range(800):
        pages, new = int(draw.integers(0, 40)), bool(draw.integers(2))
        bought = draw.random() < pages / 50
        spent = 30 * new - pages / 2 + draw.normal(0, 3)
        returned = bought and draw.random() < 0.5
        lines.append(f"{pages},{'new' if new else 'returning'},{int(bought)},{spent:.2f},{int(returned)}")
    return "\n".join(lines) + "\n"


MODEL = "recipe: {}\ndata: data/visits.csv\nlabel: {}\nfeatures: [pages, kind]\n"
CHANGES = {
    "data/visits.csv": visits(),
    "models/buy.yaml": MODEL.format("logistic", "bought"),
    "models/spend.yaml": MODEL.format("boosting", "spent") + "objective: amount\nrounds: 40\n",
    "models/return.yaml": MODEL.format("logistic", "returned"),
    "models/segment.yaml": FILES["models/segment.yaml"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_predicting(tmp_path_factory.mktemp("objectives"), CHANGES)


def test_each_end_is_best_for_its_own_objective(folder: Path) -> None:
    found = weigh(read_workspace(folder), ["buy", "spend"], 0.2)
    by_spend, *_, by_purchase = found.points
    assert by_purchase.weights == {"buy": 1.0, "spend": 0.0}
    assert by_purchase.outcomes["buy"] > by_spend.outcomes["buy"] + 0.1
    assert by_spend.outcomes["spend"] > by_purchase.outcomes["spend"] + 5
    assert 150 < found.rows < 250
    assert any(point.is_best for point in found.points[1:-1])


def test_less_of_what_is_bad_is_better(folder: Path) -> None:
    found = weigh(read_workspace(folder), ["spend", "return"], 0.3, ["return"])
    careful, *_, greedy = found.points
    assert careful.weights["return"] == 1.0
    assert careful.worth["return"] < 0 <= careful.worth["spend"]
    assert careful.outcomes["return"] < greedy.outcomes["return"]


def test_worth_orders_rows_as_the_mix_does() -> None:
    draw = np.random.default_rng(1)
    scores = {"click": draw.random(500) / 100, "spend": draw.random(500) * 80}
    for point in frontier(scores, scores, 0.1):
        total = sum(point.worth[name] * values for name, values in scores.items())
        chosen = np.argsort(-np.asarray(total), kind="stable")[:50]
        assert point.outcomes["spend"] == pytest.approx(scores["spend"][chosen].mean())


def test_the_command_prints_what_to_write(folder: Path, tmp_path: Path) -> None:
    picture = tmp_path / "frontier.svg"
    asked = ["objectives", str(folder), "buy", "spend", "--picture", str(picture)]
    done = CliRunner().invoke(app, asked, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert "plus: {model.buy: " in done.output
    assert ElementTree.parse(picture).getroot().tag.endswith("svg")
    document = json.loads(CliRunner().invoke(app, [*asked, "--json"]).stdout)
    assert len(document["points"]) == 11
    assert document["points"][0].keys() == {"weights", "worth", "outcomes", "is_best"}


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["buy", "spent"], "there is no prediction 'spent'"),
        (["buy", "segment"], "other data or groups"),
    ],
)
def test_what_cannot_be_weighed_is_told(folder: Path, names: list[str], said: str) -> None:
    with pytest.raises(WorkspaceError, match=said):
        weigh(read_workspace(folder), names, 0.2)


def test_one_objective_is_none_to_weigh(folder: Path) -> None:
    for asked in (["buy"], ["buy", "buy"], ["buy", "spend", "--less", "return"]):
        done = CliRunner().invoke(app, ["objectives", str(folder), *asked])
        assert done.exit_code == 2

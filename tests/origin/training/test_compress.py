"""`nearside compress` and `smallest`: a smaller model that is as good, found, kept, compiled."""

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from typer.testing import CliRunner

from compiler.build import compile_workspace
from compiler.models.smallest import read_lose
from compiler.problems import WorkspaceError
from compiler.workspace import read_workspace
from origin.commands.root import app
from origin.training.predictions import load_predictions, train_predictions
from origin.training.recommenders import load_trained, train_workspace
from tests.workspaces.make import FILES, make_workspace
from tests.workspaces.predicting import make_predicting

TASTE = FILES["models/taste.yaml"]


def _visits() -> str:
    """Enough that some users are in each part of each part."""
    draw = np.random.default_rng(5)
    items = ["alien", "brazil", "casablanca", "dune", "eva", "fargo", "gilda", "heat"]
    rows = [
        f"user{user},{items[item]},{1_700_000_000 + 60 * user + item}"
        for user in range(30)
        for item in draw.permutation(8)[:6].tolist()
    ]
    return "user,item,timestamp\n" + "\n".join(rows) + "\n"


def _workspace(folder: Path, taste: str) -> Path:
    return make_workspace(folder, {"models/taste.yaml": taste, "interactions.csv": _visits()})


def test_the_command_shows_a_table_and_draws_a_picture(tmp_path: Path) -> None:
    folder, picture = _workspace(tmp_path / "workspace", TASTE), tmp_path / "frontier.svg"
    told = CliRunner().invoke(app, ["compress", str(folder), "taste", "--picture", str(picture)])
    assert told.exit_code == 0, told.output
    assert "smallest within the allowed loss" in told.stdout
    assert "smallest: {lose: 0.5%}" in told.stdout
    root = ElementTree.parse(picture).getroot()
    rows = told.stdout.count("int8") - ("storage: int8" in told.stdout)
    assert sum(child.tag.endswith("circle") for child in root) == rows * 3 + 1 + 3
    assert not (folder / ".trained").exists()


def test_the_frontier_as_json(tmp_path: Path) -> None:
    folder = _workspace(tmp_path / "workspace", TASTE)
    told = CliRunner().invoke(app, ["compress", str(folder), "taste", "--json", "--lose", "10%"])
    found = json.loads(told.stdout)
    assert found["lose"] == 0.1
    (chosen,) = (point for point in found["points"] if point["chosen"])
    assert chosen["best"]
    assert chosen["loss"] <= 0.1
    assert chosen["bytes"] < found["points"][0]["bytes"]


@pytest.mark.parametrize(
    "options", [["--lose", "half"], ["--lose", "51%"], ["--lose", "-1%"], ["--split", "none"]]
)
def test_what_can_not_be_meant_is_refused(tmp_path: Path, options: list[str]) -> None:
    told = CliRunner().invoke(app, ["compress", str(_workspace(tmp_path / "w", TASTE)), "taste", *options])
    assert told.exit_code == 2


def test_percentages() -> None:
    assert [read_lose(text) for text in ("0.5%", "0%", "50 %", "0.5", "50.1%", "", "%")] == [
        0.005, 0.0, 0.5, None, None, None, None,
    ]  # fmt: skip


def test_training_searches_the_smallest_where_it_is_asked_to(tmp_path: Path) -> None:
    folder = _workspace(tmp_path / "workspace", TASTE + "smallest: {lose: 20%}\n")
    workspace = read_workspace(folder)
    trained = list(train_workspace(workspace))
    card = load_trained(workspace)["taste"].card
    assert card["settings"]["storage"] != "float32"
    assert card["asked"] == {"regularization": 1}
    assert card["metrics"]["ndcg@10"] > 0
    assert [done.model.name for done in trained] == ["popular", "taste"]
    report = compile_workspace(workspace, load_trained(workspace), tmp_path / "bundle")
    assert not [problem for problem in report.warnings if problem.code == "stale-model"]
    assert report.certificate is not None
    assert report.certificate.models[1].parity.error == 0
    _workspace(folder, TASTE + "smallest: {lose: 1%}\n")
    changed = compile_workspace(read_workspace(folder), load_trained(workspace), tmp_path / "bundle")
    assert [problem.code for problem in changed.warnings] == ["stale-model"]


@pytest.mark.parametrize("wrong", ["{lose: 3}", "{lose: much}", "{}", "5%", "{lose: 1%, more: 2}"])
def test_wrong_words_are_told_with_their_line(tmp_path: Path, wrong: str) -> None:
    folder = _workspace(tmp_path / "workspace", TASTE + f"smallest: {wrong}\n")
    with pytest.raises(WorkspaceError) as caught:
        read_workspace(folder)
    assert {(problem.path, problem.line) for problem in caught.value.problems} == {("models/taste.yaml", 5)}


def test_too_few_interactions_are_a_problem_of_the_model(tmp_path: Path) -> None:
    rows = "user,item,timestamp\nu,alien,1\nv,heat,2\n"
    text = TASTE + "smallest: {lose: 1%}\n"
    folder = make_workspace(tmp_path / "w", {"models/taste.yaml": text, "interactions.csv": rows})
    with pytest.raises(WorkspaceError, match="nobody is in both parts"):
        list(train_workspace(read_workspace(folder), ["taste"]))


FOREST = "recipe: forest\ndata: data/sessions.csv\nlabel: bought\nfeatures: [pages, kind]\ntrees: 8\n"


def test_predictions_are_searched_by_what_they_tell_of_a_row(tmp_path: Path) -> None:
    folder, picture = make_predicting(tmp_path / "w", {"models/buy.yaml": FOREST}), tmp_path / "f.svg"
    asked = ["compress", str(folder), "buy", "--lose", "20%", "--picture", str(picture)]
    told = CliRunner().invoke(app, asked)
    assert told.exit_code == 0, told.output
    assert "bits a row" in told.stdout
    assert "48 leaves, 6 trees, 0.5 prune" in told.stdout
    assert "smallest: {lose: 20%}" in told.stdout
    assert "storage:" not in told.stdout
    root = ElementTree.parse(picture).getroot()
    assert sum(child.tag.endswith("circle") for child in root) == told.stdout.count(" full ") + 1 + 1
    assert not (folder / ".trained").exists()


def test_training_searches_the_smallest_prediction_where_it_is_asked_to(tmp_path: Path) -> None:
    rules = "audiences: {likely: {model.buy: {$gte: 0.5}}}\ncampaigns:\n"
    rules += "  - {id: likely, audience: likely, placement: hero, show: {content: offer}}\n"
    alone = {"models/segment.yaml": None, "rules/rules.yaml": rules}
    folder = make_predicting(tmp_path / "w", {**alone, "models/buy.yaml": FOREST + "smallest: {lose: 20%}\n"})
    workspace = read_workspace(folder)
    list(train_predictions(workspace, measure=True))
    card = load_predictions(workspace)["buy"].card
    assert card["asked"] == {"trees": 8}
    assert card["smallest"] == 0.2
    assert card["settings"]["trees"] < 8 or card["settings"]["prune"] > 0
    assert card["metrics"]["auc"]["value"] > 0.5
    assert _stale(folder, tmp_path) == []
    for changed, said in (
        (FOREST + "smallest: {lose: 1%}\n", "with another `smallest`"),
        (FOREST.replace("trees: 8", "trees: 9") + "smallest: {lose: 20%}\n", "with trees 8, not 9"),
    ):
        (folder / "models/buy.yaml").write_text(changed)
        (found,) = _stale(folder, tmp_path)
        assert said in found


def _stale(folder: Path, tmp_path: Path) -> list[str]:
    workspace = read_workspace(folder)
    report = compile_workspace(workspace, {}, tmp_path / "bundle", load_predictions(workspace))
    return [problem.message for problem in report.warnings if problem.code == "stale-model"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("recipe: logistic\n", "no setting that says how much of it is kept"),
        ("recipe: brought\n", "it was fitted elsewhere"),
    ],
)
def test_predictions_that_can_not_get_smaller_are_told(tmp_path: Path, text: str, said: str) -> None:
    rest = FOREST.partition("\n")[2].replace("trees: 8\n", "")
    if "brought" in text:
        rest = rest.replace("label: bought\n", "")
    folder = make_predicting(tmp_path / "w", {"models/buy.yaml": text + rest + "smallest: {lose: 1%}\n"})
    with pytest.raises(WorkspaceError, match=said) as caught:
        list(train_predictions(read_workspace(folder), ["buy"]))
    assert (caught.value.problems[0].path, caught.value.problems[0].line) == ("models/buy.yaml", 1)
    told = CliRunner().invoke(app, ["compress", str(folder), "buy"])
    assert told.exit_code == 1
    assert said in " ".join(told.output.split())

"""Budgets: what models may cost, by model, placement and candidates, and what is said of more."""

from pathlib import Path

import pytest
from onnx import helper

from compiler.build import compile_workspace
from compiler.models.budget_check import model_class
from compiler.problems import Problem, WorkspaceError
from compiler.workspace import read_workspace
from models.graphs.onnx_build import score_graph
from tests.workspaces.make import FILES, make_workspace, train_models

SITE, TASTE = FILES["site.yaml"], FILES["models/taste.yaml"]


def _problems(folder: Path, site: str = "", taste: str = "") -> list[Problem]:
    """Problems of the workspace whose site and model have more lines."""
    changes = {"site.yaml": SITE + site, "models/taste.yaml": TASTE + taste}
    workspace = read_workspace(make_workspace(folder / "workspace", changes))
    try:
        compile_workspace(workspace, train_models(workspace), folder / "bundle")
    except WorkspaceError as error:
        return [problem for problem in error.problems if problem.code == "budget"]
    return []


def test_small_models_are_within_the_defaults(tmp_path: Path) -> None:
    assert _problems(tmp_path) == []


def test_a_model_over_the_site_s_budget(tmp_path: Path) -> None:
    (found,) = _problems(tmp_path, "budgets:\n  model: {operations: 100}\n")
    assert (found.path, found.line) == ("site.yaml", SITE.count("\n") + 2)
    assert "model 'taste' takes " in found.message
    assert "operations a visitor, more than 100" in found.message
    assert "fewer neighbours than 200, `storage: int8`, or a larger budget" in found.hint


def test_a_model_s_own_budget_is_the_one_that_holds(tmp_path: Path) -> None:
    (found,) = _problems(tmp_path, taste="budget: {kB: 0.5}\n")
    assert (found.path, found.line) == ("models/taste.yaml", TASTE.count("\n") + 1)
    assert "kB, more than 0" in found.message
    assert _problems(tmp_path, "budgets: {model: {operations: 100}}\n", "budget: {operations: 9999}\n") == []
    left = _problems(tmp_path, "budgets: {model: {operations: 100}}\n", "budget: {kB: 9999}\n")
    assert len(left) == 1, "what it does not say is as the site says it"


def test_a_placement_counts_fallbacks_too(tmp_path: Path) -> None:
    (found,) = _problems(tmp_path, "budgets: {placement: {operations: 100}}\n")
    assert found.path == "site.yaml"
    assert "the models of placement 'recommended' (popular, taste): together they take" in found.message


def test_candidates_by_class(tmp_path: Path) -> None:
    found = _problems(tmp_path, "budgets: {candidates: {sums: 5}}\n")
    assert [problem.path for problem in found] == ["models/popular.yaml", "models/taste.yaml"]
    assert "scores 8 items for a page; sums may score 5" in found[0].message
    assert _problems(tmp_path, "budgets: {candidates: {trees: 5, network: 5}}\n") == []


@pytest.mark.parametrize(
    ("wrong", "word"),
    [("{models: {kB: 1}}", "model"), ("{model: {kb: 1}}", "kB"), ("{model: {kB: -1}}", "kB"),
     ("{candidates: {trees: 0}}", "trees"), ("{candidates: {tree: 9}}", "trees"), ("500", "mapping")],
)  # fmt: skip
def test_wrong_words_are_told(tmp_path: Path, wrong: str, word: str) -> None:
    folder = make_workspace(tmp_path / "workspace", {"site.yaml": SITE + f"budgets: {wrong}\n"})
    with pytest.raises(WorkspaceError) as caught:
        read_workspace(folder)
    (problem,) = caught.value.problems
    assert (problem.path, problem.line) == ("site.yaml", SITE.count("\n") + 1)
    assert word in problem.message + problem.hint


def test_the_class_of_a_model_is_told_by_its_operators(tmp_path: Path) -> None:
    trained = train_models(read_workspace(make_workspace(tmp_path / "workspace")))
    assert model_class(trained["taste"].scores_graph) == "sums"
    nodes = [helper.make_node("Sigmoid", ["weight"], ["scores"])]
    assert model_class(score_graph("net", 3, nodes, {}, {})) == "network"

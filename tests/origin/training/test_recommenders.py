"""Training a workspace's models: kept where the compiler finds them, measured on what came later."""

from dataclasses import replace
from pathlib import Path

import pytest

from compiler.build import compile_workspace
from compiler.problems import WorkspaceError
from compiler.workspace import Workspace, read_workspace
from edge.errors import GivenError
from origin.commands import shown
from origin.training.recommenders import load_trained, measure_baseline, model_folder, rank, train_workspace
from tests.workspaces.make import make_workspace


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return read_workspace(make_workspace(tmp_path / "workspace"))


def test_what_was_trained_compiles(workspace: Workspace, tmp_path: Path) -> None:
    heard = []
    trained = list(train_workspace(workspace, progress=lambda *step: heard.append(step)))
    assert [done.model.name for done in trained] == ["popular", "taste"]
    assert {model for model, _, _ in heard} == {"popular", "taste"}
    loaded = load_trained(workspace)
    assert set(loaded) == {"popular", "taste"}
    card = loaded["taste"].card
    counted = {"users", "users_new"}
    assert set(card["metrics"]) == {*counted, "ndcg@10", "recall@10", "map@10", "coverage", "novelty"}
    low, high = card["lists"]["ndcg@10_interval"]
    assert low <= card["metrics"]["ndcg@10"] <= high
    assert card["lists"].keys() == {"ndcg@10_interval", "gini", "exposure_gap"}
    assert card["split"] == "random"
    assert compile_workspace(workspace, loaded, tmp_path / "bundle").counts["models"] == 2


def test_evaluation_does_not_change_the_model(workspace: Workspace) -> None:
    (measured,) = train_workspace(workspace, ["taste"])
    (plain,) = train_workspace(workspace, ["taste"], split="none")
    assert plain.model.card["metrics"] == {}
    assert measured.model.scores_graph == plain.model.scores_graph
    for name, array in plain.model.arrays.items():
        assert (measured.model.arrays[name] == array).all()


def test_a_split_in_time_measures_only_who_was_known(workspace: Workspace) -> None:
    (random,) = train_workspace(workspace, ["taste"], split="random")
    (timely,) = train_workspace(workspace, ["taste"], split="time")
    assert timely.model.card["split"] == "time"
    # The newest fifth of the rows is of three visitors, of whom one was there before.
    assert timely.model.card["metrics"].get("users", 0) < random.model.card["metrics"]["users"]
    assert random.model.card["metrics"]["users_new"] == 0


def test_a_model_alone_is_measured_beside_popularity(workspace: Workspace) -> None:
    popular, _ = train_workspace(workspace)
    measured = popular.model.card["metrics"]
    assert measure_baseline(workspace, ["taste"], "random") == measured
    assert measure_baseline(workspace, [], "random") is None
    assert measure_baseline(workspace, ["popular"], "random") is None
    assert measure_baseline(workspace, ["taste"], "none") is None
    # What it measured is kept as it was.
    assert load_trained(workspace)["popular"].card["metrics"] == measured


def test_the_table_says_how_it_was_measured(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    trained = list(train_workspace(workspace, ["taste"]))
    shown.trained(trained, measure_baseline(workspace, ["taste"], "random"))
    title, header, taste, baseline = capsys.readouterr().out.splitlines()
    users = trained[0].model.card["metrics"]["users"]
    assert "75 % of each user's rows to train on" in title
    assert title.rstrip().endswith(f"measured on {users} of {users} users by their whole history")
    assert header.split()[:5] == ["model", "recipe", "rows", "users", "ndcg@10"]
    assert (taste.split()[:2], baseline.split()[:2]) == (["taste", "ease"], ["(baseline)", "popularity"])


def test_the_table_counts_who_had_no_history(
    capsys: pytest.CaptureFixture[str], workspace: Workspace
) -> None:
    (done,) = train_workspace(workspace, ["taste"])
    metrics = {**done.model.card["metrics"], "users": 48, "users_new": 253}
    timely = replace(done.model, card={**done.model.card, "metrics": metrics})
    shown.trained([replace(done, model=timely)])
    assert (
        "measured on 48 of 301 users by their whole history; the other 253 have none"
        in capsys.readouterr().out
    )


def test_lists_leave_out_what_was_seen_and_break_ties_by_position(workspace: Workspace) -> None:
    (done,) = train_workspace(workspace, ["popular"], split="none")
    empty, seen = rank(done.model, [[], [0, 3]])
    scores = done.model.arrays["score"]
    assert list(empty) == sorted(range(8), key=lambda position: (-scores[position], position))
    assert list(seen)[:6] == [position for position in empty if position not in (0, 3)]


def test_an_unknown_model_is_named_with_the_nearest(workspace: Workspace) -> None:
    with pytest.raises(WorkspaceError, match="did you mean 'taste'"):
        list(train_workspace(workspace, ["tastes"]))


def test_what_can_not_be_trained_is_named_with_its_file(tmp_path: Path) -> None:
    bad = "recipe: popularity\ninteractions: interactions.csv\nhalflife_days: 3\n"
    workspace = read_workspace(make_workspace(tmp_path, {"models/popular.yaml": bad}))
    with pytest.raises(WorkspaceError, match=r"models/popular\.yaml.*half_life_days"):
        list(train_workspace(workspace))


def test_a_damaged_model_says_so(workspace: Workspace) -> None:
    list(train_workspace(workspace, ["taste"], split="none"))
    (model_folder(workspace, "taste") / "card.json").write_text("{")
    with pytest.raises(GivenError, match="train the model again"):
        load_trained(workspace)

"""Models that take in a context, in one graph: each gets its own features, from one row for all."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from compiler.features.golden_rows import golden_rows
from compiler.models.context import NO_CONTEXTS, Contexts
from compiler.models.graph import MergedGraph, RecommenderSpec, merge, reference_list
from compiler.models.parity import measure
from compiler.problems import WorkspaceError
from compiler.workspace import Workspace, read_workspace
from edge.bundle.features import CONTEXT, Feature
from edge.decide.recommender import Recommender, open_session
from edge.errors import GivenError
from models.trained import Trained
from tests.workspaces.contextual import CHANGES, FEATURES, near, with_sample
from tests.workspaces.make import make_workspace, train_models

OTHER = ("phone", "pages")
SPECS = (
    RecommenderSpec("near", 4, "popular"),
    RecommenderSpec("other", 5, "near"),
    RecommenderSpec("popular", 3),
)
HISTORIES: tuple[tuple[int, ...], ...] = ((), (0,), (7, 2, 5))


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return read_workspace(make_workspace(tmp_path_factory.mktemp("context"), CHANGES))


@pytest.fixture(scope="module")
def models(workspace: Workspace) -> dict[str, Trained]:
    made = {"near": near(workspace), "other": near(workspace, OTHER, "other")}
    return {**train_models(workspace, without={"near"}), **made}


@pytest.fixture(scope="module")
def contexts(workspace: Workspace) -> Contexts:
    return Contexts({"near": FEATURES, "other": OTHER, "popular": ()}, workspace.features.by_name)


def _open(merged: MergedGraph) -> Recommender:
    arrays = {name: merged.arrays[file][key] for name, (file, key) in merged.plan.bindings.items()}
    return Recommender(merged.plan, open_session(merged.graph), arrays)


def test_lists_equal_the_references_of_each_model(models: dict[str, Trained], contexts: Contexts) -> None:
    found = _open(merge(models, SPECS, contexts=contexts))
    asked = list(product(HISTORIES, golden_rows(contexts.columns, 24)))
    lists = found.find([history for history, _ in asked], rows=[row for _, row in asked]).lists
    for spec in SPECS:
        for (history, row), listed in zip(asked, lists[spec.name], strict=True):
            wanted = reference_list(models, spec, history, contexts, row)
            assert listed == [position for position, _ in wanted]
    assert len({tuple(listed) for listed in lists["near"]}) > 20


def test_alone_in_a_batch_and_with_something_banned_it_is_the_same(
    models: dict[str, Trained], contexts: Contexts
) -> None:
    found = _open(merge(models, SPECS, contexts=contexts))
    rows = list(golden_rows(contexts.columns, 6))
    together = found.find([[1, 2]] * 6, rows=rows).lists["near"]
    for row, listed in zip(rows, together, strict=True):
        assert found.find([[1, 2]], rows=[row]).lists["near"] == [listed]
        assert found.find_without([1, 2], {listed[0]}, row=row).lists["near"][0][:3] == listed[1:]
    assert found.recommend([[1, 2]])["near"] == [together[0]], "without a row, nothing is known"


def test_the_plan_says_what_each_list_depends_on(models: dict[str, Trained], contexts: Contexts) -> None:
    plan = merge(models, SPECS, contexts=contexts).plan
    assert [column.attribute for column in plan.columns] == ["device.type", "geo.country", "session.pages"]
    assert {one.name: one.columns for one in plan.recommenders} == {
        "near": (1, 2),
        "other": (0, 1, 2),
        "popular": (),
    }
    bare = merge({"popular": models["popular"]}, SPECS[2:], contexts=NO_CONTEXTS)
    assert bare.plan.columns == ()
    assert CONTEXT.encode() not in bare.graph


def test_parity_is_of_real_rows_with_their_contexts(models: dict[str, Trained], contexts: Contexts) -> None:
    sampled = {name: with_sample(models[name]) for name in ("near", "other")}
    merged = merge({**models, **sampled}, SPECS, contexts=contexts)
    found = measure(merged, sampled, {"near": 4, "other": 5})
    assert [found[name].parity.rows for name in sampled] == [40, 40]
    assert [found[name].error for name in sampled] == [0, 0]
    table = dict(sampled["near"].arrays)
    table["table"] = table["table"] + np.float32(1)
    bent = {**sampled, "near": replace(sampled["near"], arrays=table)}
    assert measure(merged, bent, {"near": 4, "other": 5})["near"].error > 0.01, "the context counts"


def test_a_model_of_other_features_is_refused(models: dict[str, Trained], contexts: Contexts) -> None:
    with pytest.raises(GivenError, match="takes in 4 numbers of the context, and its features are 0"):
        merge(models, SPECS[:1], contexts=NO_CONTEXTS)
    many = {f"f{n}": Feature(f"f{n}", "number", f"a{n}") for n in range(257)}
    with pytest.raises(GivenError, match="read 257 attributes, more than 256"):
        Contexts({"near": tuple(many)}, many)


def _problems(folder: Path, near_yaml: str) -> Sequence[str]:
    with pytest.raises(WorkspaceError) as caught:
        read_workspace(make_workspace(folder, {**CHANGES, "models/near.yaml": near_yaml}))
    return [str(problem) for problem in caught.value.problems if problem.severity == "error"]


def test_features_that_are_not_there_are_told_with_their_lines(tmp_path: Path) -> None:
    text = (
        "recipe: two-tower\ninteractions: interactions.csv\nfeatures: [country, contry]\nusers: users.csv\n"
    )
    unknown, missing = _problems(tmp_path, text)
    assert "models/near.yaml:3" in unknown
    assert "did you mean 'country'" in unknown
    assert "models/near.yaml:4" in missing
    assert "has no file 'users.csv'" in missing
    (alone,) = _problems(
        tmp_path / "alone", "recipe: two-tower\ninteractions: interactions.csv\nusers: site.yaml\n"
    )
    assert "has users, and no features" in alone

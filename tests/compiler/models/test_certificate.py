"""Certificates: what is compared, on which rows, what is refused, and what people read of it."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from compiler.build import compile_workspace
from compiler.models.certificate_words import certificate_line, origin_lines
from compiler.models.cost import count_operations, model_cost
from compiler.models.graph import RecommenderSpec, merge
from compiler.models.parity import ALLOWED, measure
from compiler.models.real_rows import ROWS, padded, real_rows
from compiler.problems import WorkspaceError
from compiler.workspace import read_workspace
from edge.bundle import format as fmt
from edge.bundle.arrays import Array
from edge.bundle.certificate import Certificate, load_certificate
from edge.bundle.reader import open_bundle
from models import recipe
from models.data import movielens
from models.data.histories import histories
from models.data.interactions import from_rows
from models.graphs.onnx_build import score_graph
from models.trained import Trained
from tests.workspaces.make import SITE, make_workspace, train_models


def _off(model: Trained, by: float, item: int = 0) -> Trained:
    """The model with a reference that gives one item more, wherever something is known."""

    def score(
        arrays: Mapping[str, Array], history: NDArray[np.int32], weight: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        scores = model.reference(arrays, history, weight).copy()
        scores[:, item] += by
        return scores

    return replace(model, reference=score)


def test_a_bundle_says_how_its_models_came_about_and_what_they_cost(bundle_dir: Path) -> None:
    certificate = load_certificate(open_bundle(bundle_dir, SITE))
    assert certificate is not None
    popular, taste = certificate.models
    assert (popular.name, popular.recipe, taste.name, taste.recipe) == (
        "popular",
        "popularity",
        "taste",
        "ease",
    )
    assert taste.settings["regularization"] == 1
    assert fmt.is_digest(taste.data)
    assert fmt.is_digest(taste.code)
    assert taste.code != popular.code
    assert taste.parity.rows > 10
    assert (taste.parity.error, taste.parity.agreement, taste.parity.flips) == (0, 1, 0)
    assert taste.cost.candidates == 8
    assert taste.cost.operations > popular.cost.operations > 0


def test_a_graph_that_is_not_the_model_is_refused_with_row_and_numbers(workspace_dir: Path) -> None:
    workspace = read_workspace(workspace_dir)
    trained = train_models(workspace)
    trained["taste"] = _off(trained["taste"], 0.25, 3)
    with pytest.raises(WorkspaceError) as caught:
        compile_workspace(workspace, trained, workspace_dir.with_name("bundle"))
    (problem,) = (one for one in caught.value.problems if one.code == "parity")
    assert problem.path == "models/taste.yaml"
    assert "'taste'" in problem.message
    assert "item 'dune'" in problem.message
    assert "1e-05 is allowed" in problem.message
    assert not workspace_dir.with_name("bundle").exists()


def test_a_small_difference_is_told_and_flips_are_counted(workspace_dir: Path) -> None:
    workspace = read_workspace(workspace_dir)
    trained = train_models(workspace)
    specs = [RecommenderSpec("popular", 3), RecommenderSpec("taste", 3, "popular")]
    models = {**trained, "taste": _off(trained["taste"], 4e-6)}
    found = measure(merge(models, specs), models, {"popular": 3, "taste": 3})
    parity = found["taste"].parity
    assert 2e-6 <= found["taste"].error < 5e-6 <= ALLOWED
    assert parity.error == 2.0**-17
    far = measure(merge(models, specs), {"taste": _off(trained["taste"], 100, 7)}, {"taste": 3})["taste"]
    assert far.parity.flips > 0
    assert far.parity.agreement < 1
    assert far.worst is not None
    assert far.worst.item == 7


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_what_is_no_number_is_an_error_beyond_all_bounds(workspace_dir: Path, wrong: float) -> None:
    trained = train_models(read_workspace(workspace_dir))
    models = {"taste": _off(trained["taste"], wrong)}
    found = measure(merge(trained, [RecommenderSpec("taste", 3)]), models, {"taste": 3})
    assert found["taste"].error == np.inf


def test_rows_are_histories_that_somebody_had(data_dir: Path) -> None:
    ratings = movielens.read_interactions(data_dir / "ml-100k")
    model = recipe.train("popular", "popularity", ratings)
    rows = real_rows(model.sample, len(ratings.item_ids), 50).histories
    assert len(rows) == ROWS
    assert max(map(len, rows)) == 50
    known = {tuple(history[-n:][:50]) for history in histories(ratings) for n in range(1, len(history) + 1)}
    assert {tuple(row.tolist()) for row in rows} <= known
    assert len({tuple(row.tolist()) for row in rows}) > 0.99 * ROWS


def test_rows_of_a_few_users_are_all_that_there_are() -> None:
    ratings = from_rows([("a", "x", 1, 1.0), ("a", "y", 2, 1.0), ("b", "z", 3, 1.0)], ["x", "y", "z"])
    sample = recipe.train("popular", "popularity", ratings).sample
    rows = [row.tolist() for row in real_rows(sample, 3, 50).histories]
    assert rows in ([[0], [2], [1, 0]], [[2], [0], [1, 0]])
    assert [row.tolist() for row in real_rows(sample, 3, 1).histories].count([1]) == 1
    assert real_rows({}, 3, 50).histories == []
    assert real_rows(sample, 2, 50).histories == [], "positions of another catalog"
    assert padded([], 3)[0].shape == (0, 1)


def test_a_model_without_rows_is_certified_on_none(workspace_dir: Path) -> None:
    trained = train_models(read_workspace(workspace_dir))
    models = {"taste": replace(trained["taste"], sample={})}
    found = measure(merge(models, [RecommenderSpec("taste", 3)]), models, {"taste": 3})
    assert found["taste"].parity.rows == 0
    assert found["taste"].error == 0


def test_operations_are_multiply_adds() -> None:
    from onnx import helper  # noqa: PLC0415 - for this test alone

    arrays: dict[str, Array] = {"a": np.ones((4, 8), np.float32), "b": np.ones((8, 5), np.float32)}
    nodes = [
        helper.make_node("MatMul", ["a", "b"], ["ab"]),
        helper.make_node("ReduceSum", ["ab", "rows"], ["sum"], keepdims=1),
        helper.make_node("Shape", ["history"], ["batch"], start=0, end=1),
        helper.make_node("Concat", ["batch", "items"], ["shape"], axis=0),
        helper.make_node("Expand", ["sum", "shape"], ["scores"]),
    ]
    constants = {"rows": np.array([0]), "items": np.array([5])}
    graph = score_graph("test", 5, nodes, arrays, constants)
    model = Trained(
        "test", tuple("vwxyz"), graph, arrays, {}, lambda a, h, w: np.zeros((len(h), 5), np.float32)
    )
    products, reduced, shape, scores = 4 * 5 * 8, 4 * 5, 2, 5
    assert model_cost(model, 50).operations == products + reduced + shape + scores
    assert model_cost(model, 50).bytes == len(graph) + 4 * (4 * 8 + 8 * 5)
    empty = {"history": np.zeros((1, 1), np.int32), "weight": np.zeros((1, 1), np.float32)}
    assert count_operations(graph, {**empty, **arrays}) == model_cost(model, 1).operations


def test_people_read_it_in_words(bundle_dir: Path) -> None:
    certificate = load_certificate(open_bundle(bundle_dir, SITE))
    assert isinstance(certificate, Certificate)
    line = certificate_line(certificate.models[1])
    assert line.startswith("model taste (ease): on ")
    assert "real rows equal to its reference, 100.0% of its lists of 10 the same" not in line
    assert "equal to its reference, 100.0% of its lists of 8 the same; " in line
    assert "operations a visitor for 8 items" in line
    assert "regularization 1" in origin_lines(certificate.models[1])[0]
    parity = fmt_replace(certificate, error=2.0**-20, flips=3, agreement=0.999)
    assert "within 1e-06 of its reference, 99.9% of its lists of 8 the same, 3 decided differently" in parity


def fmt_replace(certificate: Certificate, **changes: float) -> str:
    """The line of the second model with another parity."""
    from msgspec.structs import replace as with_  # noqa: PLC0415 - beside that of dataclasses

    model = certificate.models[1]
    return certificate_line(with_(model, parity=with_(model.parity, **changes)))


def test_a_bundle_without_models_has_none(tmp_path: Path) -> None:
    rules = "campaigns:\n- {id: welcome, placement: hero, show: {content: welcome}}\n"
    folder = make_workspace(tmp_path / "workspace", {"rules/campaigns.yaml": rules})
    for file in (folder / "models").iterdir():
        file.unlink()
    report = compile_workspace(read_workspace(folder), {}, tmp_path / "bundle")
    assert report.certificate is None
    assert load_certificate(open_bundle(tmp_path / "bundle", SITE)) is None


def test_saved_and_loaded_models_keep_their_rows(workspace_dir: Path, tmp_path: Path) -> None:
    model = train_models(read_workspace(workspace_dir))["taste"]
    recipe.save(model, tmp_path / "taste")
    kept = recipe.load(tmp_path / "taste").sample
    assert sorted(kept) == ["items", "starts"]
    assert all(np.array_equal(kept[name], model.sample[name]) for name in kept)
    (tmp_path / "taste" / "sample.nsa").unlink()
    assert recipe.load(tmp_path / "taste").sample == {}

"""Every hostile model is refused by name, at compile time and by an edge: quickly, and within its memory."""

import asyncio
import dataclasses
import resource
import shutil
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from msgspec.structs import replace
from onnx import TensorProto, helper, numpy_helper

from edge.agent.check import run_check
from edge.bundle import format as fmt
from edge.bundle.reader import open_bundle
from edge.decide.golden import check
from edge.errors import BundleError, GivenError
from models.bring.prediction import bring_file
from models.data.interactions import Interactions, from_rows
from models.recipe import train
from tests.hostile.models import HOSTILE
from tests.workspaces.make import SITE, make_bundle

MOST_S = 10.0
MOST_KB = 1 << 20
FEATURES = ("a", "b", "c")
ITEMS = tuple(f"i{n}" for n in range(8))
OF_SCORERS = "which no recommender can hold|ONNX's own evaluator can't|gives nan to item"
"""What else is said of them."""

SCORER = {"model": "scorer.onnx", "items": "items.txt"}
CODES = {"graph", "plan", "golden", "check-crashed"}


@pytest.fixture(scope="module")
def honest() -> onnx.ModelProto:
    """A prediction that works."""
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["n", w]) for n, w in (("x", 3), ("y", 1))]
    weights = numpy_helper.from_array(np.ones((3, 1), np.float32), "w")
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "honest", values[:1], values[1:], [weights])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_bundle(tmp_path_factory.mktemp("honest"))


@pytest.fixture(scope="module")
def scorer() -> onnx.ModelProto:
    """A scorer of items that works."""
    value = helper.make_tensor_value_info
    given = [value("history", TensorProto.INT64, ["n", "l"]), value("weight", TensorProto.FLOAT, ["n", "l"])]
    table = np.random.default_rng(0).normal(size=(len(ITEMS) + 1, 4)).astype(np.float32)
    held = {"table": table, "vectors": table[:-1].T.copy(), "last": np.array([2]), "middle": np.array([1])}
    nodes = [
        helper.make_node("Gather", ["table", "history"], ["viewed"]),
        helper.make_node("Unsqueeze", ["weight", "last"], ["weights"]),
        helper.make_node("Mul", ["viewed", "weights"], ["weighed"]),
        helper.make_node("ReduceSum", ["weighed", "middle"], ["user"], keepdims=0),
        helper.make_node("MatMul", ["user", "vectors"], ["scores"]),
    ]
    tensors = [numpy_helper.from_array(array, name) for name, array in held.items()]
    scores = [value("scores", TensorProto.FLOAT, ["n", len(ITEMS)])]
    graph = helper.make_graph(nodes, "honest", given, scores, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> Interactions:
    """A few visits to the items of `scorer`, whose names are beside it."""
    folder = tmp_path_factory.mktemp("views")
    (folder / "items.txt").write_text("\n".join(ITEMS))
    rows = [(f"user{n % 5}", ITEMS[n % 7], n, 1.0) for n in range(30)]
    return dataclasses.replace(from_rows(rows, ITEMS), folder=folder)


def _bounded(started_s: float, before_kb: int) -> None:
    assert time.monotonic() - started_s < MOST_S
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < MOST_KB


def _peak_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.parametrize("name", HOSTILE)
def test_the_compiler_refuses_it(name: str, honest: onnx.ModelProto, tmp_path: Path) -> None:
    hostile, path = HOSTILE[name], tmp_path / "model.onnx"
    path.write_bytes(hostile.make(honest, "x"))
    started_s, before_kb = time.monotonic(), _peak_kb()
    if hostile.unneeded:
        path.with_name("honest.onnx").write_bytes(honest.SerializeToString())
        made = bring_file("score", path.with_name("honest.onnx"), FEATURES)
        assert bring_file("score", path, FEATURES).graph == made.graph
        return
    with pytest.raises(GivenError, match=hostile.said) as caught:
        bring_file("score", path, FEATURES)
    assert caught.value.code == "bring"
    _bounded(started_s, before_kb)


@pytest.mark.parametrize("name", HOSTILE)
def test_a_scorer_of_it_is_refused(name: str, scorer: onnx.ModelProto, views: Interactions) -> None:
    """A recommender that was trained elsewhere: its graph scores items, and is as hostile."""
    hostile, path = HOSTILE[name], views.folder / "scorer.onnx"  # type: ignore[operator]
    path.write_bytes(hostile.make(scorer, "weight"))
    started_s, before_kb = time.monotonic(), _peak_kb()
    with pytest.raises(GivenError, match=f"{hostile.said}|{OF_SCORERS}") as caught:
        train("taste", "brought", views, SCORER)
    assert caught.value.code == "bring"
    _bounded(started_s, before_kb)


@pytest.mark.parametrize("name", HOSTILE)
def test_an_edge_refuses_it(name: str, bundle: Path, tmp_path: Path) -> None:
    """Whoever has the models' key can put any graph into a bundle."""
    hostile = HOSTILE[name]
    folder = _with_graph(bundle, tmp_path / "bundle", name)
    started_s, before_kb = time.monotonic(), _peak_kb()
    if hostile.clipped:
        check(open_bundle(folder, SITE, verify=True))
        _bounded(started_s, before_kb)
        return
    with pytest.raises(BundleError) as caught:
        if hostile.crashes:
            asyncio.run(run_check(folder, SITE))
        else:
            check(open_bundle(folder, SITE, verify=True))
    assert caught.value.code in CODES
    _bounded(started_s, before_kb)


def test_the_honest_ones_pass(
    honest: onnx.ModelProto, scorer: onnx.ModelProto, views: Interactions, bundle: Path, tmp_path: Path
) -> None:
    (views.folder / "scorer.onnx").write_bytes(scorer.SerializeToString())  # type: ignore[operator]
    assert train("taste", "brought", views, SCORER).card["parity"]["lists"] == 1.0
    (tmp_path / "model.onnx").write_bytes(honest.SerializeToString())
    assert bring_file("score", tmp_path / "model.onnx", FEATURES).outputs == ("score",)
    check(open_bundle(bundle, SITE, verify=True))


def _with_graph(bundle: Path, folder: Path, name: str) -> Path:
    """A copy of a bundle with another graph, listed as it should be."""
    shutil.copytree(bundle, folder)
    manifest = fmt.decode(memoryview((folder / "models.manifest").read_bytes()), fmt.Manifest)
    (listed,) = (artifact for artifact in manifest.artifacts if artifact.kind == "graph")
    old = (folder / "artifacts" / listed.sha256).read_bytes()
    graph = HOSTILE[name].make(onnx.load_model_from_string(old), "weight")
    (folder / "artifacts" / fmt.digest(graph)).write_bytes(graph)
    changed = replace(listed, sha256=fmt.digest(graph), size=len(graph))
    artifacts = tuple(changed if artifact is listed else artifact for artifact in manifest.artifacts)
    path = folder / "models.manifest"
    path.chmod(0o644)
    path.write_bytes(fmt.encode(replace(manifest, artifacts=artifacts)))
    return folder

"""Every hostile model is refused by name, at compile time and by an edge: quickly, and within its memory."""

import asyncio
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
from tests.hostile.models import HOSTILE
from tests.workspaces.make import SITE, make_bundle

MOST_S = 10.0
MOST_KB = 1 << 20
FEATURES = ("a", "b", "c")
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


def test_the_honest_ones_pass(honest: onnx.ModelProto, bundle: Path, tmp_path: Path) -> None:
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

"""onnxruntime reports to nobody: it makes no id of the machine, and keeps nothing to send."""

import os
import subprocess
import sys
from pathlib import Path

from onnx import TensorProto, helper

ROOT = Path(__file__).resolve().parents[3]
RUN = """
import sys
from edge.decide.inference import ort
from pathlib import Path
session = ort.InferenceSession(Path(sys.argv[1]).read_bytes(), providers=["CPUExecutionProvider"])
session.run(None, {"x": [1.0]})
"""


def _graph() -> bytes:
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "graph", value[:1], value[1:])
    model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)])
    return model.SerializeToString()


def test_a_session_leaves_nothing_at_home(tmp_path: Path) -> None:
    graph, home = tmp_path / "graph.onnx", tmp_path / "home"
    graph.write_bytes(_graph())
    home.mkdir()
    # Nothing else of the environment: onnxruntime keeps quiet by itself where CI is set.
    environment = {"HOME": str(home), "PATH": os.defpath, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", RUN, graph], env=environment, check=True, timeout=30)
    assert not list(home.rglob("*"))


def test_nobody_brings_it_in_past_the_one_place() -> None:
    rooms = [
        path for room in ("edge", "compiler", "models", "origin") for path in (ROOT / room).rglob("*.py")
    ]
    importers = [path.name for path in rooms if "import onnxruntime" in path.read_text(encoding="utf-8")]
    assert importers == ["inference.py"]

"""The last check of a bundle gives way to those who serve pages, from its first heavy import on."""

import subprocess
import sys
from pathlib import Path

from tests.workspaces.make import SITE, make_bundle

PROGRAM = """
import os, sys
from edge.agent import check

os.nice = lambda by: print(by, "onnxruntime" in sys.modules, "numpy" in sys.modules)
sys.exit(check.main(*sys.argv[1:]))
"""


def test_it_is_nice_before_it_imports_what_is_heavy(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, str(make_bundle(tmp_path)), SITE]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (0, "10 False False\n"), done.stderr

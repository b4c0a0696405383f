"""`make bench-install`: the edge installed alone, as a PoP has it: what comes along, and that it serves.

An empty virtual environment, the pinned `requirements-edge.lock`, and nothing
else. Nothing of training or compiling may be in it, and a page must come out personalized.
"""

import json
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

from loadtest.bench_footprint import PERSONALIZED, cold_start
from tests.e2e.stack import running
from tests.workspaces.make import make_bundle

ROOT = Path(__file__).resolve().parents[1]
FORBIDDEN = (
    "skl2onnx",
    "scikit-learn",
    "onnx",
    "pandas",
    "duckdb",
    "sqlalchemy",
    "pyarrow",
    "scipy",
    "torch",
)


def main() -> None:
    """Install, list, refuse what must not be there, serve, print the figures."""
    with tempfile.TemporaryDirectory(prefix="nearside-install-") as name:
        folder = Path(name)
        packages = _install(folder / "env")
        if unwanted := sorted(set(FORBIDDEN) & set(packages)):
            raise SystemExit(f"the edge's extra brings {', '.join(unwanted)}")
        print(f"{len(packages)} packages: {', '.join(packages)}")
        size_mb = _megabytes(folder / "env")
        with running(folder / "pop", edge=folder / "env/bin/nearside-edge") as stack:
            stack.wait_revision(stack.publish(make_bundle(folder)).number)
            _check_alone(stack.worker_pids()[0])
            stack.stop("edge")
            start_s = cold_start(stack)
            print(f"serves personalized pages ({PERSONALIZED.decode()}…), {start_s:.2f} s after its exec")
    figures = {"installed_mb": size_mb, "packages": len(packages), "cold_start_s": round(start_s, 2)}
    print(json.dumps({"bench": "install", "figures": figures}))


def _install(folder: Path) -> list[str]:
    """An environment with the edge's lock and the project; the names of what is in it."""
    venv.create(folder, with_pip=True)
    pip = [str(folder / "bin/python"), "-m", "pip", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "install", "-q", "--require-hashes", "-r", ROOT / "requirements-edge.lock"], check=True
    )
    subprocess.run([*pip, "install", "-q", "--no-deps", ROOT], check=True)
    listed = subprocess.run([*pip, "list", "--format=freeze"], check=True, capture_output=True, text=True)
    names = re.findall(r"^([^=\s]+)==", listed.stdout, re.M)
    return sorted(name.lower() for name in names if name not in ("pip", "setuptools"))


def _megabytes(folder: Path) -> int:
    """What the packages take on disk, without pip and setuptools, which run nothing of ours."""
    packages = next(folder.glob("lib/python3*/site-packages"))
    files = (path for path in packages.rglob("*") if path.is_file())
    ours = (
        path
        for path in files
        if path.relative_to(packages).parts[0].split("-")[0] not in ("pip", "setuptools")
    )
    return round(sum(path.stat().st_size for path in ours) / 2**20)


def _check_alone(pid: int) -> None:
    """The worker must run what was installed, not this checkout."""
    maps = Path(f"/proc/{pid}/maps").read_text()
    if f"{ROOT}/.venv" in maps or sys.prefix in maps:
        raise SystemExit("the worker runs packages of this checkout")


if __name__ == "__main__":
    main()

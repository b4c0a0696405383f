"""`python -m models.bring.probe FOLDER OUTPUT WIDTH`: tries a graph in a process of its own, bounded."""

import json
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from edge.bundle.arrays import Array, pack, unpack
from edge.errors import BundleError
from models.bring.source import cannot

MAX_DATA_BYTES: Final = 2 << 30
MAX_CPU_S: Final = 20
TIMEOUT_S: Final = 60.0
BATCHES: Final = (1, 3, 64)
REFUSED: Final = 3


Feeds = Sequence[Mapping[str, Array]]
"""What a graph is asked, call by call; a batch each."""


def probe(graph: bytes, arrays: Mapping[str, Array], width: int, outputs: int) -> None:
    """Load a prediction's graph and run it on a few rows, away from this process.

    Raises
    ------
    GivenError
        ``bring``: the edge may not run it, or it crashes, hangs, eats memory, or gives
        back another shape than it says.
    """
    feeds = []
    for batch in BATCHES:
        rows = np.ones((batch, width), np.float32)
        rows[1:] = np.nan
        rows[2:] = 1e4
        feeds.append({"features": rows})
    try_out(graph, arrays, feeds, "prediction", outputs)


def try_out(graph: bytes, arrays: Mapping[str, Array], feeds: Feeds, output: str, width: int) -> None:
    """Load a graph and ask it for an output of (batch, width), away from this process; raises as `probe`."""
    asked = {f"{call}/{name}": array for call, feed in enumerate(feeds) for name, array in feed.items()}
    with TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "graph").write_bytes(graph)
        (folder / "arrays").write_bytes(pack(arrays))
        (folder / "feeds").write_bytes(pack(asked))
        command = [sys.executable, "-m", "models.bring.probe", made, output, str(width)]
        try:
            done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False)  # noqa: S603
        except subprocess.TimeoutExpired as error:
            raise cannot("the graph", f"gave no answer in {TIMEOUT_S:g} s") from error
    if done.returncode == REFUSED:
        raise cannot("the graph", f"is refused: {json.loads(done.stdout)}")
    if done.returncode != 0:
        raise cannot("the graph", f"ended the process that tried it (exit status {done.returncode})")


def main(folder: Path, output: str, width: int) -> int:
    """Try what `try_out` wrote; 0, or `REFUSED` with the reason as JSON."""
    resource.setrlimit(resource.RLIMIT_DATA, (MAX_DATA_BYTES, MAX_DATA_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_S, MAX_CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Only now: these imports are heavy, and count as well.
    from edge.decide.recommender import open_session  # noqa: PLC0415

    arrays, asked = (unpack((folder / name).read_bytes()) for name in ("arrays", "feeds"))
    calls: dict[str, dict[str, Array]] = {}
    for key, array in asked.items():
        call, _, name = key.partition("/")
        calls.setdefault(call, {})[name] = array
    try:
        session = open_session((folder / "graph").read_bytes())
        for feed in calls.values():
            _run(session, {**feed, **arrays}, output, (len(next(iter(feed.values()))), width))
    except BundleError as error:
        sys.stdout.write(json.dumps(str(error).removeprefix(f"{error.code}: ")))
        return REFUSED
    return 0


def _run(session: Any, feed: Mapping[str, Array], output: str, wanted: tuple[int, int]) -> None:
    try:
        (found,) = session.run([output], dict(feed))
    # onnxruntime's errors share no base but this one.
    except Exception as error:
        raise BundleError("graph", f"can't be run: {error}") from error
    if found.shape != wanted:
        raise BundleError("graph", f"answers {wanted[0]} rows with the shape {found.shape}, not {wanted}")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))

"""`make bench-catalog`: catalogs of 100,000 and 1,000,000 items, without a scan of them all.

Catalogs are those of `loadtest.made_catalog`; visitors viewed 20 items each.

Each way is measured in a process of its own, over arrays that are mapped from a file: recall of
the best 50 against a scan, microseconds of processor time of one visitor, and resident memory, of
which what is mapped is shared by all workers of a machine. Voyager is measured where it is asked for
(`--ways voyager`): it takes minutes to index a million.

Then a whole bundle (`loadtest.large_bundle`): seconds and memory to compile it, its bytes, milliseconds until
a worker has it, and what its decisions, pages and workers take; and lists of which filters leave a part.
"""

import argparse
import json
import mmap
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from edge.bundle.arrays import Array, pack, unpack
from edge.decide.recommender import open_session
from loadtest import filtered_catalog, large_bundle
from loadtest.bench_models import ROOT
from loadtest.made_catalog import FACTORS, Made, factor_model, make, neighbour_model
from models.data.histories import padded
from models.graphs.blocked import with_blocks
from models.trained import Trained

SIZES = {"100k": 100_000, "1m": 1_000_000}
WAYS = ("neighbours", "neighbours-scan", "blocks", "factors-scan", "voyager")
TOP, USERS, VIEWED = 50, 300, 20
EF = 400
"""Of voyager: candidates that its search keeps."""


def main() -> None:
    """Print a line for each size and way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("NEARSIDE_DATA") or ROOT.parent / "shared/data")
    )
    parser.add_argument("--sizes", nargs="*", default=list(SIZES), choices=SIZES)
    parser.add_argument("--ways", nargs="*", default=list(WAYS[:-1]), choices=WAYS)
    parser.add_argument("--bundles", nargs="*", default=list(SIZES), choices=SIZES)
    parser.add_argument("--one", nargs=2, metavar=("WAY", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(_measured(given.one[0], Path(given.one[1]))))
        return
    figures: dict[str, float] = {}
    for size in given.sizes:
        with tempfile.TemporaryDirectory() as made:
            figures |= _compare(size, given.ways, Path(made), given.data) if given.ways else {}
    for size in given.bundles:
        with tempfile.TemporaryDirectory() as folder:
            catalog = make(SIZES[size], given.data)
            told = large_bundle.measure(catalog, Path(folder), size)
            told |= filtered_catalog.measure(catalog, size)
            print(f"bundle of {size}: " + ", ".join(f"{key} {value:g}" for key, value in told.items()))
            figures |= told
    print(json.dumps({"bench": "catalog", "figures": figures}))


def _compare(size: str, ways: list[str], folder: Path, data: Path) -> dict[str, float]:
    """The figures of one size, printed as they come."""
    figures: dict[str, float] = {}
    seconds = _lay_down(size, folder, data, ways)
    print(f"{size}: {', '.join(f'{name} made in {took:.0f} s' for name, took in seconds.items())}")
    wanted = json.loads((folder / "wanted.json").read_text(encoding="utf-8"))
    for way in ways:
        command = [sys.executable, "-m", "loadtest.bench_catalog", "--one", way, str(folder)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"  {way}: {done.stderr.strip().splitlines()[-1]}")
            continue
        found = json.loads(done.stdout)
        of = wanted["neighbours" if way.startswith("neighbours") else "factors"]
        hits = [
            len({*one} & {*best}) / max(1, len(best)) for one, best in zip(found["lists"], of, strict=True)
        ]
        name = f"{way.replace('-', '_')}_{size}"
        told = {
            "us": found["median"],
            "p99_us": found["p99"],
            "rss_mb": found["rss"],
            "mapped_mb": found["mapped"],
        }
        of_way = {f"recall50_{name}": round(float(np.mean(hits)), 4)}
        of_way |= {f"{key}_{name}": round(value) for key, value in told.items()}
        print("  " + ", ".join(f"{key} {value:g}" for key, value in of_way.items()), flush=True)
        figures |= of_way
    return figures


def _lay_down(size: str, folder: Path, data: Path, ways: list[str]) -> dict[str, float]:
    """Arrays and graphs in files, and what a scan finds."""
    made, seconds, wanted = make(SIZES[size], data), dict[str, float](), {}
    asked = _histories(made)
    plain = {"neighbours": neighbour_model(made), "factors": factor_model(made)}
    for name, model in plain.items():
        wanted[name] = [_best(model, row) for row in asked]
    began = time.monotonic()
    blocks = with_blocks(plain["factors"])
    seconds["blocks"] = time.monotonic() - began
    neighbours = plain["neighbours"]
    graphs = {
        "neighbours": (_listed(neighbours.shortlist), neighbours),
        "neighbours-scan": (_scanned(neighbours.scores_graph), neighbours),
        "blocks": (_listed(blocks.shortlist), blocks),
        "factors-scan": (_scanned(plain["factors"].scores_graph), plain["factors"]),
    }
    for way in sorted(graphs.keys() & set(ways)):
        graph, model = graphs[way]
        (folder / f"{way}.onnx").write_bytes(graph)
        (folder / way).write_bytes(pack(model.arrays))
    if "voyager" in ways:
        began = time.monotonic()
        _voyager_index(np.ascontiguousarray(made.out.T, np.float32)).save(str(folder / "voyager"))
        seconds["voyager"] = time.monotonic() - began
    users = np.stack([made.into[row].sum(axis=0) for row in asked]).astype(np.float32)
    (folder / "asked").write_bytes(pack({"histories": np.array(asked, np.int32), "users": users}))
    (folder / "wanted.json").write_text(json.dumps(wanted), encoding="utf-8")
    (folder / "size").write_text(size, encoding="utf-8")
    return seconds


def _histories(made: Made) -> list[list[int]]:
    items, starts = made.sample["items"], made.sample["starts"]
    long = [items[at : at + VIEWED] for at, end in pairwise(starts) if end - at >= VIEWED]
    return [row.tolist() for row in long[:USERS]]


def _best(model: Trained, row: list[int]) -> list[int]:
    scores = model.score(*padded([row], len(model.items)))[0].copy()
    scores[row] = -np.inf
    some = np.flatnonzero((scores >= np.partition(scores, -TOP)[-TOP]) & (scores > -np.inf))
    best = some[np.argsort(-scores[some], kind="stable")[:TOP]]
    return [int(item) for item in best]


def _measured(way: str, folder: Path) -> dict[str, Any]:
    """Lists, times of one visitor, and memory of this process."""
    ask, queries = _ways(way, folder)
    for query in queries[:20]:
        ask(query)
    took, lists = [], []
    for query in queries:
        began = time.thread_time()
        found = ask(query)
        took.append((time.thread_time() - began) * 1e6)
        lists.append([int(item) for item in found])
    status = dict(
        line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    )
    mb = {key: int(status[key].split()[0]) / 1000 for key in ("VmRSS", "RssFile")}
    times = {"median": float(np.median(took)), "p99": float(np.quantile(took, 0.99))}
    return {**times, "lists": lists, "rss": mb["VmRSS"], "mapped": mb["RssFile"]}


Ask = Callable[[Any], Any]


def _ways(way: str, folder: Path) -> tuple[Ask, NDArray[Any]]:
    asked = _mapped(folder / "asked")
    if way == "voyager":
        import voyager  # noqa: PLC0415 - one of the ways needs it

        index = voyager.Index.load(str(folder / "voyager"))
        return lambda user: index.query(user, TOP, query_ef=EF)[0], asked["users"]
    graph = (folder / f"{way}.onnx").read_bytes()
    return _asked(graph, _mapped(folder / way)), asked["histories"]


def _mapped(path: Path) -> dict[str, Array]:
    with path.open("rb") as file:
        return unpack(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))


def _asked(graph: bytes, arrays: Mapping[str, Array]) -> Ask:
    session = open_session(graph)
    wanted = {value.name for value in session.get_inputs()}
    bound = {name: array for name, array in arrays.items() if name in wanted}

    def ask(row: Any) -> Any:
        binding = session.io_binding()
        history = np.ascontiguousarray(row[np.newaxis])
        for name, array in {**bound, "history": history, "weight": np.ones_like(history, np.float32)}.items():
            binding.bind_cpu_input(name, array)
        binding.bind_output("best")
        binding.bind_output("top")
        session.run_with_iobinding(binding)
        best, top = (value.numpy()[0] for value in binding.get_outputs())
        return best[np.isfinite(top)]

    return ask


def _listed(shortlist: bytes) -> bytes:
    """A shortlist with the best of it taken."""
    model = onnx.load_model_from_string(shortlist)
    _take_best(model.graph, "items", "scores")
    return bytes(model.SerializeToString())


def _scanned(scores_graph: bytes) -> bytes:
    """All scores, what is seen masked, and the best of them taken: as small catalogs have it."""
    model = onnx.load_model_from_string(scores_graph)
    graph = model.graph
    never = numpy_helper.from_array(np.array([-np.inf], np.float32), "")
    graph.node.append(helper.make_node("Shape", ["history"], ["seen_shape"]))
    graph.node.append(helper.make_node("ConstantOfShape", ["seen_shape"], ["masks"], value=never))
    graph.node.append(helper.make_node("ScatterElements", ["scores", "history", "masks"], ["open"], axis=1))
    _take_best(graph, "", "open")
    return bytes(model.SerializeToString())


def _take_best(graph: onnx.GraphProto, items: str, scores: str) -> None:
    """Add `best` and `top`: the items of the greatest scores, and these."""
    del graph.output[:]
    graph.initializer.append(numpy_helper.from_array(np.array([TOP]), "top_many"))
    graph.node.append(helper.make_node("TopK", [scores, "top_many"], ["top", "best_places"], axis=1))
    if items:
        graph.node.append(helper.make_node("GatherElements", [items, "best_places"], ["wide_best"], axis=1))
    last = "wide_best" if items else "best_places"
    graph.node.append(helper.make_node("Cast", [last], ["best"], to=TensorProto.INT32))
    graph.output.append(helper.make_tensor_value_info("best", TensorProto.INT32, ["batch", TOP]))
    graph.output.append(helper.make_tensor_value_info("top", TensorProto.FLOAT, ["batch", TOP]))


def _voyager_index(items: NDArray[np.float32]) -> Any:
    import voyager  # noqa: PLC0415 - one of the ways needs it

    index = voyager.Index(voyager.Space.InnerProduct, FACTORS, M=16, ef_construction=200)
    index.add_items(items, num_threads=1)
    return index


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()

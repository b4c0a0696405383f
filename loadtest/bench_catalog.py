"""`make bench-catalog`: catalogs of 100,000 and 1,000,000 items, without a scan of them all.

Factors are those of MovieLens 100K, of which as many items as asked for are made: each a film, drawn by
how often it was rated, moved at random by half of its own size. Users are the films that real people
rated, 20 each. Neighbours are 50 for each item, mostly of its own part of the catalog. So the numbers
are real and their crowd is not: a catalog of a million real items was not to be had.

Each way is measured in a process of its own, over arrays that are mapped from a file: recall of
the best 50 against a scan, microseconds of processor time of one visitor, and resident memory, of
which what is mapped is shared by all workers of a machine. Voyager takes minutes to index a million.
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
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import scipy.sparse
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from scipy.sparse.linalg import svds

from edge.bundle.arrays import Array, pack, unpack
from edge.decide.recommender import open_session
from loadtest.bench_models import ROOT
from models.blocks import block_arrays, block_nodes
from models.metrics import histories
from models.movielens import read_interactions
from models.neighbours import positive_nodes, sum_nodes
from models.onnx_build import TYPES, score_graph
from models.shortlist import neighbour_shortlist

SIZES = {"100k": 100_000, "1m": 1_000_000}
WAYS = ("neighbours", "neighbours-scan", "blocks", "factors-scan", "voyager")
FACTORS, TOP, USERS, VIEWED, WIDTH = 48, 50, 300, 20, 50
PROBES = {"100k": 32, "1m": 64}
MOVED = 0.5
EF = 400
"""Of voyager: candidates that its search keeps."""


def main() -> None:
    """Print a line for each size and way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--data", type=Path, default=Path(os.environ.get("NEARSIDE_DATA") or ROOT.parent / "shared/data")
    )
    parser.add_argument("--sizes", nargs="*", default=list(SIZES), choices=SIZES)
    parser.add_argument("--ways", nargs="*", default=list(WAYS), choices=WAYS)
    parser.add_argument("--one", nargs=2, metavar=("WAY", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(_measured(given.one[0], Path(given.one[1]))))
        return
    figures: dict[str, float] = {}
    for size in given.sizes:
        with tempfile.TemporaryDirectory() as made:
            figures |= _compare(size, given.ways, Path(made), given.data)
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
    """Arrays in files, and what a scan finds."""
    draw, count, seconds = np.random.default_rng(0), SIZES[size], {}
    items, users = _factors(data, draw, count)
    wanted = {"factors": [np.argpartition(-(items @ user), TOP)[:TOP].tolist() for user in users]}
    files: dict[str, Mapping[str, Array]] = {"users": {"users": users}, "items": {"items": items}}
    if "blocks" in ways:
        began = time.monotonic()
        files["blocks"] = block_arrays(items)
        seconds["blocks"] = time.monotonic() - began
    if "voyager" in ways:
        began = time.monotonic()
        _voyager_index(items).save(str(folder / "voyager"))
        seconds["voyager"] = time.monotonic() - began
    files["neighbours"] = _neighbours(draw, count)
    asked = draw.integers(0, count, (USERS, VIEWED)).astype(np.int32)
    files["histories"] = {"histories": asked}
    wanted["neighbours"] = [_best_neighbours(files["neighbours"], row) for row in asked]
    for name, arrays in files.items():
        (folder / name).write_bytes(pack(arrays))
    (folder / "wanted.json").write_text(json.dumps(wanted), encoding="utf-8")
    (folder / "size").write_text(size, encoding="utf-8")
    return seconds


def _factors(
    data: Path, draw: np.random.Generator, count: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rated = read_interactions(data / "ml-100k")
    films = rated.item_ids
    known = histories(rated)
    popular = np.bincount(rated.items, minlength=len(films))
    weights = 1 / np.sqrt(np.maximum(popular, 1))
    shape = (len(known), len(films))
    used = scipy.sparse.csr_array((weights[rated.items], (rated.users, rated.items)), shape=shape)
    _, _, found = svds(used.astype(np.float64), FACTORS, v0=np.ones(min(used.shape)))
    base = found.T.astype(np.float32)
    of = draw.choice(len(films), count, p=popular / popular.sum())
    moved = np.linalg.norm(base, axis=1)[of, np.newaxis] * MOVED / np.sqrt(FACTORS)
    items = base[of] + moved * draw.normal(size=(count, FACTORS)).astype(np.float32)
    chosen = draw.choice([user for user, row in enumerate(known) if len(row) >= VIEWED], USERS, replace=False)
    users = np.stack([(base[rows] * weights[rows, np.newaxis]).sum(axis=0) for rows in
                      (np.array(known[user][:VIEWED]) for user in chosen)])  # fmt: skip
    return items.astype(np.float32), users.astype(np.float32)


def _neighbours(draw: np.random.Generator, count: int) -> dict[str, Array]:
    """Neighbours that stand near an item, with weights in whole steps."""
    near = np.abs(draw.normal(scale=200, size=(count, WIDTH))).astype(np.int64) + 1
    rows = np.zeros((count + 1, WIDTH), np.int32)
    rows[:-1] = np.sort((np.arange(count)[:, np.newaxis] + near) % count, axis=1)
    value = np.zeros((count + 1, WIDTH), np.float32)
    value[:-1] = draw.integers(1, 4096, (count, WIDTH)) / 4096
    return {"neighbour": rows, "value": value}


def _best_neighbours(arrays: Mapping[str, Array], history: NDArray[np.int32]) -> list[int]:
    named, sums = arrays["neighbour"][history].ravel(), arrays["value"][history].ravel()
    items, places = np.unique(named, return_inverse=True)
    scores = np.bincount(places, sums)
    scores[np.isin(items, history)] = 0
    best = np.lexsort((items, -scores))[:TOP]
    return [int(items[place]) for place in best if scores[place] > 0]


def _measured(way: str, folder: Path) -> dict[str, Any]:
    """Lists, times of one visitor, and memory of this process."""
    count = SIZES[(folder / "size").read_text(encoding="utf-8")]
    ask, queries = _ways(way, folder, count)
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


def _ways(way: str, folder: Path, count: int) -> tuple[Ask, NDArray[Any]]:
    if way == "voyager":
        import voyager  # noqa: PLC0415 - one of the ways needs it

        index = voyager.Index.load(str(folder / "voyager"))
        return lambda user: index.query(user, TOP, query_ef=EF)[0], _mapped(folder / "users")["users"]
    if way.startswith("neighbours"):
        arrays = _mapped(folder / "neighbours")
        graph = _listed(neighbour_shortlist(arrays)) if way == "neighbours" else _scanned(arrays, count)
        queries = _mapped(folder / "histories")["histories"]
        return _asked(
            graph, arrays, lambda row: {"history": row, "weight": np.ones_like(row, np.float32)}
        ), queries
    users = _mapped(folder / "users")["users"]
    if way == "blocks":
        arrays = _mapped(folder / "blocks")
        size = (folder / "size").read_text(encoding="utf-8")
        return _asked(_probing(arrays, PROBES[size]), arrays, lambda row: {"user": row}), users
    items = _mapped(folder / "items")["items"]
    return lambda user: np.argpartition(-(items @ user), TOP)[:TOP], users


def _mapped(path: Path) -> dict[str, Array]:
    with path.open("rb") as file:
        return unpack(memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)))


def _asked(graph: bytes, arrays: Mapping[str, Array], feed: Callable[[Any], dict[str, Any]]) -> Ask:
    session = open_session(graph)

    def ask(row: Any) -> Any:
        binding = session.io_binding()
        for name, array in {**arrays, **feed(row[np.newaxis])}.items():
            binding.bind_cpu_input(name, np.ascontiguousarray(array))
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


def _scanned(arrays: Mapping[str, Array], count: int) -> bytes:
    """All scores, what is seen masked, and the best of them taken: as small catalogs have it."""
    nodes, constants = sum_nodes(count, "sum")
    more, added = positive_nodes("sum", "scores")
    model = onnx.load_model_from_string(score_graph("scan", count, nodes + more, arrays, constants | added))
    graph = model.graph
    never = numpy_helper.from_array(np.array([-np.inf], np.float32), "")
    graph.node.append(helper.make_node("Shape", ["history"], ["seen_shape"]))
    graph.node.append(helper.make_node("ConstantOfShape", ["seen_shape"], ["masks"], value=never))
    graph.node.append(helper.make_node("ScatterElements", ["scores", "history", "masks"], ["open"], axis=1))
    _take_best(graph, "", "open")
    return bytes(model.SerializeToString())


def _probing(arrays: Mapping[str, Array], probes: int) -> bytes:
    nodes, constants = block_nodes("user", probes, arrays)
    inputs = [helper.make_tensor_value_info("user", TensorProto.FLOAT, ["batch", FACTORS])]
    inputs += [helper.make_tensor_value_info(n, TYPES[a.dtype], a.shape) for n, a in sorted(arrays.items())]
    held = [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "blocks", inputs, [], held)
    _take_best(graph, "items", "scores")
    opsets = [helper.make_opsetid("", 18)]
    return bytes(helper.make_model(graph, opset_imports=opsets, ir_version=8).SerializeToString())


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

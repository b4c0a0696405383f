"""`make bench-brought`: what it costs to bring a recommender, and how near it stays, on MovieLens 100K.

Exports are of `implicit`: cosine neighbours (50 an item) and least squares (32 factors). Of each,
the share of listed items that the library's own numbers list, after 405 histories. Scorers are
networks of random weights with 64 factors: one adds up the vectors of a history, one attends to
them, always padded to 50. Of each, the time of a call for one visitor with 50 items as it was
exported, in 32 bits, and as it is in a bundle, with its list; the bytes of their arrays; and
which share of scores another implementation of ONNX, in numpy, rounds to another step after 2,000
histories: what another processor may do.
"""

import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from onnx.reference import ReferenceEvaluator

from compiler.models.graph import RecommenderSpec, merge
from compiler.models.hoist import hoist
from edge.decide.recommender import Recommender, open_session
from models import recipe
from models.bring.convert_scorer import bring_scorer
from models.bring.scorer import read_module, read_onnx_scorer
from models.data.histories import histories, padded
from models.data.interactions import Interactions
from models.data.movielens import read_interactions
from models.data.sample import real_histories, sample_histories
from models.learn.cooccurrence import use_matrix
from models.learn.fold_in import one_thread

ROOT = Path(__file__).resolve().parents[1]
LENGTH = 50
FACTORS = 64
CALLS = 300
BATCH = 32
ROWS = 2_000

Rows = Sequence[list[int]]
Both = tuple[NDArray[Any], NDArray[Any]]
TOP = 10


def main() -> None:
    """Bring both kinds, and print a line of figures."""
    data = Path(os.environ.get("NEARSIDE_DATA") or ROOT.parent / "shared/data") / "ml-100k"
    if not data.is_dir():
        raise SystemExit(f"no folder {data}: set NEARSIDE_DATA to the folder that holds ml-100k")
    ratings = read_interactions(data)
    figures = _exports(ratings)
    for name, module, is_fixed in _modules(len(ratings.item_ids)):
        figures |= {f"{key}_{name}": value for key, value in _scorer(ratings, module, is_fixed).items()}
    print(json.dumps({"bench": "brought", "figures": figures}))


def _exports(ratings: Interactions) -> dict[str, float]:
    from implicit.cpu.als import AlternatingLeastSquares  # noqa: PLC0415 - slow to import
    from implicit.nearest_neighbours import CosineRecommender  # noqa: PLC0415

    used = scipy.sparse.csr_matrix(use_matrix(ratings, len(ratings.item_ids)))
    with one_thread(), tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        (folder / "items.txt").write_text("\n".join(ratings.item_ids))
        near = CosineRecommender(K=50, num_threads=1)
        near.fit(used, show_progress=False)
        scipy.sparse.save_npz(folder / "near.npz", near.similarity)
        als = AlternatingLeastSquares(factors=32, iterations=10, num_threads=1, random_state=1)
        als.fit(used, show_progress=False)
        users = {"users": als.user_factors, "user_ids": np.array(ratings.user_ids)}
        np.savez(folder / "als.npz", out=als.item_factors, **users)
        rows = replace(ratings, folder=folder)
        cards = {
            name: recipe.train(name, "brought", rows, {"model": f"{name}.npz", "items": "items.txt"}).card
            for name in ("near", "als")
        }
    found = {f"overlap_{name}": card["parity"]["overlap"] for name, card in cards.items()}
    return {**found, "overlap_of_users_als": cards["als"]["users"]}


def _modules(n_items: int) -> list[tuple[str, Any, bool]]:
    import torch  # noqa: PLC0415 - an extra

    torch.manual_seed(0)
    torch.set_num_threads(1)

    class Summed(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.items = torch.nn.Embedding(n_items + 1, FACTORS, padding_idx=n_items)
            self.bend = torch.nn.Linear(FACTORS, FACTORS)

        def forward(self, history: Any) -> Any:
            return self.bend(self.items(history).sum(1)).relu() @ self.items.weight[:-1].T

    class Attentive(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.items = torch.nn.Embedding(n_items + 1, FACTORS, padding_idx=n_items)
            self.attention = torch.nn.MultiheadAttention(FACTORS, 2, batch_first=True)
            self.after = torch.nn.Sequential(torch.nn.LayerNorm(FACTORS), torch.nn.Linear(FACTORS, FACTORS))

        def forward(self, history: Any) -> Any:
            absent = history == n_items
            items = self.items(history)
            seen, _ = self.attention(items, items, items, key_padding_mask=absent, need_weights=False)
            user = (self.after(seen).relu() * (~absent).float().unsqueeze(2)).sum(1)
            return user @ self.items.weight[:-1].T

    return [("summed", Summed(), False), ("attentive", Attentive(), True)]


def _scorer(ratings: Interactions, module: Any, is_fixed: bool) -> dict[str, float]:
    n_items = len(ratings.item_ids)
    brought = bring_scorer(module, ratings.item_ids, ratings, LENGTH, is_fixed=is_fixed)
    models = hoist({"m": replace(brought, name="m", sample=sample_histories(ratings))})
    merged = merge(models, [RecommenderSpec("m", TOP)], LENGTH)
    arrays = {name: merged.arrays[file][key] for name, (file, key) in merged.plan.bindings.items()}
    session = open_session(brought.scores_graph)
    ours = Recommender(merged.plan, open_session(merged.graph), arrays)
    exported = read_onnx_scorer(read_module(module, n_items, LENGTH * is_fixed).convert(), n_items)
    rows = [row.tolist() for row in real_histories(models["m"].sample, LENGTH, ROWS)]

    evaluator, step = ReferenceEvaluator(exported.convert()), brought.card["step"]

    def plain(rows_: Rows) -> Both:
        """Scores of the graph as it was exported: by onnxruntime, and by ONNX's evaluator."""
        history, weight = padded(rows_, n_items)
        if is_fixed:
            more = LENGTH - history.shape[1]
            history = np.pad(history, ((0, 0), (0, more)), constant_values=n_items)
        wide = history.astype(np.int64)
        told: Any = evaluator.run(None, {"history": wide})
        return exported.predict(wide, weight), told[0]

    def listed(rows_: Rows) -> list[list[int]]:
        return [lists["m"] for lists in ours.list_items(rows_)]

    def own(rows_: Rows) -> Both:
        history, weight = padded(rows_, n_items)
        feeds = {"history": history, "weight": weight, **brought.arrays}
        return session.run(["scores"], feeds)[0], brought.reference(brought.arrays, history, weight)

    known = [row[:LENGTH] for row in histories(ratings) if len(row) >= LENGTH][:CALLS]
    full = np.ones((1, LENGTH), np.float32)
    return {
        "us_exported": _cost_us(lambda row: exported.predict(np.array([row]), full), known),
        "us": _cost_us(lambda row: listed([row]), known),
        "kb_exported": brought_bytes(exported.convert()) / 1000,
        "kb": sum(array.nbytes for array in arrays.values()) / 1000,
        "changed_exported": _changed(plain, rows, step),
        "changed": _changed(own, rows, step),
    }


def brought_bytes(proto: Any) -> int:
    """Of a graph's constants."""
    return sum(len(tensor.raw_data) for tensor in proto.graph.initializer)


def _cost_us(call: Callable[[list[int]], object], rows: Rows) -> float:
    spent = []
    for row in rows:
        started = time.perf_counter()
        call(row)
        spent.append((time.perf_counter() - started) * 1e6)
    return round(statistics.median(spent), 1)


def _changed(scored: Callable[[Rows], Both], rows: Rows, step: float) -> float:
    """The share of scores that two implementations round to different steps."""
    found = total = 0
    for start in range(0, len(rows), BATCH):
        one, other = (np.round(scores / step) for scores in scored(rows[start : start + BATCH]))
        found += int((one != other).sum())
        total += one.size
    return round(found / total, 6)


if __name__ == "__main__":
    main()

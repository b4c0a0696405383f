"""`make bench-predictions`: how good predictions are on public data, and what they cost.

Each figure is of rows held out; those in brackets are the 95 % interval. Costs are of one
call of a graph, on one thread, for 1, 200 and 2,000 rows. The last line is JSON.
"""

import argparse
import json
import os
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Final

import numpy as np

from edge.decide import words
from edge.decide.inference import ort
from loadtest.prediction_data import NUMBERS, Shoppers, fifths, hillstrom, mind, queries, upworthy
from models.predict.blend import blend
from models.predict.card import split
from models.predict.contract import TOLERANCE, Prediction
from models.predict.evaluate import Figures, evaluate, predict
from models.predict.frontier import Point, as_svg, as_table, frontier
from models.predict.measure import Values, auc, calibration_error
from models.predict.recipe import train
from models.predict.table import Rows, Table

ROOT: Final = Path(__file__).resolve().parents[1]
SIZES: Final = (1, 200, 2000)
CHANCES: Final = ("logistic", "mlp", "forest", "hist-boosting", "boosting")
OCTOBER: Final = 9
OBJECTIVES: Final = ("minutes", "purchases")
BEST_SHARE: Final = 0.2
"""Of sessions, those that weights choose."""

COST_S: Final = 0.3
"""How long one cost is measured."""

Found = dict[str, float]


class Bench:
    """Figures by name, and one model of each recipe with rows to ask it."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.figures: Found = {}
        self.models: dict[str, tuple[Prediction, Rows]] = {}

    def note(self, name: str, figures: Figures, *wanted: str) -> None:
        """Print all figures, and keep the wanted ones with their bounds."""
        print(f"{name}: " + ", ".join(f"{key} {figure}" for key, figure in figures.items()), flush=True)
        for key in wanted:
            figure, label = figures[key], f"{key}_{name}".replace("-", "_").replace("@", "")
            self.figures[label] = round(figure.value, 4)
            self.figures[f"{label}_low"] = round(figure.low, 4)
            self.figures[f"{label}_high"] = round(figure.high, 4)

    def train(self, recipe: str, table: Table, **settings: object) -> Prediction:
        """A model, kept for its costs; rows to ask it are those it learned from."""
        began = perf_counter()
        model = train(recipe, recipe, table, settings)
        self.figures[f"train_s_{recipe.replace('-', '_')}"] = round(perf_counter() - began, 1)
        rows = words.rows(table.texts[:2000], model.width) if model.words else table.rows
        self.models[recipe] = (model, rows)
        return model


def main() -> None:
    """All data, one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--picture", type=Path, help="where to write the frontier, as SVG")
    options = parser.parse_args()
    data = Path(os.environ.get("NEARSIDE_DATA") or ROOT.parent / "shared/data")
    if not data.is_dir():
        raise SystemExit(f"no folder {data}: set NEARSIDE_DATA to the folder that holds online-shoppers")
    bench = Bench(data)
    measure_shoppers(bench)
    points = measure_objectives(bench)
    print(as_table(points))
    if options.picture:
        options.picture.write_text(as_svg(points, *OBJECTIVES), encoding="utf-8")
    measure_hillstrom(bench)
    measure_news(bench)
    measure_words(bench)
    for recipe, (model, rows) in bench.models.items():
        bench.figures |= costs(recipe.replace("-", "_"), model, rows)
    print(json.dumps({"bench": "predictions", "figures": bench.figures}))
    if bench.figures["parity"] > TOLERANCE:
        raise SystemExit("a graph says something else than its reference")


def measure_shoppers(bench: Bench) -> None:
    """Every recipe for chances on one quarter; the best on five fifths, in time, and without page values."""
    shoppers = Shoppers.read(bench.data)
    table = shoppers.table
    learned, held_out = split(table, None)
    for recipe in CHANCES:
        model = bench.train(recipe, table.where(learned))
        bench.note(recipe, evaluate(model, table.where(held_out)), "auc", "ece")
    # Not of one-hot columns: segments of those would be the months.
    numbers = _chosen(table, [name for name in table.features if name in NUMBERS])
    bench.models["segments"] = (train("kind", "segments", numbers), numbers.rows)
    bench.figures["parity"] = max(parity(model, rows) for model, rows in bench.models.values())
    scores = np.zeros(len(table), np.float32)
    each = []
    for learned, held_out in fifths(len(table)):
        scores[held_out] = predict(train("buy", "boosting", table.where(learned)), table.where(held_out))[
            :, 0
        ]
        each.append(auc(table.labels[held_out], scores[held_out]))
    bench.figures["auc_shoppers"] = round(statistics.mean(each), 4)
    bench.figures["ece_shoppers"] = round(calibration_error(table.labels, scores), 4)
    print(f"five folds: AUC {', '.join(f'{value:.4f}' for value in each)}")
    late = shoppers.month > OCTOBER
    in_time = train("buy", "boosting", table.where(~late))
    bench.note("november-on", evaluate(in_time, table.where(late)), "auc", "ece")
    plain = Shoppers.read(bench.data, with_page_values=False).table
    learned, held_out = split(plain, None)
    model = train("buy", "boosting", plain.where(learned))
    bench.note("no-page-values", evaluate(model, plain.where(held_out)), "auc")


def measure_objectives(bench: Bench) -> list[Point]:
    """Purchases against minutes with products, foreseen from a session's context alone."""
    table = Shoppers.read(bench.data).table
    minutes = table.rows[:, table.features.index("ProductRelated_Duration")] / np.float32(60)
    known = _chosen(table, [name for name in table.features if " is " in name or "SpecialDay" in name])
    learned, held_out = split(known, None)
    parts = {
        "buy": train("buy", "logistic", known.where(learned)),
        "stay": train(
            "stay", "boosting", replace(known, labels=minutes).where(learned), {"objective": "amount"}
        ),
    }
    bench.models["blend"] = (blend("value", parts, {"buy": 5.0, "stay": 0.1}), known.rows)
    scores: dict[str, Values] = {
        name: predict(part, known.where(held_out))[:, 0] for name, part in parts.items()
    }
    came: dict[str, Values] = {"purchases": table.labels[held_out], "minutes": minutes[held_out]}
    return frontier(scores, came, BEST_SHARE)


def measure_hillstrom(bench: Bench) -> None:
    """Whom an e-mail moves to visit."""
    table = hillstrom(bench.data)
    learned = np.random.default_rng(1).permutation(len(table)) % 2 == 0
    boosted = train("uplift", "uplift", table.where(learned), {"learner": "boosting"})
    bench.note("uplift-boosting", evaluate(boosted, table.where(~learned)), "qini")
    model = bench.train("uplift", table.where(learned))
    bench.note("hillstrom", evaluate(model, table.where(~learned)), "qini", "uplift_of_best", "uplift_of_all")


def measure_news(bench: Bench) -> None:
    """Which candidate of an impression is clicked, in time."""
    table, times = mind(bench.data)
    learned, held_out = split(table, times)
    test = table.where(held_out)
    model = bench.train("lambdamart", table.where(learned))
    bench.note("mind", evaluate(model, test), "auc", "ndcg@5")
    rate = test.features.index("click rate so far")
    constant = Prediction("rate", (), ("rate",), b"", {}, model.card, lambda rows: rows[:, [rate]])
    bench.note("mind-click-rate", evaluate(constant, test), "auc", "ndcg@5")


def measure_words(bench: Bench) -> None:
    """Categories of queries, and headlines against each other."""
    learned, titles, short = queries(bench.data)
    model = bench.train("intent", learned)
    bench.note("titles", evaluate(model, titles), "accuracy")
    bench.note("queries", evaluate(model, short), "accuracy", "majority")
    tests = upworthy(bench.data)
    rows, held_out = split(tests, None)
    headlines = bench.train("text", tests.where(rows))
    bench.note("upworthy", evaluate(headlines, tests.where(held_out)), "pairs", "clear_pairs")
    began = perf_counter()
    words.rows(short.texts, model.width)
    bench.figures["us_words"] = round((perf_counter() - began) / len(short) * 1e6, 1)


def parity(model: Prediction, rows: Rows) -> float:
    """The greatest distance of graph and reference."""
    return float(np.abs(_session(model).run(None, _inputs(model, rows))[0] - model.reference(rows)).max())


def costs(recipe: str, model: Prediction, rows: Rows) -> Found:
    """Median µs of a call, and the size of graph and arrays."""
    session = _session(model)
    kilobytes = (len(model.graph) + sum(array.nbytes for array in model.arrays.values())) / 1000
    return {
        **{f"us_{recipe}_{size}": _median_us(session, _inputs(model, _some(rows, size))) for size in SIZES},
        f"kb_{recipe}": round(kilobytes, 1),
    }


def _median_us(session: ort.InferenceSession, inputs: Mapping[str, Rows]) -> float:
    taken: list[float] = []
    ends = perf_counter() + COST_S
    session.run(None, inputs)
    while perf_counter() < ends or len(taken) < 5:
        began = perf_counter()
        session.run(None, inputs)
        taken.append(perf_counter() - began)
    return round(statistics.median(taken) * 1e6, 1)


def _session(model: Prediction) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return ort.InferenceSession(model.graph, options, providers=["CPUExecutionProvider"])


def _inputs(model: Prediction, rows: Rows) -> dict[str, Rows]:
    return {"features": rows, **model.arrays}


def _some(rows: Rows, size: int) -> Rows:
    return np.ascontiguousarray(rows[np.arange(size) % len(rows)])


def _chosen(table: Table, names: Sequence[str]) -> Table:
    places = [table.features.index(name) for name in names]
    return replace(table, features=tuple(names), rows=np.ascontiguousarray(table.rows[:, places]))


if __name__ == "__main__":
    main()

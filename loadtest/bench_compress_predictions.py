"""`make bench-compress_predictions`: how small predictions can be before they tell less.

Protocol: a quarter of the sessions of online-shoppers is held out, at random. What is kept is
chosen within the other three quarters (divided once more; surely at most 2 % of the bits that the
model tells of a row lost there). Then it is trained on all three quarters and measured on the
quarter, against the default settings. Bytes are those of graph and arrays; operations are
multiply-adds of one row.
"""

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np

from compiler.models.cost import count_operations
from loadtest.prediction_data import Shoppers
from models.predict.card import split
from models.predict.contract import Prediction
from models.predict.evaluate import predict
from models.predict.measure import auc, log_loss
from models.predict.recipe import train
from models.predict.smallest import chosen_settings, search_prediction
from models.predict.table import Table

ROOT = Path(__file__).resolve().parents[1]
RECIPES = ("boosting", "hist-boosting", "forest", "mlp")
LOSE = 0.02


def main() -> None:
    """Search, train and measure each recipe; print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipes", nargs="*", default=list(RECIPES))
    options = parser.parse_args()
    data = Path(os.environ.get("NEARSIDE_DATA") or ROOT.parent / "shared/data")
    if not (data / "online-shoppers").is_dir():
        raise SystemExit(f"no folder {data}/online-shoppers: set NEARSIDE_DATA to the folder that holds it")
    table = Shoppers.read(data).table
    learned, held_out = split(table, None)
    known, test = table.where(learned), table.where(held_out)
    figures = {recipe: _one(recipe, known, test) for recipe in options.recipes}
    print(json.dumps({"bench": "compress_predictions", "figures": figures}))


def _one(recipe: str, known: Table, test: Table) -> dict[str, float]:
    inside, valid = split(known, None)
    started = time.perf_counter()
    parts = known.where(inside), known.where(valid)
    found = search_prediction(recipe, (recipe, {}), parts, LOSE, lambda step, share: None)
    took_s = time.perf_counter() - started
    chosen = chosen_settings(found.chosen)
    figures = {"tried": len(found.points), "search_s": round(took_s, 1)}
    for name, settings in (("default", {}), ("small", chosen)):
        model = train(recipe, recipe, known, settings)
        figures |= {f"{key}_{name}": value for key, value in _measured(model, test).items()}
    print(
        f"{recipe}: {chosen}, " + ", ".join(f"{name} {value:.5g}" for name, value in figures.items()),
        flush=True,
    )
    return figures


def _measured(model: Prediction, test: Table) -> dict[str, float]:
    chances = predict(model, test)[:, 0]
    feeds = {"features": np.zeros((1, test.rows.shape[1]), np.float32), **model.arrays}
    size = len(model.graph) + sum(array.nbytes for array in model.arrays.values())
    return {
        "kb": size / 1000,
        "operations": count_operations(model.graph, feeds),
        "auc": round(auc(test.labels, chances), 4),
        "log_loss": round(log_loss(test.labels, chances), 4),
    }


if __name__ == "__main__":
    main()

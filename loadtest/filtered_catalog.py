"""What a list costs in a large catalog of which a filter leaves a part, from shortlists and by a scan."""

import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from compiler.models.graph import merge
from compiler.recommenders.graph import Pool, Stage
from compiler.recommenders.short import width_of
from edge.bundle.arrays import Array
from edge.decide.recommender import Recommender, open_session
from loadtest.large_bundle import trained_models
from loadtest.made_catalog import Made
from models.trained import Trained

SHARES = (0.9, 0.5, 0.1, 0.01)
LIMIT, VIEWED, TIMES = 10, 20, 150


def measure(made: Made, name: str) -> dict[str, float]:
    """Microseconds of a visitor's list, and how many times wider shortlists are, by model and share left."""
    models, draw, figures = trained_models(made), np.random.default_rng(0), dict[str, float]()
    for share in SHARES:
        arrays: dict[str, Array] = {"left/allow": (draw.random(len(made.films)) < share).astype(np.uint8)}
        for model in models:
            pool = Pool(f"{model}:0", model, LIMIT, allow="left/allow")
            width = width_of(models[model], pool, arrays, [])
            of = f"{model}_left_{share:g}_{name}"
            figures[f"width_{of}"] = width
            figures[f"us_{of}"] = _list_us(models, replace(pool, width=width), arrays, made)
            figures[f"us_scan_{of}"] = _list_us(models, pool, arrays, made)
    return figures


def _list_us(models: Mapping[str, Trained], pool: Pool, arrays: dict[str, Array], made: Made) -> float:
    merged = merge(models, [], stage=Stage((pool,), arrays, 0))
    held = {**{f"arrays/{name}": model.arrays for name, model in models.items()}, "around": arrays}
    bound = {name: held[file][key] for name, (file, key) in merged.plan.bindings.items()}
    recommender, spent = Recommender(merged.plan, open_session(merged.graph), bound), []
    draw = np.random.default_rng(1)
    for _ in range(TIMES):
        history = np.unique(draw.choice(made.sample["items"], VIEWED)).tolist()
        began = time.thread_time()
        recommender.find([history])
        spent.append((time.thread_time() - began) * 1e6)
    return round(float(np.median(spent)))

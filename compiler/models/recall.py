"""Measures how much of a scan's best a shortlist finds over real rows, and scans where that is too little."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar, cast

import numpy as np

from compiler.models.certificate import Carded
from compiler.models.real_rows import History, padded, real_rows
from compiler.models.shortlists import found_by, leaves_out
from compiler.models.types import ModelConfig
from compiler.problems import Problems
from compiler.types import Workspace
from edge.bundle.certificate import Shortlisted

TOP: Final = 50
ROWS: Final = 256
KEY: Final = "found"
"""Of a card, what is certified."""

TRIED: Final = "shortlist"
"""Of a card, what training found: how many blocks have to be looked at, 0 for too many."""

FLOOR: Final = 0.95
"""Where a model does not say what it asks for."""

M = TypeVar("M", bound=Carded)


def sure_shortlists(workspace: Workspace, trained: Mapping[str, M], problems: Problems) -> dict[str, M]:
    """The models, their cards saying what their shortlists find; without those that find less than asked for.

    Who loses a shortlist is told of in a warning: all its items are scored, which is slower and right.
    """
    found = dict(trained)
    for config in workspace.models:
        model = found.get(config.name)
        if model is None or not leaves_out(model):
            if model is not None and model.card.get(TRIED, {}).get("probes") == 0:
                _warn_of_scan(config, len(model.items), problems)
            continue
        told = measure(model)
        asked = float(model.card.get("settings", {}).get("recall", FLOOR))
        if told.recall < asked:
            _warn(config, told, asked, problems)
            found[config.name] = cast(M, replace(cast(Any, model), shortlist=b""))
        else:
            found[config.name] = cast(M, replace(cast(Any, model), card={**model.card, KEY: told}))
    return found


def measure(model: Carded) -> Shortlisted:
    """What a model's shortlist finds of the best of a scan, by their references."""
    settings = model.card.get("settings", {})
    n_items = len(model.items)
    rows = real_rows(model.sample, n_items, int(settings.get("max_history", 50)), ROWS).histories
    hits, sizes, looked_at = 0, 0, 0
    for row in rows:
        found = found_by(model, *padded([row], n_items))
        assert found is not None
        best = _best(model, row)
        hits += int(np.isin(best, found[0]).sum())
        sizes += len(best)
        looked_at = found[0].shape[1]
    share = int(10_000 * hits / sizes) / 10_000 if sizes else 0.0
    return Shortlisted(len(rows), TOP, share, looked_at)


def _best(model: Carded, row: History) -> History:
    scores = model.score(*padded([row], len(model.items)))[0].copy()
    scores[row] = -np.inf
    top = min(TOP, len(scores) - len(row))
    return np.argpartition(-scores, top - 1)[:top].astype(np.int32) if top else row[:0]


def _warn(config: ModelConfig, told: Shortlisted, asked: float, problems: Problems) -> None:
    message = (
        f"the blocks of model {config.name!r} hold {told.recall:.1%} of the best {told.top} items, less than"
        f" the {asked:.1%} that it asks for: all items are scored instead"
    )
    hint = "run `nearside train` again, or ask for less with its setting `recall`"
    problems.warn(config.path, config.line, "recall", message, hint)


def _warn_of_scan(config: ModelConfig, n_items: int, problems: Problems) -> None:
    message = (
        f"model {config.name!r} scores all {n_items:,} items for each visitor: too many blocks hold its best"
    )
    hint = "train it with fewer factors or a lower `recall`, or take a recipe of neighbours"
    problems.warn(config.path, config.line, "recall", message, hint)

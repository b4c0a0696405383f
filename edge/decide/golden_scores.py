"""Runs golden histories once more for the scores of what is listed: numbers may drift before orders do."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from edge.bundle.features import CONTEXT
from edge.bundle.format import ModelsGolden, RecommenderPlan
from edge.decide.recommender import MAX_SCORES, Recommender
from edge.decide.row import Row
from edge.errors import BundleError

TOLERANCE: Final = 1e-5
"""Of the greatest score of a list, or absolute where that is below 1; golden scores have six digits."""


def check_scores(
    golden: Sequence[ModelsGolden], recommender: Recommender, histories: Sequence[Sequence[int]]
) -> None:
    """Compare the scores of all lists with those that the compiler wrote down.

    Raises
    ------
    BundleError
        ``golden``: a score differs by more than `TOLERANCE`.
    """
    cases = [number for number, case in enumerate(golden) if case.scores]
    if not cases:
        return
    plans = [plan for plan in recommender.plan.recommenders if plan.name in golden[cases[0]].scores]
    most = max(1, MAX_SCORES // recommender.plan.n_items)
    for at in range(0, len(cases), most):
        part = cases[at : at + most]
        rows = [list(histories[number][: recommender.plan.max_history]) for number in part]
        found = _run(recommender, plans, rows, [golden[number].row for number in part])
        for plan, scores in zip(plans, found, strict=True):
            for number, row in zip(part, scores, strict=True):
                _compare(plan, golden[number], row.tolist())


def _run(
    recommender: Recommender,
    plans: Sequence[RecommenderPlan],
    rows: Sequence[Sequence[int]],
    contexts: Sequence[Row],
) -> list[np.ndarray]:
    outputs = [plan.scores_output for plan in plans]
    try:
        found: list[np.ndarray] = recommender.session.run(outputs, _feeds(recommender, rows, contexts))
    # onnxruntime's errors share no base but this one.
    except Exception as error:
        raise BundleError("golden", f"the models can't be run: {error}") from error
    return found


def _feeds(
    recommender: Recommender, rows: Sequence[Sequence[int]], contexts: Sequence[Row]
) -> dict[str, np.ndarray]:
    plan = recommender.plan
    n_items = plan.n_items
    history = np.full((len(rows), max([1, *map(len, rows)])), n_items, np.int32)
    for place, row in enumerate(rows):
        history[place, : len(row)] = row
    feeds = {"history": history, "weight": (history < n_items).astype(np.float32), **recommender.arrays}
    feeds |= {"gate": np.zeros((len(rows), plan.gates), np.int32)} if plan.gates else {}
    return feeds | ({CONTEXT: np.array(contexts, np.float32)} if plan.columns else {})


def _compare(plan: RecommenderPlan, case: ModelsGolden, found: Sequence[float]) -> None:
    wanted = case.scores.get(plan.name, ())
    room = TOLERANCE * max([1.0, *map(abs, wanted)])
    for item, one, other in zip(case.items.get(plan.name, ()), found, wanted, strict=False):
        # Written so that a score that is no number is caught, too.
        if not abs(one - other) <= room:
            message = f"{plan.name!r} gives {item!r} {one:.9g}, not {other:.9g}, after {case.history}"
            raise BundleError("golden", message)

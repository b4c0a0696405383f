"""Converts a scorer of PyTorch or ONNX into a recommender, and holds the result against it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from edge.bundle.arrays import Array
from models.bring.held import (
    BATCH,
    Held,
    History,
    compare,
    error_of,
    histories_of,
    own_scores,
    refuse_others,
    source_scores,
)
from models.bring.items import Alignment, align
from models.bring.probe import try_out
from models.bring.recommender import NAME, evaluator
from models.bring.scorer import Scorer, read_module, read_onnx_scorer
from models.bring.scorer_graph import ScorerGraph, check, scorer_graph, step_of
from models.bring.source import cannot
from models.data.histories import padded
from models.data.interactions import Interactions
from models.predict.contract import TOLERANCE
from models.settings import COMMON
from models.trained import SCORER, Trained

LONGEST: Final = int(COMMON["max_history"].default)
FEW: Final = 16
"""Histories that ONNX's own evaluator is asked for, which is slow."""


def bring_scorer(
    model: Any,
    ids: Sequence[str],
    interactions: Interactions,
    longest: int = LONGEST,
    *,
    is_fixed: bool = False,
) -> Trained:
    """A recommender of a PyTorch module or an ONNX proto.

    Parameters
    ----------
    model
        Takes `history` (batch, length), positions of items padded with their number, the newest
        first, and maybe `weight`; gives `scores` (batch, items).
    ids
        The items, in the model's order.
    interactions
        Real histories, on which both are compared.
    longest
        How much of a history is looked at.
    is_fixed
        Whether histories are always padded to that length; else to the longest of a batch.

    Raises
    ------
    GivenError
        ``bring``: it can't be converted, or scores otherwise than its source; what, why, and what would
        work in its place.
    """
    alignment = align(ids, interactions.item_ids, "`items`")
    scorer = _read(model, len(ids), longest if is_fixed else 0)
    proto, n_items = scorer.convert(), alignment.n_items
    made = scorer_graph(scorer, proto, alignment, 1.0)
    if scorer.is_foreign:
        # Tried in a process of its own, before anything of it runs in this one.
        try_out(made.graph, made.arrays, _few(alignment, longest), "scores", n_items)
    check(made.graph)
    rows = histories_of(interactions, min(longest, scorer.length or longest), len(ids))
    made, step, held = _held(scorer, proto, alignment, rows)
    card = {SCORER: True, "source": scorer.kind, "step": step, "narrow": made.narrow}
    card |= {"parity": held.card(), "aligned": alignment.card()}
    return Trained(NAME, interactions.item_ids, made.graph, made.arrays, card, evaluator(made.graph))


def _held(
    scorer: Scorer, proto: Any, alignment: Alignment, rows: Sequence[History]
) -> tuple[ScorerGraph, float, Held]:
    """The graph with the step of its scores, once it has scored as its source does, alone and with others."""
    source, n_items = source_scores(scorer, rows, alignment), alignment.n_items
    step = step_of(float(np.abs(source[np.isfinite(source)]).max(initial=0.0)))
    made = scorer_graph(scorer, proto, alignment, step)
    alone, together = (own_scores(made.graph, made.arrays, rows, n_items, batch) for batch in (1, BATCH))
    refuse_others(source, alone, rows, step, f"{scorer.kind} converts to a graph that scores otherwise")
    refuse_others(alone, together, rows, 2 * step, "it scores otherwise where a history is padded further,")
    _check_reference(made, rows[:: max(1, len(rows) // FEW)], n_items, step)
    return made, step, compare(source, together, rows, step)


def _check_reference(made: ScorerGraph, rows: Sequence[History], n_items: int, step: float) -> None:
    """The compiler will hold the graph against what ONNX itself says of it."""
    history, weight = padded([row.tolist() for row in rows], n_items)
    try:
        told = evaluator(made.graph)(made.arrays, history, weight)
    # It raises what numpy does.
    except Exception as error:
        said = f"can't be run: ONNX's own evaluator can't do so: {error}"
        raise cannot("the graph", said) from error
    own = own_scores(made.graph, made.arrays, rows, n_items)
    if (error_of(own, told.astype(np.float64), 2 * step) > TOLERANCE).any():
        raise cannot("the graph", "means another thing to ONNX's own evaluator than to onnxruntime")


def _few(alignment: Alignment, longest: int) -> list[dict[str, Array]]:
    """Made-up histories, to try what is foreign with: nothing, one item, and as many as are looked at."""
    n_items = alignment.n_items
    rows = [[], [0], list(range(min(longest, n_items)))]
    calls = [padded(part, n_items) for part in ([rows[0]], rows, [rows[1]] * 64)]
    return [{"history": history, "weight": weight} for history, weight in calls]


def _read(model: Any, n_items: int, length: int) -> Scorer:
    if not type(model).__module__.startswith("onnx"):
        return read_module(model, n_items, length)
    found = read_onnx_scorer(model, n_items)
    return found if found.length else replace(found, length=length)

"""Says which pools may choose from their model's shortlist, and how far it has to look for that.

Filters and boosts come before the list is cut, so a shortlist must hold what is left of the catalog's best
behind them. Whether it does is measured over histories that visitors really had.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import numpy as np

from compiler.models.graph import ScoreModel
from compiler.models.real_rows import padded, real_rows
from compiler.models.shortlists import found_by, shortlists, widened
from compiler.recommenders.graph import Pool, reference_steps
from edge.bundle.arrays import Array

ROWS: Final = 64
TOP: Final = 50
WIDTHS: Final = (1, 2, 4, 8)
"""How many times as much as for a plain list is looked at, at most."""

WORTH: Final = 4
"""A shortlist is faster where the catalog is so many times larger."""

FLOOR: Final = 0.95
"""Where a model does not say what it asks for."""


class Model(ScoreModel, Protocol):
    """A trained model with its card and real rows."""

    @property
    def card(self) -> Mapping[str, Any]:
        """How it came about."""

    @property
    def sample(self) -> Mapping[str, Array]:
        """See `models.data.sample`; empty where there are none."""


def width_of(model: Model, pool: Pool, arrays: Mapping[str, Array], rows_of_gates: Sequence[int]) -> int:
    """How many times as much as for a plain list a pool looks at; 0 where it takes all scores.

    That is what finds the share of the best that the model's setting ``recall`` asks for. Items that may be
    listed again, and new ones that take their scores from others, are no shortlist's.
    """
    if pool.keeps_seen or pool.new or not shortlists({pool.model: model}, pool.model, None):
        return 0
    wide = widened(model, WIDTHS[-1])
    if wide is None:
        return 1
    ranks, width = _ranks(model, wide, pool, arrays, rows_of_gates)
    asked = float(model.card.get("settings", {}).get("recall", FLOOR))
    for times in WIDTHS:
        if (
            width * times * WORTH <= len(model.items)
            and len(ranks)
            and (ranks < width * times).mean() >= asked
        ):
            return times
    return 0


def _ranks(
    model: Model, wide: Model, pool: Pool, arrays: Mapping[str, Array], rows_of_gates: Sequence[int]
) -> tuple[Array, int]:
    """Where each of the best of all stands in the widest shortlist, and how much a plain list looks at."""
    n_items, found = len(model.items), []
    longest = int(model.card.get("settings", {}).get("max_history", 50))
    width = 0
    for number, history in enumerate(real_rows(model.sample, n_items, longest, ROWS).histories):
        asked = padded([history], n_items)
        gates = [number % count for count in rows_of_gates]
        looked_at, own = found_by(wide, *asked), found_by(model, *asked)
        assert looked_at is not None
        assert own is not None
        width = own[0].shape[1]
        rank = np.full(n_items + 1, n_items)
        rank[looked_at[0][0]] = np.arange(looked_at[0].shape[1])
        scores = reference_steps(model.score(*asked)[0], pool, arrays, history.tolist(), gates).open
        best = np.argpartition(-scores, min(TOP, n_items - 1))[:TOP]
        found.append(rank[best[scores[best] > -np.inf]])
    return (np.concatenate(found) if found else np.zeros(0)), width

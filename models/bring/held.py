"""Holds a brought recommender against its source, over histories that people really had."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge.bundle.arrays import Array
from edge.decide.recommender import open_session
from models.bring.items import Alignment
from models.bring.scorer import Scorer
from models.bring.source import cannot
from models.data.histories import padded
from models.data.interactions import Interactions
from models.data.sample import real_histories, sample_histories
from models.predict.contract import TOLERANCE

MOST: Final = 400
"""Histories that are compared."""

MOST_SCORES: Final = 20_000_000
BATCH: Final = 32
TOP: Final = 10
TIE: Final = 1e-9
"""As a share of the greatest score: what is apart by less is apart by rounding alone."""

WEAK: Final = 256
"""A history's greatest score counts as at least that part of the greatest of all."""

FIXED: Final = "let it leave padding out, or write `length: max_history`"

History = NDArray[np.int64]
"""Catalog positions, most recent first."""


@dataclass(frozen=True)
class Held:
    """What was compared, and how far both were apart.

    Attributes
    ----------
    histories : int
        Of the interactions, of any length; and the empty one.
    max_error : float
        The greatest difference of a score, as a share of its history's greatest.
    lists : float
        The share of lists of ten that are the same.
    overlap : float
        The share of listed items that the source lists, too, or scores as high as one of those.
    """

    histories: int
    max_error: float
    lists: float
    overlap: float

    def card(self) -> dict[str, Any]:
        """As the model's card has it."""
        return asdict(self)


def histories_of(interactions: Interactions, longest: int, n_scores: int) -> list[History]:
    """What people had viewed at some time, the shortest first, and nothing."""
    most = max(8, min(MOST, MOST_SCORES // max(1, n_scores)))
    found = real_histories(sample_histories(interactions), longest, most)
    return [np.zeros(0, np.int64), *sorted((row.astype(np.int64) for row in found), key=len)]


def source_scores(scorer: Scorer, rows: Sequence[History], alignment: Alignment) -> NDArray[np.float64]:
    """What the scorer itself says of the catalog's items, each history without any padding.

    Raises
    ------
    GivenError
        ``bring``: it can't be run, or a score is no number or endless.
    """
    found = np.full((len(rows), alignment.n_items), -np.inf)
    known = alignment.known
    for row, history in enumerate(rows):
        places = alignment.to_source[history]
        places = places[places < alignment.n_source].astype(np.int64)
        length = scorer.length or max(1, len(places))
        given = np.full((1, length), alignment.n_source, np.int64)
        given[0, : len(places)] = places[:length]
        scores = scorer.predict(given, (given < alignment.n_source).astype(np.float32))[0]
        if np.isnan(scores).any() or (scores == np.inf).any():
            if len(places):
                number, item = scores[~(scores < np.inf)][0], int(np.argmin(scores < np.inf))
                said = f"gives {number} to item {item} after {len(places)} items"
                raise cannot("the model", said, "a score is a number, or -inf for what must not be listed")
            scores = np.where(scores < np.inf, scores, -np.inf)  # nothing is known, so nothing is listed
        found[row, known] = scores[alignment.to_source[:-1][known]]
    return found


def own_scores(
    graph: bytes, arrays: Mapping[str, Array], rows: Sequence[History], n_items: int, batch: int = BATCH
) -> NDArray[np.float64]:
    """What the recommender's graph says, `batch` histories at once, padded to the longest of them.

    Raises
    ------
    GivenError
        ``bring``: it can't be run.
    """
    session, parts = open_session(graph), []
    for start in range(0, len(rows), batch):
        history, weight = padded([row.tolist() for row in rows[start : start + batch]], n_items)
        try:
            parts.append(session.run(["scores"], {"history": history, "weight": weight, **arrays})[0])
        # onnxruntime's errors share no base but this one.
        except Exception as error:
            said = " ".join(str(error).split())[:200]
            raise cannot("the graph", f"can't be run on some histories: {said}", FIXED) from error
    return np.concatenate(parts).astype(np.float64)


def compare(
    source: NDArray[np.float64], own: NDArray[np.float64], rows: Sequence[History], step: float
) -> Held:
    """How far scores and lists are apart.

    Parameters
    ----------
    step
        Of the recommender's scores, which are rounded to it.
    """
    errors = error_of(source, own, step)
    same, shared = [], []
    for row, history in enumerate(rows):
        one, other = (listed(scores[row], history) for scores in (source, own))
        same.append(one == other)
        shared.append(share_listed(source[row], one, other))
    greatest = float(errors.max(initial=0.0))
    return Held(len(rows), greatest, float(np.mean(same)), float(np.mean(shared)))


def error_of(one: NDArray[np.float64], other: NDArray[np.float64], step: float) -> NDArray[np.float64]:
    """Of each history, the greatest difference beyond half a step, as a share of its greatest score."""
    finite = np.where(np.isfinite(one), np.abs(one), 0.0)
    scale = np.maximum(finite.max(axis=1), max(finite.max(initial=0.0), 2.0**-60) / WEAK)
    with np.errstate(invalid="ignore"):
        apart = np.where(one == other, 0.0, np.abs(one - other))
    apart[np.isnan(apart)] = np.inf
    beyond: NDArray[np.float64] = np.maximum(apart.max(axis=1) - step / 2, 0.0) / scale
    return beyond


def refuse_others(
    source: NDArray[np.float64], own: NDArray[np.float64], rows: Sequence[History], step: float, what: str
) -> None:
    """Refuse a graph that gives other scores.

    Raises
    ------
    GivenError
        ``bring``: how many histories, by how much, and the first.
    """
    errors = error_of(source, own, step)
    wrong = np.flatnonzero(errors > TOLERANCE)
    if len(wrong):
        said = (
            f"on {len(wrong)} of {len(rows)} histories, by up to {errors.max():.3g} of their greatest score"
        )
        raise cannot(what, f"{said} (the first has {len(rows[wrong[0]])} items)", FIXED)


def share_listed(scores: NDArray[np.float64], wanted: Sequence[int], found: Sequence[int]) -> float:
    """The share of a list that is wanted, or scores as high as what is."""
    if not wanted or not found:
        return float(not wanted and not found)
    least = scores[wanted[-1]] - TIE * np.abs(scores[wanted]).max()
    return float((scores[list(found)] >= least).sum() / max(len(wanted), len(found)))


def listed(scores: NDArray[np.float64], history: History) -> list[int]:
    """The first `TOP` items, without those of the history; ties by position."""
    open_ = scores.copy()
    open_[history] = -np.inf
    order = np.argsort(-open_, kind="stable")[:TOP]
    return [int(item) for item in order if open_[item] > -np.inf]

"""How good predictions are, each figure with an interval over resampled units."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

Values = NDArray[np.floating[Any]]
Places = NDArray[np.int64]

DRAWS: Final = 200
CONFIDENCE: Final = 0.95
BINS: Final = 10


@dataclass(frozen=True)
class Figure:
    """A figure and the bounds between which 95 % of resampled ones lie."""

    value: float
    low: float
    high: float

    def as_json(self) -> dict[str, float]:
        """Rounded, for a card."""
        return {name: round(getattr(self, name), 6) for name in ("value", "low", "high")}

    def __str__(self) -> str:
        return f"{self.value:.4f} ({self.low:.4f} to {self.high:.4f})"


def figure(measure: Callable[[Places], float], n_units: int, seed: int = 1, draws: int = DRAWS) -> Figure:
    """`measure` of all units, and the percentile bootstrap of it (Efron 1979), less its bias.

    Parameters
    ----------
    measure
        Takes the places of units, of which some stand there twice.
    n_units
        How many there are; rows that belong together are one unit, or the interval is too small.
    """
    draw = np.random.default_rng(seed)
    drawn = [measure(draw.integers(0, n_units, n_units)) for _ in range(draws)]
    value = measure(np.arange(n_units))
    # Rows that are drawn twice make some figures greater, such as the calibration error: that is taken back.
    bias = float(np.nanmean(drawn)) - value
    low, high = np.nanquantile(drawn, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]) - bias
    least = 0.0 if np.nanmin(drawn) >= 0 else -np.inf
    return Figure(value, max(least, float(low)), float(high))


def auc(labels: Values, scores: Values) -> float:
    """The chance that a row with the label 1 scores above one with 0; ties count half; NaN without both."""
    positive = labels > 0
    n_positive = int(positive.sum())
    n_negative = len(labels) - n_positive
    if not n_positive or not n_negative:
        return float("nan")
    ranks = rankdata(scores)[positive].sum()
    return float((ranks - n_positive * (n_positive + 1) / 2) / (n_positive * n_negative))


def brier(labels: Values, chances: Values) -> float:
    """The mean squared error of probabilities; less is better (Brier 1950)."""
    return float(np.mean((chances.astype(np.float64) - labels) ** 2))


def log_loss(labels: Values, chances: Values) -> float:
    """Mean surprise, in nats; less is better."""
    sure = np.clip(chances.astype(np.float64), 1e-7, 1 - 1e-7)
    return float(-np.mean(np.where(labels > 0, np.log(sure), np.log1p(-sure))))


def calibration_error(labels: Values, chances: Values) -> float:
    """Of rows in tenths by probability: how far the mean is from the share that came true (ECE)."""
    tenths = np.array_split(np.argsort(chances, kind="stable"), BINS)
    return float(
        sum(
            abs(chances[rows].mean(dtype=np.float64) - labels[rows].mean()) * len(rows)
            for rows in tenths
            if len(rows)
        )
        / len(labels)
    )


def explained(labels: Values, amounts: Values) -> float:
    """The share of the labels' variance that is foreseen; NaN where all labels are the same."""
    spread = float(((labels - labels.mean()) ** 2).sum())
    return float(1 - ((labels - amounts) ** 2).sum() / spread) if spread else float("nan")


def qini(labels: Values, scores: Values, treatment: NDArray[np.bool_]) -> float:
    """The area between the Qini curve and chance, a treated row (Radcliffe 2007).

    The curve says, of the best share of rows by score, how many more of the treated have the
    label 1 than of as many others. 0 is what a draw reaches; it is not divided by the best
    possible area, which nobody knows.
    """
    order = np.argsort(-scores, kind="stable")
    treated = treatment[order].astype(np.float64)
    hits = labels[order].astype(np.float64)
    n_treated, n_others = np.cumsum(treated), np.cumsum(1 - treated)
    gained = np.cumsum(hits * treated) - np.cumsum(hits * (1 - treated)) * n_treated / np.maximum(n_others, 1)
    if not n_treated[-1] or not n_others[-1]:
        return float("nan")
    by_chance = gained[-1] * np.arange(1, len(order) + 1) / len(order)
    return float(np.mean(gained - by_chance) / n_treated[-1])


def uplift_of_best(labels: Values, scores: Values, treatment: NDArray[np.bool_], share: float) -> float:
    """The share of treated less that of others with the label 1, among the best rows by score."""
    best = np.argsort(-scores, kind="stable")[: max(1, round(share * len(scores)))]
    treated = treatment[best]
    if treated.all() or not treated.any():
        return float("nan")
    return float(labels[best][treated].mean() - labels[best][~treated].mean())


def members(groups: NDArray[np.int64]) -> list[Places]:
    """The rows of each group."""
    order = np.argsort(groups, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)


def ndcg_of_group(labels: Values, scores: Values, k: int) -> float:
    """Gains of the label, discounted by place, over the best possible; NaN where all labels are 0."""
    gains = 1 / np.log2(np.arange(2, min(k, len(labels)) + 2))
    best = np.sort(labels)[::-1][: len(gains)] @ gains
    if not best:
        return float("nan")
    return float(labels[np.argsort(-scores, kind="stable")][: len(gains)] @ gains / best)

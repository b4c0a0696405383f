"""What is given up of one objective for another: a table and a picture over the weights of a blend."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.predict.measure import members

Values = NDArray[np.floating[Any]]
STEPS: Final = 10
WIDTH, HEIGHT, MARGIN = 420, 300, 48


@dataclass(frozen=True)
class Point:
    """One mix of weights, what came of it, and whether no other mix is better in all objectives.

    Attributes
    ----------
    weights : Mapping[str, float]
        Of objectives whose mean is 1; they sum to 1.
    worth : Mapping[str, float]
        The same weights, for what models tell as it is: negative where less is better.
    outcomes : Mapping[str, float]
        What became of the chosen rows, in the mean.
    """

    weights: Mapping[str, float]
    worth: Mapping[str, float]
    outcomes: Mapping[str, float]
    is_best: bool


def frontier(
    scores: Mapping[str, Values],
    outcomes: Mapping[str, Values],
    share: float = 0.2,
    groups: NDArray[np.int64] | None = None,
    less: Collection[str] = (),
) -> list[Point]:
    """Choose rows by every mix of weights, and see what became of them.

    Parameters
    ----------
    scores
        By objective, what is predicted for each row; each is divided by its mean, so that
        weights compare.
    outcomes
        By objective, what happened.
    share
        The share of rows that is chosen, or of each group, at least one row.
    less
        Objectives of which less is better, such as returned goods.
    """
    units = [np.arange(len(next(iter(scores.values()))))] if groups is None else members(groups)
    sign = {name: -1.0 if name in less else 1.0 for name in {**scores, **outcomes}}
    unit = {
        name: sign[name] / max(1e-12, float(np.abs(values).mean(dtype=np.float64)))
        for name, values in scores.items()
    }
    tried = []
    for weights in mixes(tuple(scores)):
        worth = {name: weight * unit[name] for name, weight in weights.items()}
        total = sum(worth[name] * values.astype(np.float64) for name, values in scores.items())
        chosen = np.concatenate([_best(np.asarray(total), rows, share) for rows in units])
        found = {name: float(values[chosen].mean(dtype=np.float64)) for name, values in outcomes.items()}
        tried.append((weights, worth, found))
    signed = [{name: sign[name] * value for name, value in found.items()} for _, _, found in tried]
    return [
        Point(*one, is_best=not any(_beats(other, mine) for other in signed))
        for one, mine in zip(tried, signed, strict=True)
    ]


def mixes(names: Sequence[str]) -> list[dict[str, float]]:
    """All weights in tenths that sum to 1."""

    def parts(left: int, places: int) -> list[list[int]]:
        if places == 1:
            return [[left]]
        return [[first, *rest] for first in range(left + 1) for rest in parts(left - first, places - 1)]

    return [dict(zip(names, (part / STEPS for part in mix), strict=True)) for mix in parts(STEPS, len(names))]


def as_table(points: Sequence[Point]) -> str:
    """Markdown: the weights, the outcomes, and a star where none is better."""
    weights, outcomes = list(points[0].weights), list(points[0].outcomes)
    head = [*(f"weight of {name}" for name in weights), *outcomes, "best"]
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for point in points:
        cells = [f"{point.weights[name]:.1f}" for name in weights]
        cells += [f"{point.outcomes[name]:.4f}" for name in outcomes]
        lines.append("| " + " | ".join([*cells, "*" if point.is_best else ""]) + " |")
    return "\n".join(lines) + "\n"


def as_svg(points: Sequence[Point], across: str, up: str) -> str:
    """A picture of two outcomes: all choices as dots, those that none beats joined by a line."""
    found = np.array([[point.outcomes[across], point.outcomes[up]] for point in points])
    least, most = found.min(axis=0), found.max(axis=0)
    spread = np.where(most > least, most - least, 1.0)
    size = np.array([WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN])
    places = MARGIN + (found - least) / spread * size
    places[:, 1] = HEIGHT - places[:, 1]
    best = sorted(
        {tuple(place) for place, point in zip(places.tolist(), points, strict=True) if point.is_best}
    )
    dots = "".join(
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{4 if point.is_best else 2.5}"'
        f' fill="{"#0a58ca" if point.is_best else "#9aa4b2"}"><title>{_said(point)}</title></circle>\n'
        for (x, y), point in zip(places.tolist(), points, strict=True)
    )
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in best)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' font-family="sans-serif" font-size="11">\n<title>{escape(up)} against {escape(across)}</title>\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>\n'
        f'<polyline points="{line}" fill="none" stroke="#0a58ca"/>\n{dots}'
        f"{_axes(least.tolist(), most.tolist(), across, up)}</svg>\n"
    )


def _axes(least: Sequence[float], most: Sequence[float], across: str, up: str) -> str:
    bottom, right = HEIGHT - MARGIN / 2, WIDTH - MARGIN
    texts = (
        (MARGIN, bottom, "start", f"{least[0]:.4g}"),
        (right, bottom, "end", f"{most[0]:.4g}"),
        (WIDTH / 2, bottom, "middle", across),
        (MARGIN - 8, HEIGHT - MARGIN, "end", f"{least[1]:.4g}"),
        (MARGIN - 8, MARGIN, "end", f"{most[1]:.4g}"),
        (MARGIN - 8, MARGIN / 2, "start", up),
    )
    return "".join(
        f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}">{escape(text)}</text>\n'
        for x, y, anchor, text in texts
    )


def _said(point: Point) -> str:
    weights = ", ".join(f"{name} {weight:.1f}" for name, weight in point.weights.items())
    outcomes = ", ".join(f"{name} {value:.4g}" for name, value in point.outcomes.items())
    return escape(f"{weights}: {outcomes}")


def _best(total: Values, rows: NDArray[np.int64], share: float) -> NDArray[np.int64]:
    count = max(1, round(share * len(rows)))
    best: NDArray[np.int64] = rows[np.argsort(-total[rows], kind="stable")[:count]]
    return best


def _beats(other: Mapping[str, float], found: Mapping[str, float]) -> bool:
    as_good = all(other[name] >= found[name] for name in found)
    return as_good and any(other[name] > found[name] for name in found)

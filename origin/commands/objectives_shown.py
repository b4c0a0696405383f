"""Prints what `nearside objectives` found."""

from dataclasses import asdict

from models.predict.frontier import Point
from origin.commands import shown
from origin.training.objectives import Objectives


def objectives(found: Objectives, *, as_json: bool) -> None:
    """Print what each mix would have brought, and what to write into a rule for the best ones."""
    if as_json:
        points = [asdict(point) for point in found.points]
        shown.json_document({"rows": found.rows, "split": found.split, "points": points})
        return
    first = found.points[0]
    weights = [f"weight of {name}" for name in first.weights]
    table = shown.new_table(*weights, *first.outcomes, "best: the value of a campaign")
    for point in found.points:
        mixed = [f"{weight:.1f}" for weight in point.weights.values()]
        came = [f"{value:.4f}" for value in point.outcomes.values()]
        table.add_row(*mixed, *came, as_rule(point) if point.is_best else "")
    shown.out.print(f"{found.split}; what became of those chosen among the other {found.rows:,}:")
    shown.out.print(table)


def as_rule(point: Point) -> str:
    """The mix as rules write it; numbers are of the models as they are."""
    worth = (f"model.{name}: {value:.4g}" for name, value in point.worth.items() if value)
    return f"plus: {{{', '.join(worth)}}}"

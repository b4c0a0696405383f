"""Prints what `nearside compress` found."""

from pathlib import Path

from models.predict.smallest import chosen_settings as of_prediction
from models.small.smallest import Frontier
from origin.commands import shown
from origin.commands.frontier_picture import draw
from origin.training.compress import METRIC, chosen_settings, frontier_document, in_words


def frontier(found: Frontier, model: str, metric: str, *, as_json: bool) -> None:
    """Print all models that were tried, and what to write to get the chosen one."""
    if as_json:
        shown.json_document(frontier_document(found, metric))
        return
    table = shown.new_table("model", "storage", "kB", "of its bytes", metric, "loss", "surely below", "what")
    best, first = found.best(), found.points[0]
    for point in found.points:
        note = "smallest within the allowed loss" if point == found.chosen else "on the frontier"
        table.add_row(
            in_words(point.settings) or model,
            point.storage,
            f"{point.bytes / 1000:,.0f}",
            f"{point.bytes / first.bytes:.1%}",
            f"{point.metric:.4f}",
            f"{point.loss:.2%}",
            f"{point.bound:.2%}",
            note if point == found.chosen or point in best else "",
        )
    shown.out.print(table)
    chosen = chosen_settings(found.chosen) if metric == METRIC else of_prediction(found.chosen)
    lines = "\n".join(f"  {name}: {_plain(value)}" for name, value in chosen.items())
    if lines:
        shown.out.print(f"For the smallest one, write into models/{model}.yaml:\n{lines}")
    else:
        shown.out.print("None of the smaller ones surely loses no more: keep it as it is")
    shown.out.print(f"or let `nearside train` search each time:\n  smallest: {{lose: {found.lose * 100:g}%}}")


def write_picture(found: Frontier, model: str, metric: str, path: Path) -> None:
    """Draw the frontier into a file."""
    path.write_text(draw(found, model, metric), encoding="utf-8")


def _plain(value: float | str) -> str:
    return value if isinstance(value, str) else f"{value:g}"

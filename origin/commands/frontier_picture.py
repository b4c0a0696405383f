"""Draws a frontier between bytes and a metric as SVG."""

import math
from collections.abc import Collection, Sequence
from typing import Final
from xml.sax.saxutils import escape

from models.small.smallest import Frontier, Point
from origin.training.compress import in_words

WIDTH: Final = 720
HEIGHT: Final = 420
LEFT: Final = 70
RIGHT: Final = 24
TOP: Final = 48
BOTTOM: Final = 52
TICKS: Final = 5
COLOURS: Final = {"float32": "#1f5fa8", "float16": "#c26a00", "int8": "#2b7d3b", "full": "#1f5fa8"}
STYLE: Final = "text{font:12px sans-serif;fill:#222}.t{font-size:15px;font-weight:600}.g{stroke:#ddd}"


class _Scale:
    """Places of numbers on an axis, a twentieth of their range from its ends."""

    def __init__(self, numbers: Sequence[float], start: float, end: float) -> None:
        low, high = min(numbers), max(numbers)
        room = (high - low or abs(high) or 1.0) / 20
        self.low, self.high = low - room, high + room
        self._start, self._end = start, end

    def __call__(self, number: float) -> float:
        share = (number - self.low) / (self.high - self.low)
        return round(self._start + share * (self._end - self._start), 1)

    def ticks(self) -> list[float]:
        """Round numbers within the axis: multiples of 1, 2 or 5 times a power of ten."""
        rough = (self.high - self.low) / TICKS
        unit = 10.0 ** math.floor(math.log10(rough))
        step = next(unit * n for n in (1, 2, 5, 10) if unit * n >= rough)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [n * step for n in range(first, last + 1)]


def draw(frontier: Frontier, name: str, metric: str) -> str:
    """The picture: a mark for each model, a line through the best ones, a ring around the chosen one."""
    points = frontier.points
    across = _Scale([0, *(point.bytes / 1000 for point in points)], LEFT, WIDTH - RIGHT)
    floor = points[0].metric * (1 - frontier.lose)
    up = _Scale([floor, *(point.metric for point in points)], HEIGHT - BOTTOM, TOP)
    best = " ".join(f"{across(point.bytes / 1000)},{up(point.metric)}" for point in frontier.best())
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img">',
        f"<title>{escape(name)}: bytes and {metric}</title><style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        _text(LEFT, 22, f"{name}: {metric} by kB", "start", "t"),
        *_axes(across, up),
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up(floor)}" y2="{up(floor)}" stroke="#b00020"'
        ' stroke-dasharray="5 4"/>',
        _text(WIDTH - RIGHT, up(floor) - 5, f"allowed loss {frontier.lose:.2%}", "end"),
        f'<polyline points="{best}" fill="none" stroke="#888"/>',
        *(_mark(point, across, up, chosen=point == frontier.chosen) for point in points),
        *_legend({point.storage for point in points}),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _axes(across: _Scale, up: _Scale) -> list[str]:
    found = []
    for number in across.ticks():
        x = across(number)
        found += [
            f'<line class="g" x1="{x}" x2="{x}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>',
            _text(x, HEIGHT - BOTTOM + 18, f"{number:,.4g} kB", "middle"),
        ]
    for number in up.ticks():
        y = up(number)
        found += [
            f'<line class="g" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>',
            _text(LEFT - 8, y + 4, f"{number:.4g}", "end"),
        ]
    return found


def _mark(point: Point, across: _Scale, up: _Scale, *, chosen: bool) -> str:
    x, y, colour = across(point.bytes / 1000), up(point.metric), COLOURS[point.storage]
    told = f"{in_words(point.settings)} {point.storage}: {point.bytes / 1000:,.0f} kB, {point.metric:.4f}"
    ring = f'<circle cx="{x}" cy="{y}" r="9" fill="none" stroke="#222" stroke-width="2"/>' if chosen else ""
    return f'{ring}<circle cx="{x}" cy="{y}" r="4.5" fill="{colour}"><title>{escape(told)}</title></circle>'


def _legend(storages: Collection[str]) -> list[str]:
    found = []
    shown = [storage for storage in COLOURS if storage in storages]
    for place, storage in enumerate(shown):
        colour = COLOURS[storage]
        x = LEFT + 90 * place
        found += [
            f'<circle cx="{x + 5}" cy="{HEIGHT - 14}" r="4.5" fill="{colour}"/>',
            _text(x + 14, HEIGHT - 10, storage, "start"),
        ]
    return found


def _text(x: float, y: float, text: str, anchor: str, kind: str = "") -> str:
    class_ = f' class="{kind}"' if kind else ""
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}"{class_}>{escape(text)}</text>'

"""Draws a film's poster as a small SVG: the genre gives the motif, the film its colours and places."""

import hashlib
from collections.abc import Callable, Iterator
from html import escape
from typing import Final

from origin.demo.films import Film

WIDTH: Final = 200
HEIGHT: Final = 300
MAX_LINE_CHARS: Final = 11
MAX_LINES: Final = 4

HUES: Final = {
    "sci-fi": 228, "fantasy": 268, "horror": 352, "thriller": 196, "crime": 24, "film-noir": 210,
    "western": 18, "adventure": 158, "romance": 338, "drama": 212, "comedy": 42, "animation": 188,
    "documentary": 140, "childrens": 172, "musical": 300, "mystery": 250, "war": 80, "action": 8,
}  # fmt: skip
"""Of the colour circle, in degrees."""


class Dice:
    """Numbers that depend on a text alone."""

    def __init__(self, text: str) -> None:
        self._numbers = _bytes_of(text)

    def between(self, low: int, high: int) -> int:
        """A whole number from `low` to `high`."""
        return low + next(self._numbers) % (high - low + 1)


def _bytes_of(text: str) -> Iterator[int]:
    block = text.encode()
    while True:
        block = hashlib.sha256(block).digest()
        yield from (int.from_bytes(block[place : place + 2], "big") for place in range(0, 32, 2))


def draw(film: Film) -> str:
    """The poster of a film, under 4 kB."""
    dice = Dice(film.id + film.title)
    hue = HUES.get(film.genre, 212) + dice.between(-14, 14)
    night = dice.between(0, 2) > 0
    top, bottom = (f"hsl({hue} 55% 13%)", f"hsl({hue + 14} 62% 34%)")
    if not night:
        top, bottom = (f"hsl({hue + 18} 70% 62%)", f"hsl({hue - 10} 58% 30%)")
    ink = f"hsl({hue + 20} 86% {78 if night else 86}%)"
    motif = MOTIFS.get(film.genre, _window)(dice, ink)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}"'
        f' height="{HEIGHT}" role="img" aria-label="{escape(film.title)}">'
        f'<defs><linearGradient id="b" x2="0" y2="1"><stop stop-color="{top}"/>'
        f'<stop offset="1" stop-color="{bottom}"/></linearGradient>'
        '<linearGradient id="s" x2="0" y2="1"><stop offset=".5" stop-opacity="0"/>'
        '<stop offset="1" stop-opacity=".72"/></linearGradient></defs>'
        f'<path fill="url(#b)" d="M0 0h{WIDTH}v{HEIGHT}H0z"/>{motif}'
        f'<path fill="url(#s)" d="M0 0h{WIDTH}v{HEIGHT}H0z"/>{_lettering(film, dice)}</svg>'
    )


def _lettering(film: Film, dice: Dice) -> str:
    lines = _lines(film.title)
    longest = max(map(len, lines))
    size = max(15, min(30, int(290 / max(longest, 1))))
    face = ("Georgia,serif", "'Avenir Next','Segoe UI',Helvetica,Arial,sans-serif")[dice.between(0, 1)]
    start = HEIGHT - 34 - (len(lines) - 1) * size
    spans = "".join(
        f'<tspan x="16" y="{start + number * size}">{escape(line)}</tspan>'
        for number, line in enumerate(lines)
    )
    return (
        f'<g fill="#fff" font-family="{face}"><text font-size="{size}" font-weight="700">{spans}</text>'
        f'<text x="16" y="{HEIGHT - 14}" font-size="10" letter-spacing="2" opacity=".8">{film.year}</text>'
        "</g>"
    )


def _lines(title: str) -> list[str]:
    lines = [""]
    for word in title.split():
        joined = f"{lines[-1]} {word}".strip()
        if lines[-1] and len(joined) > MAX_LINE_CHARS:
            lines.append(word)
        else:
            lines[-1] = joined
    if len(lines) > MAX_LINES:
        lines = [*lines[: MAX_LINES - 1], lines[MAX_LINES - 1] + " …"]
    return lines


def _planet(dice: Dice, ink: str) -> str:
    x, y, r = dice.between(60, 150), dice.between(80, 140), dice.between(34, 62)
    stars = "".join(
        f'<circle cx="{dice.between(4, 196)}" cy="{dice.between(4, 220)}" r="{dice.between(5, 14) / 10}"/>'
        for _ in range(22)
    )
    tilt = dice.between(-30, 30)
    return (
        f'<radialGradient id="p" cx=".3" cy=".3" r=".8"><stop stop-color="{ink}"/>'
        f'<stop offset="1" stop-color="{ink}" stop-opacity=".25"/></radialGradient>'
        f'<g fill="{ink}" opacity=".8">{stars}</g><circle cx="{x}" cy="{y}" r="{r}" fill="url(#p)"/>'
        f'<ellipse cx="{x}" cy="{y}" rx="{r * 7 // 4}" ry="{r // 3}" fill="none" stroke="{ink}"'
        f' stroke-width="3" opacity=".7" transform="rotate({tilt} {x} {y})"/>'
    )


def _pines(dice: Dice, ink: str) -> str:
    trees = ""
    for number in range(9):
        x, top = number * 26 - 12 + dice.between(-6, 6), dice.between(110, 190)
        trees += f"M{x} 300L{x + 17} {top}L{x + 34} 300z"
    x, y, r = dice.between(50, 150), dice.between(60, 100), dice.between(28, 46)
    return f'<circle cx="{x}" cy="{y}" r="{r}" fill="{ink}"/><path d="{trees}" opacity=".82"/>'


def _mesas(dice: Dice, ink: str) -> str:
    x = dice.between(50, 150)
    left, right = dice.between(130, 170), dice.between(120, 175)
    return (
        f'<circle cx="{x}" cy="{dice.between(90, 140)}" r="{dice.between(36, 54)}" fill="{ink}"/>'
        f'<path opacity=".55" d="M0 300V{left}h46l8 40h38l6 60h102v60z"/>'
        f'<path opacity=".6" d="M200 300V{right}h-38l-8 44h-40l-10 50H0v80z"/>'
    )


def _circles(dice: Dice, ink: str) -> str:
    r, y, gap = dice.between(44, 58), dice.between(95, 135), dice.between(24, 36)
    return (
        f'<g fill="{ink}"><circle cx="{100 - gap}" cy="{y}" r="{r}" opacity=".8"/>'
        f'<circle cx="{100 + gap}" cy="{y + dice.between(-14, 14)}" r="{r}" opacity=".55"/></g>'
    )


def _blinds(dice: Dice, ink: str) -> str:
    lean, step = dice.between(10, 60), dice.between(18, 26)
    bars = "".join(f"M0 {y}l200 -{lean}v{step // 2}L0 {y + step // 2}z" for y in range(30, 290, step))
    return (
        f'<path fill="{ink}" opacity=".62" d="{bars}"/><circle cx="{dice.between(60, 140)}" cy="120" r="34"/>'
    )


def _peaks(dice: Dice, ink: str) -> str:
    layers = ""
    for number in range(4):
        y = 150 + number * 34
        ridge = "".join(f"L{x} {y + dice.between(-46, 12)}" for x in range(20, 200, 36))
        layers += f'<path opacity=".{3 + number}" d="M0 300V{y}{ridge}L200 {y}V300z"/>'
    return f'<circle cx="{dice.between(40, 160)}" cy="{dice.between(70, 110)}" r="30" fill="{ink}"/>{layers}'


def _bubbles(dice: Dice, ink: str) -> str:
    found = ""
    for number in range(9):
        x, y, r = dice.between(10, 190), dice.between(10, 210), dice.between(10, 42)
        fill = ink if number % 3 else f"hsl({dice.between(0, 359)} 80% 66%)"
        found += f'<circle cx="{x}" cy="{y}" r="{r}" fill="{fill}" opacity=".75"/>'
    return found


def _castle(dice: Dice, ink: str) -> str:
    x, height = dice.between(60, 110), dice.between(90, 140)
    moon = dice.between(40, 150)
    return (
        f'<path fill="{ink}" d="M{moon} 36a34 34 0 1 0 34 34 28 28 0 0 1-34-34z"/>'
        f'<path opacity=".8" d="M0 300v-60l{x - 20} -20V{height + 40}l14 -30 14 30v20h16'
        f'V{height}l18 -44 18 44v60h18v-30l12 -26 12 26v96l70 40v60z"/>'
    )


def _rings(dice: Dice, ink: str) -> str:
    x, y = dice.between(40, 160), dice.between(70, 160)
    rings = "".join(f'<circle cx="{x}" cy="{y}" r="{r}"/>' for r in range(dice.between(8, 14), 190, 15))
    return f'<g fill="none" stroke="{ink}" stroke-width="4" opacity=".75">{rings}</g>'


def _corridor(dice: Dice, ink: str) -> str:
    x, y = dice.between(80, 120), dice.between(90, 130)
    doors = "".join(
        f'<path d="M{x - w} {y - w * 5 // 4}h{2 * w}v{w * 5 // 2}h-{2 * w}z"/>'
        for w in (14, 28, 46, 70, 100, 140)
    )
    return (
        f'<g fill="none" stroke="{ink}" stroke-width="3" opacity=".7">{doors}</g>'
        f'<path fill="{ink}" d="M{x - 14} {y - 17}h28v35h-28z"/>'
    )


def _smile(dice: Dice, ink: str) -> str:
    x, y, r = 100, dice.between(90, 120), dice.between(52, 70)
    return (
        f'<circle cx="{x}" cy="{y}" r="{r}" fill="{ink}"/><circle cx="{x - 20}" cy="{y - 14}" r="7"/>'
        f'<circle cx="{x + 20}" cy="{y - 14}" r="7"/>'
        f'<path fill="none" stroke="#000" stroke-width="7" stroke-linecap="round"'
        f' d="M{x - 28} {y + 14}q28 {dice.between(14, 34)} 56 0"/>'
    )


def _window(dice: Dice, ink: str) -> str:
    lit = dice.between(0, 11)
    panes = ""
    for number in range(12):
        x, y = 46 + number % 3 * 38, 36 + number // 3 * 44
        panes += f'<path opacity="{1 if number == lit else 0.22}" d="M{x} {y}h30v36h-30z"/>'
    return f'<g fill="{ink}">{panes}</g>'


def _stripes(dice: Dice, ink: str) -> str:
    lean = dice.between(60, 140)
    bars = "".join(f"M{x} 300L{x + lean} 0h{dice.between(4, 18)}L{x + 14} 300z" for x in range(-120, 210, 34))
    return f'<path fill="{ink}" opacity=".6" d="{bars}"/>'


def _equalizer(dice: Dice, ink: str) -> str:
    bars = "".join(f"M{x} 220v-{dice.between(30, 180)}h14V220z" for x in range(18, 180, 24))
    return f'<path fill="{ink}" opacity=".8" d="{bars}"/>'


MOTIFS: Final[dict[str, Callable[[Dice, str], str]]] = {
    "sci-fi": _planet, "fantasy": _castle, "horror": _pines, "thriller": _corridor, "crime": _blinds,
    "film-noir": _blinds, "western": _mesas, "adventure": _peaks, "romance": _circles, "drama": _window,
    "comedy": _smile, "animation": _bubbles, "documentary": _rings, "childrens": _bubbles,
    "musical": _equalizer, "mystery": _corridor, "war": _stripes, "action": _stripes,
}  # fmt: skip

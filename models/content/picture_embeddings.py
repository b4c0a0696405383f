"""Makes embeddings of pictures at compile time, of their colours, edges and coarse look."""

import colorsys
import re
from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.content.pictures import Picture

SIDE: Final = 32
CELLS: Final = 4
"""Along each side: a picture is looked at in so many parts."""

ANGLES: Final = 9
BINS: Final = 4
"""Of each colour channel in the histogram."""

HUES: Final = 12
SHAPES: Final = ("circle", "ellipse", "rect", "path", "polygon", "line", "text", "Gradient")
STROKES: Final = "mlhvcsqtaz"
COLOUR: Final = re.compile(r"#([0-9a-fA-F]{6})\b|hsl\(\s*(\d+)[ ,]+(\d+)%[ ,]+(\d+)%")
OUTLINE: Final = re.compile(r"\bd=\"([^\"]*)\"")

Rows = NDArray[np.float64]


def embed_picture(picture: Picture) -> Rows:
    """Three parts of one length: histograms of edges by angle, a histogram of colours, and a thumbnail.

    The first are those of Dalal and Triggs, "Histograms of Oriented Gradients" (2005), in 4 x 4 cells.
    """
    small = shrink(picture, SIDE)
    grey = small @ np.array([0.299, 0.587, 0.114])
    thumbnail = shrink(picture, 2 * CELLS) - 0.5
    return np.concatenate([_unit(_edges(grey)), _unit(_histogram(small)), _unit(thumbnail.reshape(-1))])


def embed_drawing(svg: str) -> Rows:
    """What an SVG is drawn with: its hues, how light and strong they are, which shapes, which strokes."""
    hues, light = np.zeros(HUES), np.zeros((3, 3))
    for hue, lightness, strength in _colours(svg):
        hues[int(hue * HUES) % HUES] += strength
        light[min(int(lightness * 3), 2), min(int(strength * 3), 2)] += 1
    shapes = np.array([svg.count(shape) for shape in SHAPES], np.float64)
    outlines = "".join(OUTLINE.findall(svg)).lower()
    strokes = np.array([outlines.count(letter) for letter in STROKES], np.float64)
    parts = (hues, light.reshape(-1), np.log1p(shapes), np.log1p(strokes))
    return np.concatenate([_unit(part) for part in parts])


def shrink(picture: Picture, side: int) -> Rows:
    """The picture as a square of `side` by `side`, each pixel the mean of what it covers."""
    return _means(_means(picture.astype(np.float64), side).transpose(1, 0, 2), side).transpose(1, 0, 2)


def _means(rows: Rows, count: int) -> Rows:
    begin = np.arange(count) * len(rows) // count
    end = np.maximum(-(-np.arange(1, count + 1) * len(rows) // count), begin + 1)
    sums = np.concatenate([np.zeros((1, *rows.shape[1:])), np.cumsum(rows, axis=0)])
    means: Rows = (sums[end] - sums[begin]) / (end - begin)[:, np.newaxis, np.newaxis]
    return means


def _edges(grey: Rows) -> Rows:
    down, right = np.gradient(grey)
    angle = (np.arctan2(down, right) % np.pi) / np.pi * ANGLES
    strength = np.hypot(down, right)
    cell = np.arange(SIDE) * CELLS // SIDE
    places = (cell[:, np.newaxis] * CELLS + cell) * ANGLES
    found = np.zeros(CELLS * CELLS * ANGLES)
    low = np.floor(angle).astype(np.int64) % ANGLES
    share = angle - np.floor(angle)
    np.add.at(found, places + low, strength * (1 - share))
    np.add.at(found, places + (low + 1) % ANGLES, strength * share)
    return np.sqrt(found)


def _histogram(picture: Rows) -> Rows:
    bins = np.minimum((picture * BINS).astype(np.int64), BINS - 1)
    codes = (bins[:, :, 0] * BINS + bins[:, :, 1]) * BINS + bins[:, :, 2]
    return np.sqrt(np.bincount(codes.reshape(-1), minlength=BINS**3).astype(np.float64))


def _colours(svg: str) -> Iterable[tuple[float, float, float]]:
    """Hue, lightness and strength of each colour that is named, from 0 to 1."""
    for text, hue, strength, lightness in COLOUR.findall(svg):
        if text:
            red, green, blue = (int(text[place : place + 2], 16) / 255 for place in (0, 2, 4))
            yield colorsys.rgb_to_hls(red, green, blue)
        else:
            yield int(hue) / 360 % 1, int(lightness) / 100, int(strength) / 100


def _unit(part: Rows) -> Rows:
    unit: Rows = part / max(float(np.linalg.norm(part)), 1e-12)
    return unit

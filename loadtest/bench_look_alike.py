"""`python -m loadtest.bench_look_alike`: do look-alikes look alike? On labelled pictures, against chance.

Of each picture's ten nearest, the share with its label, and what ten drawn at random have. Handwritten
digits (8 x 8 pixels, from scikit-learn) and the demo's posters, whose label is the genre. Posters are
drawn by genre, so those are an easy case.
"""

import json

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_digits

from models.picture_embeddings import embed_drawing, embed_picture
from models.recipes.look_alike import LookAlike
from models.recipes.text_embeddings import reduce_rows
from origin.demo.films import generate
from origin.demo.posters import draw

NEAREST = 10


def main() -> None:
    factors = int(LookAlike.settings["factors"].default)
    digits = load_digits()
    grey = np.repeat(digits.images[..., np.newaxis] / 16, 3, axis=-1).astype(np.float32)
    films = generate()
    genres = np.unique([film.genre for film in films], return_inverse=True)[1]
    sets = {
        "digits": (np.array([embed_picture(picture) for picture in grey]), digits.target),
        "digits_by_pixel": (digits.images.reshape(len(grey), -1), digits.target),
        "posters": (np.array([embed_drawing(draw(film)) for film in films]), genres),
    }
    figures: dict[str, float] = {}
    for name, (rows, labels) in sets.items():
        precision, chance = measure(reduce_rows(rows, factors), labels)
        figures |= {f"precision10_{name}": round(precision, 4), f"chance_{name}": round(chance, 4)}
    print(json.dumps({"bench": "look-alike", "figures": figures}))


def measure(rows: NDArray[np.float64], labels: NDArray[np.int64]) -> tuple[float, float]:
    """The share of the nearest that have the same label, and of all others."""
    alike = rows @ rows.T
    np.fill_diagonal(alike, -np.inf)
    nearest = np.argsort(-alike, axis=1, kind="stable")[:, :NEAREST]
    others = (np.bincount(labels)[labels] - 1) / (len(labels) - 1)
    return float((labels[nearest] == labels[:, np.newaxis]).mean()), float(others.mean())


if __name__ == "__main__":
    main()

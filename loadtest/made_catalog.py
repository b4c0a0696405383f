"""Makes up catalogs of any size: films of MovieLens 100K, each many times over, and who viewed which.

Each item is a film, drawn by how often it was rated, with the film's factors moved at random by half of
their own size. A user of MovieLens viewed, for each film that they rated, one of the items made of it. So
factors and histories are real and their crowd is not: a catalog of a million real items was not to be had.
Neighbours are 50 for each item, mostly of its own part of the catalog.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import scipy.sparse
from numpy.typing import NDArray
from scipy.sparse.linalg import svds

from edge.bundle.arrays import Array
from models.data.histories import histories
from models.data.movielens import read_interactions
from models.graphs.factors import factor_arrays, factor_graph, score_factors
from models.graphs.neighbours import only_positive, sum_graph, sum_rows
from models.graphs.shortlist import neighbour_shortlist
from models.settings import complete
from models.trained import Trained

FACTORS: Final = 48
MOVED: Final = 0.5
WIDTH: Final = 50
LONGEST: Final = 50


@dataclass(frozen=True, eq=False)
class Made:
    """A made-up catalog: the film of each item, factors of items and what a view says, and real histories."""

    films: NDArray[np.int64]
    titles: tuple[str, ...]
    into: NDArray[np.float64]
    out: NDArray[np.float64]
    sample: dict[str, Array]

    @property
    def ids(self) -> tuple[str, ...]:
        """The items' ids, in the catalog's order."""
        return tuple(f"i{number:07}" for number in range(len(self.films)))


def make(count: int, data: Path) -> Made:
    """A catalog of `count` items, of films that are in `data`; each film is there at least once."""
    draw = np.random.default_rng(0)
    rated = read_interactions(data / "ml-100k")
    known, n_films = histories(rated), len(rated.item_ids)
    popular = np.bincount(rated.items, minlength=n_films)
    weights = 1 / np.sqrt(np.maximum(popular, 1))
    used = scipy.sparse.csr_array(
        (weights[rated.items], (rated.users, rated.items)), shape=(len(known), n_films)
    )
    _, _, found = svds(used.astype(np.float64), FACTORS, v0=np.ones(min(used.shape)))
    films = draw.choice(n_films, count, p=popular / popular.sum())
    films[:n_films] = np.arange(n_films)
    moved = np.linalg.norm(found.T, axis=1)[films, np.newaxis] * MOVED / np.sqrt(FACTORS)
    items = found.T[films] + moved * draw.normal(size=(count, FACTORS))
    sample = _sample(known, films, n_films, draw)
    return Made(films, rated.item_ids, items * weights[films, np.newaxis], items.T, sample)


def _sample(
    known: list[list[int]], films: NDArray[np.int64], n_films: int, draw: np.random.Generator
) -> dict[str, Array]:
    """Real histories, of items instead of their films; see `models.data.sample`."""
    order = np.argsort(films, kind="stable")
    begins = np.searchsorted(films[order], np.arange(n_films + 1))
    items: list[int] = []
    starts = [0]
    for history in known:
        rows = np.array(history[:LONGEST], np.int64)
        room = begins[rows + 1] - begins[rows]
        items += order[begins[rows] + (draw.random(len(rows)) * room).astype(np.int64)].tolist()
        starts.append(len(items))
    return {"items": np.array(items, np.int32), "starts": np.array(starts, np.int64)}


def factor_model(made: Made, name: str = "factors") -> Trained:
    """A model of factors, without blocks."""
    arrays = factor_arrays(made.into, made.out)
    card = _card("svd", {"factors": FACTORS})
    return Trained(
        name, made.ids, factor_graph("svd", arrays), arrays, card, score_factors, sample=made.sample
    )


def neighbour_model(made: Made, name: str = "neighbours") -> Trained:
    """A model of neighbours, with its shortlist."""
    draw, count = np.random.default_rng(1), len(made.films)
    near = np.abs(draw.normal(scale=200, size=(count, WIDTH))).astype(np.int64) + 1
    rows = np.zeros((count + 1, WIDTH), np.int32)
    rows[:-1] = np.sort((np.arange(count)[:, np.newaxis] + near) % count, axis=1)
    value = np.zeros((count + 1, WIDTH), np.float32)
    value[:-1] = draw.integers(1, 4096, (count, WIDTH)) / 4096
    arrays: dict[str, Array] = {"neighbour": rows, "value": value}
    return Trained(
        name,
        made.ids,
        sum_graph("item-item", arrays, positive=True),
        arrays,
        _card("item-item", {"neighbours": WIDTH}),
        lambda arrays, history, weight: only_positive(sum_rows(arrays, history, weight)),
        sample=made.sample,
        shortlist=neighbour_shortlist(arrays),
    )


def _card(recipe: str, settings: dict[str, object]) -> dict[str, object]:
    from models.recipe import settings_of  # noqa: PLC0415 - imports all recipes

    return {"recipe": recipe, "settings": complete(recipe, settings_of(recipe), settings)}

"""Simulated visitors of known tastes, whose views the demo's recommenders learn from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from origin.demo import titles
from origin.demo.films import Film, Interaction

VISITORS: Final = 800
SEED: Final = 4_711
END_S: Final = 1_767_225_600
"""2026-01-01: fixed, so that the same data come out on every day."""
DAYS: Final = 120
DAY_S: Final = 86_400
LIKES_FIRST: Final = 0.55
LIKES_SECOND: Final = 0.27
"""The share of views in the visitor's first and second genre; the rest goes anywhere."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Taste:
    """What a simulated visitor likes: two genres, the first more."""

    user: str
    first: str
    second: str


def simulate(
    films: Sequence[Film], count: int = VISITORS, seed: int = SEED
) -> tuple[list[Taste], list[Interaction]]:
    """Visitors and what they watched, the same for the same seed, ordered by time."""
    random = np.random.Generator(np.random.PCG64(seed))
    genres = list(titles.WORDS)
    mains = np.array([genres.index(film.genre_names[0]) for film in films])
    popularity = _popularity(len(films), random)
    rising = random.random(len(films)) < 0.05
    tastes, seen = [], []
    for number in range(count):
        first, second = random.choice(len(genres), 2, replace=False)
        taste = Taste(f"v{number + 1:04d}", genres[first], genres[second])
        odds = _odds(mains, popularity, (int(first), int(second)), len(genres))
        tastes.append(taste)
        seen += _views(taste.user, odds, films, rising, random)
    return tastes, sorted(seen, key=lambda row: (row.timestamp, row.user, row.item))


def _popularity(count: int, random: np.random.Generator) -> Numbers:
    """A few films are known to all, most to few: Zipf's law over a random order."""
    ranks = random.permutation(count) + 1.0
    return np.asarray(1 / ranks**0.6)


def _odds(mains: NDArray[np.int64], popularity: Numbers, taste: tuple[int, int], genres: int) -> Numbers:
    share = np.full(genres, (1 - LIKES_FIRST - LIKES_SECOND) / (genres - 2))
    share[taste[0]], share[taste[1]] = LIKES_FIRST, LIKES_SECOND
    totals = np.bincount(mains, popularity, genres)
    odds = share[mains] * popularity / totals[mains]
    return np.asarray(odds / odds.sum())


def _views(
    user: str, odds: Numbers, films: Sequence[Film], rising: NDArray[np.bool_], random: np.random.Generator
) -> list[Interaction]:
    length = min(int(random.lognormal(3.5, 0.5)) + 5, 120)
    chosen = random.choice(len(films), length, replace=False, p=odds)
    ages_s = random.random(length) * DAYS * DAY_S
    # Films on the rise were watched in the last week: what trends is not what was always liked.
    ages_s = np.where(rising[chosen], ages_s * 7 / DAYS, ages_s)
    return [
        Interaction(user, films[place].id, END_S - int(age))
        for place, age in zip(chosen.tolist(), ages_s.tolist(), strict=True)
    ]

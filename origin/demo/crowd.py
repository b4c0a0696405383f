"""Visitors with a taste that the training data do not know: science fiction, and westerns nobody watched."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from origin.demo.films import Film
from origin.demo.visits import Visitors

TASTE: Final = "Sci-Fi"
DISCOVERED: Final = "Western"
FAVOURITES: Final = 5
DISCOVERIES: Final = 4
VISITORS: Final = 36
SEED: Final = 7


@dataclass(frozen=True)
class Fashion:
    """Films that go together for those who come.

    Attributes
    ----------
    favourites : tuple[str, ...]
        Known to many of that taste, without those that everybody has seen: they say little.
    discoveries : tuple[str, ...]
        Of another genre, and watched by the fewest.
    """

    favourites: tuple[str, ...]
    discoveries: tuple[str, ...]


@dataclass
class Crowd:
    """Who came, what they must have left in the lake, and how many looked at each film."""

    visitors: int = 0
    decisions: int = 0
    views: int = 0
    looked: dict[str, int] = field(default_factory=dict)


def plan(films: Sequence[Film], liked: Sequence[str]) -> Fashion:
    """A fashion among these films; `liked` has them ordered by how many watched them, most first."""
    genres = {film.id: film.genre_names[0] for film in films}
    of_taste = [item for item in liked if genres[item] == TASTE]
    unknown = [item for item in reversed(liked) if genres[item] == DISCOVERED]
    return Fashion(tuple(of_taste[FAVOURITES : 2 * FAVOURITES]), tuple(unknown[:DISCOVERIES]))


def come(visitors: Visitors, pops: Sequence[str], fashion: Fashion) -> Crowd:
    """Let them come, to each PoP in turn; everybody leaves out one film of each kind."""
    dice = random.Random(SEED)  # noqa: S311  (a simulation, the same every time)
    crowd = Crowd()
    for number in range(VISITORS):
        chosen = dice.sample(fashion.favourites, FAVOURITES - 1)
        chosen += dice.sample(fashion.discoveries, DISCOVERIES - 1)
        visit = visitors.looks_around(pops[number % len(pops)], chosen)
        crowd.visitors += 1
        crowd.decisions += visit.decisions
        crowd.views += visit.views
        for item in chosen:
            crowd.looked[item] = crowd.looked.get(item, 0) + 1
    return crowd

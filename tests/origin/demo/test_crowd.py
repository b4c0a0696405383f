"""The fashion that new visitors bring: told apart from what was liked before, and the same every time."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from origin.demo import crowd, visitors
from origin.demo.checks import at_least
from origin.demo.compared import Move, moves
from origin.demo.films import Film, film
from origin.demo.visits import Visit


class _Visitors:
    """Remembers who would have come."""

    def __init__(self) -> None:
        self.came: list[tuple[str, tuple[str, ...]]] = []

    def looks_around(self, pop: str, films: Sequence[str]) -> Visit:
        self.came.append((pop, tuple(films)))
        return Visit("new", "", b"", pop, "", len(films) + 1, len(films))


def _fashion(catalogue: list[Film]) -> crowd.Fashion:
    _, seen = visitors.simulate(catalogue)
    liked = [item for item, _ in Counter(row.item for row in seen).most_common()]
    return crowd.plan(catalogue, liked)


def test_a_fashion_joins_known_films_with_unknown_ones_of_another_genre(catalogue: list[Film]) -> None:
    fashion = _fashion(catalogue)
    genres = {film.id: film.genre_names[0] for film in catalogue}
    assert {genres[item] for item in fashion.favourites} == {"Sci-Fi"}
    assert {genres[item] for item in fashion.discoveries} == {"Western"}
    assert (len(fashion.favourites), len(fashion.discoveries)) == (5, 4)


def test_what_the_crowd_says_of_itself_is_what_it_did(catalogue: list[Film]) -> None:
    fashion, came, again = _fashion(catalogue), _Visitors(), _Visitors()
    told = crowd.come(came, ("frankfurt", "newyork"), fashion)  # type: ignore[arg-type]
    crowd.come(again, ("frankfurt", "newyork"), fashion)  # type: ignore[arg-type]
    assert came.came == again.came
    assert told.visitors == len(came.came) == crowd.VISITORS
    assert told.views == sum(len(films) for _, films in came.came) == told.decisions - told.visitors
    assert told.looked == Counter(item for _, films in came.came for item in films)
    assert Counter(pop for pop, _ in came.came) == {"frankfurt": 18, "newyork": 18}
    assert set(told.looked) == {*fashion.favourites, *fashion.discoveries}


def test_moves_name_what_entered_stayed_and_left() -> None:
    films = [film(item, f"Film {item}", 2000, ["Drama"], "") for item in "abc"]
    assert moves("ab", "ca", films) == [
        Move("c", "Film c", 0, 1),
        Move("a", "Film a", 1, 2),
        Move("b", "Film b", 2, 0),
    ]


@pytest.mark.parametrize(
    ("count", "tries", "share", "chance"),
    [(0, 6, 0.1, 1.0), (6, 6, 0.5, 1 / 64), (1, 2, 0.5, 0.75), (0, 0, 0.5, 1.0)],
)
def test_what_chance_would_do(count: int, tries: int, share: float, chance: Any) -> None:
    assert at_least(count, tries, share) == pytest.approx(chance)

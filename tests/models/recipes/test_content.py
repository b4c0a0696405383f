"""Texts of the catalog: what is alike by them, and which columns are read."""

from dataclasses import replace

import numpy as np
import pytest

from edge.errors import GivenError
from models import recipe
from models.content.texts import item_terms
from models.data.interactions import Interactions, from_rows

FILMS = {
    "title": ("Alien", "Alien Returns", "Love, Again", "Love Story", "Nothing Known"),
    "genre": ("horror space", "horror space", "romance", "romance", ""),
    "poster": ("/img/1.jpg", "/img/2.jpg", "", "https://films.example/4", "/img/5.jpg"),
}


@pytest.fixture
def films() -> Interactions:
    viewed = from_rows([("u", "a", 1, 1.0)], ("a", "b", "c", "d", "e"))
    return replace(viewed, item_columns=FILMS)


def _scores(films: Interactions, **settings: object) -> list[float]:
    model = recipe.train("c", "content", films, {"popularity": 0, **settings})
    found: list[float] = model.score(np.array([[0]], np.int32), np.ones((1, 1), np.float32))[0].tolist()
    return found


def test_alike_is_what_shares_words_though_nobody_viewed_it(films: Interactions) -> None:
    scores = _scores(films)
    assert int(np.argsort(scores)[-2]) == 1
    assert max(scores[2:]) < 0.1 < scores[1]


def test_popularity_breaks_in_where_texts_say_little() -> None:
    rows = [(f"u{user}", item, user, 1.0) for user in range(8) for item in ("a", "d")]
    films = replace(from_rows(rows, ("a", "b", "c", "d", "e")), item_columns=FILMS)
    assert int(np.argmax(_scores(films, popularity=0)[1:])) == 0
    assert int(np.argmax(_scores(films, popularity=2)[1:])) == 2


def test_what_is_popular_is_what_is_viewed_lately() -> None:
    day = 86_400
    rows = [(f"u{user}", "d", user, 1.0) for user in range(8)] + [("v", "c", 100 * day, 1.0)]
    films = replace(from_rows(rows, ("a", "b", "c", "d", "e")), item_columns=FILMS)
    assert int(np.argmax(_scores(films, popularity=2, half_life_days=0)[1:])) == 2
    assert int(np.argmax(_scores(films, popularity=2, half_life_days=5)[1:])) == 1


def test_the_newest_of_the_history_says_most(films: Interactions) -> None:
    for places, wanted in ((1, 1), (0, 3)):
        model = recipe.train("c", "content", films, {"popularity": 0, "half_life_places": places})
        history = np.array([[0, 2, 2, 2]], np.int32)
        scores = model.score(history, np.ones(history.shape, np.float32))[0]
        assert (1, 3)[int(scores[3] > scores[1])] == wanted


def test_links_are_no_texts(films: Interactions) -> None:
    assert _scores(films) == _scores(films, columns="title genre")
    assert _scores(films) != _scores(films, columns="genre")


def test_a_word_is_another_word_in_another_column(films: Interactions) -> None:
    told = replace(films, item_columns={"a": ("x", "y", "", "", ""), "b": ("y", "x", "", "", "")})
    terms = item_terms(told, "a b").toarray()
    assert terms[0] @ terms[1] == 0
    assert np.linalg.norm(terms, axis=1) == pytest.approx([1, 1, 0, 0, 0])


@pytest.mark.parametrize(
    ("columns", "said"),
    [("titel", "no column 'titel'; did you mean 'title'?"), ("price", "it has title, genre, poster")],
)
def test_unknown_columns_are_named(films: Interactions, columns: str, said: str) -> None:
    with pytest.raises(GivenError, match=said.replace("?", r"\?")):
        _scores(films, columns=columns)


def test_a_catalog_without_text_is_refused(films: Interactions) -> None:
    with pytest.raises(GivenError, match="no column of text"):
        _scores(replace(films, item_columns={"poster": FILMS["poster"]}))

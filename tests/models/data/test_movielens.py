"""MovieLens 100K as its files are."""

from pathlib import Path

import pytest

from edge.errors import GivenError
from models.data import movielens


def test_the_films_and_ratings_of_the_real_files(data_dir: Path) -> None:
    films = movielens.read_films(data_dir / "ml-100k")
    assert len(films) == 1682
    by_id = {film.id: film for film in films}
    assert by_id["1"] == movielens.Film("1", "Toy Story", 1995, ("Animation", "Children's", "Comedy"))
    assert by_id["127"].title == "The Godfather"
    assert by_id["267"].year == 0
    ratings = movielens.read_interactions(data_dir / "ml-100k")
    assert (len(ratings), len(ratings.user_ids), ratings.unknown) == (100_000, 943, 0)
    assert ratings.item_ids == tuple(film.id for film in films)


@pytest.mark.parametrize(
    ("raw", "title", "year"),
    [
        ("Godfather, The (1972)", "The Godfather", 1972),
        ("Horseman on the Roof, The (Hussard, Le) (1995)", "The Horseman on the Roof (Hussard, Le)", 1995),
        ("Atalante, L' (1934)", "L'Atalante", 1934),
        ("Fast, Cheap & Out of Control (1997)", "Fast, Cheap & Out of Control", 1997),
        ("unknown", "unknown", 0),
    ],
)
def test_titles_read_as_people_write_them(tmp_path: Path, raw: str, title: str, year: int) -> None:
    (tmp_path / "u.item").write_text(f"item|title|releaseDate|unknown|Drama\n7|{raw}||0|1\n")
    assert movielens.read_films(tmp_path) == (movielens.Film("7", title, year, ("Drama",)),)


def test_other_layouts_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(GivenError, match=r"u\.item: can't be read"):
        movielens.read_films(tmp_path)
    (tmp_path / "u.item").write_text("1|Toy Story (1995)|01-Jan-1995\n")
    with pytest.raises(GivenError, match=r"u\.item:1: no column item, releaseDate, title, unknown"):
        movielens.read_films(tmp_path)
    (tmp_path / "u.item").write_text("item|title|releaseDate|unknown|Drama\n1|X||0|1\n")
    (tmp_path / "u.data").write_text("user|item|rating|timestamp\n1|1|5|today\n")
    with pytest.raises(GivenError, match=r"u\.data: .*today"):
        movielens.read_interactions(tmp_path)


def test_the_columns_of_the_films_come_with_the_ratings(data_dir: Path) -> None:
    ratings = movielens.read_interactions(data_dir / "ml-100k")
    place = ratings.item_ids.index("1")
    found = {name: texts[place] for name, texts in ratings.item_columns.items()}
    assert found == {"title": "Toy Story", "year": "1995", "genres": "Animation Children's Comedy"}

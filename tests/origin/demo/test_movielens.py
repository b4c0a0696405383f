"""MovieLens 100K as the site's catalogue."""

from pathlib import Path

import pytest

from edge.errors import GivenError
from origin.demo import movielens


def test_movielens_becomes_a_catalogue(data_dir: Path) -> None:
    folder = movielens.locate(data_dir)
    assert folder is not None
    found = {film.id: film for film in movielens.films(folder)}
    assert len(found) == 1682
    assert (found["50"].title, found["50"].year, found["50"].genre) == ("Star Wars", 1977, "sci-fi")
    assert found["12"].title == "The Usual Suspects"
    assert all(film.title and film.genres and 1900 < film.year < 2000 for film in found.values())
    assert len(movielens.interactions(folder)) == 100_000


def test_a_folder_without_movielens_holds_none(tmp_path: Path) -> None:
    assert movielens.locate(tmp_path) is None


def test_another_form_of_the_files_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "u.item").write_text("1|Toy Story (1995)|01-Jan-1995\n")
    (tmp_path / "u.data").write_text("196\t242\t3\t881250949\n")
    folder = movielens.locate(tmp_path)
    assert folder is not None
    with pytest.raises(GivenError, match=r"u\.item:1: no column"):
        movielens.films(folder)
